"""A distribution that learns while a tile is coded: binary decisions, their probabilities mixed from many experts'.

A value is found by a walk of decisions whether it is ``mid`` or above, in a tree of quantiles of a mixture of
logistics. Each decision's log odds, as the mixture, experts and contexts see them, are mixed by weights that follow
what was coded before: logistic mixing, Mahoney, http://mattmahoney.net/dc/dce.html, section 4.3.2. All is in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ridecodec.exact.families.base import Family, Float64
from ridecodec.exact.families.logistics import Logistics
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import FAR, GAIN, VALUES

ONE = 1 << 24
"""What a probability is a part of."""
Decide = Callable[[int, int], bool]
"""Whether the value is ``mid`` or above; takes ``mid``, and how likely that is, of `ONE`."""

_NETWORK = Logistics()
_EDGES = np.concatenate([[-FAR], np.arange(1, VALUES), [FAR]])[:, None]
_DEPTH = 5
"""Decisions that the tree of quantiles has."""
_UPPER, _LOWER, _INSIDE = range(1 << _DEPTH, (1 << _DEPTH) + 12, 4)
"""The first kinds of the further decisions."""
NODES = (1 << _DEPTH) + 12
"""Kinds of decisions: the tree's, and four each above it, below it, and in what it left between two quantiles."""
MOST_INPUTS, MOST_SETS, MOST_CONTEXT = 64, 8, 1023
_SLOT_BITS = 16
_FAR_INPUT, _FAR_NETWORK, _BIAS = 3072, 4095, 128
"""Log odds are in 1/256 octave; further ones count as these. The bias is an input that is always the same."""
_WEIGHT, _MOST_WEIGHT = 1 << 16, (1 << 18) - 1
_RATE, _RATE_FIRST, _RATE_HALF = 5814, 43606 << 10, 1 << 10
"""Of the weights: what it falls to, what is added at first, and after how many sub-pixels half of that."""
_FINAL_RATE = 11
_SQUASH_BITS = 7
"""Log odds of 1/4096 octave between two entries of the table ``squash``."""
_SQUASH_TOP = 1 << 16
_WORD = np.uint64(0xFFFFFFFF)
_MULTIPLIERS = tuple(map(np.uint64, (0x9E3779B1, 0x85EBCA6B, 0x2C1B3C6D)))


def log2(x: Int64) -> Int64:
    """About 1024 times the binary logarithm of integers from 1 to 2^31, which never falls."""
    place = (x.astype(np.float32).view(np.int32).astype(np.int64) >> 13) - (127 << 10)
    beyond = place & 1023
    found: Int64 = place + (354 * (beyond * (1024 - beyond) >> 4) >> 16)
    return found


