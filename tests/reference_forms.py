"""The forms of docs/format.md, and the models of graphics and of 16 bits, for the second decoder; plain Python."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

CUMULATIVE = 64 * (2**24 - 272)
NEIGHBOURS = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (0, -3), (-2, 2)]
ENDS = (1, 2, 4, 6, 11)
LEVELS = [0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 6, 7]
LINES = [(0, 4), (1, 5), (2, 7), (2, 8), (4, 9), (3, 6), (6, 10)]


def entries(colours: list[int], bits: int) -> list[tuple[int, int, int]]:
    """(context, entry, tag) of the five contexts."""
    state, found = 1, []
    for k, colour in enumerate(colours):
        a = ((state ^ colour) & (2**31 - 1)) * 0x2C1B3C6D + (colour >> 16)
        state = (a ^ (a >> 15) ^ (a >> 31)) & (2**31 - 1)
        if k + 1 in ENDS:
            found.append((len(found), state % 2**bits, state >> bits))
    return found


def graphics(tile: Any, y: int, x: int, tensors: dict[str, np.ndarray], gradient: Callable[..., Any]) -> Iterator[Any]:
    if tile.memory is None:
        tile.memory = {}
    channels, top = tile.channels, tile.side[0]
    taps = [tile.around(c, y, x, NEIGHBOURS).tolist() for c in range(channels)]
    colours = [0] * len(NEIGHBOURS)
    for tap in taps:
        colours = [colour * 256 + sample for colour, sample in zip(colours, tap, strict=True)]
    keys = entries(colours, min(16, (4 * tile.height * tile.width - 1).bit_length()))
    said = []
    for context, entry, tag in keys:
        held = tile.memory.get((context, entry))
        said.append(held[1:] if held and held[0] == tag else (-1, -1, 16))
    candidates = colours[:4] + [s[0] for s in said] + [s[1] for s in said]
    inputs = [int(LEVELS[s[2]] == level) for s in said for level in range(8)]
    inputs += [int(candidates[i] == candidates[j]) for i, j in combinations(range(9), 2)]
    inputs += [int(colours[i] == colours[j]) for i, j in LINES]
    inputs += [int(channels == n) for n in (1, 2, 3, 4)] + [int(top >> i > 0) for i in range(9)]
    groups = [(0, channels)] if channels % 2 else [(0, 1), (1, channels - 1)]
    smooth = [part for first, count in groups for part in [gradient(tile, y, x, tensors, first, count)]]
    edges = np.arange(257)
    own = 0
    for c in range(channels):
        values = [candidate >> 8 * (channels - 1 - c) & 255 for candidate in candidates]
        alive = [k >= 0 and k >> 8 * (channels - c) == own for k in candidates] if c else [k >= 0 for k in candidates]
        name, seen = "first", inputs
        if c:
            name, seen = "later", inputs + [int(a) for a in alive] + [int(c == n) for n in range(4)]
        hidden = linear(tensors, f"{name}.hidden", np.array(seen)).clip(0, 4096)
        logits = linear(tensors, f"{name}.out", hidden)
        lives = np.array([*alive, True, True])
        best = logits[lives].max()
        mass = np.cumsum(tensors["tables.weights"][(best - logits).clip(0, 1023)] * lives)
        weights = np.diff(mass * 65536 // mass[-1], prepend=0)
        spikes = sum(int(w) * (edges > v) for w, v in zip(weights[:14], values, strict=True)) * CUMULATIVE
        even = np.minimum(edges, top + 1) * CUMULATIVE // (top + 1)
        base = next(smooth[0] if c < groups[0][1] else smooth[1])
        yield (spikes + weights[14] * base + weights[15] * even) >> 16
        own = own * 256 + int(tile.planes[c, y, x])
    for part in smooth:
        next(part, None)
    for (context, entry, tag), (latest, before, count) in zip(keys, said, strict=True):
        if latest == own:
            tile.memory[context, entry] = (tag, own, before, min(count + 1, 15))
        else:
            tile.memory[context, entry] = (tag, own, latest if latest >= 0 else own, 0)


def linear(tensors: dict[str, np.ndarray], name: str, inputs: np.ndarray) -> np.ndarray:
    weight, bias, exponent = (tensors[f"{name}.{part}"] for part in ("weight", "bias", "exponent"))
    return (weight @ inputs + bias) >> exponent


NEAR = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1)]
USUAL = [3072, -2048, 819, -205, -410, 0]


def deep(tile: Any, y: int, x: int, tensors: dict[str, np.ndarray]) -> Iterator[Any]:
    channels = tile.channels // 2
    counts = [6 + 4 * c for c in range(channels)]
    if tile.side:
        sent = np.frombuffer(tile.side, "<i2").astype(int)
        coefficients = np.split(sent, np.cumsum(counts)[:-1])
    else:
        coefficients = [np.array(USUAL + [0] * (count - 6)) for count in counts]
    near = [256 * tile.around(2 * c, y, x, NEAR) + tile.around(2 * c + 1, y, x, NEAR) for c in range(channels)]
    now: list[int] = []
    before = 0
    for c in range(channels):
        own = near[c]
        features = [*(own[1:] - own[0]), *(now[i] - near[i][j] for i in range(c) for j in range(4))]
        total = int(np.dot(coefficients[c], features))
        predicted = min(max(32 * int(own[0]) + (total >> 7), 0), 32 * 65535)
        first = near[0][:3] if c else np.zeros(3, int)
        w, n, nw = own[:3] - first
        median = int(np.clip(np.clip(w + n - nw, min(w, n), max(w, n)) + (now[0] if c else 0), 0, 65535))
        errors = tile.around(2 * channels + c, y, x, NEAR[:4])
        energy = int(errors.sum()) + 2 * before * (c > 0)
        steep = int(abs(own[0] - own[2]) + abs(own[1] - own[2]) + abs(own[1] - own[3]))
        kind = 0 if channels == 1 else min(1 + c, 2)
        row = (kind * 40 + min((energy**2).bit_length(), 39)) * 12 + min(steep.bit_length(), 11)
        means = np.array([predicted, predicted, 32 * median])
        inverse = tensors["tables.inverse"][tensors["scales"][row]]
        place = ((32 * np.arange(65537)[:, None] - 16 - means) * inverse >> 13) + 7168 * 256
        index, beyond = np.divmod(place.clip(0, 14336 * 256), 256)
        logistic = tensors["tables.logistic"]
        mass = logistic[index] * (256 - beyond) + logistic[(index + 1).clip(max=14336)] * beyond
        below = ((tensors["weights"][row] * mass).sum(1) >> 8) + np.arange(65537)
        below[0], below[-1] = 0, 65536 + CUMULATIVE
        yield below[::256] * CUMULATIVE // below[-1]
        high = int(tile.planes[2 * c, y, x])
        part = below[256 * high : 256 * high + 257]
        yield (part - part[0]) * CUMULATIVE // (part[-1] - part[0])
        value = 256 * high + int(tile.planes[2 * c + 1, y, x])
        before = abs(value - (predicted >> 5))
        tile.planes[2 * channels + c, y, x] = before
        now.append(value)


class Part:
    """Reads parts of a tile; ``modelled(member, payload, channels)`` decodes planes."""

    def __init__(self, reader: Any, height: int, width: int, palette: np.ndarray | None, modelled: Any) -> None:
        self.reader, self.height, self.width = reader, height, width
        self.palette, self.modelled = palette, modelled

    def read(self, channels: int, values: int) -> np.ndarray:
        """int64 [channels, H, W]"""
        form = self.reader.number(1)
        size = 2 if values > 256 else 1
        if form >= 16:
            payload = self.reader.take(self.reader.varint())
            planes = self.modelled(form - 16, payload, channels * (2 if form == 19 else 1))
            return planes[::2] * 256 + planes[1::2] if form == 19 else planes
        if form == 0:
            pixel = [self.reader.number(size) for _ in range(channels)]
            return np.ones((channels, self.height, self.width), int) * np.array(pixel)[:, None, None]
        if form in (1, 2):
            return self.rows(form, channels, values)
        if form == 3:
            table = self.table(channels, size)
            return table[:, self.read(1, table.shape[1])[0]]
        if form == 4:
            table = self.table(1, size)[0]
            return table[self.read(channels, len(table))]
        if form == 5:
            light = self.palette @ [299, 587, 114]
            order = sorted(range(values), key=lambda i: (i >= len(light), light[i] if i < len(light) else 0, i))
            return np.array(order)[self.read(1, values)]
        if form == 6:
            shown = self.read(3, 256)[[1, 0, 2]]
            known = [tuple(colour) for colour in self.palette.tolist()]
            flat = [known.index(tuple(colour)) for colour in shown.reshape(3, -1).T.tolist()]
            return np.array(flat).reshape(1, self.height, self.width)
        assert form == 7, form
        first = self.read(1, values)
        return np.concatenate([first, self.read(channels - 1, values)])

    def table(self, channels: int, size: int) -> np.ndarray:
        count = self.reader.varint()
        data = self.reader.take(self.reader.varint())
        if len(data) != channels * count * size:
            data = zlib.decompress(data, -15)
        steps = np.frombuffer(data, "<u2" if size == 2 else np.uint8).reshape(channels, count).astype(int)
        return np.cumsum(steps, 1) % 256**size

    def rows(self, form: int, channels: int, values: int) -> np.ndarray:
        bits = 16 if values > 256 else 8
        if channels == 1:
            bits = next(b for b in (1, 2, 4, 8, 16) if values <= 2**b)
        step = max(1, channels * bits // 8)
        length = -(-self.width * channels * bits // 8)
        kind = self.reader.number(1)
        data = self.reader.take(self.reader.varint())
        if form == 1:
            data = zlib.decompress(data, -15)
        else:
            digits = min(max((self.height * (length + (kind == 5))).bit_length(), 12), 26)
            wanted = {"id": lzma.FILTER_LZMA2, "lc": 3, "lp": 0, "pb": 0, "dict_size": 2**digits}
            data = lzma.decompress(data, lzma.FORMAT_RAW, filters=[wanted])
        above = [0] * length
        lines = []
        for y in range(self.height):
            line = list(data[y * (length + (kind == 5)) :][: length + (kind == 5)])
            above = unfiltered(line.pop(0) if kind == 5 else kind, line, above, step)
            lines.append(above)
        rows = np.array(lines, np.uint8)
        if bits == 16:
            found = rows.view(">u2").astype(int)
        elif bits == 8:
            found = rows.astype(int)
        else:
            single = np.unpackbits(rows, axis=1)[:, : self.width * bits].reshape(self.height, self.width, bits)
            found = single @ (2 ** np.arange(bits)[::-1])
        return found.reshape(self.height, self.width, channels).transpose(2, 0, 1)


def unfiltered(kind: int, line: list[int], above: list[int], step: int) -> list[int]:
    out: list[int] = []
    for i, byte in enumerate(line):
        a, b = out[i - step] if i >= step else 0, above[i]
        c = above[i - step] if i >= step else 0
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        out.append((byte + [0, a, b, (a + b) // 2, nearest][kind]) % 256)
    return out
