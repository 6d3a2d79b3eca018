"""Samples of a plane and the pixels that depend on them, and how samples are changed for the better.

All blocks of samples that have no pixel in common are changed at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import native
from ridecodec.histories.lattice import Flags, Integers
from ridecodec.histories.sampling import Plane, Sampling

_ROUNDS = 12
"""Steps of undoing the smoothing; along an axis each leaves at most half of what the last one left."""
_AT_ONCE = 1 << 12
"""Samples that are judged together."""
Moves = NDArray[np.int64]
"""Steps of the samples of a block, the first ones 0: [moves, planes, rows, columns]."""
AxisNumbers = tuple[int, bool, int, int, int]


class Judge(ABC):
    """Says what is wrong with pixels."""

    @abstractmethod
    def wrong(self, values: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Of each of the values [planes, steps, samples, pixels] at flat places [samples, pixels]."""

    @abstractmethod
    def mend(
        self,
        planes: NDArray[np.uint8],
        axes: tuple[AxisNumbers, AxisNumbers],
        blocks: tuple[NDArray[np.int64], NDArray[np.int64]],
        moves: Moves,
    ) -> None:
        """What `Window` does with blocks that have no pixel in common, by the compiled module."""


def _blurred(plane: NDArray[np.float32], sampling: Sampling) -> NDArray[np.float32]:
    """Averages of the pixels of each sample, which weigh the samples beside it by 1/8."""
    for axis in [axis for axis, factor in enumerate((sampling.down, sampling.across)) if factor == 2]:
        padded = np.pad(plane, [(1, 1) if each == axis else (0, 0) for each in (0, 1)], "edge")
        before, after = (np.take(padded, np.arange(k, k + plane.shape[axis]), axis) for k in (0, 2))
        plane = 0.75 * plane + 0.125 * (before + after)
    return plane


