"""Mixtures of logistics on 16 bits, in integers, as two distributions of 8 bits each."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.tables import CDF_TOTAL, VALUES, Distribution
from ridecodec.errors import ModelRefusedError

TOP = VALUES**2 - 1
WEIGHT_TOTAL = 1024
MEAN_UNIT = 32
"""Means are in 1/32 of a value."""
SCALE_UNIT = 16
"""Scales are indices: 1/16 octave each."""
SCALE_ZERO = 64
"""Index of a scale of one value."""
SCALES = SCALE_ZERO + 14 * SCALE_UNIT + 1
_RANGE = 14
_TABLE_BITS = 9
_INVERSE_BITS = 30
_BETWEEN = 8
"""Bits of a place between two entries of the logistic's table: a wide one rises at every value."""
_STEPS = 2 * _RANGE << _TABLE_BITS


class DeepTables:
    """The functions that the mixtures need, made once at export and shipped with the model."""

    def __init__(self, logistic: Tensor, inverse: Tensor) -> None:
        """Raises ModelRefusedError for tables that this version's arithmetic cannot use."""
        top = CDF_TOTAL // WEIGHT_TOTAL
        self.logistic = whole("logistic", logistic, (_STEPS + 1,), 0, top)
        if self.logistic[0] or self.logistic[-1] < top or (self.logistic.diff() < 0).any():
            raise ModelRefusedError("the table of the logistic is out of range; export the model again")
        # 23 bits of an offset times 30 of this stay below 2^53
        self.inverse = whole("inverse", inverse, (SCALES,), 1, 1 << _INVERSE_BITS).double() / 2.0 ** (
            _INVERSE_BITS - _TABLE_BITS - _BETWEEN
        )

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        top = CDF_TOTAL // WEIGHT_TOTAL
        position = torch.arange(_STEPS + 1, dtype=torch.float64) - _STEPS // 2
        logistic = torch.round(top * torch.sigmoid(position / 2**_TABLE_BITS))
        logistic[0], logistic[-1] = 0, top
        scale = torch.exp2((torch.arange(SCALES, dtype=torch.float64) - SCALE_ZERO) / SCALE_UNIT)
        return {
            "logistic": logistic.int(),
            "inverse": torch.round(2**_INVERSE_BITS / (MEAN_UNIT * scale)).int(),
        }

    def to(self, device: torch.device) -> DeepTables:
        """Move the tables."""
        self.logistic, self.inverse = self.logistic.to(device), self.inverse.to(device)
        return self


class DeepMixture:
    """K logistics for each of m samples, on bins [v - 1/2, v + 1/2)."""

    def __init__(self, tables: DeepTables, weights: Tensor, means: Tensor, scales: Tensor) -> None:
        """``weights`` int64 [K, m] summing to WEIGHT_TOTAL; ``means`` integers in float64 [K, m], 0 to TOP of them in
        1/`MEAN_UNIT`; ``scales`` indices int64 [K, m]."""
        self.tables, self.weights, self.means = tables, weights, means
        self.inverse = tables.inverse[scales]

    def below(self, edges: Tensor) -> Tensor:
        """Mass below the lower ends of values ``edges``, int64 [E, m] from 0 to TOP + 1; rises with every value."""
        offset = MEAN_UNIT * edges[:, None].double() - MEAN_UNIT // 2 - self.means  # [E, K, m]
        place = (offset * self.inverse + (_STEPS // 2 << _BETWEEN)).clamp_(0, _STEPS << _BETWEEN).long()
        index, beyond = place >> _BETWEEN, place & (1 << _BETWEEN) - 1
        start = self.tables.logistic[index]
        rise = self.tables.logistic[(index + 1).clamp_(max=_STEPS)] - start
        mass = (((start << _BETWEEN) + rise * beyond) * self.weights).sum(1) >> _BETWEEN
        return mass.masked_fill(edges <= 0, 0).masked_fill_(edges > TOP, CDF_TOTAL) + edges


class High(Distribution):
    """Of the high bytes."""

    def __init__(self, mixture: DeepMixture) -> None:
        self.mixture = mixture

    def cumulative(self, edges: Tensor) -> Tensor:
        below = self.mixture.below(_bytes(edges, self.mixture.means) * VALUES)
        return torch.div(below * CDF_TOTAL, CDF_TOTAL + TOP + 1, rounding_mode="floor").int()


class Low(Distribution):
    """Of the low bytes, given the high ones, int64 [m]."""

    def __init__(self, mixture: DeepMixture, high: Tensor) -> None:
        self.mixture, self.first = mixture, high * VALUES
        ends = mixture.below(torch.stack([self.first, self.first + VALUES]))
        self.start, self.mass = ends[0], ends[1] - ends[0]

    def cumulative(self, edges: Tensor) -> Tensor:
        below = self.mixture.below(self.first + _bytes(edges, self.mixture.means)) - self.start
        return torch.div(below * CDF_TOTAL, self.mass, rounding_mode="floor").int()


def _bytes(edges: Tensor, means: Tensor) -> Tensor:
    """Edges [E, 1] or [E, m] as int64 [E, m] from 0 to 256."""
    return edges.clamp(0, VALUES).long().expand(-1, means.shape[1])
