"""Ranges of integer vectors: what is proven of every value of a program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
LIMIT = 1 << 53
"""No value and no partial sum reaches this: an IEEE double holds all of them exactly."""


@dataclass(frozen=True)
class Range:
    """The least and the largest integer of every row of a value, int64 [size]."""

    lo: Int64
    hi: Int64

    @classmethod
    def of(cls, size: int, lo: int, hi: int) -> Range:
        """The same for all rows."""
        return cls(np.full(size, lo, np.int64), np.full(size, hi, np.int64))

    def __len__(self) -> int:
        return len(self.lo)

    @property
    def top(self) -> Int64:
        """The largest magnitude of every row."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    def rows(self, index: Int64 | slice) -> Range:
        """Some rows."""
        return Range(self.lo[index], self.hi[index])

    def grown(self, size: int) -> Range:
        """This, or its only row ``size`` times."""
        return self if len(self) == size else self.rows(np.zeros(size, np.int64))
