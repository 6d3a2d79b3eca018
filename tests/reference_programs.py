"""Programs for the second decoder, written from docs/format.md alone: a pixel at a time, in Python's integers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import reference_least_squares as least_squares
from reference_mixed import mixed

Tensors = dict[str, np.ndarray]


class Program:
    """One of a model file: its operations, and what stands around them."""

    def __init__(self, tensors: Tensors, channels: int, prefix: str = "") -> None:
        self.tensors = tensors
        head = json.loads(bytes(tensors["programs"].astype(np.uint8)))
        self.written = head["programs"][f"{prefix}{channels}"]
        self.side, self.channels = "none" if prefix else head["extra"]["side"], channels
        self.kept: list[list[int]] = self.written["kept"]
        self.operations: list[list[Any]] = self.written["operations"]
        self.arguments = [self.attributes(operation) for operation in self.operations]
        self.passes = [operation[6] if len(operation) > 6 else 0 for operation in self.operations]
        self.leads = sorted({0, *self.passes}, reverse=True)
        self.outputs = [
            (family, parts, {name: tensors[key].astype(int) for name, key in tables.items()})
            for family, parts, tables in self.written["outputs"]
        ]

        self.of_pass = {lead: [k for k, own in enumerate(self.passes) if own == lead] for lead in self.leads}
        self.kept_of_pass = {
            lead: [
                (channels + k, value, row) for k, (value, row, *_) in enumerate(self.kept) if self.passes[value] == lead
            ]
            for lead in self.leads
        }

    def pace(self, width: int) -> int:
        """So steep that every pass finds what it reaches; a row a front where one runs backwards."""
        if -1 in self.leads:
            return width
        slope = max([1, *(a["slope"] for a in self.arguments if "slope" in a)])
        for (kind, *_), tap, lead in zip(self.operations, self.arguments, self.passes, strict=True):
            if kind == "tap":
                for plane, dy, dx in tap["taps"]:
                    made = 0 if plane < self.channels else self.passes[self.kept[plane - self.channels][0]]
                    if dy < 0:
                        slope = max(slope, (dx + lead - made) // -dy + 1)
        return slope

    def attributes(self, operation: list[Any]) -> dict[str, Any]:
        found = {
            name: self.tensors[value]
            if isinstance(value, str)
            else np.array(value)
            if isinstance(value, list)
            else value
            for name, value in operation[2].items()
        }
        if operation[0] == "tap":
            found["taps"] = list(zip(*(found[name].tolist() for name in ("planes", "dy", "dx")), strict=True))
        return found

    def initial(self, plane: int) -> tuple[int, int]:
        """Rule and value of what stands outside of the tile."""
        return (
            (0, 128)
            if plane < self.channels
            else (self.kept[plane - self.channels][2], self.kept[plane - self.channels][3])
        )


def parameters(program: Program, side: bytes) -> list[np.ndarray]:
    """The tile's integers, one list for each parameter."""
    if program.side == "label":
        return [np.array([side[0]])]
    if program.side == "code":
        return [np.frombuffer(side, np.int8).astype(int)]
    if program.side == "half":
        return []
    if program.side == "largest":
        (top,) = side
        return [np.array([top])]
    assert (program.side, side) == ("none", b"")
    return []


def given(program: Program, tile: Any) -> list[tuple[np.ndarray, int]]:
    """The planes that are known beforehand, and how much stands around each."""
    if program.side == "code" and program.written.get("given"):
        rows, columns = np.arange(tile.height) * 8 // tile.height, np.arange(tile.width) * 8 // tile.width
        return [(8 * rows[:, None] + columns, 0)]
    if program.side == "half":
        maps = np.concatenate([tile.half.astype(int), np.ones((1, *tile.half.shape[1:]), int)])
        wide = maps.repeat(2, 1).repeat(2, 2)
        return [(np.pad(plane, 4 + 2), 4 + 2) for plane in wide]
    return []


class Values:
    """The results of a pass at a pixel, computed when they are asked for."""

    def __init__(self, program: Program, tile: Any, y: int, x: int) -> None:
        self.program, self.tile, self.y, self.x = program, tile, y, x
        self.found: dict[int, Any] = {}
        if "told" not in tile.memory:
            tile.memory["told"], tile.memory["given"] = parameters(program, tile.side), given(program, tile)

    def value(self, k: int) -> Any:
        if k not in self.found:
            kind, inputs, *_ = self.program.operations[k]
            attributes, values = self.program.arguments[k], [self.value(i) for i in inputs]
            if kind == "memory":
                found = look(self.tile, k, attributes["ends"].tolist(), values[0])
            elif kind == "least_squares":
                found = least_squares.predict(self.tile, k, attributes, values[0], (self.y, self.x))
            elif kind == "learn" and len(inputs) == 3:
                found = least_squares.learn(self.tile, inputs[0], values[1], values[2], self.y)
            elif kind == "learn":
                found = learn(self.tile, inputs[0], *values)
            else:
                found = _run(kind, values, attributes, self.tile, self.y, self.x, self.tile.memory["told"])
            self.found[k] = found
        return self.found[k]

    def keep(self, lead: int) -> None:
        """What the pass teaches and keeps."""
        for k in self.program.of_pass[lead]:
            self.value(k)
        for plane, value, row in self.program.kept_of_pass[lead]:
            self.tile.planes[plane, self.y, self.x] = self.found[value][row]


