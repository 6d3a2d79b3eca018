"""Mixtures of Gaussians on 8 bits, their deviations fixed: those of the MCGSM."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ridecodec.exact.families.base import Float64, Settled, falls
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution


class Gaussians(Settled):
    """Mixtures of C components of S Gaussians each, on the bins [v, v + 1); the end values take the tails.

    Parts: ``logits`` [C * S], 1/64 nat, the S of a component one after another; ``means`` [C], 1/32 of a value. The
    table ``inverse`` [C, S] says how many steps of the table ``normal`` a value has, in 1/32.
    Mixtures of conditional Gaussian scale mixtures: Theis and Bethge, https://arxiv.org/abs/1506.03478, section 2.1.
    """

    parts = ("logits", "means")
    tables = ("inverse", "normal", "exponential")
    grids = ("inverse",)

    WEIGHT_BITS = 14
    """The weights of a mixture sum to 2^14."""
    MAX_COMPONENTS = 1024
    """Gaussians of a mixture."""
    MEAN_UNIT = 32
    MEAN_LIMIT = 1 << 14
    LOGIT_UNIT = 64
    LOGIT_LIMIT = (1 << 30) - 1
    INVERSE_LEAST, INVERSE_TOP = 2, 1 << 20
    """The ends of the axis must lie outside of the table."""
    _FALL_BITS = 15
    _FALL_STEPS = 16 * LOGIT_UNIT
    _MASS_BITS = 30 - WEIGHT_BITS
    _RANGE = 6
    _TABLE_BITS = 10
    STEPS = 2 * _RANGE << _TABLE_BITS
    LOST = 2**30 - CDF_TOTAL
    """What a cumulative of 2^30 has to lose to end at CDF_TOTAL."""
    _FLOOR = 1e-300

    @classmethod
    def make_tables(cls) -> dict[str, Int64]:
        """The functions that mixtures need; they are made once and shipped with each model."""
        position = (np.arange(cls.STEPS) - cls.STEPS // 2 + 0.5) / 2**cls._TABLE_BITS
        inner = np.rint(2**cls._MASS_BITS * normal(position))
        inner[0] = 0
        fall = np.exp(-np.arange(cls._FALL_STEPS) / cls.LOGIT_UNIT)
        return {
            "normal": np.append(inner, 2**cls._MASS_BITS).astype(np.int64),
            "exponential": np.rint(2**cls._FALL_BITS * fall).astype(np.int64),
        }

    @classmethod
    def inverse(cls, deviations: Float64) -> Int64:
        """The table of that name, of standard deviations in values [C, S]."""
        steps = np.rint((cls.MEAN_UNIT << cls._TABLE_BITS) / deviations)
        return steps.clip(cls.INVERSE_LEAST, cls.INVERSE_TOP).astype(np.int64)

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        inverse, steps, fall = (tables[name] for name in self.tables)
        top = 1 << self._MASS_BITS
        ends = len(steps) == self.STEPS + 1 and steps[0] == 0 and steps[-1] == top
        rises = ends and (np.diff(steps) >= 0).all()
        logits, means = (parts[name] for name in self.parts)
        alike = len(logits) == inverse.size <= self.MAX_COMPONENTS and len(means) == len(inverse)
        scales = alike and inverse.min() >= self.INVERSE_LEAST and inverse.max() <= self.INVERSE_TOP
        near = means.top.max() <= self.MEAN_LIMIT and logits.top.max() <= self.LOGIT_LIMIT
        return bool(rises and scales and near and falls(fall, self._FALL_STEPS, 1 << self._FALL_BITS))

    def weights(self, logits: Int64, exponential: Int64) -> Int64:
        """Gate: logits [C * S, m] -> weights [C * S, m] that sum to 2^14."""
        behind = np.minimum(logits.max(0) - logits, len(exponential) - 1)
        mass = exponential[behind].cumsum(0)
        share: Int64 = mass * ((1 << (self.WEIGHT_BITS + 24)) // mass[-1]) >> 24
        share[-1] = 1 << self.WEIGHT_BITS
        return np.diff(share, axis=0, prepend=0)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        weights = self.weights(parts["logits"], tables["exponential"])
        return _GaussianMixture(tables["normal"], weights, parts["means"], tables["inverse"])

    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        gate = np.exp((parts["logits"] - parts["logits"].max(0)) / self.LOGIT_UNIT)
        gate /= gate.sum(0)
        inverse = tables["inverse"][..., None] / 2**self._TABLE_BITS / self.MEAN_UNIT
        offset = (values - parts["means"] / self.MEAN_UNIT)[:, None]  # [C, 1, m]
        lower = np.where(values == 0, -np.inf, offset * inverse).reshape(gate.shape)
        upper = np.where(values == VALUES - 1, np.inf, (offset + 1) * inverse).reshape(gate.shape)
        side = np.where(lower + upper > 0, -1.0, 1.0)  # both ends on the small tail: no cancellation
        mass = np.abs(normal(side * upper) - normal(side * lower))
        return np.asarray(-np.log2((gate * mass).sum(0) + self._FLOOR), np.float64)


class _GaussianMixture(Distribution):
    def __init__(self, steps: Int64, weights: Int64, means: Int64, inverse: Int64) -> None:
        self.steps, self.weights, self.means, self.inverse = steps, weights, means, inverse[..., None]

    def cumulative(self, edges: Int64) -> Int64:
        offset = Gaussians.MEAN_UNIT * edges[:, None] - self.means  # [E, C, m]
        index = (Gaussians.STEPS // 2) + (offset[:, :, None] * self.inverse >> Gaussians._TABLE_BITS)
        mass = self.steps[index.clip(0, Gaussians.STEPS)].reshape(len(offset), len(self.weights), -1)
        below: Int64 = (mass * self.weights).sum(1)
        return below - ((below >> 10) * (Gaussians.LOST >> 10) >> 10)


_erfc = np.frompyfunc(math.erfc, 1, 1)


def normal(x: Float64) -> Float64:
    """The distribution function of the normal distribution."""
    return np.asarray(_erfc(-np.asarray(x) / math.sqrt(2)), np.float64) / 2
