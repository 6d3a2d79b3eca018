"""Which form a tile takes: the cheapest of those that can win.

Packed rows are cheap to try, and a fast deflate says about what they take. What a model takes is known once it has
coded the part, or stopped because it took more than the best form so far; of a large part, pieces say beforehand which
models are worth it. A picture that `photo` and `gradient` take alone is always given to both, so that no choice is
worse than they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import EncodedTile, TileCodec, encode_tile
from ridecodec.models.deep.parting import parted
from ridecodec.tiles.forms import folding, indexing, reading
from ridecodec.tiles.forms.members import GRADIENT, GRAPHICS, MEMBERS, PHOTO
from ridecodec.tiles.forms.part import Samples, Shape
from ridecodec.tiles.forms.pieces import Pieces
from ridecodec.tiles.forms.rows import Rows
from ridecodec.tiles.forms.views import View, views

ALONE = (GRADIENT, PHOTO)
"""Models that every tile which they can code is given to."""
Load = Callable[[int], TileCodec]
"""The backend of a member."""
_WHOLE = 1 << 15
"""Pixels of a part up to which models are not judged by pieces."""
_FLAT = 4096
"""Pixels of one colour from which on no model takes as little as saying so: three times as much at least."""
_FEW_PIXELS = 4
"""Pixels of one colour, up to which rows may take less than saying so."""
_WHOLE_PHOTO = 0.95
"""What a whole part takes of what its pieces do with `photo`, which adapts to the part."""
_UNSURE = 1.3
"""How far an estimate from pieces may be above what another coder took."""
_CLOSE = 1.08
"""How far an estimate may be above the best where pieces say little: indices have no order that models know."""
_USUAL = {PHOTO: 0.6, GRAPHICS: 0.5}
"""What models usually take of the rows, which only says which comes first."""
_SLACK = 8
"""Bytes that a code may be shorter than its ideal length."""


@dataclass(frozen=True)
class Choice:
    """A form that a part may take."""

    cost: float
    """Bytes, about."""
    least: float
    """Bytes that it may take at least."""
    make: Callable[[float], bytes | None]
    """The payload; None where it would have more bytes than a limit."""
    pieces: float = 0.0
    """Bits of the pieces that the cost was estimated from; 0 where it was not."""
    spent: Callable[[], float] | None = None
    """Bits that the same pieces take as parts of the whole, where it is one model that is asked once it is made."""


@dataclass(frozen=True)
class Chosen:
    """A tile's payload, and those of models alone that were found beside it."""

    payload: bytes
    others: dict[int, bytes]

    def alone(self, member: int) -> bytes | None:
        """What a model makes of the whole tile, without a form; None where that is not known, or longer."""
        if self.payload[0] == reading.MODELLED + member:
            return reading.bare(self.payload)
        return self.others.get(member)