def ahead(program: Program, tile: Any, t: int) -> None:
    """The passes that run before front ``t``."""
    if -1 in program.leads and t > 0 and t % tile.width == 0:
        for x in reversed(range(tile.width)):
            Values(program, tile, t // tile.width - 1, x).keep(-1)
    for lead in program.leads:
        for y in range(tile.height):
            x = t + lead - tile.slope * y
            if lead > 0 and 0 <= x < tile.width:
                Values(program, tile, y, x).keep(lead)


def pixel(program: Program, tile: Any, y: int, x: int) -> Iterator[Any]:
    """The cumulative M(0..256) of each channel; when resumed, the channel is in the tile's planes."""
    values = Values(program, tile, y, x)
    for channel, (family, parts, tables) in enumerate(program.outputs):
        own = {part: values.value(k) for part, k in parts.items()}
        if family == "mixed":
            yield mixed(tile, channel, own, tables, gate(own["logits"], tables["exponential"]))
        else:
            yield FAMILIES[family](own, tables)
    values.keep(0)


def look(tile: Any, number: int, ends: list[int], values: list[int]) -> list[int]:
    """What the tables of a memory say: latest, before, count and hash of each context."""
    state, hashes = 1, []
    for k, value in enumerate(values[: ends[-1]]):
        a = ((state ^ value) & (2**31 - 1)) * 0x2C1B3C6D + (value >> 16)
        state = (a ^ (a >> 15) ^ (a >> 31)) & (2**31 - 1)
        if k + 1 in ends:
            hashes.append(state)
    said = []
    for context, (slot, tag) in enumerate(places(tile, hashes)):
        held = tile.memory.get((number, context, slot))
        said.append(held[1:] if held and held[0] == tag else (-1, -1, 16))
    return [*(s[0] for s in said), *(s[1] for s in said), *(s[2] for s in said), *hashes]


def learn(tile: Any, number: int, found: list[int], value: list[int]) -> list[int]:
    """Write what a pixel was where it had looked."""
    latest, before, counts, hashes = np.array(found).reshape(4, -1).tolist()
    for context, (slot, tag) in enumerate(places(tile, hashes)):
        if latest[context] == value[0]:
            said = (before[context], min(counts[context] + 1, 15))
        else:
            said = (latest[context] if latest[context] >= 0 else value[0], 0)
        tile.memory[number, context, slot] = (tag, value[0], *said)
    return value


def places(tile: Any, hashes: list[int]) -> list[tuple[int, int]]:
    """Slot and tag of each context."""
    bits = min(16, (4 * tile.height * tile.width - 1).bit_length())
    return [(each % 2**bits, each >> bits) for each in hashes]


def _run(kind: str, inputs: list[Any], a: dict[str, Any], tile: Any, y: int, x: int, told: list[Any]) -> Any:
    """One operation."""
    if kind == "tap":
        return [tile.value(plane, y + dy, x + dx) for plane, dy, dx in a["taps"]]
    if kind == "given":
        planes = [tile.memory["given"][p] for p in a["planes"].tolist()]
        offsets = zip(planes, a["dy"].tolist(), a["dx"].tolist(), strict=True)
        return [int(plane[y + margin + dy, x + margin + dx]) for (plane, margin), dy, dx in offsets]
    if kind == "place":
        borders = (y, x, tile.height - 1 - y, tile.width - 1 - x)
        return [*(min(distance, a["limit"]) for distance in borders), y % 2, x % 2]
    if kind == "sample":
        return [int(tile.planes[a["channel"], y, x])]
    if kind == "parameter":
        return told[a["parameter"]].tolist()
    v = inputs[0]
    if kind == "affine":
        plus = inputs[1] if len(inputs) == 2 else [0] * len(a["bias"])
        sums = a["weight"] @ np.array(v, np.int64) + a["bias"] + np.array(plus, np.int64)  # below 2^53
        return (sums >> a["shift"]).tolist()
    if kind in PAIRS:
        other = inputs[1] if len(inputs[1]) == len(v) else [inputs[1][0]] * len(v)
        return [PAIRS[kind](p, q) for p, q in zip(v, other, strict=True)]
    if kind == "absolute":
        return [abs(e) for e in v]
    if kind == "clamp":
        return [min(max(e, a["lo"]), a["hi"]) for e in v]
    if kind == "shift":
        return [e >> a["bits"] if a["bits"] >= 0 else e << -a["bits"] for e in v]
    if kind == "sum":
        return [sum(v[k : k + a["group"]]) for k in range(0, len(v), a["group"])]
    if kind == "lookup":
        return [int(e) for index in v for e in a["table"][index]]
    if kind == "select":
        size = len(inputs[1]) // a["count"]
        return inputs[1][v[0] * size : (v[0] + 1) * size]
    if kind == "take":
        return [v[k] for k in a["rows"]]
    assert kind == "concatenate", kind
    return [e for each in inputs for e in each]


PAIRS: dict[str, Callable[[int, int], int]] = {
    "add": lambda p, q: p + q,
    "subtract": lambda p, q: p - q,
    "multiply": lambda p, q: p * q,
    "minimum": min,
    "maximum": max,
    "less": lambda p, q: int(p < q),
    "equal": lambda p, q: int(p == q),
}


def gate(logits: list[int], exponential: np.ndarray) -> np.ndarray:
    """Weights that sum to 1024."""
    values = np.array(logits, int)
    total = np.cumsum(exponential[(values.max() - values).clip(0, 511)])
    return np.diff(1024 * total // total[-1], prepend=0)


def logistics(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Cumulative of K logistics at edges 0 .. 256."""
    means, scales = (np.array(parts[name], int) for name in ("means", "scales"))
    weights = gate(parts["logits"], tables["exponential"])
    points = 32 * np.arange(257)[:, None] - 16
    index = ((points - means) * tables["inverse"][scales.clip(0, 218)] >> 10) + 7168
    return (weights * tables["logistic"][index.clip(0, 14336)]).sum(1)


def softmax(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Values each with a logit of its own."""
    logits = np.array(parts["logits"], int)
    mass = tables["exponential"][np.minimum(logits.max() - logits, 4095)]
    below = np.concatenate([[0], np.cumsum(mass)])
    return below * 1073724416 // below[-1]


def even(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Values up to a largest one, all alike."""
    count = int(parts["top"][0]) + 1
    return np.minimum(np.arange(257), count) * 1073724416 // count


def spikes(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Values that are likely by themselves, over logistics and an even distribution."""
    odds, lives = np.array(parts["odds"], int), np.array([*parts["alive"], 1, 1], int)
    best = odds[lives == 1].max()
    mass = np.cumsum(tables["odds"][(best - odds).clip(0, 1023)] * lives)
    weights = np.diff(mass * 65536 // mass[-1], prepend=0)
    edges = np.arange(257)
    likely = sum(int(w) * (edges > v) for w, v in zip(weights[:-2], parts["values"], strict=True)) * 1073724416
    return (likely + weights[-2] * logistics(parts, tables) + weights[-1] * even(parts, tables)) >> 16


def wide(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """B(0 .. 65536) of K logistics on 16 bits."""
    means, scales = (np.array(parts[name], int) for name in ("means", "scales"))
    inverse = tables["inverse"][scales.clip(0, 288)]
    place = ((32 * np.arange(65537)[:, None] - 16 - means) * inverse >> 13) + 7168 * 256
    index, beyond = np.divmod(place.clip(0, 14336 * 256), 256)
    logistic = tables["logistic"]
    mass = logistic[index] * (256 - beyond) + logistic[(index + 1).clip(max=14336)] * beyond
    below = ((gate(parts["logits"], tables["exponential"]) * mass).sum(1) >> 8) + np.arange(65537)
    below[0], below[-1] = 0, 65536 + 1073724416
    return below


def wide_high(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    below = wide(parts, tables)
    return below[::256] * 1073724416 // below[-1]


def wide_low(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    high = parts["high"][0]
    part = wide(parts, tables)[256 * high : 256 * high + 257]
    return (part - part[0]) * 1073724416 // (part[-1] - part[0])


def gaussians(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Cumulative of C x S Gaussians at edges 0 .. 256."""
    logits, means, inverse = np.array(parts["logits"], int), np.array(parts["means"], int), tables["inverse"]
    total = np.cumsum(tables["exponential"][(logits.max() - logits).clip(0, 1023)])
    share = total * (2**38 // total[-1]) >> 24
    share[-1] = 2**14
    weights = np.diff(share, prepend=0).reshape(inverse.shape)
    offsets = 32 * np.arange(257)[:, None, None] - means[:, None]
    index = ((offsets * inverse >> 10) + 6144).clip(0, 12288)
    below = (weights * tables["normal"][index]).sum((1, 2))
    return below - ((below >> 10) * 17 >> 10)


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, np.ndarray]], np.ndarray]] = {
    "logistics": logistics,
    "even": even,
    "gaussians": gaussians,
    "spikes": spikes,
    "softmax": softmax,
    "wide.high": wide_high,
    "wide.low": wide_low,
}
