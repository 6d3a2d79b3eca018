"""The photo model: a small causal network that mixes linear experts, for gray and RGB. Its one definition.

A mixture of discretised logistics a channel, green first. The experts' means are linear in the pixel differences, as in
the MCGSM (RIDE paper, https://arxiv.org/abs/1506.03478, section 2.1); gates, scales and small corrections of the means
come from a network of two layers that sees the context divided by its local scale. Two experts of each channel adapt
to the picture by least squares as it is coded (`models.adaptive`).

Units: differences are half-pixels, ``x`` against the mean of the west and north neighbour of its channel; predictions
and errors of the adaptive experts are eighths of a pixel; what the network sees is in 1/16 of a scale.
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
from ridecodec.models.adaptive import Adaptive, nearest
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
EXPERTS = (Adaptive(24, 0.95, 0.9, 6), Adaptive(16, 0.83, 0.72, 4))
EXPERT_SETS = len(EXPERTS)
SHARES = ((0.55, 0.225, 0.225), (0.37, 0.41, 0.22), (0.32, 0.32, 0.36))
"""Of an expert's inputs, by the channel it predicts and the one they are of."""
TAP_WEIGHTS = (10, 10, 6, 7, 5, 5)
"""Of errors at `ERROR_TAPS`, in the mean error that says how much a pixel teaches."""
TEACHING_UNIT = 1 << 13
RIDGE = 2 * TEACHING_UNIT
"""Half a squared pixel, where squares are of half-pixels."""
PREDICTION_LIMIT = 4095
"""Largest distance of a prediction from the base, in eighths."""
PLACES = 72
SCALE_BINS = 32
LEVELS = 32
INPUT_UNIT, INPUT_LIMIT = 16, 127
ACTIVATION_UNIT, ACTIVATION_TOP = 64, 511
SHIFT_UNIT, SHIFT_LIMIT = 64, 1023
ERROR_LIMIT = 511
_RECIPROCAL_BITS = 9
_ERROR_BITS = 3
_LEAST_SCALE = 1 / 16
_OFFSET = 10
"""Added to the activity, so that flat areas have a scale of a quarter pixel."""
RECIPROCAL, SCALE32, LOG_SCALE, SCALE_BIN = range(4)
"""Columns of the table of features; of that of errors the first three, and `TEACHING`."""
TEACHING = 3


def feature_table(channels: int) -> Int64:
    """Functions of the activity, made once and shipped with the model, [activities, 4].

    Columns: reciprocal scale, scale in 1/32 pixel, 16 log2 of it, scale bin.
    """
    count = len(NEAR) * channels
    scale = (np.arange(count * 510 + 1) + _OFFSET) / (2 * count)  # pixels
    log2 = np.log2(scale)
    columns = [
        np.rint(2**_RECIPROCAL_BITS * INPUT_UNIT / (2 * scale)),
        np.rint(32 * scale),
        np.rint(16 * log2),
        (np.floor(2 * log2) + 5).clip(0, SCALE_BINS - 1),
    ]
    return np.stack(columns, 1).astype(np.int64)


def error_table() -> Int64:
    """Functions of an expert's errors nearby, which `TAP_WEIGHTS` sum up, made once and shipped, [errors, 4].

    Columns: reciprocal scale, scale in 1/32 pixel, 16 log2 of it, and the pixel's weight in what the expert learns.
    """
    total = sum(TAP_WEIGHTS)
    mean = (np.arange((ERROR_LIMIT * total >> _ERROR_BITS) + 1) + 0.5) * 2**_ERROR_BITS / total / 8  # pixels
    scale = mean + _LEAST_SCALE
    columns = [
        np.rint(2**_RECIPROCAL_BITS * INPUT_UNIT / (2 * np.maximum(scale, 0.126))),
        np.rint(32 * scale),
        np.rint(16 * np.log2(scale)),
        np.rint(TEACHING_UNIT / (mean**2 + 0.2)),
    ]
    return np.stack(columns, 1).astype(np.int64)


def expert_taps(channels: int, channel: int, count: int) -> list[tuple[int, Offset]]:
    """Neighbours that a channel's adaptive expert of so many inputs sees: (channel, offset), the nearest of each.

    The channels before stand at the pixel itself too, at (0, 0).
    """
    shares = [count]
    if channels == 3:
        shares = [round(share * count) for share in SHARES[channel]]
        shares[0] = count - sum(shares[1:])
    found: list[tuple[int, Offset]] = []
    for other, share in enumerate(shares):
        own = [(0, 0)] * (other < channel)
        found += [(other, offset) for offset in (own + nearest(share))[:share]]
    return found


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


