"""Mixtures of Gaussians on the bins [v, v + 1), in integers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.tables import CDF_TOTAL

WEIGHT_BITS = 14
"""The weights of a mixture sum to 2^14."""
MAX_COMPONENTS = 1024
MEAN_UNIT = 32
"""Means are in 1/32 of a value."""
MEAN_LIMIT = 1 << 14
LOGIT_UNIT = 64
"""Logits are in 1/64 nat."""
_LOGIT_RANGE = 16
_FALL_BITS = 15
_FALL_STEPS = _LOGIT_RANGE * LOGIT_UNIT
_MASS_BITS = 30 - WEIGHT_BITS
_RANGE = 6
_TABLE_BITS = 10
_STEPS = 2 * _RANGE << _TABLE_BITS
INVERSE_LEAST, INVERSE_TOP = 2, 1 << 20
"""Steps of the table a value, in 1/32: the ends of the axis (FAR) must lie outside of the table."""
_LOST = 2**30 - CDF_TOTAL
"""What a cumulative of 2^30 has to lose to end at CDF_TOTAL."""


class GaussianTables:
    """The functions that mixtures need, made once at export and shipped with the model."""

    def __init__(self, normal: Tensor, exponential: Tensor) -> None:
        """Raises ModelRefusedError for tables that this version's arithmetic cannot use."""
        normal = whole("tables.normal", normal, (_STEPS + 1,), 0, 1 << _MASS_BITS)
        exponential = whole("tables.exponential", exponential, (_FALL_STEPS,), 0, 1 << _FALL_BITS)
        ends = normal[0] == 0 and normal[-1] == 1 << _MASS_BITS and exponential[0] == 1 << _FALL_BITS
        if not (ends and (normal.diff() >= 0).all() and (exponential.diff() <= 0).all()):
            raise ModelRefusedError("the tables of the Gaussian mixtures are out of range; export the model again")
        self.normal, self.exponential = normal.int(), exponential.double()
        self.middle = torch.tensor(float(_STEPS // 2))

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        position = (torch.arange(_STEPS, dtype=torch.float64) - _STEPS // 2 + 0.5) / 2**_TABLE_BITS
        inner = torch.round(2**_MASS_BITS * torch.special.ndtr(position))
        inner[0] = 0
        fall = torch.exp(-torch.arange(_FALL_STEPS, dtype=torch.float64) / LOGIT_UNIT)
        return {
            "normal": torch.cat([inner, torch.tensor([2.0**_MASS_BITS])]).int(),
            "exponential": torch.round(2**_FALL_BITS * fall).int(),
        }

    def to(self, device: torch.device) -> GaussianTables:
        """Move the tables."""
        for name in ("normal", "exponential", "middle"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def weights(self, logits: Tensor) -> Tensor:
        """Gate: integer logits float64 [K, m], LOGIT_UNIT to the nat, -> int32 [K, m] that sum to 2^WEIGHT_BITS."""
        behind = (logits.amax(0) - logits).clamp_(max=len(self.exponential) - 1).int()
        mass = self.exponential.index_select(0, behind.view(-1)).view(behind.shape).cumsum(0)
        # at most 2^25 times 2^23: exact
        reciprocal = torch.div(1 << (WEIGHT_BITS + 24), mass[-1].long(), rounding_mode="floor").double().mul_(2.0**-24)
        share = mass.mul_(reciprocal).int()
        share[-1] = 1 << WEIGHT_BITS
        return torch.cat([share[:1], share[1:] - share[:-1]])


def inverse(deviations: Tensor) -> Tensor:
    """Steps of the table in 1/32 for each value of the axis, from standard deviations in values; int32."""
    return torch.round((1 << _TABLE_BITS) * MEAN_UNIT / deviations.double()).clamp(INVERSE_LEAST, INVERSE_TOP).int()


class GaussianMixture(Distribution):
    """C x S Gaussians for each of m sub-pixels: the S of a component share its mean, all deviations are fixed."""

    def __init__(self, tables: GaussianTables, weights: Tensor, means: Tensor, inverses: Tensor) -> None:
        """``weights`` int32 [C * S, m] summing to 2^WEIGHT_BITS; ``means`` integers in a float tensor [C, m], within
        +-MEAN_LIMIT; ``inverses`` float32 [C, S, 1], table steps a value."""
        self.tables, self.weights = tables, weights
        self.inverses = inverses.expand(-1, -1, means.shape[-1]).contiguous()  # [C, S, m]: fast to multiply with
        self.means = means.float().mul_(1 / MEAN_UNIT)[:, None]  # [C, 1, m]

    def cumulative(self, edges: Tensor) -> Tensor:
        offset = edges[:, None, None] - self.means  # [E, C, 1, m]
        # exact wherever it is not clamped: 14 bits before the point and 10 behind it
        index = torch.addcmul(self.tables.middle, offset, self.inverses).clamp_(0, _STEPS).int()  # [E, C, S, m]
        mass = self.tables.normal.index_select(0, index.view(-1)).view(len(index), -1, index.shape[-1])
        below = mass.mul_(self.weights).sum(1, dtype=torch.int32)
        return below - ((below >> 10) * (_LOST >> 10) >> 10)


def check_inverses(values: Tensor) -> Tensor:
    """``values`` int [C, S] of a model file as float32 [C, S, 1]; ModelRefusedError for others."""
    values = whole("inverse", values, (None, None), INVERSE_LEAST, INVERSE_TOP)
    if values.numel() > MAX_COMPONENTS:
        raise ModelRefusedError(f"a mixture of {values.numel()} Gaussians, more than {MAX_COMPONENTS}")
    return values.float().mul(1 / MEAN_UNIT)[..., None]


assert _LOST % 1024 == 0
assert math.log2(MAX_COMPONENTS) + _FALL_BITS + 14 <= 39
