"""Distributions as integers: from a family's cumulative to the tables and intervals of the entropy coder.

A sub-pixel (0..255) is coded in two steps of 16 symbols, its high and its low nibble. A step's table is 16 non-negative
integers that sum to ``TABLE_TOTAL``; the coder gives symbol s the probability ``(w[s] + 1) / 2^24``. All arrays are
int64 unless noted; pixels are the last axis but in the tables themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.ranges import Int64

SYMBOLS = 16
"""Symbols of a coding step."""
TABLE_TOTAL = 2**24 - SYMBOLS
VALUES = SYMBOLS**2
"""Values of a sub-pixel."""
GAIN = 64
CDF_TOTAL = GAIN * (TABLE_TOTAL - VALUES)
"""What a family's cumulative reaches above all values. Every value then gets a floor of ``1 / 2^24``."""
FAR = 1 << 17
"""Edges below value 0 and above value 255 stand this far out, so the end values take the tails."""
_GAIN_BITS = 6
_RECIPROCAL_BITS = 26
_STEPS = np.arange(SYMBOLS + 1)[:, None]


class Distribution(ABC):
    """Distributions of m sub-pixels."""

    @abstractmethod
    def cumulative(self, edges: Int64) -> Int64:
        """Mass below the given edges [E, m] or [E, 1].

        Edge v is the lower end of value v, 1..255, and -FAR and FAR are the ends. Returns [E, m], not falling with the
        edge, 0 at -FAR and CDF_TOTAL at FAR.
        """


def _ends(edges: Int64) -> Int64:
    """Edges with 0 and 256 moved far out."""
    return np.where(edges == 0, -FAR, np.where(edges == VALUES, FAR, edges))


def high_table(distribution: Distribution) -> NDArray[np.float32]:
    """Table of the high nibble of every sub-pixel, [m, 16]."""
    below = distribution.cumulative(_ends(SYMBOLS * _STEPS)) + GAIN * SYMBOLS * _STEPS
    return _table(below >> _GAIN_BITS)


def low_table(distribution: Distribution, high: Int64) -> NDArray[np.float32]:
    """Table of the low nibble given the high one [m]; [m, 16]."""
    below = distribution.cumulative(_ends(SYMBOLS * high + _STEPS)) + GAIN * _STEPS
    below = below - below[0]
    scaled = _share(below, below[-1])
    scaled[-1] = TABLE_TOTAL
    return _table(scaled)


def _table(cumulative: Int64) -> NDArray[np.float32]:
    """Integers [17, m] -> their differences [m, 16], contiguous."""
    return np.ascontiguousarray(np.diff(cumulative, axis=0).T, np.float32)


def _share(part: Int64, whole: Int64) -> Int64:
    """About ``part / whole * TABLE_TOTAL``, rounded down, never falling in ``part``; in 0..TABLE_TOTAL."""
    return part * ((TABLE_TOTAL << _RECIPROCAL_BITS) // whole) >> _RECIPROCAL_BITS


@dataclass(frozen=True)
class Intervals:
    """What the coder needs of known symbols: start and width, both of 2^24, of the high and of the low step."""

    start: Int64  # [2, m]
    width: Int64  # [2, m]

    def bits(self) -> NDArray[np.float64]:
        """Ideal code length of every sub-pixel, [m]."""
        return np.asarray(np.maximum(48.0 - np.log2(self.width).sum(0), 0.0), np.float64)


def intervals(distribution: Distribution, values: Int64) -> Intervals:
    """Intervals of known values [m], equal to the tables' own."""
    symbols = np.stack([values >> 4, values & 15])
    first = symbols[0] << 4
    edges = np.stack([first, first + SYMBOLS, values, values + 1])  # [4, m]
    below = distribution.cumulative(_ends(edges)) + GAIN * edges
    coarse = below[:2] >> _GAIN_BITS
    fine = _share(below[2:] - below[0], below[1] - below[0])
    fine[1] = np.where(symbols[1] == SYMBOLS - 1, TABLE_TOTAL, fine[1])
    scaled = np.stack([coarse, fine])  # [2 steps, 2 ends, m]
    return Intervals(scaled[:, 0] + symbols, scaled[:, 1] - scaled[:, 0] + 1)
