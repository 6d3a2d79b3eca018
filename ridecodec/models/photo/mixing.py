"""What the mixed distributions of the photo model are given beside the network's mixture: experts, and what they
depend on.

The experts of a channel are the adaptive ones, the means of the network's mixture, and three cheap predictions. Each
has a plane of its errors, in eighths of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ridecodec.exact.order import Offset
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value

CHEAP = 3
ERROR_TOP = 511
_ERROR_WEIGHTS: dict[Offset, int] = {(0, -1): 4, (-1, 0): 4, (-1, -1): 2, (-1, 1): 3, (0, -2): 2, (-2, 0): 2}
_BINS, _LEVELS = 48, 6
"""Quarters of an octave of an expert's recent error, and of the errors of the channels coded before."""
_MARGIN, _TOP = 64, 255 * 32
_LIMIT = 127
_COARSE, _FINE = [-12, 13], [-12, -4, 5, 13]
_MISSES = [4, 9, 17, 30]
"""Normalised errors, 1/16 of the local scale, from which on the next class begins."""


def starts() -> Int64:
    """The error that a bin begins with, 1/2048 of a pixel."""
    error = 2048 * (np.exp2((np.arange(_BINS) - 16) / 4) + 0.15)
    return np.repeat(np.rint(error).astype(np.int64), _LEVELS)


class Mixing:
    """The experts of a program under way."""

    def __init__(self, ops: Recorder, mixture: int, adaptive: int, plane: int) -> None:
        """``mixture``, ``adaptive``: how many experts of each kind; ``plane``: the first of their errors'."""
        self.ops, self.plane = ops, plane
        self.count = mixture + adaptive + CHEAP
        self.errors: list[Value] = []
        self._experts: list[Value] = []

    def parts(self, channel: int, known: Value, near: Value, misses: Sequence[Value]) -> dict[str, Value]:
        """Those of a channel.

        ``known``: the means of the adaptive experts and of the mixture, 1/32 of a pixel; ``near``: normalised errors of
        the first of these at the west and north neighbours; ``misses``: those of the channels coded before.
        """
        ops = self.ops
        experts = ops.concatenate([known, self._cheap(channel)]).clamp(-_MARGIN, _TOP + _MARGIN)
        self._experts.append(experts)
        bins = self._recent(channel)
        level = self._level(misses)
        sets = [bins[0] >> 1, self._pair(near, _COARSE)]
        if misses:
            sets.append(self._pair(ops.concatenate([misses[-1], misses[0]]), _FINE))
        return {
            "experts": experts,
            "bins": ops.affine(bins, _LEVELS * np.eye(self.count, dtype=np.int64)) + level,
            "sets": ops.concatenate(sets),
            "contexts": self._contexts(channel),
        }

    def observe(self, channel: int, value: Value) -> None:
        """Take the errors of the experts; ``value``: the sample, 1/32 of a pixel."""
        error = abs(self.ops.take(value, [0] * self.count) - self._experts[channel])
        self.errors.append((error >> 2).clamp(0, ERROR_TOP))

    def _recent(self, channel: int) -> Value:
        """Bins of the recent errors, quarters of an octave [count]."""
        first, ops = self.plane + channel * self.count, self.ops
        taps = ops.tap(((first + k, offset) for k in range(self.count) for offset in _ERROR_WEIGHTS), unit=8)
        weights = np.array([list(_ERROR_WEIGHTS.values())])
        total = int(weights.sum())
        sums = ops.affine(taps, np.kron(np.eye(self.count, dtype=np.int64), weights))
        error = np.arange(total * ERROR_TOP + 1)
        octaves = np.log2((error + 3) / (8 * total))
        return ops.lookup(sums, np.floor(4 * octaves + 16.5).clip(0, _BINS - 1)[:, None])

    def _level(self, misses: Sequence[Value]) -> Value:
        """How far the channels coded before were off, 0 without such."""
        if not misses:
            return self.ops.constant(0)
        most = abs(misses[0])
        for miss in misses[1:]:
            most = self.ops.maximum(most, abs(miss))
        levels = 1 + np.searchsorted(_MISSES, np.arange(_LIMIT + 1), "right")
        return self.ops.lookup(most, levels[:, None])

    def _pair(self, errors: Value, bounds: list[int]) -> Value:
        """Two normalised errors as one number."""
        ops, count = self.ops, len(bounds) + 1
        classes = np.searchsorted(bounds, np.arange(-_LIMIT, _LIMIT + 1), "right")
        moved = ops.affine(errors, np.eye(2, dtype=np.int64), np.full(2, _LIMIT))
        return ops.affine(ops.lookup(moved, classes[:, None]), np.array([[count, 1]]))

    def _contexts(self, channel: int) -> Value:
        ops = self.ops
        west, north = (ops.tap([(channel, offset)]) for offset in ((0, -1), (-1, 0)))
        found = [ops.constant(0), west, ops.sample(0) if channel else north]
        if channel > 1:
            both = ops.concatenate([ops.sample(channel - 1), ops.sample(0)])
            found.append(ops.affine(both, np.array([[256, 1]])))
        return ops.concatenate(found)

    def _cheap(self, channel: int) -> Value:
        """Three predictions, 1/32 of a pixel."""
        ops = self.ops
        own = self._around(channel)
        west, north, corner, east, north2, west2 = (own[k] for k in range(6))
        median = self._median(west, north, corner)
        if not channel:
            plane = (west + north << 4) + (east - corner << 3)
            lines = (north << 1) + (west << 1) - north2 - west2 << 4
            return ops.concatenate([median << 5, plane, lines])
        found = []
        for other in range(min(channel, 2)):
            apart = own - self._around(other)
            beside = self._median(*(apart[k] for k in range(3))) + ops.sample(other)
            found.append(beside << 5)
            if not other:
                mean = (ops.sample(0) << 5) + (apart[0] + apart[1] << 4)
        if channel == 1:
            found.append(median << 5)
        return ops.concatenate([*found, mean])

    def _around(self, channel: int) -> Value:
        offsets = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (-2, 0), (0, -2))
        return self.ops.tap((channel, offset) for offset in offsets)

    def _median(self, west: Value, north: Value, corner: Value) -> Value:
        """Of west, north, and their sum less the corner."""
        ops = self.ops
        least, most = ops.minimum(west, north), ops.maximum(west, north)
        return ops.maximum(ops.minimum(west + north - corner, most), least)
