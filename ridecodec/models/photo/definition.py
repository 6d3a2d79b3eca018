"""The photo model: a small causal network that mixes linear experts, for gray and RGB. Its one definition.

A mixture of discretised logistics a channel, green first. The experts' means are linear in the pixel differences, as in
the MCGSM (RIDE paper, https://arxiv.org/abs/1506.03478, section 2.1); gates, scales and small corrections of the means
come from a network of two layers that sees the context divided by its local scale. Two experts of each channel are
fitted to the picture by least squares and sent along (`image_experts`).

Units: differences are half-pixels, ``x`` against the mean of the west and north neighbour of its channel; predictions
and errors of the image experts are eighths of a pixel; what the network sees is in 1/16 of the local scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.families import Logistics
from ridecodec.exact.order import Offset
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.photo.mixing import ERROR_TOP, Mixing

Weights = Mapping[str, NDArray[Any]]
"""The float weights by name: `layer.weight`, `layer.bias`, and `embedding.table`."""

FAN: tuple[Offset, ...] = (
    *((0, dx) for dx in range(-5, 0)),
    *((-1, dx) for dx in range(-5, 2)),
    *((-2, dx) for dx in range(-4, 4)),
    *((-3, dx) for dx in range(-3, 5)),
    *((-4, dx) for dx in range(-2, 3)),
)  # fmt: skip
WEST, NORTH = FAN.index((0, -1)), FAN.index((-1, 0))
NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1))
ERROR_TAPS: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
EXPERT_OWN: tuple[Offset, ...] = (
    (0, -1), (0, -2), (0, -3), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (-2, -2), (-2, -1), (-2, 0), (-2, 1), (-2, 2),
    (-2, 3), (-3, 0),
)  # fmt: skip
EXPERT_OTHER: tuple[Offset, ...] = ((0, -1), (0, -2), (-1, -1), (-1, 0), (-1, 1), (-2, 0))

EXPERT_SETS = 2
"""Image experts of a channel: one by the pixel's phase (row and column parity), one by its local activity."""
GROUPS = 4
"""Coefficient vectors of each image expert: four phases, four activities."""
COEFFICIENT_BITS = 9
COEFFICIENT_LIMIT = 4095
"""Largest absolute coefficient of an image expert; `1 << COEFFICIENT_BITS` is 1."""
COEFFICIENT_SUM = (1 << 15) - 1
"""Largest sum of a vector's absolute coefficients."""
PLACES = 72
SCALE_BINS = 32
LEVELS = 32
INPUT_UNIT, INPUT_LIMIT = 16, 127
ACTIVATION_UNIT, ACTIVATION_TOP = 64, 511
SHIFT_UNIT, SHIFT_LIMIT = 64, 1023
ERROR_LIMIT = 511
_RECIPROCAL_BITS = 9
_OFFSET = 10
"""Added to the activity, so that flat areas have a scale of a quarter pixel."""
RECIPROCAL, SCALE32, LOG_SCALE, SCALE_BIN, ACTIVITY, FIT_WEIGHT = range(6)
"""Columns of the table of features."""


def feature_table(channels: int) -> Int64:
    """Functions of the activity, made once and shipped with the model, [activities, 6].

    Columns: reciprocal scale, scale in 1/32 pixel, 16 log2 of it, scale bin, activity group, weight in the fit.
    """
    count = len(NEAR) * channels
    scale = (np.arange(count * 510 + 1) + _OFFSET) / (2 * count)  # pixels
    log2 = np.log2(scale)
    columns = [
        np.rint(2**_RECIPROCAL_BITS * INPUT_UNIT / (2 * scale)),
        np.rint(32 * scale),
        np.rint(16 * log2),
        (np.floor(2 * log2) + 5).clip(0, SCALE_BINS - 1),
        np.searchsorted([1.5, 4.0, 9.0], scale),
        np.maximum(np.rint(256 / (1 + scale)), 2),
    ]
    return np.stack(columns, 1).astype(np.int64)


def expert_taps(channels: int, channel: int) -> list[int]:
    """Inputs of a channel's image experts, as rows of the context's differences; the channels coded before follow."""
    return [
        other * len(FAN) + FAN.index(offset)
        for other in range(channels)
        for offset in (EXPERT_OWN if other == channel else EXPERT_OTHER)
    ]


