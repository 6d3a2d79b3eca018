"""Mixtures of discretised logistics on 8 bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled, falls, sigmoid
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, Distribution


class Logistics(Settled):
    """Mixtures of K logistics, discretised on the bins [v - 1/2, v + 1/2); the end values take the tails.

    Parts: ``logits`` [K], 1/32 nat; ``means`` [K], 1/32 of a value; ``scales`` [K], 1/16 octave, 80 is one value.
    Discretised logistic mixtures: Salimans et al., PixelCNN++, https://arxiv.org/abs/1701.05517, section 2.1.
    """

    parts = ("logits", "means", "scales")
    tables = ("logistic", "inverse", "exponential")

    WEIGHT_TOTAL = 1024
    """What the weights of a mixture sum to."""
    MAX_COMPONENTS = 32
    MEAN_UNIT = 32
    MEAN_LIMIT = 1 << 14
    SCALE_UNIT = 16
    SCALE_ZERO = 80
    SCALES = 219
    LOGIT_UNIT = 32
    _RANGE = 14
    _ARGUMENT_BITS = 19
    _TABLE_BITS = 9
    SHIFT = _ARGUMENT_BITS - _TABLE_BITS
    STEPS = 2 * _RANGE << _TABLE_BITS
    _FLOOR = 2.0**-22
    _FAR = 1e5

    @classmethod
    def make_tables(cls) -> dict[str, Int64]:
        """The functions that mixtures need; they are made once and shipped with each model."""
        top = CDF_TOTAL // cls.WEIGHT_TOTAL
        position = np.arange(cls.STEPS) - cls.STEPS // 2 + 0.5
        inner = np.rint(top / (1 + np.exp(-position / 2**cls._TABLE_BITS)))
        inner[0] = 0
        scale = np.exp2((np.arange(cls.SCALES) - cls.SCALE_ZERO) / cls.SCALE_UNIT)
        fall = np.exp(-np.arange(16 * cls.LOGIT_UNIT) / cls.LOGIT_UNIT)
        return {
            "logistic": np.append(inner, top).astype(np.int64),
            "inverse": np.rint(2**cls._ARGUMENT_BITS / (cls.MEAN_UNIT * scale)).astype(np.int64),
            "exponential": np.rint(2**15 * fall).astype(np.int64),
        }

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        logistic, inverse, fall = (tables[name] for name in self.tables)
        top = CDF_TOTAL // self.WEIGHT_TOTAL
        ends = len(logistic) == self.STEPS + 1 and logistic[0] == 0 and logistic[-1] == top
        rises = ends and (np.diff(logistic) >= 0).all()
        scales = len(inverse) == self.SCALES and (inverse > 1).all() and (inverse <= 1 << self._ARGUMENT_BITS).all()
        alike = len({len(parts[name]) for name in self.parts}) == 1 and len(parts["means"]) <= self.MAX_COMPONENTS
        near = parts["means"].top.max() <= self.MEAN_LIMIT and parts["logits"].top.max() < 1 << 30
        return bool(
            rises
            and scales
            and falls(fall, len(fall), 1 << 15)
            and alike
            and near
            and parts["scales"].top.max() < 1 << 30
        )

    @classmethod
    def weights(cls, logits: Int64, exponential: Int64) -> Int64:
        """Gate: logits [K, m] -> [K, m] that sum to WEIGHT_TOTAL."""
        behind = np.minimum(logits.max(0) - logits, len(exponential) - 1)
        mass = exponential[behind].cumsum(0)
        share: Int64 = mass * cls.WEIGHT_TOTAL // mass[-1]
        return np.diff(share, axis=0, prepend=0)

    @classmethod
    def gate(cls, logits: Float64) -> Float64:
        """The weights in floats, [K, m] that sum to 1."""
        mass = np.exp((logits - logits.max(0)) / cls.LOGIT_UNIT)
        return np.asarray(mass / mass.sum(0), np.float64)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        weights = self.weights(parts["logits"], tables["exponential"])
        inverse = tables["inverse"][parts["scales"].clip(0, self.SCALES - 1)]
        return _LogisticMixture(tables["logistic"], weights, parts["means"], inverse)

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        gate = self.gate(parts["logits"])
        inverse = np.exp2(-(parts["scales"].clip(0, self.SCALES - 1) - self.SCALE_ZERO) / self.SCALE_UNIT)
        offset = values - parts["means"] / self.MEAN_UNIT
        upper = (offset + 0.5 + self._FAR * (values == 255)) * inverse
        lower = (offset - 0.5 - self._FAR * (values == 0)) * inverse
        side = np.copysign(1.0, -offset)  # both ends on the small tail: no cancellation
        mass = np.abs(sigmoid(side * upper) - sigmoid(side * lower))
        found: Float64 = -np.log2((gate * mass).sum(0) + self._FLOOR)
        return found


class _LogisticMixture(Distribution):
    def __init__(self, logistic: Int64, weights: Int64, means: Int64, inverse: Int64) -> None:
        self.logistic, self.weights, self.inverse = logistic, weights, inverse
        self.centres = means + Logistics.MEAN_UNIT // 2  # value v begins half below v

    def cumulative(self, edges: Int64) -> Int64:
        offset = Logistics.MEAN_UNIT * edges[:, None] - self.centres  # [E, K, m]
        index = (Logistics.STEPS // 2) + (offset * self.inverse >> Logistics.SHIFT)
        mass = self.logistic[index.clip(0, Logistics.STEPS)] * self.weights
        found: Int64 = mass.sum(1)
        return found
