"""Some values that are likely by themselves, over a smooth distribution and an even one, in integers."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.tables import CDF_TOTAL, Distribution
from ridecodec.errors import ModelRefusedError

WEIGHT_BITS = 16
"""The weights of a distribution sum to 2^16."""
LOGIT_UNIT = 64
_EXPONENT = 20
_STEPS = 16 * LOGIT_UNIT


class SpikeTables:
    """The function that the weights need, made once at export and shipped with the model."""

    def __init__(self, exponential: Tensor) -> None:
        """Raises ModelRefusedError for a table that this version's arithmetic cannot use."""
        self.exponential = whole("tables.weights", exponential, (_STEPS,), 0, 1 << _EXPONENT)
        if self.exponential[0] < 1 << _EXPONENT or (self.exponential.diff() > 0).any():
            raise ModelRefusedError("the table of the weights is out of range; export the model again")

    @staticmethod
    def make() -> Tensor:
        """The table as an int32 tensor."""
        steps = torch.arange(_STEPS, dtype=torch.float64)
        return torch.round(2**_EXPONENT * torch.exp(-steps / LOGIT_UNIT)).int()

    def to(self, device: torch.device) -> SpikeTables:
        """Move the table."""
        self.exponential = self.exponential.to(device)
        return self

    def weights(self, logits: Tensor, alive: Tensor) -> Tensor:
        """Integer logits [K, m], `LOGIT_UNIT` to the nat, -> int64 [K, m] that sum to 2^16.

        Where ``alive`` (bool [K, m], always true in the last row) is false the weight is 0.
        """
        least = logits.amin()
        top = torch.where(alive, logits, least).amax(0)
        behind = (top - logits).clamp_(0, len(self.exponential) - 1).long()
        mass = (self.exponential[behind] * alive).cumsum(0)
        share = torch.div(mass << WEIGHT_BITS, mass[-1].clamp(min=1), rounding_mode="floor")
        return torch.cat([share[:1], share[1:] - share[:-1]])


class Spikes(Distribution):
    """``weights`` int64 [K + 2, m]: of the values int64 [K, m], of ``base``, and of all values up to ``top`` alike."""

    def __init__(self, values: Tensor, weights: Tensor, base: Distribution, top: Tensor) -> None:
        """``top``: int64 [m], 0 to 255."""
        self.values, self.weights = values.float(), weights
        self.base, self.count = base, top + 1

    def cumulative(self, edges: Tensor) -> Tensor:
        below = edges[:, None] > self.values  # [E, K, m]
        spikes = (below * self.weights[:-2]).sum(1) * CDF_TOTAL
        even = torch.div(edges.long().clamp(min=0).minimum(self.count) * CDF_TOTAL, self.count, rounding_mode="floor")
        smooth = self.base.cumulative(edges).long()
        whole = spikes + smooth * self.weights[-2] + even * self.weights[-1]
        return (whole >> WEIGHT_BITS).int()
