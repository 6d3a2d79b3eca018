"""A network of the family as it is recorded: the picture's planes, and what every layer does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ridecodec.exact.order import Offset
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.integers import Floats, Maps, columns

INPUT_LIMIT, INPUT_UNIT = 255, 256
"""Inputs are 2 v - 255, in 1/256, and 1 where the picture is."""
_FINE = 64
"""How much finer the integers are, so that weights of other inputs in the same sum need not be."""
INPUT_TOP = INPUT_LIMIT * _FINE
WHOLE = INPUT_UNIT * _FINE
"""The integer of 1."""


class Layer(ABC):
    """One layer in a recording. ``below``: what it reads."""

    maps: Maps
    """What the next layer reads, group after group."""

    def prepare(self, below: Inputs | Layer) -> None:  # noqa: B027
        """Record what depends on no channel of the pixel itself."""

    @abstractmethod
    def run(self, below: Inputs | Layer, channel: int) -> None:
        """Record the maps of group ``channel``; those of the groups before are known."""


class Inputs:
    """The picture: a map of each channel, and one that says where it is; zeros stand around the tile."""

    def __init__(self, ops: Recorder) -> None:
        self.ops = ops
        self.maps = Maps.declare(ops, ops.channels, WHOLE, -INPUT_TOP, INPUT_TOP)
        self.inside = Maps.declare(ops, 1, WHOLE, 0, WHOLE)
        self.inside.keep(ops, ops.constant(WHOLE))

    def observe(self) -> None:
        """Take in the next channel."""
        sample = self.ops.sample(len(self.maps.own))
        self.maps.keep(self.ops, self.ops.affine(sample, *_SCALED))

    def seen(self, offsets: Sequence[Offset], matrix: Floats) -> tuple[Value, Floats]:
        """What a convolution's ``matrix`` [rows, offsets * maps] takes, and its weights."""
        each = matrix.reshape(len(matrix), len(offsets), -1)
        own = len(self.maps.own)
        parts = [
            (self.maps.seen(self.ops, offsets), columns(each[:, :, :-1], offsets, own)),
            (self.inside.seen(self.ops, offsets), columns(each[:, :, -1:], offsets, 1)),
        ]
        return self.ops.concatenate([x for x, _ in parts]), np.concatenate([weight for _, weight in parts], 1)


def of_samples(ops: Recorder, samples: Value, inside: Value) -> Value:
    """Inputs of known samples [n], 0 where ``inside`` [n] is 0, not 1."""
    scaled = (samples << 1) - inside * ops.constant(INPUT_LIMIT)
    return (scaled * ops.constant(_FINE)).in_unit(WHOLE)


_SCALED = np.array([[2 * _FINE]]), np.array([-INPUT_TOP])
