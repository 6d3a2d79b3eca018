"""Programs for the second decoder, written from docs/format.md alone: a pixel at a time, in Python's integers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]


class Program:
    """One of a model file: its operations, and what stands around them."""

    def __init__(self, tensors: Tensors, channels: int) -> None:
        self.tensors = tensors
        head = json.loads(bytes(tensors["programs"].astype(np.uint8)))
        self.written = head["programs"][str(channels)]
        self.side, self.channels = head["extra"]["side"], channels
        self.kept: list[list[int]] = self.written["kept"]
        self.memories: dict[int, Any] = {}

    @property
    def slope(self) -> int:
        """So steep that a front's pixels do not see each other."""
        taps = [self.attributes(op) for op in self.written["operations"] if op[0] == "tap"]
        offsets = [offset for tap in taps for offset in zip(tap["dy"], tap["dx"], strict=True)]
        return max([1, *(int(dx) // -int(dy) + 1 for dy, dx in offsets if dy < 0 < dx)])

    def attributes(self, operation: list[Any]) -> dict[str, Any]:
        return {
            name: self.tensors[value]
            if isinstance(value, str)
            else np.array(value)
            if isinstance(value, list)
            else value
            for name, value in operation[2].items()
        }

    def initial(self, plane: int) -> tuple[int, int]:
        """Rule and value of what stands outside of the tile."""
        return (
            (0, 128)
            if plane < self.channels
            else (self.kept[plane - self.channels][2], self.kept[plane - self.channels][3])
        )


def parameters(program: Program, side: bytes) -> list[np.ndarray]:
    """The tile's integers, one list for each parameter."""
    if program.side == "none":
        assert side == b""
        return []
    return [found.ravel() for found in image_experts(side, _defaults(program))]


def _defaults(program: Program) -> list[np.ndarray]:
    return [program.tensors[f"extra.{program.channels}.experts.{c}"].astype(int) for c in range(program.channels)]


def pixel(program: Program, tile: Any, y: int, x: int) -> Iterator[Any]:
    """The cumulative M(0..256) of each channel; when resumed, the channel is in the tile's planes."""
    values: list[np.ndarray] = []
    told = parameters(program, tile.side)
    operations = program.written["operations"]

    def run(until: int) -> None:
        while len(values) <= until:
            kind, inputs, *_ = operation = operations[len(values)]
            attributes = program.attributes(operation)
            values.append(np.array(_run(kind, [values[k] for k in inputs], attributes, tile, y, x, told), dtype=object))

    for family, parts, tables in program.written["outputs"]:
        run(max(parts.values()))
        held = {name: program.tensors[key].astype(int) for name, key in tables.items()}
        yield FAMILIES[family]({part: values[k] for part, k in parts.items()}, held)
    if program.kept:
        run(max(value for value, *_ in program.kept))
    for k, (value, row, _, _) in enumerate(program.kept):
        tile.planes[program.channels + k, y, x] = values[value][row]


def _run(kind: str, inputs: list[Any], a: dict[str, Any], tile: Any, y: int, x: int, told: list[Any]) -> Any:
    """One operation."""
    if kind == "tap":
        return [
            tile.value(int(p), y + int(dy), x + int(dx))
            for p, dy, dx in zip(a["planes"], a["dy"], a["dx"], strict=True)
        ]
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
    if kind == "fitted":
        rows = told[a["parameter"]].reshape(-1, len(v))
        return [sum(int(w) * e for w, e in zip(row, v, strict=True)) >> a["shift"] for row in rows]
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


def logistics(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Cumulative of K logistics at edges 0 .. 256."""
    logits, means, scales = (np.array(parts[name], int) for name in ("logits", "means", "scales"))
    total = np.cumsum(tables["exponential"][(logits.max() - logits).clip(0, 511)])
    weights = np.diff(1024 * total // total[-1], prepend=0)
    points = 32 * np.arange(257)[:, None] - 16
    index = ((points - means) * tables["inverse"][scales.clip(0, 218)] >> 10) + 7168
    return (weights * tables["logistic"][index.clip(0, 14336)]).sum(1)


def even(parts: dict[str, Any], tables: dict[str, np.ndarray]) -> np.ndarray:
    """Values up to a largest one, all alike."""
    count = int(parts["top"][0]) + 1
    return np.minimum(np.arange(257), count) * 1073724416 // count


FAMILIES: dict[str, Callable[[dict[str, Any], dict[str, np.ndarray]], np.ndarray]] = {
    "logistics": logistics,
    "even": even,
}


def image_experts(side: bytes, default: list[np.ndarray]) -> list[np.ndarray]:
    """Coefficients [2 sets, 4 groups, n] of each channel."""
    if not side:
        return default
    bits = iter(np.unpackbits(np.frombuffer(side, np.uint8)).tolist())

    def take(count: int) -> int:
        return int("0" + "".join(str(next(bits)) for _ in range(count)), 2)

    def vector(size: int) -> np.ndarray:
        k = take(4)
        out = []
        for _ in range(size):
            quotient = 0
            while next(bits):
                quotient += 1
            z = (quotient << k) + take(k)
            out.append(-(z + 1) // 2 if z % 2 else z // 2)
        return np.array(out)

    result = []
    for usual in default:
        chosen = usual.copy()
        for s in range(2):
            level, size = take(2), usual.shape[2]
            if level == 1:
                chosen[s] = usual[s].sum(0) // 4 + vector(size)
            if level == 2:
                previous = usual[s, 0]
                for g in range(4):
                    previous = chosen[s, g] = previous + vector(size)
        result.append(chosen)
    return result