def certain(part: Samples, shape: Shape) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Models of 8 bits that a small part is given to for certain, and what they are given; of others nothing."""
    if shape.pixels > _WHOLE or (part == part[:, :1, :1]).all():
        return
    for view in views(part, shape):
        for member in view.members():
            if not MEMBERS[member].deep:
                yield member, np.ascontiguousarray(view.part, np.uint8)
    if _is_plain(shape):
        for member in ALONE:
            yield member, np.ascontiguousarray(part, np.uint8)


def _is_plain(shape: Shape) -> bool:
    """Whether models may take it without a form."""
    return shape.values == 256 and shape.colours is None and shape.channels in MEMBERS[PHOTO].channels


class Chooser:
    """Finds the cheapest form of a tile; ``tick`` is called between attempts, and may raise to stop."""

    def __init__(self, part: Samples, shape: Shape, load: Load, tick: Callable[[], None]) -> None:
        self.part, self.shape, self.load, self.tick = part, shape, load, tick
        self._made: dict[tuple[object, ...], EncodedTile | float] = {}
        self._rows: dict[tuple[object, ...], Rows] = {}

    def choose(self) -> Chosen:
        """The payload of the tile."""
        payload = self._cheapest(self.part, self.shape)
        others = {}
        flat = payload[0] == reading.CONSTANT and self.shape.pixels > _FLAT
        if _is_plain(self.shape) and not flat:
            for member in ALONE:
                tile = self._coded(member, self.part, len(payload) + _SLACK)
                if tile is not None:
                    others[member] = tile.payload
                    payload = min(payload, reading.modelled(member, tile.payload), key=len)
        return Chosen(payload, others)

    def alone(self, member: int) -> bytes:
        """What a model makes of the tile, however long."""
        tile = self._coded(member, self.part, math.inf)
        assert tile is not None
        return tile.payload

    def _cheapest(self, part: Samples, shape: Shape) -> bytes:
        if (part == part[:, :1, :1]).all():
            flat = reading.constant(part[:, 0, 0].tolist(), shape)
            return min(flat, Rows(part, shape).encode(), key=len) if shape.pixels <= _FEW_PIXELS else flat
        close = 1.0 if shape.colours is None else _CLOSE
        best: bytes | None = None
        leader: Choice | None = None
        for choice in sorted(self._choices(part, shape), key=lambda choice: choice.cost):
            if best is not None and leader is not None and _expected(choice, leader, len(best)) > close * len(best):
                continue
            found = choice.make(len(best) if best is not None else math.inf)
            if found is not None and (best is None or len(found) < len(best)):
                best, leader = found, choice
        assert best is not None
        return best

    def _choices(self, part: Samples, shape: Shape) -> Iterator[Choice]:
        found = list(views(part, shape))
        models = sum(1 for view in found for _ in view.members())
        pieces = None if models < 2 or shape.pixels <= _WHOLE or folding.thin(shape) else Pieces(part)
        for view in found:
            rows = self._packer(view)
            if not view.folded:
                yield _after(view.head, Choice(rows.estimate, rows.least, rows.encode))
            for member in view.members():
                usual = rows.estimate * _USUAL.get(member, 1.0)
                yield _after(view.head, self._modelled(member, view.part, pieces, usual))
            if view.shape.channels in (2, 4):
                yield _after(view.head, self._apart(view.part, view.shape))

    def _apart(self, part: Samples, shape: Shape) -> Choice:
        halves = [(half, shape.of(len(half), shape.values)) for half in (part[:1], part[1:])]

        def make(limit: float) -> bytes | None:
            return bytes([indexing.APART]) + b"".join(self._cheapest(*half) for half in halves)

        found = [min(self._choices(*half), key=lambda choice: choice.cost) for half in halves]
        cost, least = (1 + sum(each) for each in zip(*((c.cost, c.least) for c in found), strict=True))
        return Choice(cost, least, make, max(c.pieces for c in found))

    def _modelled(self, member: int, part: Samples, pieces: Pieces | None, usual: float) -> Choice:
        def make(limit: float) -> bytes | None:
            tile = self._coded(member, part, limit)
            return None if tile is None else reading.modelled(member, tile.payload)

        if pieces is None:
            return Choice(usual, 0.0, make)
        bits = 0.0
        for rows, columns in pieces.places:
            tile = self._coded(member, part[:, rows, columns], math.inf)
            assert tile is not None
            bits += 8 * len(tile.payload) * (_WHOLE_PHOTO if member == PHOTO else 1.0)
        cost = pieces.whole(bits / 8)

        def spent() -> float:
            tile = self._coded(member, part, math.inf)
            assert tile is not None
            return pieces.sum(tile.bits)

        return Choice(cost, cost / _UNSURE, make, bits, spent)

    def _packer(self, view: View) -> Rows:
        """Of a view's rows; the same one for the same samples: views often agree."""
        key = (view.shape.values, *_key(view.part))
        if key not in self._rows:
            self.tick()
            self._rows[key] = Rows(view.part, view.shape)
        return self._rows[key]

    def _coded(self, member: int, part: Samples, limit: float) -> EncodedTile | None:
        """What a model makes of a part; None where that has more bytes than ``limit``."""
        key = (member, *_key(part))
        known = self._made.get(key, 0.0)
        if isinstance(known, float) and known < limit:
            known = self._made[key] = self._tried(member, part, limit)
        return None if isinstance(known, float) else known

    def _tried(self, member: int, part: Samples, limit: float) -> EncodedTile | float:
        """A model's tile, or the limit that it went beyond."""
        spent = 0.0

        def tick(pixels: int, bits: float) -> None:
            nonlocal spent
            self.tick()
            spent += bits
            if spent > 8 * (limit + 2 * _SLACK):
                raise _TooLongError

        self.tick()
        planes = parted(part) if MEMBERS[member].deep else np.ascontiguousarray(part, np.uint8)
        try:
            return encode_tile(self.load(member), planes, tick)
        except _TooLongError:
            return float(limit + _SLACK)


def _after(head: bytes, choice: Choice) -> Choice:
    """A form that begins with ``head``."""
    if not head:
        return choice

    def make(limit: float) -> bytes | None:
        found = choice.make(limit - len(head))
        return None if found is None else head + found

    return replace(choice, cost=len(head) + choice.cost, least=len(head) + choice.least, make=make)


def _expected(choice: Choice, leader: Choice, length: int) -> float:
    """What a choice may be hoped to take where ``leader`` took ``length`` bytes."""
    if not choice.pieces or not leader.pieces:
        return choice.least
    if leader.spent is not None and choice.spent is not None:
        return length * choice.pieces / leader.spent()
    return length * choice.cost / leader.cost


def _key(part: Samples) -> tuple[object, ...]:
    return part.shape, hashlib.blake2b(part.tobytes()).digest()


class _TooLongError(Exception):
    """A model took more than what it was to stay below."""
