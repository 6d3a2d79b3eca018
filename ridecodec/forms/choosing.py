"""Which form a tile takes: the cheapest of those that its colours make likely."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from ridecodec.coding.exact import exact_arithmetic
from ridecodec.forms import reading, rows, tables
from ridecodec.forms.members import MEMBERS
from ridecodec.forms.part import Samples, Shape
from ridecodec.models.base import Backend
from ridecodec.models.deep.backend import parted
from ridecodec.tilecoder import encode_tile

Load = Callable[[int], Backend]
"""The backend of a member."""
PHOTO, GRADIENT, GRAPHICS, DEEP = range(4)
_SAMPLE = 128
"""Side of the pieces that a large part is judged by."""
_PIECES = 3
_PHOTOGRAPHIC = 0.02
"""Below this share of pixels that repeat a neighbour a part of three channels is a photograph."""
_GRAPHIC = 0.995
"""Above it, it is none."""
_CLOSE = 1.03
"""Estimates that are not clear."""


class Chooser:
    """Finds the cheapest form of a tile's parts; ``tick`` is called between attempts, and may raise to stop."""

    def __init__(self, load: Load, tick: Callable[[], None]) -> None:
        self.load, self.tick = load, tick

    def encode(self, part: Samples, shape: Shape, simpler: bool = True) -> bytes:
        """The shortest payload found; ``simpler``: of simpler parts, too."""
        first = part[:, :1, :1]
        if (part == first).all():
            return reading.constant(part[:, 0, 0].tolist(), shape)
        return min(self._forms(part, shape, simpler), key=len)

    def _forms(self, part: Samples, shape: Shape, simpler: bool) -> Iterator[bytes]:
        repeats = repeated(part)
        plain = shape.values <= 256
        if simpler and (repeats > _PHOTOGRAPHIC or shape.pixels < 4096 or not plain):
            yield from self._simpler(part, shape)
        if shape.channels in (2, 4):
            beside = self.encode(part[:1], shape.of(1, shape.values), simpler)
            rest = self.encode(part[1:], shape.of(shape.channels - 1, shape.values), simpler)
            yield bytes([tables.APART]) + beside + rest
        members = [m for m in self._members(shape, repeats)]
        if members:
            yield from self._modelled(part, shape, members)
        if repeats > _PHOTOGRAPHIC or shape.pixels < 4096:
            self.tick()
            yield from rows.encode(part, shape)

    def _simpler(self, part: Samples, shape: Shape) -> Iterator[bytes]:
        """As indices, ranks, or in the order of lightness."""
        if shape.colours is not None:
            lights = tables.lights(shape)
            rank = np.empty(len(lights), np.uint16)
            rank[lights] = np.arange(len(lights))
            yield bytes([tables.LIGHT]) + self.encode(rank[part], shape.of(1, shape.values), False)
        values = np.unique(part)
        if len(values) < 0.75 * (shape.values if shape.values <= 256 else int(values[-1]) - int(values[0]) + 1):
            table = write = np.asarray(values, np.uint16)
            size = 2 if shape.values > 256 else 1
            ranks = np.searchsorted(table, part).astype(np.uint16)
            inner = self.encode(ranks, shape.of(shape.channels, len(values)), len(values) <= 256 < shape.values)
            yield tables.write_table(tables.RANKS, write[None], size) + inner
        if shape.channels > 1:
            found = tables.colours(part)
            if found is not None:
                table, indices = found
                inner = self.encode(indices, shape.of(1, table.shape[1]), False)
                yield tables.write_table(tables.COLOURS, table, 1 if shape.values <= 256 else 2) + inner

    @staticmethod
    def _members(shape: Shape, repeats: float) -> Iterator[int]:
        if shape.values > 256:
            if shape.channels in MEMBERS[DEEP].channels:
                yield DEEP
            return
        if shape.channels in MEMBERS[PHOTO].channels and repeats < _GRAPHIC and shape.values > 16:
            yield PHOTO
        if repeats > _PHOTOGRAPHIC or shape.pixels < 4096:
            yield GRAPHICS

    def _modelled(self, part: Samples, shape: Shape, members: list[int]) -> Iterator[bytes]:
        if len(members) > 1 and shape.pixels > 2 * _PIECES * _SAMPLE**2:
            costs = {member: self._estimate(member, part, shape) for member in members}
            members = [member for member in members if costs[member] <= _CLOSE * min(costs.values())]
        for member in members:
            yield reading.modelled(member, self._code(member, part, shape))

    def _estimate(self, member: int, part: Samples, shape: Shape) -> int:
        """Bytes of some pieces of the part."""
        side, total = _SAMPLE, 0
        for k in range(_PIECES):
            y = k * max(0, shape.height - side) // (_PIECES - 1)
            x = (_PIECES - 1 - k) * max(0, shape.width - side) // (_PIECES - 1)
            total += len(self._code(member, part[:, y : y + side, x : x + side], shape))
        return total

    def _code(self, member: int, part: Samples, shape: Shape) -> bytes:
        self.tick()
        backend = self.load(member)
        if shape.values > 256:
            planes = parted(torch.from_numpy(part.astype(np.int32))).numpy()
        else:
            planes = np.ascontiguousarray(part.astype(np.uint8))
        with exact_arithmetic():
            return encode_tile(backend, planes, lambda pixels, bits: self.tick()).payload


def repeated(part: Samples) -> float:
    """Share of the pixels that are as the one to the left or above."""
    same = np.zeros(part.shape[1:], np.bool_)
    same[:, 1:] = (part[:, :, 1:] == part[:, :, :-1]).all(0)
    same[1:] |= (part[:, 1:] == part[:, :-1]).all(0)
    return float(same.mean())