def surroundings(ops: Recorder) -> tuple[Value, Value]:
    """Bases of the channels [C] and differences of the neighbours from them [C * taps], in half-pixels."""
    channels = range(ops.channels)
    pixels = ops.tap(((c, offset) for c in channels for offset in FAN), unit=1)
    rows = len(FAN) * np.arange(ops.channels)
    base2 = ops.take(pixels, (rows + WEST).tolist()) + ops.take(pixels, (rows + NORTH).tolist())
    base2 = base2.in_unit(2)
    spread = ops.take(base2, np.repeat(channels, len(FAN)).tolist())
    return base2, (pixels << 1).in_unit(2) - spread


def activity(ops: Recorder, context: Value) -> Value:
    """Sum of the near neighbours' differences: a row of the table of features."""
    near = [c * len(FAN) + FAN.index(offset) for c in range(ops.channels) for offset in NEAR]
    return abs(ops.take(context, near)).sum()


def define(
    channels: int, weights: Weights, features: Int64, tables: Mapping[str, Int64], mixed: bool = False
) -> Program:
    """The program of `channels` planes; ``features`` and ``tables`` are those that the model ships.

    ``mixed``: of the family `Mixed`, which learns from the pixels coded before, in place of `Logistics`.
    """
    return _Definition(channels, weights, features, mixed).program(tables)