@dataclass(frozen=True)
class Axis:
    """How blocks of samples and pixels along one axis depend on one another; a block is named by its first sample."""

    factor: int
    smooth: bool
    first: int
    pixels: int
    samples: int

    @property
    def numbers(self) -> AxisNumbers:
        """For the compiled module."""
        return self.factor, self.smooth, self.first, self.pixels, self.samples

    def offsets(self, block: int) -> NDArray[np.int64]:
        """The pixels that depend on a block, from the first of its own."""
        return np.arange(-1, 2 * block + 1) if self.smooth else np.arange(self.factor * block)

    def weights(self, block: int) -> NDArray[np.int32]:
        """Of the samples of `around` in these pixels."""
        if not self.smooth:
            return np.repeat(np.eye(block, dtype=np.int32), self.factor, axis=0)
        own = self.offsets(block)[:, None] // 2 + 1
        beside = own + 2 * (self.offsets(block)[:, None] % 2) - 1
        places = np.arange(block + 2)
        weights: NDArray[np.int32] = (3 * (own == places) + (beside == places)).astype(np.int32)
        return weights

    def pixels_of(self, blocks: NDArray[np.int64], block: int) -> NDArray[np.int64]:
        """[blocks, pixels]; some may be outside of the picture."""
        return blocks[:, None] * self.factor + self.offsets(block) - self.first

    def inside(self, blocks: NDArray[np.int64], block: int) -> Flags:
        """Which of these are in the picture."""
        at = self.pixels_of(blocks, block)
        return (at >= 0) & (at < self.pixels)

    def around(self, blocks: NDArray[np.int64], block: int) -> NDArray[np.int64]:
        """The block and, if pixels depend on them, the samples beside it; beyond the edge the last one again."""
        beside = np.arange(-1, block + 1) if self.smooth else np.arange(block)
        places: NDArray[np.int64] = np.clip(blocks[:, None] + beside, 0, self.samples - 1)
        return places

    def touched(self, pixels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The samples that pixels depend on."""
        own, odd = np.divmod(pixels + self.first, self.factor)
        return [own, np.clip(own + 2 * odd - 1, 0, self.samples - 1)] if self.smooth else [own]


class Window:
    """Samples of a plane, and the pixels that depend on them."""

    def __init__(self, sampling: Sampling, height: int, width: int) -> None:
        self.sampling, self.height, self.width = sampling, height, width
        self.size = sampling.size(height, width)
        smooth = sampling.smooth
        self.rows = Axis(sampling.down, smooth and sampling.down == 2, sampling.top, height, self.size[0])
        self.columns = Axis(sampling.across, smooth and sampling.across == 2, sampling.left, width, self.size[1])

    def spread(self, plane: Plane) -> Plane:
        """All pixels of the picture."""
        return self.sampling.whole(plane, self.height, self.width)

    def sharp(self, seen: Integers, known: Flags) -> Plane:
        """About the samples that give the pixels ``seen``; exactly, if the sampling is not smooth."""
        if self.sampling.down == self.sampling.across == 1:
            return seen.astype(np.uint8)
        if not self.sampling.smooth:
            return self.commonest(seen, known)
        shown = self.mean(seen)
        if native.compiled:
            plane = native.module.sharpened(shown, self.rows.smooth, self.columns.smooth, _ROUNDS)
        else:
            plane = shown
            for _ in range(_ROUNDS):
                plane = plane + 1.5 * (shown - _blurred(plane, self.sampling))
        rounded: Plane = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
        return rounded

    def commonest(self, seen: Integers, known: Flags) -> Plane:
        """Of the pixels of each sample that are known; the average of all where none is."""
        places, inside = self._places(*np.divmod(np.arange(self.size[0] * self.size[1]), self.size[1]), (1, 1))
        values, counted = seen.reshape(-1)[places], inside & known.reshape(-1)[places]
        votes = sum((values == values[:, k : k + 1]) & counted[:, k : k + 1] & counted for k in range(values.shape[1]))
        best = np.argmax(votes, 1)
        mean = (values * inside).sum(1) // np.maximum(inside.sum(1), 1)
        found = np.where(counted.any(1), values[np.arange(len(values)), best], mean)
        return np.asarray(np.clip(found, 0, 255).reshape(self.size), np.uint8)

    def mean(self, seen: Integers) -> NDArray[np.float32]:
        """Averages of the pixels of each sample."""
        found = seen.astype(np.float32)
        for axis, along in enumerate((self.rows, self.columns)):
            own = along.factor * np.arange(along.samples) - along.first
            places = (np.clip(own + k, 0, along.pixels - 1) for k in range(along.factor))
            found = np.mean([np.take(found, each, axis) for each in places], 0, np.float32)
        return found

    def mend(
        self, planes: NDArray[np.uint8], wrong: Flags, moves: Moves, judge: Judge, among: Flags | None = None
    ) -> Flags:
        """Make the best of some moves wherever pixels are wrong; which samples, or samples beside them, have changed.

        Moves of one sample may be made ``among`` some alone.
        """
        down, across = moves.shape[2:]
        active = self._active(wrong, down, across)
        rows, columns = np.nonzero(active if among is None else active & among)
        steps = [each + axis.smooth for each, axis in ((down, self.rows), (across, self.columns))]
        before = planes.copy()
        for top, left in product(*map(range, steps)):
            group = np.flatnonzero((rows % steps[0] == top) & (columns % steps[1] == left))
            if native.compiled:
                judge.mend(planes, (self.rows.numbers, self.columns.numbers), (rows[group], columns[group]), moves)
                continue
            for begin in range(0, len(group), _AT_ONCE):
                at = group[begin : begin + _AT_ONCE]
                self._mend(planes, rows[at], columns[at], moves, judge)
        changed = np.pad((planes != before).any(0), 1)
        around = [changed[i : i + self.size[0], j : j + self.size[1]] for i in range(3) for j in range(3)]
        return np.asarray(np.logical_or.reduce(around))

    def _active(self, wrong: Flags, down: int, across: int) -> Flags:
        """Blocks with samples that wrong pixels depend on."""
        at = np.divmod(np.flatnonzero(wrong), self.width)
        found = np.zeros(self.size, np.bool_)
        for rows, columns in product(self.rows.touched(at[0]), self.columns.touched(at[1])):
            found[rows, columns] = True
        height, width = self.size[0] - down + 1, self.size[1] - across + 1
        parts = [found[i : i + height, j : j + width] for i in range(down) for j in range(across)]
        return np.asarray(np.logical_or.reduce(parts)) if height > 0 and width > 0 else np.zeros((0, 0), np.bool_)

    def _places(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], block: tuple[int, int]
    ) -> tuple[NDArray[np.int64], Flags]:
        """The flat places of the pixels that depend on blocks, and which are in the picture: [blocks, pixels]."""
        y, x = self.rows.pixels_of(rows, block[0]), self.columns.pixels_of(columns, block[1])
        down, across = self.rows.inside(rows, block[0]), self.columns.inside(columns, block[1])
        inside = (down[:, :, None] & across[:, None]).reshape(len(rows), -1)
        return np.where(inside, (y[:, :, None] * self.width + x[:, None]).reshape(len(rows), -1), 0), inside

    def _mend(
        self,
        planes: NDArray[np.uint8],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        moves: Moves,
        judge: Judge,
    ) -> None:
        down, across = moves.shape[2:]
        places, inside = self._places(rows, columns, (down, across))
        i, j = self.rows.around(rows, down), self.columns.around(columns, across)
        own = np.zeros((len(rows), i.shape[1], j.shape[1], 1, 1), np.int32)
        old = planes[:, i[:, :, None], j[:, None]].astype(np.int32)
        new = np.broadcast_to(old[:, None], (len(planes), len(moves), *old.shape[1:])).copy()
        for k, m in product(range(down), range(across)):
            own = (i == rows[:, None] + k)[:, :, None] & (j == columns[:, None] + m)[:, None]
            new += moves.transpose(1, 0, 2, 3)[:, :, k, m, None, None, None] * own
        new = np.clip(new, 0, 255).reshape(*new.shape[:3], -1)
        values = new @ np.kron(self.rows.weights(down), self.columns.weights(across)).T
        if self.sampling.smooth:
            y, x = self.rows.offsets(down) + 2, self.columns.offsets(across) + 2
            values = values + self.sampling.rounding(y, x).reshape(-1) >> self.sampling.shift
        best = np.argmin(np.where(inside, judge.wrong(values, places), 0).sum(-1), 0)
        moved = np.flatnonzero(best)
        for k, m in product(range(down), range(across)):
            at = rows[moved] + k, columns[moved] + m
            planes[:, at[0], at[1]] = np.clip(planes[:, at[0], at[1]] + moves[best[moved], :, k, m].T, 0, 255)
