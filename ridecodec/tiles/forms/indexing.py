"""Parts turned into simpler ones: few colours into indices, few values into ranks, indices into order of light."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.tiles.forms.part import Decoding, Samples, Shape

COLOURS, RANKS, LIGHT, DISPLAYED, APART = 3, 4, 5, 6, 7
MOST_COLOURS = 256
_LIGHT = np.array([587, 299, 114])
"""What green, red and blue give to lightness."""
Read = Callable[[Reader, Shape], Decoding]


def colours(part: Samples) -> tuple[NDArray[np.uint16], Samples] | None:
    """(colours [C, n], indices [1, H, W]) of a part of few colours, the dark ones first; None for one of many."""
    if part.max() > 255:
        return None
    packed = np.zeros(part.shape[1:], np.uint32)
    for plane in part:
        packed = packed << 8 | plane
    if len(np.unique(packed.reshape(-1)[:: max(1, packed.size >> 14)])) > MOST_COLOURS:
        return None
    found, indices = np.unique(packed, return_inverse=True)
    if len(found) > MOST_COLOURS:
        return None
    shifts = 8 * np.arange(len(part) - 1, -1, -1)
    table = (found >> shifts[:, None] & 255).astype(np.uint16)
    order = np.argsort(light(table), kind="stable")
    return table[:, order], inverse(order)[indices.reshape(packed.shape)][None]


def light(table: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Lightness of colours [C, n] in coding order; what stands beside them weighs most."""
    last = table[-3:].astype(np.int64) if len(table) >= 3 else table[-1:].astype(np.int64)
    weights = _LIGHT if len(last) == 3 else _LIGHT.sum(keepdims=True)
    beside = table[0].astype(np.int64) << 20 if len(table) % 2 == 0 else np.int64(0)
    found: NDArray[np.int64] = weights @ last + beside
    return found


def write_table(code: int, table: NDArray[np.uint16], size: int) -> bytes:
    """A table of colours or values [C, n], samples of ``size`` bytes."""
    plain = np.diff(table, axis=1, prepend=np.uint16(0)).astype("<u2" if size == 2 else np.uint8).tobytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    packed = packer.compress(plain) + packer.flush()
    data = packed if len(packed) < len(plain) else plain
    return bytes([code]) + write_varint(table.shape[1]) + write_varint(len(data)) + data


def read_table(reader: Reader, channels: int, values: int) -> NDArray[np.uint16]:
    """What `write_table` wrote, [channels, n]; raises DamagedError."""
    size = 2 if values > 256 else 1
    count = reader.varint("pixel data")
    data = bytes(reader.take(reader.varint("pixel data"), "pixel data"))
    if not 0 < count <= max(values, MOST_COLOURS):
        raise DamagedError("the pixel data is damaged: it has a table of too many colours")
    wanted = channels * count * size
    if len(data) != wanted:
        try:
            inflate = zlib.decompressobj(-15)
            data = inflate.decompress(data, wanted + 1)
        except zlib.error as error:
            raise DamagedError(f"the pixel data is damaged ({error})") from error
        if len(data) != wanted or not inflate.eof or inflate.unused_data:
            raise DamagedError("the pixel data is damaged: a table of colours does not have the length that it claims")
    steps = np.frombuffer(data, "<u2" if size == 2 else np.uint8).reshape(channels, count)
    table: NDArray[np.uint16] = np.cumsum(steps, axis=1, dtype=np.uint16)
    if size == 1:
        table &= np.uint16(255)
    if table.max() >= values:
        raise DamagedError("the pixel data is damaged: a table has a colour that is out of range")
    return table


def read_colours(reader: Reader, shape: Shape, read: Read) -> Decoding:
    """A part of few colours: their table, and indices."""
    table = read_table(reader, shape.channels, shape.values)
    indices = yield from read(reader, shape.of(1, table.shape[1]))
    return table[:, indices[0]]


def read_ranks(reader: Reader, shape: Shape, read: Read) -> Decoding:
    """A part of few values: their table, and ranks."""
    table = read_table(reader, 1, shape.values)[0]
    ranks = yield from read(reader, shape.of(shape.channels, len(table)))
    found: Samples = table[ranks]
    return found


def lights(shape: Shape) -> NDArray[np.uint16]:
    """Indices of a palette picture, the dark ones first; those without a colour last: [values]."""
    assert shape.colours is not None
    known = light(shape.colours.T[[1, 0, 2]].astype(np.uint16))
    whole = np.concatenate([known, np.full(max(0, shape.values - len(known)), 1 << 40)])[: shape.values]
    return np.argsort(whole, kind="stable").astype(np.uint16)


def inverse(order: NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
    """Where each index stands in an order."""
    rank = np.empty(len(order), np.uint16)
    rank[order] = np.arange(len(order))
    return rank


def read_lights(reader: Reader, shape: Shape, read: Read) -> Decoding:
    """Indices of a palette picture in the order of lightness."""
    if shape.colours is None or shape.channels > 1:
        raise DamagedError("the pixel data is damaged: it orders colours that do not exist")
    ranks = yield from read(reader, shape.of(1, shape.values))
    return lights(shape)[ranks]


def displayed(part: Samples, shape: Shape) -> Samples | None:
    """The colours that a part of indices shows, [3, H, W] in coding order; None where they do not tell the indices."""
    assert shape.colours is not None
    used, places = np.unique(part), _places(shape.colours)
    if used[-1] >= len(shape.colours) or any(places[shape.colours[i].tobytes()] != i for i in used):
        return None
    return np.ascontiguousarray(shape.colours[part[0]].transpose(2, 0, 1)[[1, 0, 2]]).astype(np.uint16)


def _places(colours: NDArray[np.uint8]) -> dict[bytes, int]:
    """The first index of every colour of a palette [entries, 3]."""
    return {colour.tobytes(): index for index, colour in reversed(list(enumerate(colours)))}


def read_displayed(reader: Reader, shape: Shape, read: Read) -> Decoding:
    """Indices of a palette picture, as the colours that they show; the first index of a colour that has several."""
    if shape.colours is None or shape.channels > 1:
        raise DamagedError("the pixel data is damaged: it shows colours that do not exist")
    shown = yield from read(reader, shape.of(3, 256))
    places = _places(shape.colours)
    wanted = shown[[1, 0, 2]].astype(np.uint8).transpose(1, 2, 0).reshape(-1, 3)
    found, inverse = np.unique(wanted, axis=0, return_inverse=True)
    if any(colour.tobytes() not in places for colour in found):
        raise DamagedError("the pixel data is damaged: it has a colour that is not in the palette")
    indices = np.array([places[colour.tobytes()] for colour in found], np.uint16)
    return indices[inverse.reshape(-1)].reshape(1, shape.height, shape.width)


def read_apart(reader: Reader, shape: Shape, read: Read) -> Decoding:
    """What stands beside the colours, and then the colours."""
    if shape.channels not in (2, 4):
        raise DamagedError("the pixel data is damaged: it separates channels that do not exist")
    beside = yield from read(reader, shape.of(1, shape.values))
    rest = yield from read(reader, shape.of(shape.channels - 1, shape.values))
    return np.concatenate([beside, rest])
