"""The model of 16-bit samples: linear prediction, and logistics as wide as the errors around. Its one definition.

A channel is two planes, its high and its low bytes, which are coded one after the other from one mixture of three
logistics: two around a prediction that is fitted to the tile by its encoder (`side`), one around the median edge
prediction. Their scales and logits come from a table, by the size of the errors around and of the gradients.
"""

from __future__ import annotations

import numpy as np

from ridecodec.exact.families import WideHigh
from ridecodec.exact.families.wide import TOP
from ridecodec.exact.order import Offset
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.gradient import median_edge

NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1))
ERROR_OFFSETS = NEAR[:4]
ACROSS = 4
"""Neighbours whose differences between channels count, from the first."""
COEFFICIENT_BITS = 12
"""Coefficients are in 1/2^12."""
COEFFICIENT_LIMIT = 1 << 15
"""Coefficients are from -2^15 to 2^15 - 1."""
ENERGY_BINS, SLOPE_BINS, KINDS = 40, 12, 3
"""Contexts: size of the errors around in half octaves; of the gradients in octaves; gray, first channel, later one."""
CONTEXTS = ENERGY_BINS * SLOPE_BINS
"""Of a kind."""
COMPONENTS = 3
"""Two around the fitted prediction, one around the median edge prediction."""
_MEAN_BITS = 5
assert 1 << _MEAN_BITS == WideHigh.MEAN_UNIT


def count(channel: int) -> int:
    """Coefficients of a channel."""
    return len(NEAR) - 1 + ACROSS * channel


def kind(channels: int, channel: int) -> int:
    """Which of the tables a channel has."""
    return 0 if channels == 1 else min(1 + channel, 2)


def define(channels: int, scales: Int64, logits: Int64) -> Program:
    """The program of so many channels; ``scales``, ``logits`` [KINDS * CONTEXTS, COMPONENTS] as `WideHigh` has them."""
    return recorded(channels, scales, logits)[0].program()


def recorded(channels: int, scales: Int64, logits: Int64) -> tuple[Recorder, list[tuple[Value, Value]]]:
    """The recording, and for each channel its context, a row of its kind's table, and its means."""
    ops = Recorder(2 * channels, kept=[(0, TOP)] * channels)
    tables = WideHigh.make_tables()
    near = [_joined(*(ops.tap((2 * c + low, offset) for offset in NEAR) for low in (0, 1))) for c in range(channels)]
    around = [ops.tap((2 * channels + c, offset) for offset in ERROR_OFFSETS) for c in range(channels)]
    known: list[Value] = []
    missed: list[Value] = []
    found: list[tuple[Value, Value]] = []
    for c in range(channels):
        predicted = _predict(ops, near, known, c)
        edge = median_edge(ops, near[c], near[0] if c else None, known[0] if c else None, TOP)
        means = ops.concatenate([predicted, predicted, edge << _MEAN_BITS])
        context = _context(ops, near[c], around[c], missed)
        chosen = slice(kind(channels, c) * CONTEXTS, (kind(channels, c) + 1) * CONTEXTS)
        parts = {
            "means": means,
            "scales": ops.lookup(context, scales[chosen]),
            "logits": ops.lookup(context, logits[chosen]),
        }
        high, low = (ops.sample(2 * c + k) for k in (0, 1))
        ops.output("wide.high", parts, tables)
        ops.output("wide.low", parts | {"high": high}, tables)
        known.append(_joined(high, low))
        missed.append(abs(known[-1] - (predicted >> _MEAN_BITS)))
        found.append((context, means))
    ops.keep(ops.concatenate(missed))
    return ops, found


def _joined(high: Value, low: Value) -> Value:
    """Samples of their bytes."""
    return (high << 8) + low


def _predict(ops: Recorder, near: list[Value], known: list[Value], c: int) -> Value:
    """The fitted prediction in 1/32: differences of the channel's neighbours to the west one, and of the channels known
    already to their own neighbours, are weighted."""
    west = near[c][0]
    inputs = [near[c][1:] - west]
    for value, around in zip(known, near, strict=False):
        inputs.append(ops.take(value, [0] * ACROSS) - around[:ACROSS])
    number = ops.parameter(f"prediction.{c}", -COEFFICIENT_LIMIT, COEFFICIENT_LIMIT - 1, count(c))
    unit = 1 << COEFFICIENT_BITS - _MEAN_BITS
    moved = ops.fitted(ops.concatenate(inputs), number, count(c) * COEFFICIENT_LIMIT, unit)
    return ((west << _MEAN_BITS) + moved).clamp(0, TOP << _MEAN_BITS)


def _context(ops: Recorder, near: Value, around: Value, missed: list[Value]) -> Value:
    west, north, corner, east = (near[k] for k in range(4))
    energy = around.sum()
    if missed:
        energy = energy + (missed[-1] << 1)
    steep = abs(ops.concatenate([west - corner, north - corner, north - east])).sum()
    # twice as many steps as binary digits: the digits of the square
    half_octaves = [int(np.ceil(2 ** (k / 2))) for k in range(ENERGY_BINS - 1)]
    energies = _steps(ops, energy, half_octaves)
    octaves = _steps(ops, steep, [1 << k for k in range(SLOPE_BINS - 1)])
    return ops.affine(ops.concatenate([energies, octaves]), np.array([[SLOPE_BINS, 1]]))


def _steps(ops: Recorder, x: Value, thresholds: list[int]) -> Value:
    """How many of the thresholds are not above ``x``."""
    above = ops.affine(x, np.ones((len(thresholds), 1), np.int64), 1 - np.array(thresholds, np.int64))
    return above.clamp(0, 1).sum()
