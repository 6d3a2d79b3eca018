"""All values alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution


class Even(Settled):
    """All values up to ``top`` [1] alike."""

    parts = ("top",)
    tables = ()

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        (top,) = parts.values()
        return len(top) == 1 and top.lo[0] >= 0 and top.hi[0] < VALUES

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        return _EvenValues(parts["top"][0] + 1)

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        return np.asarray(np.log2(parts["top"][0] + 1), np.float64)


class _EvenValues(Distribution):
    def __init__(self, count: Int64) -> None:
        self.count = count

    def cumulative(self, edges: Int64) -> Int64:
        found: Int64 = edges.clip(0, self.count) * CDF_TOTAL // self.count
        return found