class _Definition:
    def __init__(self, channels: int, weights: Weights, features: Int64, mixed: bool) -> None:
        self.channels, self.weights = channels, weights
        sets = channels * EXPERT_SETS
        self.ops = ops = Recorder(channels, kept=[(-ERROR_LIMIT, ERROR_LIMIT)] * sets)
        self.mixing: Mixing | None = None
        if mixed:
            self.mixing = Mixing(ops, len(weights["linear.0.weight"]) + EXPERT_SETS, EXPERT_SETS, channels + sets)
            ops.planes(channels * self.mixing.count, 0, ERROR_TOP)
        self.base2, self.context = surroundings(ops)
        local = ops.lookup(activity(ops, self.context), features[:, :FIT_WEIGHT])
        self.reciprocal, self.activity = local[RECIPROCAL], local[ACTIVITY]
        self.scale = local[SCALE32].in_unit(32)
        self.log_scale = local[LOG_SCALE].in_unit(Logistics.SCALE_UNIT)
        errors = ops.tap(((channels + p, offset) for p in range(sets) for offset in ERROR_TAPS), unit=8)
        around, self.near = self.normalised(self.context), self.normalised(errors)
        inputs = ops.concatenate([around, self.near])
        self.phase, place = self._place()
        self.embedded = {"scale_bias": local[SCALE_BIN], "level_bias": self.base2[0] >> 4, "place_bias": place}
        self.trunk = self._trunk(inputs)
        self.coded: list[Value] = []
        self.differences: list[Value] = []
        self.errors: list[Value] = []
        self.misses: list[Value] = []

    def normalised(self, x: Value) -> Value:
        """Half-pixels or eighths in `INPUT_UNIT` of the local scale; eighths saturate beyond 64 pixels."""
        bits = _RECIPROCAL_BITS + (2 if x.unit[0] == 8 else 0)
        limited = x.clamp(-ERROR_LIMIT, ERROR_LIMIT) if x.unit[0] == 8 else x
        return (limited * self.reciprocal >> bits).clamp(-INPUT_LIMIT, INPUT_LIMIT).in_unit(INPUT_UNIT)

    def _place(self) -> tuple[Value, Value]:
        """Phase of a pixel, and nearness to three borders with it."""
        ops = self.ops
        where = ops.place(2)
        last = ops.equal(where[3], where[3] - where[3])
        phase = ops.affine(where[4:], np.array([[2, 1]]))
        place = ops.affine(ops.concatenate([where[0], where[1], last, phase]), np.array([[24, 8, 4, 1]]))
        return phase, place

    def _trunk(self, inputs: Value) -> Value:
        w = self.weights
        hidden = self.ops.linear(
            "first",
            inputs,
            w["first.weight"],
            w["first.bias"],
            unit=ACTIVATION_UNIT,
            embeddings=[(name, index, w[f"{name}.table"]) for name, index in self.embedded.items()],
        ).clamp(0, ACTIVATION_TOP)
        out = self.ops.linear("second", hidden, w["second.weight"], w["second.bias"], unit=ACTIVATION_UNIT)
        return (out + hidden).clamp(0, ACTIVATION_TOP)

    def program(self, tables: Mapping[str, Int64]) -> Program:
        for channel in range(self.channels):
            eighths = self._image_experts(channel)
            parts = self._mixture(channel, eighths)
            if self.mixing is None:
                self.ops.output("logistics", parts, tables)
            else:
                self.ops.output("mixed", parts | self._mixed(self.mixing, channel, eighths, parts["means"]), tables)
            self._observe(channel, eighths)
        self.ops.keep(self.ops.concatenate(self.errors))
        if self.mixing is not None:
            self.ops.keep(self.ops.concatenate(self.mixing.errors))
        return self.ops.program()

    def _image_experts(self, channel: int) -> Value:
        """Predictions of the experts fitted to the picture [sets], offsets from the base in eighths of a pixel."""
        ops = self.ops
        inputs = ops.concatenate(
            [ops.take(self.context, expert_taps(self.channels, channel)), *self.differences]
        ).in_unit(8)  # four times a half-pixel is an eighth: the shift below is by two bits less
        size = EXPERT_SETS * GROUPS * len(inputs)
        number = ops.parameter(f"experts.{channel}", -COEFFICIENT_LIMIT, COEFFICIENT_LIMIT, size)
        found = ops.fitted(inputs, number, COEFFICIENT_SUM, 2 ** (COEFFICIENT_BITS - 2))
        by_phase, by_activity = found[:GROUPS], found[GROUPS:]
        return ops.concatenate(
            [ops.select(self.phase, by_phase, GROUPS), ops.select(self.activity, by_activity, GROUPS)]
        )

    def _mixture(self, channel: int, eighths: Value) -> dict[str, Value]:
        ops, w = self.ops, self.weights
        base = self.base2[channel]
        inputs = ops.concatenate([self.trunk, self.normalised(eighths), *self.coded])
        head = ops.linear(
            f"heads.{channel}",
            inputs,
            w[f"heads.{channel}.weight"],
            w[f"heads.{channel}.bias"],
            unit=ACTIVATION_UNIT,
        ).clamp(0, ACTIVATION_TOP)
        learned = ops.linear(
            f"linear.{channel}",
            ops.concatenate([self.context, *self.differences]),
            w[f"linear.{channel}.weight"],
            unit=Logistics.MEAN_UNIT,
            down=True,
        )
        experts = len(learned) + EXPERT_SETS
        units = np.repeat([Logistics.LOGIT_UNIT, Logistics.SCALE_UNIT / math.log(2), SHIFT_UNIT], experts)
        out = ops.linear(
            f"outputs.{channel}", head, w[f"outputs.{channel}.weight"], w[f"outputs.{channel}.bias"], unit=units
        )
        logits, widths, shifts = (out[k * experts : (k + 1) * experts] for k in range(3))
        fitted = (eighths << 2).in_unit(Logistics.MEAN_UNIT)
        moved = (shifts.clamp(-SHIFT_LIMIT, SHIFT_LIMIT) * self.scale).rescaled(6, smooth=True)
        means = ops.concatenate([learned, fitted]) + (base << 4).in_unit(Logistics.MEAN_UNIT) + moved
        zero = ops.affine(self.log_scale, np.ones((1, 1), np.int64), np.array([Logistics.SCALE_ZERO]))
        limit = Logistics.MEAN_LIMIT
        return {"logits": logits, "means": means.clamp(-limit, limit), "scales": widths + zero}

    def _mixed(self, mixing: Mixing, channel: int, eighths: Value, means: Value) -> dict[str, Value]:
        """The further parts of `Mixed`."""
        ops = self.ops
        fitted = (eighths << 2).in_unit(Logistics.MEAN_UNIT) + (self.base2[channel] << 4).in_unit(Logistics.MEAN_UNIT)
        first = channel * EXPERT_SETS * len(ERROR_TAPS)
        return mixing.parts(channel, ops.concatenate([fitted, means]), self.near[first : first + 2], self.misses)

    def _observe(self, channel: int, eighths: Value) -> None:
        ops, base = self.ops, self.base2[channel]
        value = ops.sample(channel)
        difference = (value << 1).in_unit(2) - base
        actual = (value << 3).in_unit(8) - (base << 2).in_unit(8)
        error = ops.take(actual, [0] * EXPERT_SETS) - eighths
        self.differences.append(difference)
        self.errors.append(error)
        if self.mixing is not None:
            self.mixing.observe(channel, value << 5)
        if channel + 1 < self.channels:
            miss = self.normalised(error)
            if self.mixing is not None:
                self.misses.append(miss[0])
            self.coded.append(ops.concatenate([self.normalised(difference), miss, abs(miss)]))
