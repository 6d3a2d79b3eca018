"""The model of 16-bit samples: linear prediction, and logistics as wide as the errors around. Its one definition.

A channel is two planes, its high and its low bytes, which are coded one after the other from one mixture of three
logistics: two around predictions that adapt as the picture is coded, one around the median edge prediction. Their
scales and logits come from a table, by the size of the errors around and of the gradients.
"""

from __future__ import annotations

import numpy as np

from ridecodec.exact.families import WideHigh
from ridecodec.exact.families.wide import TOP
from ridecodec.exact.order import Offset
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.adaptive import Adaptive, nearest
from ridecodec.models.gradient import median_edge

NEAR = nearest(14)
ERROR_OFFSETS: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1))
EXPERTS = (Adaptive(13, 0.95, 0.9, 6), Adaptive(8, 0.83, 0.72, 4))
"""Their inputs are of a pixel's own channel."""
ACROSS = 4
"""Further inputs of each channel that is known already: its sample, and neighbours, from the nearest on."""
ENERGY_BINS, SLOPE_BINS, KINDS = 40, 12, 3
"""Contexts: size of the errors around in half octaves; of the gradients in octaves; gray, first channel, later one."""
CONTEXTS = ENERGY_BINS * SLOPE_BINS
"""Of a kind."""
COMPONENTS = 3
"""One around each adaptive prediction, one around the median edge prediction."""
_MEAN_BITS = 5
assert 1 << _MEAN_BITS == WideHigh.MEAN_UNIT
_TEACHING_BITS = 20
_RIDGE = 1 << _TEACHING_BITS - 1


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
        experts = _predict(ops, near, known, c)
        west = near[c][0] << _MEAN_BITS
        predicted = [(west + moved).clamp(0, TOP << _MEAN_BITS) for moved in experts]
        edge = median_edge(ops, near[c], near[0] if c else None, known[0] if c else None, TOP)
        means = ops.concatenate([*predicted, edge << _MEAN_BITS])
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
        weight = ops.lookup(_energies(ops, around[c].sum()), _teaching())
        for moved in experts:
            ops.learn(moved, (known[-1] << _MEAN_BITS) - west, weight)
        missed.append(abs(known[-1] - (predicted[0] >> _MEAN_BITS)))
        found.append((context, means))
    ops.keep(ops.concatenate(missed))
    return ops, found


def _joined(high: Value, low: Value) -> Value:
    """Samples of their bytes."""
    return (high << 8) + low


def _predict(ops: Recorder, near: list[Value], known: list[Value], c: int) -> list[Value]:
    """The adaptive predictions less the west neighbour, in 1/32.

    What is weighted are differences to the west neighbours: of the channel's neighbours, and of the channels known
    already and their own neighbours.
    """
    across = []
    for value, around in zip(known, near, strict=False):
        across.append(ops.concatenate([value, around[1:ACROSS]]) - around[0])
    found = []
    for k, expert in enumerate(EXPERTS):
        x = ops.concatenate([near[c][1 : expert.inputs + 1] - near[c][0], *across])
        found.append(expert.predict(ops, x, _RIDGE, TOP << _MEAN_BITS, 1, f"experts.{c}.{k}"))
    return found


def _teaching() -> Int64:
    """How much a pixel teaches the experts, by the size of the errors around, [ENERGY_BINS, 1]."""
    mean = 2 ** (np.arange(ENERGY_BINS) / 2) / len(ERROR_OFFSETS)
    weights = np.rint(2**_TEACHING_BITS / (mean**2 + 0.2))
    return np.asarray(np.maximum(weights, 1)[:, None], np.int64)


def _energies(ops: Recorder, energy: Value) -> Value:
    """In half octaves."""
    # twice as many steps as binary digits: the digits of the square
    return _steps(ops, energy, [int(np.ceil(2 ** (k / 2))) for k in range(ENERGY_BINS - 1)])


def _context(ops: Recorder, near: Value, around: Value, missed: list[Value]) -> Value:
    west, north, corner, east = (near[k] for k in range(4))
    energy = around.sum()
    if missed:
        energy = energy + (missed[-1] << 1)
    steep = abs(ops.concatenate([west - corner, north - corner, north - east])).sum()
    octaves = _steps(ops, steep, [1 << k for k in range(SLOPE_BINS - 1)])
    return ops.affine(ops.concatenate([_energies(ops, energy), octaves]), np.array([[SLOPE_BINS, 1]]))


def _steps(ops: Recorder, x: Value, thresholds: list[int]) -> Value:
    """How many of the thresholds are not above ``x``."""
    above = ops.affine(x, np.ones((len(thresholds), 1), np.int64), 1 - np.array(thresholds, np.int64))
    return above.clamp(0, 1).sum()
