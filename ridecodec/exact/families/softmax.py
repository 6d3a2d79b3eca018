"""A softmax over the 256 values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled, falls
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution


class Softmax(Settled):
    """Every value has a logit of its own (PixelRNN paper, https://arxiv.org/abs/1601.06759, section 2.1).

    Parts: ``logits`` [256], 1/256 nat.
    """

    parts = ("logits",)
    tables = ("exponential",)

    LOGIT_UNIT = 256
    _RANGE = 16
    _MASS_BITS = 22

    @classmethod
    def make_tables(cls) -> dict[str, Int64]:
        """The exponential function; it is made once and shipped with each model."""
        fall = np.exp(-np.arange(cls._RANGE * cls.LOGIT_UNIT) / cls.LOGIT_UNIT)
        return {"exponential": np.rint(2**cls._MASS_BITS * fall).astype(np.int64)}

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        logits, fall = parts["logits"], tables["exponential"]
        whole = len(logits) == VALUES and logits.top.max() < 1 << 30
        return bool(whole and falls(fall, self._RANGE * self.LOGIT_UNIT, 1 << self._MASS_BITS))

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        logits, fall = parts["logits"], tables["exponential"]
        mass = fall[np.minimum(logits.max(0) - logits, len(fall) - 1)]
        return _Values(np.concatenate([np.zeros_like(mass[:1]), mass.cumsum(0)]))  # at most 2^30

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        logits = parts["logits"] / self.LOGIT_UNIT
        top = logits.max(0)
        whole = top + np.log(np.exp(logits - top).sum(0))
        found: Float64 = (whole - logits[values, np.arange(len(values))]) / np.log(2)
        return found


class _Values(Distribution):
    def __init__(self, below: Int64) -> None:
        self.below = below  # [257, m]

    def cumulative(self, edges: Int64) -> Int64:
        index = np.broadcast_to(edges.clip(0, VALUES), (len(edges), self.below.shape[1]))
        part = np.take_along_axis(self.below, index, 0) * CDF_TOTAL  # below 2^60
        found: Int64 = part // self.below[-1]
        return found