def normalised(x: Value, scale: Value) -> Value:
    """Half-pixels or eighths in `INPUT_UNIT` of a scale; eighths saturate beyond 64 pixels.

    ``scale``: a row of the table of features, or of errors.
    """
    bits = _RECIPROCAL_BITS + (2 if x.unit[0] == 8 else 0)
    limited = x.clamp(-ERROR_LIMIT, ERROR_LIMIT) if x.unit[0] == 8 else x
    return (limited * scale[RECIPROCAL] >> bits).clamp(-INPUT_LIMIT, INPUT_LIMIT).in_unit(INPUT_UNIT)


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
        local = ops.lookup(activity(ops, self.context), features)
        near = ops.tap(((channels + p, offset) for p in range(sets) for offset in ERROR_TAPS), unit=8)
        errors = error_table()
        self.scales = [self._scale(near, p, errors) for p in range(sets)]
        own = ops.concatenate([self._contrast(c, local) for c in range(channels)])
        inputs = ops.concatenate([normalised(self.context, local), normalised(near, local), own])
        self.local = local
        self.near = near
        place = self._place()
        self.embedded = {"scale_bias": local[SCALE_BIN], "level_bias": self.base2[0] >> 4, "place_bias": place}
        self.trunk = self._trunk(inputs)
        self.coded: list[Value] = []
        self.differences: list[Value] = []
        self.errors: list[Value] = []
        self.misses: list[Value] = []

    def _scale(self, near: Value, expert: int, table: Int64) -> Value:
        """The row of the table of errors that an expert's own errors nearby choose."""
        ops, taps = self.ops, len(ERROR_TAPS)
        errors = abs(near[expert * taps : (expert + 1) * taps])
        return ops.lookup(ops.affine(errors, np.array([TAP_WEIGHTS])) >> _ERROR_BITS, table)

    def _contrast(self, channel: int, local: Value) -> Value:
        """How far a channel's own scale is from the local one of all, in octaves."""
        difference = self.own(channel)[LOG_SCALE] - local[LOG_SCALE]
        return difference.clamp(-INPUT_LIMIT, INPUT_LIMIT).in_unit(INPUT_UNIT)

    def own(self, channel: int) -> Value:
        """What the first expert's errors say of a channel's scale."""
        return self.scales[EXPERT_SETS * channel]

    def _place(self) -> Value:
        """Phase of a pixel, and nearness to three borders."""
        ops = self.ops
        where = ops.place(2)
        last = ops.equal(where[3], where[3] - where[3])
        phase = ops.affine(where[4:], np.array([[2, 1]]))
        return ops.affine(ops.concatenate([where[0], where[1], last, phase]), np.array([[24, 8, 4, 1]]))

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
            predictions = self._adaptive(channel)
            eighths = self.ops.concatenate(predictions)
            parts = self._mixture(channel, eighths)
            if self.mixing is None:
                self.ops.output("logistics", parts, tables)
            else:
                self.ops.output("mixed", parts | self._mixed(self.mixing, channel, eighths, parts["means"]), tables)
            self._observe(channel, predictions)
        self.ops.keep(self.ops.concatenate(self.errors))
        if self.mixing is not None:
            self.ops.keep(self.ops.concatenate(self.mixing.errors))
        return self.ops.program()

    def _adaptive(self, channel: int) -> list[Value]:
        """Predictions of the adaptive experts [1], offsets from the base in eighths of a pixel."""
        ops = self.ops
        found = []
        for k, expert in enumerate(EXPERTS):
            taps = expert_taps(self.channels, channel, expert.inputs)
            known = [self.differences[other] for other, offset in taps if offset == (0, 0)]
            near = [(other, offset) for other, offset in taps if offset != (0, 0)]
            bases = ops.take(self.base2, [other for other, _ in near])
            x = ops.concatenate([(ops.tap(near) << 1).in_unit(2) - bases, *known])
            found.append(expert.predict(ops, x, RIDGE, PREDICTION_LIMIT, 8, f"experts.{channel}.{k}"))
        return found

    def _mixture(self, channel: int, eighths: Value) -> dict[str, Value]:
        ops, w = self.ops, self.weights
        base = self.base2[channel]
        own = self.own(channel)
        contrast = self._contrast(channel, self.local)
        inputs = ops.concatenate([self.trunk, normalised(eighths, own), contrast, *self.coded])
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
        moved = (shifts.clamp(-SHIFT_LIMIT, SHIFT_LIMIT) * own[SCALE32].in_unit(32)).rescaled(6, smooth=True)
        means = ops.concatenate([learned, fitted]) + (base << 4).in_unit(Logistics.MEAN_UNIT) + moved
        log_scale = own[LOG_SCALE].in_unit(Logistics.SCALE_UNIT)
        zero = ops.affine(log_scale, np.ones((1, 1), np.int64), np.array([Logistics.SCALE_ZERO]))
        limit = Logistics.MEAN_LIMIT
        return {"logits": logits, "means": means.clamp(-limit, limit), "scales": widths + zero}

    def _mixed(self, mixing: Mixing, channel: int, eighths: Value, means: Value) -> dict[str, Value]:
        """The further parts of `Mixed`."""
        ops = self.ops
        fitted = (eighths << 2).in_unit(Logistics.MEAN_UNIT) + (self.base2[channel] << 4).in_unit(Logistics.MEAN_UNIT)
        first = channel * EXPERT_SETS * len(ERROR_TAPS)
        near = normalised(self.near[first : first + 2], self.own(channel))
        return mixing.parts(channel, ops.concatenate([fitted, means]), near, self.misses)

    def _observe(self, channel: int, predictions: list[Value]) -> None:
        ops, base = self.ops, self.base2[channel]
        value = ops.sample(channel)
        difference = (value << 1).in_unit(2) - base
        actual = (value << 3).in_unit(8) - (base << 2).in_unit(8)
        for k, prediction in enumerate(predictions):
            ops.learn(prediction, actual, self.scales[EXPERT_SETS * channel + k][TEACHING])
        error = ops.concatenate([actual - prediction for prediction in predictions])
        self.differences.append(difference)
        self.errors.append(error)
        if self.mixing is not None:
            self.mixing.observe(channel, value << 5)
        if channel + 1 < self.channels:
            own = self.own(channel)
            miss = normalised(error, own)
            if self.mixing is not None:
                self.misses.append(miss[0])
            self.coded.append(ops.concatenate([normalised(difference, own), miss, abs(miss)]))
