"""The baseline: median edge predictor, and two logistics whose scales a table gives by context. Its one definition.

The predictor is that of JPEG-LS (LOCO-I, Weinberger et al., https://www.hpl.hp.com/research/info_theory/loco/); red and
blue are predicted as differences from green. The context is the size of the errors around, of the gradients, and of the
error of the channel before at the pixel itself. Nothing is learned but the table.
"""

from __future__ import annotations

from collections.abc import Mapping

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
ERROR_LIMIT = 255
_TOP = 4 * 255


def error_bins() -> Int64:
    """Bin of a sum of four magnitudes: half-octave steps, [4 * 255 + 1]."""
    octaves = np.floor(2 * np.log2(1 + np.arange(_TOP + 1) / 2))
    return np.asarray(octaves.clip(max=ERROR_BINS - 1), np.int64)


def kind(channels: int, channel: int) -> int:
    """Which of the tables a channel has."""
    return 0 if channels == 1 else 1 + channel


def define(channels: int, scales: Int64, logits: Int64) -> Program:
    """The program of `channels` planes; ``scales`` and ``logits`` [KINDS * CONTEXTS, 2] as `Logistics` has them."""
    return recorded(channels, scales, logits)[0].program()


def tables(programs: Mapping[int, Program]) -> tuple[Int64, Int64]:
    """The tables that `define` was given, of its programs for 1 and 3 channels."""
    kinds = [(programs[1], 0), *((programs[3], c) for c in range(3))]

    def table(part: str) -> Int64:
        lookups = [program.operations[program.outputs[c].parts[part]] for program, c in kinds]
        return np.concatenate([np.asarray(lookup.attributes["table"]) for lookup in lookups])

    return table("scales"), table("logits")


def recorded(channels: int, scales: Int64, logits: Int64) -> tuple[Recorder, list[tuple[Value, Value]]]:
    """The recording, and for each channel its prediction and its context: a row of its kind's table."""
    ops = Recorder(channels, kept=[(-ERROR_LIMIT, ERROR_LIMIT)] * channels)
    tables = Logistics.make_tables()
    group = Group(ops, range(channels), scales, logits)
    for c in range(channels):
        ops.output("logistics", group.mixture(c), tables)
    ops.keep(ops.concatenate(group.errors))
    return ops, group.found


class Group:
    """Some channels in a recording under way that are predicted together; its errors are to be kept."""

    def __init__(self, ops: Recorder, channels: range, scales: Int64, logits: Int64) -> None:
        """The errors of channel c are kept as plane ``ops.channels + c``."""
        self.ops, self.channels, self.scales, self.logits = ops, channels, scales, logits
        self.bins = error_bins()
        self.near = [ops.tap((c, offset) for offset in NEAR) for c in channels]
        self.around = [ops.tap((ops.channels + c, offset) for offset in NEAR) for c in channels]
        self.found: list[tuple[Value, Value]] = []
        """Prediction and context of each channel."""
        self.errors: list[Value] = []

    def mixture(self, k: int) -> dict[str, Value]:
        """The parts of the `Logistics` of the group's channel k; channels come in order."""
        ops = self.ops
        first, value = (self.near[0], ops.sample(self.channels[0])) if k else (None, None)
        predicted, context = median_edge(ops, self.near[k], first, value), self._context(k)
        table = kind(len(self.channels), k)
        chosen = slice(table * CONTEXTS, (table + 1) * CONTEXTS)
        self.found.append((predicted, context))
        self.errors.append(ops.sample(self.channels[k]) - predicted)
        parts = {"scales": ops.lookup(context, self.scales[chosen]), "logits": ops.lookup(context, self.logits[chosen])}
        return {"means": ops.take(predicted << 5, [0, 0]), **parts}

    def _context(self, k: int) -> Value:
        ops, bins = self.ops, self.bins[:, None]
        west, north, corner, east = (self.near[k][n] for n in range(4))
        steep = abs(ops.concatenate([west - corner, north - corner, north - east])).sum().clamp(0, _TOP)
        size = ops.lookup(abs(self.around[k]).sum().clamp(0, _TOP), bins)
        inputs = [size, ops.lookup(steep, bins).clamp(0, GRADIENT_BINS - 1)]
        if k:
            inputs.append(ops.lookup(abs(self.errors[-1]) << 2, bins).clamp(0, GREEN_BINS - 1))
        strides = np.array([[GRADIENT_BINS * GREEN_BINS, GREEN_BINS, 1][: len(inputs)]])
        return ops.affine(ops.concatenate(inputs), strides)


def median_edge(ops: Recorder, near: Value, first: Value | None, value: Value | None, top: int = 255) -> Value:
    """Median edge prediction from a channel's neighbours west, north and northwest.

    ``first``: the neighbours of a channel that is known already, whose value is ``value``; then their differences are
    predicted.
    """
    relative = near if first is None else near - first
    west, north, corner = (relative[k] for k in range(3))
    flat = west + north - corner
    median = ops.minimum(ops.maximum(flat, ops.minimum(west, north)), ops.maximum(west, north))
    return (median if value is None else median + value).clamp(0, top)
