"""Some values that are likely by themselves, over a mixture of logistics and an even distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled, falls
from ridecodec.exact.families.logistics import Logistics
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution

_SMOOTH = Logistics()


class Spikes(Settled):
    """K values, a mixture of logistics behind them, and all values up to the largest one alike.

    Parts: ``values`` [K]; ``alive`` [K], 0 where a value cannot be, else 1; ``odds`` [K + 2], 1/64 nat: of the values,
    of the logistics and of the even distribution; ``top`` [1], the largest value of the even one; and the parts of
    `Logistics`.
    """

    parts = ("values", "alive", "odds", "top", *Logistics.parts)
    tables = ("odds", *Logistics.tables)

    WEIGHT_BITS = 16
    """The weights of a distribution sum to 2^16."""
    ODDS_UNIT = 64
    MAX_VALUES = 64
    _EXPONENT = 20
    _STEPS = 16 * ODDS_UNIT

    @classmethod
    def make_tables(cls) -> dict[str, Int64]:
        """The functions that the family needs; they are made once and shipped with each model."""
        fall = np.exp(-np.arange(cls._STEPS) / cls.ODDS_UNIT)
        return {"odds": np.rint(2**cls._EXPONENT * fall).astype(np.int64), **Logistics.make_tables()}

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        values, alive, odds, top = (parts[name] for name in self.parts[:4])
        sizes = len(values) == len(alive) == len(odds) - 2 <= self.MAX_VALUES and len(top) == 1
        bounded = all(part.lo.min() >= 0 for part in (values, alive, top)) and odds.top.max() < 1 << 30
        below = max(values.hi.max(), top.hi.max()) < VALUES and alive.hi.max() <= 1
        smooth = {name: parts[name] for name in Logistics.parts}, {name: tables[name] for name in Logistics.tables}
        table = falls(tables["odds"], self._STEPS, 1 << self._EXPONENT)
        return bool(sizes and bounded and below and table and _SMOOTH.fits(*smooth))

    def weights(self, odds: Int64, alive: Int64, table: Int64) -> Int64:
        """Odds [K + 2, m] and alive [K, m] -> weights [K + 2, m] that sum to 2^16, 0 where not alive."""
        can = np.concatenate([alive, np.ones_like(odds[:2])])
        most = np.where(can == 1, odds, odds.min()).max(0)
        mass = (table[(most - odds).clip(0, len(table) - 1)] * can).cumsum(0)
        share: Int64 = (mass << self.WEIGHT_BITS) // mass[-1]
        return np.diff(share, axis=0, prepend=0)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        weights = self.weights(parts["odds"], parts["alive"], tables["odds"])
        return _SpikedMixture(parts["values"], weights, _SMOOTH.distribution(parts, tables), parts["top"][0] + 1)

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        odds = parts["odds"] / self.ODDS_UNIT
        can = np.concatenate([parts["alive"], np.ones_like(odds[:2])])
        weight = np.exp(odds - odds.max(0)) * can
        weight /= weight.sum(0)
        smooth = np.exp2(-_SMOOTH.bits(parts, values, tables))
        even = (values <= parts["top"][0]) / (parts["top"][0] + 1)
        likely = np.concatenate([parts["values"] == values, [smooth, even]])
        return np.asarray(-np.log2((weight * likely).sum(0) + 2.0**-24), np.float64)


class _SpikedMixture(Distribution):
    def __init__(self, values: Int64, weights: Int64, smooth: Distribution, count: Int64) -> None:
        self.values, self.weights, self.smooth, self.count = values, weights, smooth, count

    def cumulative(self, edges: Int64) -> Int64:
        below = edges[:, None] > self.values  # [E, K, m]
        spikes = (below * self.weights[:-2]).sum(1) * CDF_TOTAL
        even = edges.clip(0, self.count) * CDF_TOTAL // self.count
        whole = spikes + self.smooth.cumulative(edges) * self.weights[-2] + even * self.weights[-1]
        found: Int64 = whole >> Spikes.WEIGHT_BITS
        return found
