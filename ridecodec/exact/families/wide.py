"""Mixtures of logistics on 16 bits, as two distributions of 8 bits each: of the high byte, and of the low one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled, falls, sigmoid
from ridecodec.exact.families.logistics import Logistics
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution

TOP = VALUES**2 - 1
_FAR = 1e9


class WideHigh(Settled):
    """The high byte of a mixture of K logistics, discretised on the bins [v - 1/2, v + 1/2) of 16-bit values.

    Parts: ``logits`` [K], 1/32 nat; ``means`` [K], 1/32 of a value, 0 to TOP of them; ``scales`` [K], 1/16 octave, 64
    is one value. Every value has a mass of 1 / (CDF_TOTAL + 2^16) more.
    """

    parts: tuple[str, ...] = ("logits", "means", "scales")
    tables = ("logistic", "inverse", "exponential")

    WEIGHT_TOTAL = Logistics.WEIGHT_TOTAL
    LOGIT_UNIT = Logistics.LOGIT_UNIT
    MEAN_UNIT = 32
    SCALE_UNIT = 16
    SCALE_ZERO = 64
    SCALES = SCALE_ZERO + 14 * SCALE_UNIT + 1
    _RANGE = 14
    _TABLE_BITS = 9
    INVERSE_BITS = 30
    BETWEEN = 8
    """Bits of a place between two entries of the logistic's table: a wide one rises at every value."""
    STEPS = 2 * _RANGE << _TABLE_BITS
    SHIFT = INVERSE_BITS - _TABLE_BITS - BETWEEN

    @classmethod
    def make_tables(cls) -> dict[str, Int64]:
        """The functions that mixtures need; they are made once and shipped with each model."""
        top = CDF_TOTAL // cls.WEIGHT_TOTAL
        position = np.arange(cls.STEPS + 1) - cls.STEPS // 2
        logistic = np.rint(top / (1 + np.exp(-position / 2**cls._TABLE_BITS))).astype(np.int64)
        logistic[0], logistic[-1] = 0, top
        scale = np.exp2((np.arange(cls.SCALES) - cls.SCALE_ZERO) / cls.SCALE_UNIT)
        return {
            "logistic": logistic,
            "inverse": np.rint(2**cls.INVERSE_BITS / (cls.MEAN_UNIT * scale)).astype(np.int64),
            "exponential": Logistics.make_tables()["exponential"],
        }

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        logistic, inverse, fall = (tables[name] for name in self.tables)
        top = CDF_TOTAL // self.WEIGHT_TOTAL
        ends = len(logistic) == self.STEPS + 1 and logistic[0] == 0 and logistic[-1] == top
        rises = ends and (np.diff(logistic) >= 0).all()
        scales = len(inverse) == self.SCALES and (inverse > 0).all() and (inverse <= 1 << self.INVERSE_BITS).all()
        logits, means, widths = (parts[name] for name in self.parts[:3])
        alike = len(logits) == len(means) == len(widths) <= Logistics.MAX_COMPONENTS
        near = means.lo.min() >= 0 and means.hi.max() <= TOP * self.MEAN_UNIT
        near = near and max(logits.top.max(), widths.top.max()) < 1 << 30
        return bool(rises and scales and falls(fall, len(fall), 1 << 15) and alike and near)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        return _High(_Mixture(parts, tables))

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        first = values * VALUES
        return np.asarray(-np.log2(_mass(parts, first, first + VALUES)), np.float64)


class WideLow(WideHigh):
    """The low byte of the same mixture, given the high one: part ``high`` [1]."""

    parts = (*WideHigh.parts, "high")

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        high = parts["high"]
        return super().fits(parts, tables) and len(high) == 1 and high.lo[0] >= 0 and bool(high.hi[0] < VALUES)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        return _Low(_Mixture(parts, tables), parts["high"][0])

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        first = parts["high"][0].astype(np.int64) * VALUES
        own = _mass(parts, first + values, first + values + 1)
        return np.asarray(np.log2(_mass(parts, first, first + VALUES)) - np.log2(own), np.float64)


class _Mixture:
    """K logistics for each of m samples."""

    def __init__(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> None:
        self.logistic, self.means = tables["logistic"], parts["means"]
        self.weights = Logistics.weights(parts["logits"], tables["exponential"])
        self.inverse = tables["inverse"][parts["scales"].clip(0, WideHigh.SCALES - 1)]

    def below(self, edges: Int64) -> Int64:
        """Mass below the lower ends of values ``edges`` [E, m] from 0 to TOP + 1; rises with every value."""
        family = WideHigh
        offset = family.MEAN_UNIT * edges[:, None] - family.MEAN_UNIT // 2 - self.means  # [E, K, m]
        middle = family.STEPS // 2 << family.BETWEEN
        place = ((offset * self.inverse >> family.SHIFT) + middle).clip(0, family.STEPS << family.BETWEEN)
        index, beyond = place >> family.BETWEEN, place & (1 << family.BETWEEN) - 1
        start = self.logistic[index]
        rise = self.logistic[(index + 1).clip(max=family.STEPS)] - start
        mass = (((start << family.BETWEEN) + rise * beyond) * self.weights).sum(1) >> family.BETWEEN
        found: Int64 = np.where(edges <= 0, 0, np.where(edges > TOP, CDF_TOTAL, mass)) + edges
        return found


class _High(Distribution):
    def __init__(self, mixture: _Mixture) -> None:
        self.mixture = mixture

    def cumulative(self, edges: Int64) -> Int64:
        below = self.mixture.below(_bytes(edges, self.mixture.means) * VALUES)
        found: Int64 = below * CDF_TOTAL // (CDF_TOTAL + TOP + 1)
        return found


class _Low(Distribution):
    def __init__(self, mixture: _Mixture, high: Int64) -> None:
        self.mixture, self.first = mixture, high * VALUES
        ends = mixture.below(np.stack([self.first, self.first + VALUES]))
        self.start, self.mass = ends[0], ends[1] - ends[0]

    def cumulative(self, edges: Int64) -> Int64:
        below = self.mixture.below(self.first + _bytes(edges, self.mixture.means)) - self.start
        found: Int64 = below * CDF_TOTAL // self.mass
        return found


def _bytes(edges: Int64, means: Int64) -> Int64:
    """Edges [E, 1] or [E, m] as [E, m] from 0 to 256."""
    return np.broadcast_to(edges.clip(0, VALUES), (len(edges), means.shape[1]))


def _mass(parts: Mapping[str, Float64], first: Int64, end: Int64) -> Float64:
    """Of the values from ``first`` to ``end`` - 1 [m], in floats, with what every value has at least."""
    gate = Logistics.gate(parts["logits"])
    scales = parts["scales"].clip(0, WideHigh.SCALES - 1)
    inverse = np.exp2(-(scales - WideHigh.SCALE_ZERO) / WideHigh.SCALE_UNIT)
    means = parts["means"] / WideHigh.MEAN_UNIT
    upper = (np.where(end > TOP, _FAR, end - 0.5) - means) * inverse
    lower = (np.where(first <= 0, -_FAR, first - 0.5) - means) * inverse
    side = np.where(lower + upper > 0, -1.0, 1.0)  # both ends on the small tail: no cancellation
    mass = (gate * np.abs(sigmoid(side * upper) - sigmoid(side * lower))).sum(0)
    return np.asarray((mass * CDF_TOTAL + end - first) / (CDF_TOTAL + TOP + 1), np.float64)
