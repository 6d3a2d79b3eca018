"""Which pixel follows which: the causal neighbourhood and the wavefront that follows from it.

A pixel (row y, column x) belongs to the front ``t = x + slope * y``. Pixels of one front do not see each other, so a
tile of W x H pixels takes ``W + slope * (H - 1)`` steps.

Pixels outside of the tile have values too, known when they are wanted: left of row y stands the first pixel of row y-1
(the plane's initial value for row 0), right of it its own last pixel, and row -d repeats row 0 at the same front, that
is ``slope * d`` columns further left. A model may ask for one constant for each plane there instead.

Some of a model's values may be computed in passes of their own. A pass with a lead d runs, at front t, for the pixels
of front t + d, before the front itself; the pass `BACKWARDS` runs over a row from its last pixel to its first, once the
row is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Offset = tuple[int, int]
"""(dy, dx) of a neighbour; dy <= 0."""
Tap = tuple[int, Offset]
"""(plane, offset): one input of a model."""
Reach = tuple[int, int, int, int]
"""(dy, dx) of a neighbour, the lead of the pass that reaches it, and that of the pass that makes it."""
BACKWARDS = -1
"""In the place of a lead: the pass that runs over complete rows, from the last pixel to the first."""


def causal(offset: Offset, own: int, other: int) -> bool:
    """Whether a pass with the lead ``own`` may reach what the one with the lead ``other`` makes at an offset."""
    dy, dx = offset
    if own == BACKWARDS:
        return dy < 0 or (dy == 0 and (other != BACKWARDS or dx > 0))
    if other == BACKWARDS:
        return dy < 0
    distance = dx + own - other  # in fronts; passes with larger leads run first
    return dy < 0 or (dy == 0 and (distance < 0 or (distance == 0 and other > own)))


@dataclass(frozen=True)
class Neighbourhood:
    """The causal reach of a model: rows above, columns to the left and right, and the slope that follows."""

    top: int
    left: int
    right: int
    slope: int
    raster: bool = False
    """Whether a pixel needs the whole of the row above, so that no two of a tile share a front."""

    @classmethod
    def of(cls, offsets: Iterable[Offset]) -> Neighbourhood:
        """Smallest reach that holds ``offsets``; ValueError where an offset is not causal in raster order."""
        top, left, right, slope = 0, 1, 1, 1
        for dy, dx in offsets:
            if dy > 0 or (dy == 0 and dx >= 0):
                raise ValueError(f"offset (dy={dy}, dx={dx}) is not causal")
            top, left, right = max(top, -dy), max(left, -dx), max(right, dx)
            if dy < 0 < dx:
                slope = max(slope, dx // -dy + 1)
        return cls(top, left, right, slope)

    @classmethod
    def reaching(cls, reaches: Iterable[Reach], raster: bool, slope: int = 1) -> Neighbourhood:
        """The same for passes, and with at least some slope; what they reach is causal."""
        top, left, right = 0, 1, 1
        for dy, dx, own, other in reaches:
            top, left, right = max(top, -dy), max(left, -dx), max(right, dx)
            if dy < 0 and not raster:
                slope = max(slope, (dx + own - other) // -dy + 1)
        return cls(top, left, right, slope, raster)

    def pace(self, width: int) -> int:
        """The slope in tiles of this width."""
        return width if self.raster else self.slope

    def fronts(self, height: int, width: int) -> int:
        """Number of steps of a tile."""
        return width + self.pace(width) * (height - 1)

    def rows(self, t: int, height: int, width: int) -> tuple[int, int]:
        """Rows [y0, y1) that have a pixel in front ``t``."""
        slope = self.pace(width)
        y0 = max(0, -(-(t - width + 1) // slope))
        return y0, min(height - 1, t // slope) + 1


def front_order(height: int, width: int, slope: int) -> NDArray[np.int64]:
    """Raster positions of a tile's pixels in coding order: by front, within it by row; [height * width]."""
    y, x = np.divmod(np.arange(height * width), width)
    return np.argsort((x + slope * y) * height + y)
