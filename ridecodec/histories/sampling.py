"""Planes of fewer samples than a picture has pixels, and how they are spread over its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.histories import native

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class Sampling:
    """One sample for ``down`` x ``across`` pixels; the picture begins at row ``top`` and column ``left`` of a sample.

    A sample stands for all of its pixels, or, if the sampling is ``smooth``, for each pixel along an axis of two pixels
    a sample, 3/4 of its own sample and 1/4 of the one that is next to the pixel, as libjpeg's fancy upsampling
    (`jdsample.c`) weighs them. Beyond the edge of the plane samples repeat.
    """

    down: int
    across: int
    smooth: bool
    top: int
    left: int

    @property
    def words(self) -> str:
        """Such as `4:2:0`."""
        names = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0", (2, 1): "4:4:0", (1, 4): "4:1:1", (2, 4): "4:1:0"}
        name = names.get((self.down, self.across), f"one sample for {self.across} x {self.down} pixels")
        return f"{name}, smoothed" if self.smooth else name

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the plane for a picture."""
        return -(-(height + self.top) // self.down), -(-(width + self.left) // self.across)

    def needs(self, box: Box, height: int, width: int) -> Box:
        """The samples that the pixels of a box depend on."""
        rows, columns = self.size(height, width)
        first, last = _span(box.y + self.top, box.height, self.down, rows, self.smooth)
        begin, end = _span(box.x + self.left, box.width, self.across, columns, self.smooth)
        return Box(begin, first, end - begin, last - first)

    def spread(self, part: Plane, box: Box, height: int, width: int) -> Plane:
        """The pixels [box.height, box.width] from the samples that `needs` names."""
        rows, columns = self.size(height, width)
        needed = self.needs(box, height, width)
        y, x = np.arange(box.height) + box.y + self.top, np.arange(box.width) + box.x + self.left
        if not self.smooth:
            found: Plane = part[np.ix_(y // self.down - needed.y, x // self.across - needed.x)]
            return found
        if native.compiled:
            lines = (
                (box.y + self.top, box.height, rows, needed.y, needed.y + needed.height, self.down == 2),
                (box.x + self.left, box.width, columns, needed.x, needed.x + needed.width, self.across == 2),
            )
            return native.module.spread_smooth(np.ascontiguousarray(part), *lines)
        sums = part.astype(np.int16)
        if self.down == 2:
            near, beside = y // 2, np.clip(y // 2 + 2 * (y % 2) - 1, 0, rows - 1)
            sums = 3 * sums[near - needed.y] + sums[beside - needed.y]
        else:
            sums = sums[y - needed.y]
        if self.across == 2:
            near, beside = x // 2, np.clip(x // 2 + 2 * (x % 2) - 1, 0, columns - 1)
            sums = 3 * sums[:, near - needed.x] + sums[:, beside - needed.x]
        else:
            sums = sums[:, x - needed.x]
        return (sums + self.rounding(y, x) >> self.shift).astype(np.uint8)

    @property
    def shift(self) -> int:
        """Bits of the weights' sum."""
        return 2 * (self.down == 2) + 2 * (self.across == 2) if self.smooth else 0

    def rounding(self, y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.int16]:
        """What is added before the shift at rows and columns that `top` and `left` are part of: [rows, columns]."""
        if self.down == 2 and self.across == 2:
            return np.broadcast_to(8 - x % 2, (len(y), len(x))).astype(np.int16)
        return (1 + (x % 2 if self.across == 2 else (y % 2)[:, None]) + np.zeros((len(y), len(x)))).astype(np.int16)

    def whole(self, plane: Plane, height: int, width: int) -> Plane:
        """All pixels of a picture."""
        return self.spread(plane, Box(0, 0, width, height), height, width)


def samplings() -> Iterator[Sampling]:
    """All of them; the number in a file counts them in this order."""
    for down, across in ((1, 1), (2, 2), (1, 2), (2, 1), (1, 4), (4, 1), (2, 4), (4, 2), (4, 4)):
        for smooth in (False, True) if max(down, across) == 2 else (False,):
            for top, left in product(range(down), range(across)):
                yield Sampling(down, across, smooth, top, left)


SAMPLINGS = tuple(samplings())


def _span(first: int, length: int, factor: int, samples: int, smooth: bool) -> tuple[int, int]:
    begin, end = first // factor, (first + length - 1) // factor + 1
    return (max(0, begin - 1), min(samples, end + 1)) if smooth and factor == 2 else (begin, end)
