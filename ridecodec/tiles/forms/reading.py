"""A tile's payload in forms, and back."""

from __future__ import annotations

import numpy as np

from ridecodec.container.reader import Reader
from ridecodec.container.varint import read_varint, write_varint
from ridecodec.errors import DamagedError
from ridecodec.models.deep.parting import parted_samples
from ridecodec.tiles.forms import folding, indexing, rows
from ridecodec.tiles.forms.members import CONSTANT as CONSTANT
from ridecodec.tiles.forms.members import MEMBERS
from ridecodec.tiles.forms.members import MODELLED as MODELLED
from ridecodec.tiles.forms.part import Decoding, Request, Shape

_DEPTH = 5
"""Forms within forms."""


def decode(payload: bytes | memoryview, shape: Shape) -> Decoding:
    """The samples of a tile; raises DamagedError."""
    reader = Reader(memoryview(payload))
    found = yield from _read(reader, shape, 0)
    if reader.left:
        raise DamagedError("the pixel data is damaged: there are bytes after its end")
    return found


def _read(reader: Reader, shape: Shape, depth: int) -> Decoding:
    code = reader.integer(1, "pixel data")
    if depth > _DEPTH:
        raise DamagedError("the pixel data is damaged: its forms are nested too deeply")

    def inner(reader: Reader, shape: Shape) -> Decoding:
        return _read(reader, shape, depth + 1)

    if code >= MODELLED:
        return (yield from _modelled(reader, shape, code - MODELLED))
    if code == CONSTANT:
        return _constant(reader, shape)
    if code in (rows.DEFLATE, rows.LZMA):
        return rows.decode(code, reader, shape)
    forms = {
        indexing.COLOURS: indexing.read_colours,
        indexing.RANKS: indexing.read_ranks,
        indexing.LIGHT: indexing.read_lights,
        indexing.DISPLAYED: indexing.read_displayed,
        indexing.APART: indexing.read_apart,
        folding.FOLDED: folding.read_folded,
    }
    if code not in forms:
        raise DamagedError("the pixel data is damaged: it has a form that does not exist")
    return (yield from forms[code](reader, shape, inner))


def _modelled(reader: Reader, shape: Shape, member: int) -> Decoding:
    payload = bytes(reader.take(reader.varint("pixel data"), "pixel data"))
    deep = shape.values > 256
    if member >= len(MEMBERS) or shape.channels not in MEMBERS[member].channels or MEMBERS[member].deep is not deep:
        raise DamagedError("the pixel data is damaged: its model does not code such pictures")
    channels = 2 * shape.channels if deep else shape.channels
    planes = yield Request(member, payload, channels, shape.height, shape.width, shape.share)
    found = parted_samples(planes) if deep else planes.astype(np.uint16)
    if found.max() >= shape.values:
        raise DamagedError("the pixel data is damaged: a sample is too large")
    return found


def modelled(member: int, payload: bytes) -> bytes:
    """What `_modelled` reads."""
    return bytes([MODELLED + member]) + write_varint(len(payload)) + payload


def bare(payload: bytes) -> bytes:
    """The model's own payload in one that `modelled` made, and that is all of a tile."""
    length, at = read_varint(payload, 1, "pixel data")
    assert at + length == len(payload)
    return payload[at:]


def constant(pixel: list[int], shape: Shape) -> bytes:
    """A part whose pixels are all alike."""
    size = 2 if shape.values > 256 else 1
    return bytes([CONSTANT]) + b"".join(value.to_bytes(size, "little") for value in pixel)


def _constant(reader: Reader, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    size = 2 if shape.values > 256 else 1
    pixel = [reader.integer(size, "pixel data") for _ in range(shape.channels)]
    if max(pixel) >= shape.values:
        raise DamagedError("the pixel data is damaged: a sample is too large")
    return np.repeat(np.array(pixel, np.uint16), shape.pixels).reshape(shape.channels, shape.height, shape.width)
