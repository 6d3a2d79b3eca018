"""Mixtures of discretised logistics in integers."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import Logistics
from ridecodec.exact.tables import CDF_TOTAL

WEIGHT_TOTAL, MAX_COMPONENTS = Logistics.WEIGHT_TOTAL, Logistics.MAX_COMPONENTS
MEAN_UNIT, MEAN_LIMIT = Logistics.MEAN_UNIT, Logistics.MEAN_LIMIT
SCALE_UNIT, SCALE_ZERO, SCALES = Logistics.SCALE_UNIT, Logistics.SCALE_ZERO, Logistics.SCALES
LOGIT_UNIT = Logistics.LOGIT_UNIT
_RANGE = 14
_ARGUMENT_BITS = 19
_TABLE_BITS = 9
_SHIFT = _ARGUMENT_BITS - _TABLE_BITS
_STEPS = 2 * _RANGE << _TABLE_BITS


class LogisticTables:
    """The functions that mixtures need, made once at export and shipped with the model."""

    def __init__(self, logistic: Tensor, inverse: Tensor, exponential: Tensor) -> None:
        """Raises ModelRefusedError for tables that this version's arithmetic cannot use."""
        top = CDF_TOTAL // WEIGHT_TOTAL
        logistic = whole("tables.logistic", logistic, (_STEPS + 1,), 0, top)
        inverse = whole("tables.inverse", inverse, (SCALES,), 2, 1 << _ARGUMENT_BITS)
        exponential = whole("tables.exponential", exponential, (None,), 0, 1 << 15)
        rises = logistic[0] == 0 and logistic[-1] == top and (logistic.diff() >= 0).all()
        falls = exponential[0] == 1 << 15 and (exponential.diff() <= 0).all()
        if not (rises and falls):
            raise ModelRefusedError("the tables of the logistic mixtures are out of range; export the model again")
        self.logistic, self.exponential = logistic.int(), exponential.int()
        self.middle = torch.tensor(_STEPS // 2, dtype=torch.float32)
        # steps of the table a value: multiples of a power of two, so as exact as the integers are
        self.inverse = inverse.float() * (MEAN_UNIT / 2**_SHIFT)

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        return {name: torch.from_numpy(table).int() for name, table in Logistics.make_tables().items()}

    def to(self, device: torch.device) -> LogisticTables:
        """Move the tables."""
        names = ("logistic", "inverse", "exponential", "middle")
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
        self.weights = weights
        self.centres = (means + MEAN_UNIT // 2).mul_(1 / MEAN_UNIT)  # value v begins half below v
        index = scales.clamp(0, SCALES - 1).int().view(-1)
        self.inverse = tables.inverse.index_select(0, index).view(scales.shape)

    def cumulative(self, edges: Tensor) -> Tensor:
        offset = edges[:, None] - self.centres  # [E, K, m]
        # exact wherever it is not clamped: 14 bits before the point and 10 behind it
        index = torch.addcmul(self.tables.middle, offset, self.inverse).clamp_(0, _STEPS).int()
        mass = self.tables.logistic.index_select(0, index.view(-1)).view(index.shape)
        return mass.mul_(self.weights).sum(1, dtype=torch.int32)
