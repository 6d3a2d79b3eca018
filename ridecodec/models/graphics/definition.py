"""The graphics model: colours that come again, over the distribution of the gradient model. Its one definition.

Some neighbours, and what stood where the surroundings were the same (`exact.memory`), are candidates for a pixel's
colour, whole. A small network says how far to trust each of them from which of the neighbours are alike and how often
the memory was right in a row. What it does not trust to them it gives to the gradient model's distribution, and a
little to an even one. Channels are coded one after the other: candidates that do not agree with those known are out.

A colour is one integer whose bytes are its channels, the first one highest. Of 2 and 4 channels the first is alpha,
which the gradient model predicts alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.families import Spikes
from ridecodec.exact.memory import MOST, ROWS, UNKNOWN
from ridecodec.exact.order import Offset
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.gradient import ERROR_LIMIT, Group

Weights = Mapping[str, NDArray[np.floating]]
"""Float weights by name: of the networks ``first`` (of the first channel) and ``later``, each with the layers
``hidden`` and ``out``, a ``weight`` [out, in] and a ``bias`` [out]: ``first.hidden.weight``."""

NEIGHBOURS: tuple[Offset, ...] = (
    (0, -1),
    (-1, 0),
    (-1, -1),
    (-1, 1),
    (0, -2),
    (-2, 0),
    (-2, 1),
    (-2, -1),
    (-1, -2),
    (0, -3),
    (-2, 2),
)
ENDS = (1, 2, 4, 6, len(NEIGHBOURS))
"""Contexts of the memory: as many of the neighbours, from the first."""
SPATIAL = 4
"""Neighbours that are candidates themselves."""
CANDIDATES = SPATIAL + 2 * len(ENDS)
HIDDEN, HIDDEN_UNIT, HIDDEN_TOP = 32, 256, 1 << 12
_CAPACITY = 1 << 18
"""Of the hidden units' sums: inputs of 0 and 1 leave room for weights that engines multiply slowly."""
LOGITS = CANDIDATES + 2
"""Of the candidates, the gradient's distribution, and an even one."""
CHANNELS = 4
"""The most there can be."""
_LEVELS = (0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 6, 7)
"""Of a count: 0 to `MOST`, and `UNKNOWN`."""
_LINES = ((0, 4), (1, 5), (2, 7), (2, 8), (4, 9), (3, 6), (6, 10))
"""Pairs of neighbours, by number, whose equality says how the lines run."""
_ALIKE = SPATIAL + len(ENDS)
"""Candidates whose equality with each other counts: the neighbours, and what came last."""
_BITS = 9
"""Bits of the largest value."""
_SEEN = len(ENDS) * (max(_LEVELS) + 1) + _ALIKE * (_ALIKE - 1) // 2 + len(_LINES) + _BITS
INPUTS = {"first": _SEEN + CHANNELS, "later": _SEEN + CANDIDATES + 2 * CHANNELS}
"""Inputs of the networks, all of them 0 or 1. The last ones are the same for all pixels: how many channels there are
and, of the later ones, which it is."""

assert len(_LEVELS) == MOST + 2 == UNKNOWN + 1


def constants(channels: int, channel: int) -> NDArray[np.float64]:
    """The last inputs of a channel's network."""
    told = np.eye(CHANNELS)[channels - 1]
    return np.concatenate([told, np.eye(CHANNELS)[channel]]) if channel else told


def groups(channels: int) -> list[range]:
    """Channels that the gradient model predicts together: alpha comes first, and alone."""
    return [range(channels)] if channels % 2 else [range(1), range(1, channels)]


def define(channels: int, weights: Weights, scales: Int64, logits: Int64) -> Program:
    """The program of `channels` planes; ``scales`` and ``logits`` are the gradient model's tables."""
    return _Definition(channels, weights, scales, logits).program()


