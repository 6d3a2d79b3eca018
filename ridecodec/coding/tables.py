"""Distributions as integers: from a family's cumulative to the tables and intervals of the entropy coder.

A sub-pixel (0..255) is coded in two steps of 16 symbols, its high and its low nibble. A step's table is 16
non-negative integers that sum to ``TABLE_TOTAL``; the coder gives symbol s the probability ``(w[s] + 1) / 2^24``.
Everything here is integer arithmetic (design: contract 3); pixels are the last axis throughout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

SYMBOLS = 16
"""Symbols of a coding step."""
TABLE_TOTAL = 2**24 - SYMBOLS
VALUES = SYMBOLS**2
"""Values of a sub-pixel."""
_GAIN = 64
CDF_TOTAL = _GAIN * (TABLE_TOTAL - VALUES)
"""What a family's cumulative reaches at edge 256. Every value then gets a floor of ``1 / 2^24``."""
_RECIPROCAL_BITS = 26


class Distribution(ABC):
    """Distributions of m sub-pixels, all on one device."""

    @abstractmethod
    def cumulative(self, edges: Tensor) -> Tensor:
        """Mass below the given edges.

        ``edges``: int32 [E, m] or [E, 1], 0..256; edge v is the lower end of value v. Returns int32 [E, m] in
        0..CDF_TOTAL, not falling with the edge. What it gives for edges 0 and 256 is not used: the ends take the tails.
        """


def _below(distribution: Distribution, edges: Tensor) -> Tensor:
    """Cumulative with the tails folded in and the floor added; strictly rising. int32 [E, m]."""
    inner = distribution.cumulative(edges)
    inner = torch.where(edges == 0, 0, torch.where(edges == VALUES, CDF_TOTAL, inner))
    return inner + _GAIN * edges


@dataclass(frozen=True)
class HighStep:
    """First coding step: its table, and the cumulative at its edges, from which the second one starts."""

    table: Tensor  # float32 [m, 16]
    bounds: Tensor  # int32 [17, m]


def high_step(distribution: Distribution, pixels: int, device: torch.device) -> HighStep:
    """Table of the high nibble of every sub-pixel."""
    edges = torch.arange(SYMBOLS, VALUES, SYMBOLS, dtype=torch.int32, device=device)[:, None]
    inner = distribution.cumulative(edges) + _GAIN * edges  # [15, m]
    bounds = torch.cat([inner.new_zeros(1, pixels), inner, inner.new_full((1, pixels), _GAIN * TABLE_TOTAL)])  # [17, m]
    scaled = bounds >> 6  # / _GAIN
    return HighStep((scaled[1:] - scaled[:-1]).T.float().contiguous(), bounds)


def low_table(distribution: Distribution, high: HighStep, symbols: Tensor) -> Tensor:
    """Table of the low nibble given the high one. ``symbols`` int64 [m]; returns float32 [m, 16]."""
    nibble = symbols[None]  # [1, m]
    start = high.bounds.gather(0, nibble)
    mass = high.bounds.gather(0, nibble + 1) - start
    inner = torch.arange(1, SYMBOLS, dtype=torch.int32, device=symbols.device)[:, None]
    edges = (SYMBOLS * nibble).int() + inner  # [15, m]
    below = distribution.cumulative(edges) + _GAIN * edges
    scaled = _share(below - start, mass)
    ends = scaled.new_zeros(1, scaled.shape[1])
    scaled = torch.cat([ends, scaled, ends + TABLE_TOTAL])  # [17, m]
    return (scaled[1:] - scaled[:-1]).T.float().contiguous()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """About ``part / whole * TABLE_TOTAL``, rounded down, never falling in ``part``. int64, in 0..TABLE_TOTAL."""
    reciprocal = torch.div(TABLE_TOTAL << _RECIPROCAL_BITS, whole.long(), rounding_mode="floor")
    return (part.long() * reciprocal) >> _RECIPROCAL_BITS


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
    high = values >> 4
    first = high << 4
    edges = torch.stack([first, first + SYMBOLS, values, values + 1])  # [4, m]
    below = _below(distribution, edges)
    coarse = (below[:2] >> 6).long()
    fine = _share(below[2:] - below[0], (below[1] - below[0])[None])
    low = values & 15
    fine[1] = torch.where(low == SYMBOLS - 1, TABLE_TOTAL, fine[1])
    scaled = torch.stack([coarse, fine])  # [2 steps, 2 ends, m]
    symbols = torch.stack([high, low]).long()
    return Intervals(scaled[:, 0] + symbols, scaled[:, 1] - scaled[:, 0] + 1)
