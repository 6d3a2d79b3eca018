"""The baseline: median edge predictor, and two logistics whose scales a table gives by context. Its one definition.

The predictor is that of JPEG-LS (LOCO-I, Weinberger et al., https://www.hpl.hp.com/research/info_theory/loco/); red and
blue are predicted as differences from green. The context is the size of the errors around, of the gradients, and of the
error of the channel before at the pixel itself. Nothing is learned but the table.
"""

from __future__ import annotations

import numpy as np

from ridecodec.exact.families import Logistics
from ridecodec.exact.order import Offset
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value

NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1))
ERROR_BINS, GRADIENT_BINS, GREEN_BINS = 14, 10, 10
CONTEXTS = ERROR_BINS * GRADIENT_BINS * GREEN_BINS
KINDS = 4
"""Tables: gray, green, red, blue."""
_TOP = 4 * 255


def error_bins() -> Int64:
    """Bin of a sum of four magnitudes: half-octave steps, [4 * 255 + 1]."""
    octaves = np.floor(2 * np.log2(1 + np.arange(_TOP + 1) / 2))
    return np.asarray(octaves.clip(max=ERROR_BINS - 1), np.int64)


def define(channels: int, scales: Int64, logits: Int64) -> Program:
    """The program of `channels` planes; ``scales`` and ``logits`` [KINDS * CONTEXTS, 2] as `Logistics` has them."""
    return recorded(channels, scales, logits)[0].program()


def recorded(channels: int, scales: Int64, logits: Int64) -> tuple[Recorder, list[tuple[Value, Value]]]:
    """The recording, and for each channel its prediction and its context: a row of its kind's table."""
    ops = Recorder(channels, kept=[(-255, 255)] * channels)
    bins, tables = error_bins(), Logistics.make_tables()
    near = [ops.tap((c, offset) for offset in NEAR) for c in range(channels)]
    around = [ops.tap((channels + c, offset) for offset in NEAR) for c in range(channels)]
    found: list[tuple[Value, Value]] = []
    errors: list[Value] = []
    for c in range(channels):
        kind = 0 if channels == 1 else 1 + c
        predicted = _predict(ops, near[c], near[0] if c else None)
        west, north, corner, east = (near[c][k] for k in range(4))
        steep = abs(ops.concatenate([west - corner, north - corner, north - east])).sum().clamp(0, _TOP)
        size = ops.lookup(abs(around[c]).sum().clamp(0, _TOP), bins[:, None])
        inputs = [size, ops.lookup(steep, bins[:, None]).clamp(0, GRADIENT_BINS - 1)]
        if errors:
            inputs.append(ops.lookup(abs(errors[-1]) << 2, bins[:, None]).clamp(0, GREEN_BINS - 1))
        strides = np.array([[GRADIENT_BINS * GREEN_BINS, GREEN_BINS, 1][: len(inputs)]])
        context = ops.affine(ops.concatenate(inputs), strides)
        chosen = slice(kind * CONTEXTS, (kind + 1) * CONTEXTS)
        means = ops.take(predicted << 5, [0, 0])
        parts = {
            "means": means,
            "scales": ops.lookup(context, scales[chosen]),
            "logits": ops.lookup(context, logits[chosen]),
        }
        ops.output("logistics", parts, tables)
        found.append((predicted, context))
        errors.append(ops.sample(c) - predicted)
    ops.keep(ops.concatenate(errors))
    return ops, found


def _predict(ops: Recorder, near: Value, first: Value | None) -> Value:
    """Median edge prediction from a channel's neighbours; relative to the first channel where ``first`` has its own."""
    relative = near if first is None else near - first
    west, north, corner = (relative[k] for k in range(3))
    flat = west + north - corner
    median = ops.minimum(ops.maximum(flat, ops.minimum(west, north)), ops.maximum(west, north))
    return (median if first is None else median + ops.sample(0)).clamp(0, 255)
