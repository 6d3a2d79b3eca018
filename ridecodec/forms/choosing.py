"""Which form a tile takes: the cheapest of those that its colours make likely, by estimates where it is large."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ridecodec.forms import reading, rows, tables
from ridecodec.forms.members import DEEP, GRAPHICS, MEMBERS, PHOTO
from ridecodec.forms.part import Samples, Shape
from ridecodec.models.deep.parting import parted
from ridecodec.tilecoder import TileCodec, encode_tile

Load = Callable[[int], TileCodec]
"""The backend of a member."""
_SIDE, _PIECES = 128, 2
"""Pieces that a large part is judged by."""
_LARGE = 1 << 18
_SMALL = 4096
"""Pixels of a part of which all forms are tried."""
_PHOTOGRAPHIC, _GRAPHIC = 0.02, 0.995
"""Shares of pixels that repeat a neighbour: fewer has a photograph, more has none."""
_NOISE = 0.9
"""Share of a part's plain samples above which a model may take more than they do."""
_FEW = 0.75
"""Share of the values up to the largest one below which ranks may be cheaper."""
_CLOSE = 1.08
"""Estimates that are too close to tell."""


@dataclass(frozen=True)
class Choice:
    """A form that a part may take."""

    cost: float
    """Bytes, estimated where the part is large."""
    make: Callable[[], bytes]


class Chooser:
    """Finds the cheapest form of a tile; ``tick`` is called between attempts, and may raise to stop."""

    def __init__(self, load: Load, tick: Callable[[], None]) -> None:
        self.load, self.tick = load, tick
        self._made: dict[tuple[object, ...], bytes] = {}

    def encode(self, part: Samples, shape: Shape) -> bytes:
        """The payload."""
        choices = sorted(self._choices(part, shape, simpler=True), key=lambda choice: choice.cost)
        close = [choice for choice in choices if choice.cost <= _CLOSE * choices[0].cost]
        return min((choice.make() for choice in close), key=len)

    def _best(self, part: Samples, shape: Shape, simpler: bool = False) -> Choice:
        return min(self._choices(part, shape, simpler), key=lambda choice: choice.cost)

    def _choices(self, part: Samples, shape: Shape, simpler: bool) -> Iterator[Choice]:
        """``simpler``: also as a part of fewer channels or values."""
        if (part == part[:, :1, :1]).all():
            yield _known(reading.constant(part[:, 0, 0].tolist(), shape))
            return
        repeats = repeated(part)
        drawn = repeats > _PHOTOGRAPHIC or shape.pixels < _SMALL
        if simpler and (drawn or shape.values > 256):
            yield from self._simpler(part, shape)
        if shape.channels in (2, 4):
            yield self._apart(part, shape, simpler)
        modelled = [self._modelled(member, part, shape) for member in _members(shape, repeats, drawn)]
        yield from modelled
        plain = shape.channels * shape.pixels * (1 if shape.values <= 256 else 2)
        noise = min((choice.cost for choice in modelled), default=plain) > _NOISE * plain
        if drawn or noise or shape.values > 256:
            self.tick()
            make = partial(self._once, part, "rows", shape.values, partial(rows.encode, part, shape))
            yield Choice(len(make()) if rows.is_small(shape) else rows.estimate(part, shape), make)

    def _simpler(self, part: Samples, shape: Shape) -> Iterator[Choice]:
        """As indices, as ranks, in the order of lightness, or as the colours that are shown."""
        if shape.colours is not None:
            light = tables.lights(shape)
            yield _after(bytes([tables.LIGHT]), self._best(tables.inverse(light)[part], shape.of(1, shape.values)))
            shown = tables.displayed(part, shape)
            if shown is not None and shape.values > 64:
                yield _after(bytes([tables.DISPLAYED]), self._best(shown, shape.of(3, 256)))
        size = 2 if shape.values > 256 else 1
        values = np.unique(part)
        if len(values) < _FEW * (int(values[-1]) + 1):
            ranks = np.searchsorted(values, part).astype(np.uint16)
            table = tables.write_table(tables.RANKS, values[None], size)
            few = len(values) <= 256 < shape.values
            yield _after(table, self._best(ranks, shape.of(shape.channels, len(values)), simpler=few))
        found = tables.colours(part) if shape.channels > 1 else None
        if found is not None:
            table = tables.write_table(tables.COLOURS, found[0], size)
            yield _after(table, self._best(found[1], shape.of(1, found[0].shape[1])))

    def _apart(self, part: Samples, shape: Shape, simpler: bool) -> Choice:
        beside = self._best(part[:1], shape.of(1, shape.values), simpler)
        rest = self._best(part[1:], shape.of(shape.channels - 1, shape.values), simpler)
        return Choice(1 + beside.cost + rest.cost, lambda: bytes([tables.APART]) + beside.make() + rest.make())

    def _modelled(self, member: int, part: Samples, shape: Shape) -> Choice:
        make = partial(self._code, member, part, shape)
        if shape.pixels <= _LARGE:
            return Choice(len(make()), make)
        cost, pixels = 0.0, 0
        for k in range(_PIECES):
            y = (2 * k + 1) * max(0, shape.height - _SIDE) // (2 * _PIECES)
            x = (2 * _PIECES - 2 * k - 1) * max(0, shape.width - _SIDE) // (2 * _PIECES)
            piece = part[:, y : y + _SIDE, x : x + _SIDE]
            cost += len(self._code(member, piece, shape))
            pixels += piece[0].size
        return Choice(cost * shape.pixels / pixels, make)

    def _once(self, part: Samples, how: object, values: int, make: Callable[[], bytes]) -> bytes:
        """What ``make`` gives, from before where a part of the same samples took the same way: forms often agree."""
        key = (how, values, part.shape, hashlib.blake2b(part.tobytes()).digest())
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _code(self, member: int, part: Samples, shape: Shape) -> bytes:
        deep = shape.values > 256
        return self._once(part, member, deep, partial(self._coded, member, part, deep))

    def _coded(self, member: int, part: Samples, deep: bool) -> bytes:
        self.tick()
        planes = parted(part) if deep else np.ascontiguousarray(part, np.uint8)
        tile = encode_tile(self.load(member), planes, lambda pixels, bits: self.tick())
        return reading.modelled(member, tile.payload)


def _known(payload: bytes) -> Choice:
    return Choice(len(payload), lambda: payload)


def _after(head: bytes, choice: Choice) -> Choice:
    """A form that begins with ``head``."""
    return Choice(len(head) + choice.cost, lambda: head + choice.make())


def _members(shape: Shape, repeats: float, drawn: bool) -> Iterator[int]:
    """Models that a part may go to."""
    plain = [GRAPHICS] * drawn + [PHOTO] * (repeats < _GRAPHIC and shape.values > 16)
    for member in plain if shape.values <= 256 else [DEEP]:
        if shape.channels in MEMBERS[member].channels:
            yield member


def repeated(part: Samples) -> float:
    """Share of the pixels that are as the one to the left or above."""
    same = np.zeros(part.shape[1:], np.bool_)
    same[:, 1:] = (part[:, :, 1:] == part[:, :, :-1]).all(0)
    same[1:] |= (part[:, 1:] == part[:, :-1]).all(0)
    return float(same.mean())
