"""Families of distributions: from the values of a program to integer cumulatives, and to the float likelihood.

A family names its parts (values of the program, int64 [size, m] of m sub-pixels) and its tables, proves them at load,
and gives a `Distribution`; `bits` is the same in floats, without the rounding, for the likelihood rate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, VALUES, Distribution

Float64 = NDArray[np.float64]


class Family(ABC):
    """What all families have."""

    parts: tuple[str, ...]
    tables: tuple[str, ...]

    def check(self, parts: Mapping[str, Range], tables: Mapping[str, Int64], top: int) -> None:
        """Raise ModelRefusedError for parts or tables that this version's arithmetic cannot use."""
        if set(parts) != set(self.parts) or set(tables) != set(self.tables):
            raise ModelRefusedError("a distribution lacks parts or tables of its family; export the model again")
        if top != 255 or not self.fits(parts, tables):
            raise ModelRefusedError("a distribution has parts or tables that are out of range; export the model again")

    @abstractmethod
    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        """Whether all is in range."""

    @abstractmethod
    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        """The distributions of m sub-pixels."""

    @abstractmethod
    def bits(self, parts: Mapping[str, Float64], values: Int64) -> Float64:
        """``-log2 P`` of known values [m] from float parts [size, m] in the integers' units; [m]."""


class Logistics(Family):
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
    _SHIFT = _ARGUMENT_BITS - _TABLE_BITS
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
        falls = len(fall) > 1 and fall[0] == 1 << 15 and (np.diff(fall) <= 0).all() and fall[-1] >= 0
        alike = len({len(part) for part in parts.values()}) == 1 and len(parts["means"]) <= self.MAX_COMPONENTS
        near = parts["means"].top.max() <= self.MEAN_LIMIT and parts["logits"].top.max() < 1 << 30
        return bool(rises and scales and falls and alike and near and parts["scales"].top.max() < 1 << 30)

    def weights(self, logits: Int64, exponential: Int64) -> Int64:
        """Gate: logits [K, m] -> [K, m] that sum to WEIGHT_TOTAL."""
        behind = np.minimum(logits.max(0) - logits, len(exponential) - 1)
        mass = exponential[behind].cumsum(0)
        share: Int64 = mass * self.WEIGHT_TOTAL // mass[-1]
        return np.diff(share, axis=0, prepend=0)

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        weights = self.weights(parts["logits"], tables["exponential"])
        inverse = tables["inverse"][parts["scales"].clip(0, self.SCALES - 1)]
        return _LogisticMixture(tables["logistic"], weights, parts["means"], inverse)

    def bits(self, parts: Mapping[str, Float64], values: Int64) -> Float64:
        logits = parts["logits"] / self.LOGIT_UNIT
        gate = np.exp(logits - logits.max(0))
        gate /= gate.sum(0)
        inverse = np.exp2(-(parts["scales"].clip(0, self.SCALES - 1) - self.SCALE_ZERO) / self.SCALE_UNIT)
        offset = values - parts["means"] / self.MEAN_UNIT
        upper = (offset + 0.5 + self._FAR * (values == 255)) * inverse
        lower = (offset - 0.5 - self._FAR * (values == 0)) * inverse
        side = np.copysign(1.0, -offset)  # both ends on the small tail: no cancellation
        mass = np.abs(_sigmoid(side * upper) - _sigmoid(side * lower))
        found: Float64 = -np.log2((gate * mass).sum(0) + self._FLOOR)
        return found


class _LogisticMixture(Distribution):
    def __init__(self, logistic: Int64, weights: Int64, means: Int64, inverse: Int64) -> None:
        self.logistic, self.weights, self.inverse = logistic, weights, inverse
        self.centres = means + Logistics.MEAN_UNIT // 2  # value v begins half below v

    def cumulative(self, edges: Int64) -> Int64:
        offset = Logistics.MEAN_UNIT * edges[:, None] - self.centres  # [E, K, m]
        index = (Logistics.STEPS // 2) + (offset * self.inverse >> Logistics._SHIFT)
        mass = self.logistic[index.clip(0, Logistics.STEPS)] * self.weights
        found: Int64 = mass.sum(1)
        return found


def _sigmoid(x: Float64) -> Float64:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)


class Even(Family):
    """All values up to ``top`` [1] alike."""

    parts = ("top",)
    tables = ()

    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        (top,) = parts.values()
        return len(top) == 1 and top.lo[0] >= 0 and top.hi[0] < VALUES

    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        return _EvenValues(parts["top"][0] + 1)

    def bits(self, parts: Mapping[str, Float64], values: Int64) -> Float64:
        return np.asarray(np.log2(parts["top"][0] + 1), np.float64)


class _EvenValues(Distribution):
    def __init__(self, count: Int64) -> None:
        self.count = count

    def cumulative(self, edges: Int64) -> Int64:
        found: Int64 = edges.clip(0, self.count) * CDF_TOTAL // self.count
        return found


FAMILIES: dict[str, Family] = {"logistics": Logistics(), "even": Even()}
"""By the name that a program has."""
