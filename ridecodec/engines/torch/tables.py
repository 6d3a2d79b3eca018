"""Distributions as integers: from a family's cumulative to the tables and intervals of the entropy coder.

A sub-pixel (0..255) is coded in two steps of 16 symbols, its high and its low nibble. A step's table is 16
non-negative integers that sum to ``TABLE_TOTAL``; the coder gives symbol s the probability ``(w[s] + 1) / 2^24``.
The same integers as those of `exact.tables`; pixels are the last axis but in the tables themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ridecodec.exact import tables
from ridecodec.exact.tables import CDF_TOTAL, GAIN, SYMBOLS, TABLE_TOTAL, VALUES

FAR = float(tables.FAR)
"""Edges below value 0 and above value 255 stand this far out, so the end values take the tails."""
_GAIN_BITS = 6
_RECIPROCAL_BITS = 26


class Distribution(ABC):
    """Distributions of m sub-pixels, all on one device."""

    @abstractmethod
    def cumulative(self, edges: Tensor) -> Tensor:
        """Mass below the given edges.

        ``edges``: integers in float32 [E, m] or [E, 1]; edge v is the lower end of value v, 1..255, and -FAR and FAR
        are the ends. Returns int32 [E, m], not falling with the edge, 0 at -FAR and CDF_TOTAL at FAR.
        """


@dataclass(frozen=True)
class _Edges:
    """Constants of the two steps."""

    high: Tensor  # float32 [17, 1]
    high_floor: Tensor  # int32 [17, 1]
    low: Tensor  # float32 [17, 16]: the edges of the low step for every high nibble
    low_floor: Tensor  # int32 [17, 1]

    @staticmethod
    @cache
    def on(device: torch.device) -> _Edges:
        steps = torch.arange(SYMBOLS + 1, device=device)
        nibbles = torch.arange(SYMBOLS, device=device)
        high, low = SYMBOLS * steps[:, None], SYMBOLS * nibbles + steps[:, None]
        floor = (GAIN * steps[:, None]).int()
        return _Edges(_ends(high.float()), SYMBOLS * floor, _ends(low.float()), floor)


def _ends(edges: Tensor) -> Tensor:
    """Edges with 0 and 256 moved far out."""
    return edges.masked_fill(edges == 0, -FAR).masked_fill_(edges == VALUES, FAR)


def high_table(distribution: Distribution, device: torch.device) -> Tensor:
    """Table of the high nibble of every sub-pixel. float32 [m, 16]."""
    constants = _Edges.on(device)
    inner = distribution.cumulative(constants.high[1:-1])  # [15, m]
    ends = torch.tensor([0, CDF_TOTAL], dtype=torch.int32, device=device)[:, None].expand(2, inner.shape[1])
    below = torch.cat([ends[:1], inner, ends[1:]]) + constants.high_floor  # [17, m]
    return _table(below >> _GAIN_BITS)


def low_table(distribution: Distribution, high: Tensor) -> Tensor:
    """Table of the low nibble given the high one, int64 [m]. float32 [m, 16]."""
    constants = _Edges.on(high.device)
    edges = constants.low.index_select(1, high)  # [17, m]
    below = distribution.cumulative(edges) + constants.low_floor
    below = below - below[0]
    scaled = _share(below, below[-1])
    scaled[-1] = TABLE_TOTAL
    return _table(scaled)


def _table(cumulative: Tensor) -> Tensor:
    """Integers [17, m] -> their differences, float32 [m, 16], contiguous."""
    table = torch.empty(cumulative.shape[1], SYMBOLS, dtype=torch.float32, device=cumulative.device)
    return table.copy_((cumulative[1:] - cumulative[:-1]).T)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """About ``part / whole * TABLE_TOTAL``, rounded down, never falling in ``part``. int64, in 0..TABLE_TOTAL."""
    reciprocal = torch.div(TABLE_TOTAL << _RECIPROCAL_BITS, whole.long(), rounding_mode="floor")
    return part.long().mul_(reciprocal) >> _RECIPROCAL_BITS


@dataclass(frozen=True)
class Intervals:
    """What the coder needs of known symbols: start and width, both of 2^24, of the high and of the low step."""

    start: Tensor  # int64 [2, m]
    width: Tensor  # int64 [2, m]

    def bits(self) -> Tensor:
        """Ideal code length of every sub-pixel. float64 [m]."""
        return (48.0 - torch.log2(self.width.double()).sum(0)).clamp(min=0)


def intervals(distribution: Distribution, values: Tensor) -> Intervals:
    """Intervals of known values, equal to the tables' own. ``values`` int32 [m]."""
    high, low = values >> 4, values & 15
    first = high << 4
    edges = torch.stack([first, first + SYMBOLS, values, values + 1])  # [4, m]
    below = distribution.cumulative(_ends(edges.float())) + GAIN * edges
    coarse = (below[:2] >> _GAIN_BITS).long()
    fine = _share(below[2:] - below[0], below[1] - below[0])
    fine[1].masked_fill_(low == SYMBOLS - 1, TABLE_TOTAL)
    scaled = torch.stack([coarse, fine])  # [2 steps, 2 ends, m]
    symbols = torch.stack([high, low]).long()
    return Intervals(scaled[:, 0] + symbols, scaled[:, 1] - scaled[:, 0] + 1)
