"""Every other row of a picture: which have samples in a plane of half the height, and which lie between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.errors import DamagedError


@dataclass(frozen=True)
class Halves:
    """Rows that have samples: every other one from ``phase`` on. All of it holds for columns as well.

    ``before``: one more sample belongs to the row above the first; ``after``: to the row below the last. Without them,
    rows beyond the first and the last sample repeat them.
    """

    phase: int
    before: bool = False
    after: bool = False

    @classmethod
    def of(cls, code: int, size: int) -> Halves:
        """What has this `code`, of ``size`` rows; DamagedError where there cannot be such."""
        found = cls(code & 1, bool(code & 2), bool(code & 4))
        needless = (found.before and not found.phase) or (found.after and (size - found.phase) % 2)
        if needless or found.count(size) < 1:
            raise DamagedError("the history is damaged: there are no such samples of chroma")
        return found

    @property
    def code(self) -> int:
        """Bit 0 is the phase, bit 1 `before`, bit 2 `after`."""
        return self.phase | self.before << 1 | self.after << 2

    @property
    def first(self) -> int:
        """The row of sample 0: 0, 1 or -1."""
        return self.phase - 2 * self.before

    def count(self, size: int) -> int:
        """Samples of ``size`` rows."""
        return (size - self.phase + 1) // 2 + self.before + self.after

    def needed(self, start: int, length: int, size: int) -> tuple[int, int]:
        """First and last sample, the last not included, that rows of a picture of ``size`` rows lie between."""
        last = self.count(size) - 1
        low, high = (start - self.first) // 2, (start + length - self.first) // 2
        return min(max(low, 0), last), min(max(high, 0), last) + 1

    def around(self, start: int, length: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each row the samples that it lies between, the same one twice where it has one.

        They count from the first that is `needed`; ``count`` samples there are in all.
        """
        places = np.arange(start, start + length) - self.first
        low, high = np.clip(places // 2, 0, count - 1), np.clip((places + 1) // 2, 0, count - 1)
        return low - low[0], high - low[0]


def means(half: NDArray[Any], rows: Halves, columns: Halves, box: Box, size: tuple[int, int]) -> NDArray[Any]:
    """The mean of the samples that each pixel of a box lies between, of what the box needs of a plane of this size."""
    above, below = rows.around(box.y, box.height, size[0])
    left, right = columns.around(box.x, box.width, size[1])
    both = half[above].astype(np.int16) + half[below]
    found: NDArray[Any] = (both[:, left] + both[:, right] + 2 >> 2).astype(half.dtype)
    return found
