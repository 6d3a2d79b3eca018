"""Softmax over the 256 values of a sub-pixel, in integers."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.tables import CDF_TOTAL, VALUES

LOGIT_BITS = 8
"""Logits are in 1/2^8 nat."""
_LOGIT_RANGE = 16
_MASS_BITS = 22
_ENTRIES = _LOGIT_RANGE << LOGIT_BITS


class SoftmaxTables:
    """The exponential function, made once at export and shipped with the model."""

    def __init__(self, exponential: Tensor) -> None:
        """``exponential`` int [entries]: of 0, -1 / 2^LOGIT_BITS, ...; ModelRefusedError for other tables."""
        exponential = whole("tables.exponential", exponential, (_ENTRIES,), 0, 1 << _MASS_BITS)
        if exponential[0] != 1 << _MASS_BITS or (exponential.diff() > 0).any():
            raise ModelRefusedError("the table of the softmax is out of range; export the model again")
        self.exponential = exponential.int()

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The table as an int32 tensor."""
        fall = torch.exp(-torch.arange(_ENTRIES, dtype=torch.float64) / (1 << LOGIT_BITS))
        return {"exponential": torch.round(2.0**_MASS_BITS * fall).int()}

    def to(self, device: torch.device) -> SoftmaxTables:
        """Move the table."""
        self.exponential = self.exponential.to(device)
        return self


class Softmax(Distribution):
    """256 logits for each of m sub-pixels."""

    def __init__(self, tables: SoftmaxTables, logits: Tensor) -> None:
        """``logits``: integers in a float tensor [256, m], in 1/2^LOGIT_BITS nat, below 2^31."""
        behind = (logits.amax(0) - logits).clamp_(max=_ENTRIES - 1).int()
        mass = tables.exponential.index_select(0, behind.view(-1)).view(behind.shape)
        self.below = torch.zeros(VALUES + 1, mass.shape[1], dtype=torch.int64, device=mass.device)
        torch.cumsum(mass, 0, out=self.below[1:])  # at most 2^30

    def cumulative(self, edges: Tensor) -> Tensor:
        index = edges.clamp(0, VALUES).long().expand(-1, self.below.shape[1])
        part = self.below.gather(0, index).mul_(CDF_TOTAL)  # below 2^60
        return torch.div(part, self.below[-1], rounding_mode="floor").int()
