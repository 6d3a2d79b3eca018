"""The distributions that learn, for the second decoder, written from docs/format.md alone, in Python's integers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

KINDS = 44
WORD = 2**32


def log(x: int) -> int:
    """About 1024 times the binary logarithm."""
    (bits,) = struct.unpack("<I", struct.pack("<f", x))
    place = (bits >> 13) - (127 << 10)
    beyond = place % 1024
    return int(place + (354 * ((beyond * (1024 - beyond)) >> 4) >> 16))


def clamp(x: int, limit: int) -> int:
    return max(-limit, min(limit, x))


class Channel:
    """What one channel has learnt in a tile."""

    def __init__(self, sets: int, experts: int, contexts: int, tables: dict[str, Any]) -> None:
        self.tables = {name: table.tolist() for name, table in tables.items()}
        self.first = [65536 // 5 // experts] * experts + [39321 // contexts] * contexts + [52428, 0]
        self.weights: dict[tuple[int, int, int], list[int]] = {}
        self.finals = [[65536 // sets] * sets for _ in range(KINDS)]
        self.errors = [list(self.tables["starts"]) for _ in range(experts)]
        self.met = [[0] * len(self.tables["starts"]) for _ in range(experts)]
        self.slots: dict[tuple[int, int], tuple[int, int]] = {}
        self.seen = 0

    def squash(self, x: int) -> int:
        table, place = self.tables["squash"], x + 65536
        start, end = table[place >> 7 : (place >> 7) + 2]
        return int(start + ((end - start) * (place % 128) >> 7))

    def logistic(self, edge: int, mean: int, scale: int) -> int:
        place = ((32 * edge - 16 - mean) * self.tables["inverse"][max(0, min(218, scale))] >> 10) + 7168
        return int(self.tables["logistic"][max(0, min(14336, place))])

    def read(self, parts: dict[str, list[int]], weight: list[int], decision: Callable[[int], int]) -> int:
        """A value; ``weight``: of the mixture's logistics; ``decision``: whether it is so, given how likely that is."""
        means, scales, experts, bins = (list(map(int, parts[name])) for name in ("means", "scales", "experts", "bins"))
        inner = [max(0, min(218, scale)) for scale in scales]
        spread = 2**23 // self.tables["inverse"][sum(w * s for w, s in zip(weight, inner, strict=True)) // 1024]
        centre = sum(w * m for w, m in zip(weight, means, strict=True)) // 1024
        widths = [(log(max(1, self.errors[e][b])) - 6597) >> 6 for e, b in enumerate(bins)]

        def network(edge: int) -> int:
            held = (w * self.logistic(edge, m, s) for w, m, s in zip(weight, means, scales, strict=True))
            return 0 if edge == 0 else 64 * (2**24 - 16) if edge == 256 else sum(held) + 64 * edge

        def expert(e: int, edge: int) -> int:
            return 0 if edge == 0 else 1048559 if edge == 256 else self.logistic(edge, experts[e], widths[e])

        lo, hi, depth, node = 0, 256, 0, 1
        while hi - lo > 1:
            if depth < 5:
                kind, mid = node, (centre + (self.tables["quantiles"][node] * spread >> 12) + 32) // 32
            else:
                step = max(1, (spread << min(depth - 5, 8)) >> 9)
                kind = node + min(depth - 5, 3)
                mid = {32: lo + step, 36: hi - step, 40: (lo + hi) // 2}[node]
            mid = max(lo + 1, min(hi - 1, mid))
            near = clamp((log(network(hi) - network(mid)) - log(network(mid) - network(lo))) >> 2, 4095)
            ends = [[expert(e, edge) for edge in (lo, mid, hi)] for e in range(len(experts))]
            inputs = [clamp((log(c - b + 1) - log(b - a + 1)) >> 2, 3072) for a, b, c in ends]
            slots = [self.slot(i, int(each), mid, hi) for i, each in enumerate(parts["contexts"])]
            inputs += [self.slots.get(slot, (0, 0))[0] >> 4 for slot in slots] + [near, 128]
            up = self.decide(parts["sets"], kind, inputs, decision)
            for slot in slots:
                delta, visits = self.slots.get(slot, (0, 0))
                missed = (up << 16) - (self.squash(clamp(16 * near + delta, 65535)) >> 8)
                rate = max(23644 // (visits + 8), 118)
                self.slots[slot] = (clamp(delta + (missed * rate + 32768 >> 16), 32767), min(visits + 1, 255))
            lo, hi = (mid, hi) if up else (lo, mid)
            if depth < 5:
                node = 2 * node + up
                if depth == 4:
                    node = {63: 32, 32: 36}.get(node, 40)
            elif (node, up) in ((32, 0), (36, 1)):
                node = 40
            depth += 1
        for e, b in enumerate(bins):
            rate = max(2048 // (self.met[e][b] + 6), 20)
            self.errors[e][b] += (64 * abs(32 * lo - experts[e]) - self.errors[e][b]) * rate >> 11
            self.met[e][b] = min(self.met[e][b] + 1, 255)
        self.seen += 1
        return lo

    def slot(self, number: int, context: int, mid: int, hi: int) -> tuple[int, int]:
        a = (context * 0x9E3779B1 + number * 0x85EBCA6B + (mid >> 3)) * 0x2C1B3C6D % WORD
        b = (a ^ a >> 15) * 0x9E3779B1 % WORD
        return number, 16 * (b >> 20) + 2 * (mid % 8) + (hi - mid == 1)

    def decide(self, sets: list[int], kind: int, inputs: list[int], decision: Callable[[int], int]) -> int:
        rows = [self.weights.setdefault((s, int(w), kind), list(self.first)) for s, w in enumerate(sets)]
        sums = [clamp(sum(w * x >> 6 for w, x in zip(row, inputs, strict=True)) >> 6, 65535) for row in rows]
        finals = self.finals[kind]
        likely = self.squash(clamp(sum(f * s for f, s in zip(finals, sums, strict=True)) >> 16, 65535))
        up = decision(likely)
        rate = 5814 + (43606 << 10) // (1024 + self.seen)
        for row, found in zip(rows, sums, strict=True):
            step = ((up << 16) - (self.squash(found) >> 8)) * rate >> 16
            row[:] = [clamp(w + (x * step + 8192 >> 14), 2**18 - 1) for w, x in zip(row, inputs, strict=True)]
        missed = (up << 16) - (likely >> 8)
        finals[:] = [clamp(f + (missed * s * 11 + 2**24 >> 25), 2**18 - 1) for f, s in zip(finals, sums, strict=True)]
        return up


def mixed(
    tile: Any, channel: int, parts: dict[str, Any], tables: dict[str, np.ndarray], weight: np.ndarray
) -> Callable[[Callable[[int], int]], int]:
    """What reads a value, of a program's channel at a pixel."""
    held = tile.memory.get(("mixed", channel))
    if held is None:
        held = Channel(len(parts["sets"]), len(parts["experts"]), len(parts["contexts"]), tables)
        tile.memory["mixed", channel] = held
    own, gate = {name: list(values) for name, values in parts.items()}, weight.tolist()
    return lambda decision: held.read(own, gate, decision)