class Mixed(Family):
    """Mixtures of K logistics, and experts, contexts and weight sets about them.

    Parts: those of `Logistics`; ``experts`` [E]: means, 1/32 of a value; ``bins`` [E]: rows of the table ``starts``,
    whose errors an expert shares; ``sets`` [S]: which weights of each set count; ``contexts`` [N]: what values may
    depend on, any numbers. Tables: those of `Logistics`; ``starts``: the error that each bin begins with, 1/2048 of a
    value; ``quantiles`` [32]: of the tree's nodes, from the second entry on, 1/256 of a logistic's scale; ``squash``
    [1025]: probabilities of log odds, 1/32 octave.
    """

    parts = (*Logistics.parts, "experts", "bins", "sets", "contexts")
    tables = (*Logistics.tables, "starts", "quantiles", "squash")

    @classmethod
    def make_tables(cls, starts: Int64) -> dict[str, Int64]:
        """The functions that the family needs; they are made once and shipped with each model."""
        node = np.arange(1, 1 << _DEPTH)
        level = 2 ** np.floor(np.log2(node))
        share = (node - level + 0.5) / level
        odds = np.exp2(-(np.arange(1025) - 512) / 32)
        return {
            **Logistics.make_tables(),
            "starts": starts,
            "quantiles": np.append(0, np.rint(256 * np.log(share / (1 - share)))).astype(np.int64),
            "squash": np.rint(ONE / (1 + odds)).astype(np.int64),
        }

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        experts, bins, sets, contexts = (parts[name] for name in self.parts[3:])
        starts, quantiles, squash = (tables[name] for name in self.tables[3:])
        inputs = len(experts) + len(contexts) + 2
        sizes = len(experts) == len(bins) and inputs <= MOST_INPUTS and len(sets) <= MOST_SETS
        within = bins.lo.min() >= 0 and bins.hi.max() < len(starts) and sets.lo.min() >= 0
        within = within and sets.hi.max() <= MOST_CONTEXT and experts.top.max() <= Logistics.MEAN_LIMIT
        made = starts.ndim == 1 and starts.min() >= 1 and starts.max() < 1 << 21 and len(starts) <= 1 << 12
        made = made and len(quantiles) == 1 << _DEPTH and np.abs(quantiles).max() < 1 << 11
        rises = len(squash) == 1025 and squash[0] >= 1 and squash[-1] < ONE and (np.diff(squash) >= 0).all()
        narrow = tables["inverse"].min() >= 1 << 5
        network = {name: parts[name] for name in Logistics.parts}, {name: tables[name] for name in Logistics.tables}
        known = contexts.top.max() < 1 << 31
        return bool(sizes and within and made and rises and narrow and known and _NETWORK.fits(*network))

    def learnt_bytes(self, parts: Mapping[str, Range]) -> int:
        experts, contexts = len(parts["experts"]), len(parts["contexts"])
        weights = int((parts["sets"].hi + 1).sum()) * NODES * (experts + contexts + 2)
        return 16 * ((contexts << _SLOT_BITS) + weights)

    def learner(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> Mixer:
        """What begins to learn at a tile's begin; ``parts``: ranges."""
        sizes = (parts["sets"].hi + 1).tolist()
        return Mixer(len(parts["experts"]), len(parts["contexts"]), sizes, tables)

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        """Of the mixture of logistics alone: what learns has no float twin."""
        return _NETWORK.bits(parts, values, tables)


class Mixer:
    """What one channel has learnt of a tile. Its sub-pixels are coded front by front, by rising row in a front."""

    def __init__(self, experts: int, contexts: int, sets: list[int], tables: Mapping[str, Int64]) -> None:
        """``sets``: the size of each."""
        self.tables, self.experts, self.seen = tables, experts, 0
        inputs = experts + contexts + 2
        begin = np.zeros(inputs, np.int64)
        begin[:experts] = _WEIGHT // 5 // experts
        begin[experts:-2] = _WEIGHT * 3 // 5 // contexts
        begin[-2] = _WEIGHT * 4 // 5
        self.weights = [np.tile(begin, (size, NODES, 1)) for size in sets]
        self.finals = np.full((NODES, len(sets)), _WEIGHT // len(sets), np.int64)
        self.errors = np.tile(tables["starts"], (experts, 1))
        self.coded = np.zeros_like(self.errors)
        self.slots = np.zeros((contexts, 1 << _SLOT_BITS), np.int64)
        self.visits = np.zeros_like(self.slots)

    def code(self, parts: Mapping[str, Int64], decide: Decide) -> int:
        """The value of a sub-pixel with these parts [size], found by decisions, and learnt."""
        column = {name: parts[name][:, None] for name in Logistics.parts}
        below = _NETWORK.distribution(column, self.tables).cumulative(_EDGES)[:, 0] + GAIN * np.arange(VALUES + 1)
        weights = Logistics.weights(column["logits"], self.tables["exponential"])[:, 0]
        place = (weights * parts["scales"].clip(0, Logistics.SCALES - 1)).sum() // Logistics.WEIGHT_TOTAL
        centre = int((weights * parts["means"]).sum()) // Logistics.WEIGHT_TOTAL
        spread = (1 << 23) // int(self.tables["inverse"][place])  # 1/512 of a value
        row = np.arange(self.experts), parts["bins"]
        shares = self._expected(parts["experts"], self.errors[row])
        lo, hi, depth, node = 0, VALUES, 0, 1
        while hi - lo > 1:
            if depth < _DEPTH:
                kind, mid = node, (centre + (int(self.tables["quantiles"][node]) * spread >> 12) + 32) // 32
            else:
                beyond = depth - _DEPTH
                step = max(1, (spread << min(beyond, 8)) >> 9)
                mid = {_UPPER: lo + step, _LOWER: hi - step, _INSIDE: (lo + hi) // 2}[node]
                kind = node + min(beyond, 3)
            mid = min(max(mid, lo + 1), hi - 1)
            above = self._decide(parts, below, shares, (lo, mid, hi), kind, decide)
            lo, hi = (mid, hi) if above else (lo, mid)
            node = self._next(node, depth, above)
            depth += 1
        self._learn_error(row, np.abs(32 * lo - parts["experts"]))
        self.seen += 1
        return lo

    @staticmethod
    def _next(node: int, depth: int, above: bool) -> int:
        """A node of the tree, then where the value is to be sought."""
        if depth >= _DEPTH:
            return _INSIDE if (node, above) in ((_UPPER, False), (_LOWER, True)) else node
        last = 2 * node + above
        if depth < _DEPTH - 1:
            return last
        return {(2 << _DEPTH) - 1: _UPPER, 1 << _DEPTH: _LOWER}.get(last, _INSIDE)

    def _expected(self, means: Int64, errors: Int64) -> Int64:
        """What each expert holds to be below each edge, [VALUES + 1, E]."""
        scales = ((log2(errors.clip(min=1)) - 6597) >> 6).clip(0, Logistics.SCALES - 1)
        column = {"logits": np.zeros((1, len(means)), np.int64), "means": means[None], "scales": scales[None]}
        return _NETWORK.distribution(column, self.tables).cumulative(_EDGES) // Logistics.WEIGHT_TOTAL

    def _decide(
        self,
        parts: Mapping[str, Int64],
        below: Int64,
        shares: Int64,
        interval: tuple[int, int, int],
        kind: int,
        decide: Decide,
    ) -> bool:
        """Take a decision of the interval (lo, mid, hi), and learn from it."""
        lo, mid, hi = interval
        odds = log2(np.stack([shares[hi] - shares[mid], shares[mid] - shares[lo]]) + 1)
        network = log2(np.array([below[hi] - below[mid], below[mid] - below[lo]]))
        trusted = int(np.clip((network[0] - network[1]) >> 2, -_FAR_NETWORK, _FAR_NETWORK))
        slots = self._slots(parts["contexts"], mid, hi - mid == 1)
        experts = ((odds[0] - odds[1]) >> 2).clip(-_FAR_INPUT, _FAR_INPUT)
        inputs = np.concatenate([experts, self.slots[slots] >> 4, [trusted, _BIAS]])
        rows = [held[which, kind] for held, which in zip(self.weights, parts["sets"].tolist(), strict=True)]
        sums = np.array([(row * inputs >> 6).sum() >> 6 for row in rows]).clip(1 - _SQUASH_TOP, _SQUASH_TOP - 1)
        mixed = ((self.finals[kind] * sums).sum() >> 16).clip(1 - _SQUASH_TOP, _SQUASH_TOP - 1)
        likely = self._squash(np.append(sums, mixed))
        above = decide(mid, int(likely[-1]))
        missed = (above << 16) - (likely >> 8)
        rate = _RATE + _RATE_FIRST // (_RATE_HALF + self.seen)
        for row, miss in zip(rows, missed[:-1] * rate >> 16, strict=True):
            row += inputs * miss + (1 << 13) >> 14
            row.clip(-_MOST_WEIGHT, _MOST_WEIGHT, out=row)
        self.finals[kind] += missed[-1] * sums * _FINAL_RATE + (1 << 24) >> 25
        self.finals[kind] = self.finals[kind].clip(-_MOST_WEIGHT, _MOST_WEIGHT)
        self._learn_slots(slots, 16 * trusted, above)
        return above

    def _squash(self, odds: Int64) -> Int64:
        place = odds + _SQUASH_TOP
        index, table = place >> _SQUASH_BITS, self.tables["squash"]
        rise = table[index + 1] - table[index]
        found: Int64 = table[index] + (rise * (place & (1 << _SQUASH_BITS) - 1) >> _SQUASH_BITS)
        return found

    def _slots(self, contexts: Int64, mid: int, last: bool) -> tuple[Int64, Int64]:
        """One of each context; 16 that stand together are those of eight neighbours."""
        number = np.arange(len(contexts))
        first, second, third = _MULTIPLIERS
        state = contexts.astype(np.uint64) * first + number.astype(np.uint64) * second + np.uint64(mid >> 3)
        state = (state & _WORD) * third & _WORD
        state = (state ^ state >> np.uint64(15)) * first & _WORD
        place = (state >> np.uint64(32 - _SLOT_BITS + 4)).astype(np.int64)
        return number, 16 * place + 2 * (mid & 7) + last

    def _learn_slots(self, slots: tuple[Int64, Int64], odds: int, above: bool) -> None:
        held, visits = self.slots[slots], self.visits[slots]
        places = (odds + held).clip(1 - _SQUASH_TOP, _SQUASH_TOP - 1)
        missed = (above << 16) - (self._squash(places) >> 8)
        rate = np.maximum(23644 // (visits + 8), 118)
        self.slots[slots] = (held + (missed * rate + (1 << 15) >> 16)).clip(-32767, 32767)
        self.visits[slots] = np.minimum(visits + 1, 255)

    def _learn_error(self, row: tuple[Int64, Int64], error: Int64) -> None:
        held, coded = self.errors[row], self.coded[row]
        rate = np.maximum(2048 // (coded + 6), 20)
        self.errors[row] = held + ((64 * error - held) * rate >> 11)
        self.coded[row] = np.minimum(coded + 1, 255)
