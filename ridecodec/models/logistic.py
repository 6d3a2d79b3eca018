"""Mixtures of discretised logistics in integers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ridecodec.coding.tables import CDF_TOTAL, Distribution

WEIGHT_TOTAL = 1024
"""What the weights of a mixture sum to."""
MEAN_UNIT = 32
"""Means are in 1/32 of a value."""
MEAN_LIMIT = 1 << 14
SCALE_UNIT = 16
"""Scales are indices: 1/16 octave each."""
SCALE_ZERO = 80
"""Index of a scale of one value."""
SCALES = 219
LOGIT_UNIT = 32
_RANGE = 14
_ARGUMENT_BITS = 19
_TABLE_BITS = 9
_SHIFT = _ARGUMENT_BITS - _TABLE_BITS


class LogisticTables:
    """The functions that mixtures need, made once at export and shipped with the model."""

    def __init__(self, logistic: Tensor, inverse: Tensor, exponential: Tensor) -> None:
        self.logistic, self.inverse, self.exponential = logistic.int(), inverse.float(), exponential.int()
        self.limit = torch.div(_RANGE << _ARGUMENT_BITS, inverse.long(), rounding_mode="floor").float()

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        top = CDF_TOTAL // WEIGHT_TOTAL
        position = torch.arange(2 * _RANGE << _TABLE_BITS, dtype=torch.float64) - (_RANGE << _TABLE_BITS) + 0.5
        inner = torch.round(top * torch.sigmoid(position / 2**_TABLE_BITS))
        scale = torch.exp2((torch.arange(SCALES, dtype=torch.float64) - SCALE_ZERO) / SCALE_UNIT)
        return {
            "logistic": torch.cat([inner, torch.tensor([float(top)])]).int(),
            "inverse": torch.round(2**_ARGUMENT_BITS / (MEAN_UNIT * scale)).int(),
            "exponential": torch.round(2**15 * torch.exp(-torch.arange(16 * LOGIT_UNIT) / LOGIT_UNIT).double()).int(),
        }

    def to(self, device: torch.device) -> LogisticTables:
        """Move the tables."""
        names = ("logistic", "inverse", "exponential", "limit")
        for name in names:
            setattr(self, name, getattr(self, name).to(device))
        return self

    def weights(self, logits: Tensor) -> Tensor:
        """Gate: integer logits [K, m], LOGIT_UNIT to the nat, -> int32 [K, m] that sum to WEIGHT_TOTAL."""
        behind = (logits.amax(0) - logits).clamp_(max=len(self.exponential) - 1).int()
        mass = self.exponential.index_select(0, behind.view(-1)).view(behind.shape).cumsum(0, dtype=torch.int32)
        share = torch.div(mass * WEIGHT_TOTAL, mass[-1], rounding_mode="floor")
        return torch.cat([share[:1], share[1:] - share[:-1]])


class LogisticMixture(Distribution):
    """K logistics for each of m sub-pixels, on bins [v - 1/2, v + 1/2)."""

    def __init__(self, tables: LogisticTables, weights: Tensor, means: Tensor, scales: Tensor) -> None:
        """``weights`` int32 [K, m] summing to WEIGHT_TOTAL; ``means`` integers in float32 [K, m], within
        +-MEAN_LIMIT; ``scales`` indices in a float tensor [K, m], clamped here."""
        self.tables = tables
        self.weights, self.means = weights, means
        index = scales.clamp(0, SCALES - 1).int().view(-1)
        self.inverse = tables.inverse.index_select(0, index).view(scales.shape)
        self.limit = tables.limit.index_select(0, index).view(scales.shape)
        self.components = len(means)

    def cumulative(self, edges: Tensor) -> Tensor:
        points = (edges * MEAN_UNIT - MEAN_UNIT // 2).float()[:, None]  # [E, 1, m]
        argument = (points - self.means).clamp_(-self.limit, self.limit).mul_(self.inverse)  # [E, K, m]
        index = argument.add_(_RANGE << _ARGUMENT_BITS).int() >> _SHIFT
        mass = self.tables.logistic.index_select(0, index.view(-1)).view(index.shape)
        return mass.mul_(self.weights).sum(1, dtype=torch.int32)


def scale_index(scale: float) -> int:
    """Index of the nearest shipped scale."""
    return min(SCALES - 1, max(0, round(SCALE_ZERO + SCALE_UNIT * math.log2(scale))))
