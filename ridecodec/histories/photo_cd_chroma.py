"""Photo CD's chroma found again: exactly where pixels are not clipped, elsewhere so that the clipped values come out.

The pixels around a sample of chroma depend on it: one that is not clipped tells it up to 1, and one that is clipped
still rules most values out. So the samples next to known ones are found first, gaps are filled smoothly, and samples
around which a pixel cannot come out are tried with other values, nearer ones first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.histories import native
from ridecodec.histories.filling import Integers, filled
from ridecodec.histories.halves import Halves, means
from ridecodec.histories.photo_cd_colours import comes_out, inverted, luma_range, nearest_luma
from ridecodec.picture import Samples

_SPREADS = 32
"""How many samples away from known ones others are found by their neighbours."""
_MOST_TRIED = 1 << 18
"""Values that all samples together are tried with in the end, where many are wrong."""
_LEAST_TRIED = 16
"""Values that each is tried with then."""
_REACH = 9
"""By how much a sample is changed at most."""
_TOGETHER = 1 << 12
"""Samples that are tried at once."""
_FEWEST_AT_ONCE = 16
"""Values of a sample that are tried at once; then three times as many as were tried before."""
_AROUND = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
_STEPS = np.array(
    sorted(
        ((a, b) for a in range(-_REACH, _REACH + 1) for b in range(-_REACH, _REACH + 1)),
        key=lambda step: step[0] ** 2 + step[1] ** 2,
    ),
    np.int32,
)[1:]
"""By which samples are changed, [n, 2], small steps first."""
Bools = NDArray[np.bool_]


def found(planes: Samples, rows: Halves, columns: Halves) -> tuple[Samples, Samples]:
    """C1 and C2, uint8 [h, w] each, of RGB [3, H, W]."""
    at = _Samples.of(planes, rows, columns)
    at.spread()
    at.fill()
    at.mend()
    return at.halves[0].astype(np.uint8), at.halves[1].astype(np.uint8)


def luma(planes: Samples, whole: list[Samples], low: Integers, high: Integers) -> Samples:
    """Y, uint8 [H, W]: in the range that gives the colours; where that is empty, near; where it is wide, smooth."""
    certain = low == high
    out = np.where(low > high, nearest_luma(planes[1], *whole), low)
    wide = low < high
    if wide.any():
        out = np.where(wide, np.clip(filled(out, certain), low, high), out)
    return out.astype(np.uint8)


@dataclass
class _Samples:
    """C1 and C2, int32 [h, w] each, and which of them are known."""

    planes: Samples
    rows: Halves
    columns: Halves
    halves: list[Integers]
    known: Bools

    @classmethod
    def of(cls, planes: Samples, rows: Halves, columns: Halves) -> _Samples:
        """Known where a pixel that has samples is not clipped."""
        size = rows.count(planes.shape[1]), columns.count(planes.shape[2])
        first, second, known = inverted(np.ascontiguousarray(planes[:, rows.phase :: 2, columns.phase :: 2]))
        beyond = [(int(each.before), int(each.after)) for each in (rows, columns)]
        found = cls(planes, rows, columns, [np.pad(each, beyond) for each in (first, second)], np.pad(known, beyond))
        assert found.known.shape == size
        return found

    def spread(self) -> None:
        """Find samples by known ones beside them and by the pixels between; these go on as known ones."""
        for _ in range(_SPREADS):
            edge = np.pad(self.known, 1)
            beside = edge[:-2, 1:-1] | edge[2:, 1:-1] | edge[1:-1, :-2] | edge[1:-1, 2:]
            y, x = np.nonzero(beside & ~self.known)
            if not len(y):
                return
            near, there = self._near(self.known, y, x), self._inside(y, x)
            near &= there
            pixels, inside = self._pixels(y, x)
            *between, sure = inverted(pixels)
            sure &= inside
            start = np.empty((2, len(y)), np.int32)
            for half, means_, value in zip(self.halves, between, start, strict=True):
                around = self._near(half, y, x)
                low, high = self._told(around, near, means_, sure)
                mean = np.where(near, around, 0).sum(0) // np.maximum(near.sum(0), 1)
                value[...] = np.clip(mean, low, high)
            settled = near | self._own(y, x)
            ready = np.stack([settled[[i, 4 + 3 * down, 4 + right]].all(0) for i, (down, right) in enumerate(_AROUND)])
            best = self._best(y, x, start, inside & ready, _STEPS)
            for half, value in zip(self.halves, best, strict=True):
                half[y, x] = value
            self.known[y, x] = True

    def _told(self, around: Integers, near: Bools, between: Integers, sure: Bools) -> tuple[Integers, Integers]:
        """The range of each sample that means of it and of known ones leave, where these means are sure."""
        count = around.shape[1]
        low, high = np.zeros(count, np.int32), np.full(count, 255, np.int32)
        for i, (down, right) in enumerate(_AROUND):
            if not down and not right:
                continue
            straight = not down or not right
            others = [i] if straight else [i, 4 + 3 * down, 4 + right]
            certain = sure[i] & near[others].all(0)
            count, slack = (2, 1) if straight else (4, 2)
            top = count * between[i] - around[others].sum(0) + slack - 1
            least, most = np.maximum(low, top - count + 1), np.minimum(high, top)
            certain &= least <= most
            low, high = np.where(certain, least, low), np.where(certain, most, high)
        return low, high

    def fill(self) -> None:
        """Give samples that are not known values between those of known ones."""
        self.halves = [filled(half, self.known) for half in self.halves]

    def mend(self) -> None:
        """Change samples around which pixels do not come out."""
        low, high = luma_range(self.planes, *(self._whole(half) for half in self.halves))
        wrong = np.pad(low > high, 2)
        near = np.zeros_like(self.known)
        height, width = near.shape
        for down, right in _AROUND:
            top, left = self.rows.first + 2 + down, self.columns.first + 2 + right
            near |= wrong[top : top + 2 * height : 2, left : left + 2 * width : 2]
        steps = _STEPS[: max(_LEAST_TRIED, _MOST_TRIED // max(1, int(near.sum())))]
        for turn in range(4):  # none of these samples is beside another
            mine = np.zeros_like(near)
            mine[turn // 2 :: 2, turn % 2 :: 2] = near[turn // 2 :: 2, turn % 2 :: 2]
            y, x = np.nonzero(mine)
            if len(y):
                start = np.stack([half[y, x] for half in self.halves])
                best = self._best(y, x, start, self._pixels(y, x)[1], steps)
                for half, value in zip(self.halves, best, strict=True):
                    half[y, x] = value

    def _best(
        self, y: NDArray[np.intp], x: NDArray[np.intp], start: Integers, there: Bools, steps: NDArray[np.int32]
    ) -> Integers:
        """Values [2, n] of samples, from ``start`` by one of the steps, with which most pixels come out."""
        if native.compiled:
            planes, first = np.ascontiguousarray(self.planes, np.uint8), (self.rows.first, self.columns.first)
            return native.module.photo_cd_best(planes, np.stack(self.halves), first, y, x, start, there, steps)
        if len(y) > _TOGETHER:
            parts = [slice(first, first + _TOGETHER) for first in range(0, len(y), _TOGETHER)]
            return np.concatenate([self._best(y[p], x[p], start[:, p], there[:, p], steps) for p in parts], 1)
        near = [self._near(half, y, x) for half in self.halves]
        around = _Around(self._pixels(y, x)[0], there, near, self._own(y, x))
        best, least = start.copy(), around.wrong(start)
        done = 0
        while done < len(steps) and len(left := np.flatnonzero(least)):
            some = steps[done : max(_FEWEST_AT_ONCE, 4 * done)]
            done += len(some)
            tried = np.clip(start[:, left, None] + some.T[:, None], 0, 255)
            which, step = np.nonzero(around.of(left).possible(tried))
            if not len(which):
                continue
            values = tried[:, which, step]
            wrong = around.of(left[which]).wrong(values)
            order = np.lexsort((step, wrong, which))
            order = order[np.diff(which[order], prepend=-1) > 0]
            place = left[which[order]]
            better = wrong[order] < least[place]
            order, place = order[better], place[better]
            least[place], best[:, place] = wrong[order], values[:, order]
        found: Integers = best
        return found

    def _whole(self, half: Integers) -> Integers:
        return means(half, self.rows, self.columns, Box(0, 0, *self.planes.shape[:0:-1]), half.shape)

    def _pixels(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> tuple[Samples, Bools]:
        """The nine pixels around samples, [3, 9, n], and which of them there are."""
        height, width = self.planes.shape[1:]
        rows = np.stack([self.rows.first + 2 * y + down for down, _ in _AROUND])
        columns = np.stack([self.columns.first + 2 * x + right for _, right in _AROUND])
        there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return self.planes[:, rows.clip(0, height - 1), columns.clip(0, width - 1)], there

    def _near(self, half: NDArray[Any], y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[Any]:
        """The nine samples around each, [9, n]; beyond the last one that itself."""
        height, width = half.shape
        found: NDArray[Any] = np.stack(
            [half[(y + down).clip(0, height - 1), (x + right).clip(0, width - 1)] for down, right in _AROUND]
        )
        return found

    def _inside(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> Bools:
        """Which of these there are."""
        height, width = self.known.shape
        return np.stack([(y + b >= 0) & (y + b < height) & (x + a >= 0) & (x + a < width) for b, a in _AROUND])

    def _own(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> Bools:
        """Which of these are the sample itself."""
        height, width = self.known.shape
        return np.stack([((y + b).clip(0, height - 1) == y) & ((x + a).clip(0, width - 1) == x) for b, a in _AROUND])


@dataclass
class _Around:
    """What is around samples: pixels [3, 9, n], which there are [9, n], C1 and C2 [9, n], and which are their own."""

    pixels: Samples
    there: Bools
    near: list[Integers]
    own: Bools

    def of(self, which: NDArray[np.intp]) -> _Around:
        """Around some of the samples."""
        near = [each[:, which] for each in self.near]
        return _Around(self.pixels[:, :, which], self.there[:, which], near, self.own[:, which])

    def possible(self, tried: Integers) -> Bools:
        """Whether the pixels that have the samples come out, [n, k], with values [2, n, k]; true of those not there."""
        middle = self.pixels[:, 4, :, None]
        found: Bools = comes_out(middle, tried[0], tried[1]) | ~self.there[4, :, None]
        return found

    def wrong(self, values: Integers) -> NDArray[np.intp]:
        """How many pixels do not come out, [n], with values [2, n]."""
        first, second = (self._means(each, near) for each, near in zip(values, self.near, strict=True))
        found: NDArray[np.intp] = (~comes_out(self.pixels, first, second) & self.there).sum(0)
        return found

    def _means(self, values: Integers, near: Integers) -> Integers:
        """Chroma of the nine pixels, [9, n]."""
        near = np.where(self.own, values, near)
        out = np.empty_like(near)
        for i, (down, right) in enumerate(_AROUND):
            out[i] = (values + near[4 + 3 * down] + near[4 + right] + near[i] + 2) >> 2
        return out