class _Definition:
    def __init__(self, channels: int, weights: Weights, scales: Int64, logits: Int64) -> None:
        self.channels, self.weights = channels, weights
        self.ops = ops = Recorder(channels, kept=[(-ERROR_LIMIT, ERROR_LIMIT)] * channels)
        self.slopes = [Group(ops, group, scales, logits) for group in groups(channels)]
        pixels = [ops.tap((c, offset) for offset in NEIGHBOURS) for c in range(channels)]
        neighbours = _packed(pixels)
        self.found = ops.memory(neighbours, ENDS, (1 << 8 * channels) - 1)
        latest, before, counts, _ = (self.found[k * len(ENDS) : (k + 1) * len(ENDS)] for k in range(ROWS))
        self.candidates = ops.concatenate([neighbours[:SPATIAL], latest, before])
        top = ops.parameter("top", 0, 255, 1)
        self.top = ops.record("parameter", attributes={"parameter": top})
        self.seen = self._see(neighbours, latest, counts)
        self.known: list[Value] = []

    def _see(self, neighbours: Value, latest: Value, counts: Value) -> Value:
        """What the networks see of a pixel: 0 or 1 each."""
        ops = self.ops
        pairs = [(i, j) for i in range(_ALIKE) for j in range(i + 1, _ALIKE)]
        ways = np.array([(_place(i), _place(j)) for i, j in pairs] + list(_LINES))
        colours = ops.concatenate([neighbours, latest])
        alike = ops.equal(ops.take(colours, ways[:, 0].tolist()), ops.take(colours, ways[:, 1].tolist()))
        sure = ops.lookup(counts, np.eye(max(_LEVELS) + 1)[list(_LEVELS)])
        bits = ops.lookup(self.top, np.arange(256)[:, None] >> np.arange(_BITS) > 0)
        return ops.concatenate([sure, alike, bits])

    def program(self) -> Program:
        tables = Spikes.make_tables()
        for slope in self.slopes:
            for k, channel in enumerate(slope.channels):
                parts = slope.mixture(k) | self._spikes(channel)
                self.ops.output("spikes", parts, tables)
                self.known.append(self.ops.sample(channel))
        self.ops.learn(self.found, _packed(self.known))
        self.ops.keep(self.ops.concatenate([error for slope in self.slopes for error in slope.errors]))
        return self.ops.program()

    def _spikes(self, channel: int) -> dict[str, Value]:
        """The candidates that can be, their values of the channel, and the odds."""
        ops, colours = self.ops, self.candidates >> 8 * (self.channels - 1 - channel)
        before = colours >> 8
        # a context that is new gives -1
        alive = ops.equal(before, _packed(self.known)) if channel else ops.equal(colours, abs(colours))
        values = (colours - (before << 8)).clamp(0, 255)
        inputs = ops.concatenate([self.seen, alive]) if channel else self.seen
        network = "later" if channel else "first"
        weight, bias = self._layer(f"{network}.hidden")
        bias = bias + weight[:, len(inputs) :] @ constants(self.channels, channel)
        own = weight[:, : len(inputs)]
        hidden = ops.linear(f"hidden.{channel}", inputs, own, bias, unit=HIDDEN_UNIT, capacity=_CAPACITY)
        out = self._layer(f"{network}.out")
        odds = ops.linear(f"odds.{channel}", hidden.clamp(0, HIDDEN_TOP), *out, unit=Spikes.ODDS_UNIT)
        return {"values": values, "alive": alive, "odds": odds, "top": self.top}

    def _layer(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and biases."""
        return self.weights[f"{name}.weight"].astype(np.float64), self.weights[f"{name}.bias"].astype(np.float64)


def _place(candidate: int) -> int:
    """The row of a candidate among all neighbours and the latest ones."""
    return candidate if candidate < SPATIAL else candidate - SPATIAL + len(NEIGHBOURS)


def _packed(samples: Sequence[Value]) -> Value:
    """Colours of their channels."""
    colour = samples[0]
    for each in samples[1:]:
        colour = (colour << 8) + each
    return colour
