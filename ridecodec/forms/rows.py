"""Rows packed by a general coder, filtered as in PNG: for what no model is made for, and never much larger than PNG."""

from __future__ import annotations

import lzma
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import DamagedError
from ridecodec.formats.pngrows import filtered_rows, packed, unfiltered, unpacked
from ridecodec.forms.part import Samples, Shape
from ridecodec.reader import Reader
from ridecodec.varint import write_varint

DEFLATE, LZMA = 1, 2
_ADAPTIVE = 5
"""Filter of each row its own; 0 to 4: PNG's, the same for all."""
_SMALL, _LARGE = 1 << 20, 1 << 21
"""Bytes up to which there is no need of an estimate, and from which on only the filters that mostly win are tried."""
_FAST = 6
"""Level of deflate that filters are judged by."""
_GAIN = 0.85
"""What the best coder may take of what a quick one takes."""
_LEAST_DICTIONARY, _LARGEST_DICTIONARY = 12, 26


def encode(part: Samples, shape: Shape) -> bytes:
    """The payload of a part: the shortest that is found."""
    rows, step = _rows(part, shape)
    found = {kind: _filtered(rows, step, kind) for kind in _kinds(rows)}
    packed = {kind: _deflate(data, _FAST) for kind, data in found.items()}
    best = sorted(packed, key=lambda kind: len(packed[kind]))[:2]
    tries = [_framed(DEFLATE, kind, _deflate(found[kind], 9)) for kind in best]
    return min([*tries, *(_framed(LZMA, kind, _lzma(found[kind])) for kind in best)], key=len)


def is_small(shape: Shape) -> bool:
    """Whether `encode` takes so little time that nothing need be estimated."""
    return shape.height * _size(shape)[0] <= _SMALL


def estimate(part: Samples, shape: Shape) -> float:
    """About how many bytes `encode` takes of a large part."""
    rows, step = _rows(part, shape)
    return _GAIN * min(len(_deflate(_filtered(rows, step, kind), _FAST)) for kind in (0, 2, 4))


def _kinds(rows: NDArray[np.uint8]) -> tuple[int, ...]:
    return (0, 2, 4, _ADAPTIVE) if rows.size > _LARGE else (*range(5), _ADAPTIVE)


def decode(method: int, reader: Reader, shape: Shape) -> Samples:
    """What `encode` made; raises DamagedError."""
    kind = reader.integer(1, "pixel data")
    packed = reader.take(reader.varint("pixel data"), "pixel data")
    if kind > _ADAPTIVE:
        raise DamagedError("the pixel data is damaged: it has a filter that there is not")
    length, step = _size(shape)
    size = shape.height * (length + (kind == _ADAPTIVE))
    data = _unpack(method, bytes(packed), size)
    rows = np.frombuffer(data, np.uint8).reshape(shape.height, -1)
    types = np.full(shape.height, kind, np.uint8)
    if kind == _ADAPTIVE:
        types, rows = rows[:, 0], rows[:, 1:]
        if types.max() >= _ADAPTIVE:
            raise DamagedError("the pixel data is damaged: a row has a filter that there is not")
    part = _samples(unfiltered(types, rows, step), shape)
    if part.max() >= shape.values:
        raise DamagedError("the pixel data is damaged: a sample is too large")
    return part


def _framed(method: int, kind: int, data: bytes) -> bytes:
    return bytes([method, kind]) + write_varint(len(data)) + data


def _bits(shape: Shape) -> int:
    """Bits of a sample in a row: 1, 2 or 4 only where a pixel has one."""
    needed = max(1, (shape.values - 1).bit_length())
    if needed > 8:
        return 16
    return 8 if shape.channels > 1 or needed > 4 else 1 << (needed - 1).bit_length()


def _size(shape: Shape) -> tuple[int, int]:
    """Bytes of a row, and of the step to the pixel before, as PNG has it."""
    bits = shape.channels * _bits(shape)
    return -(-shape.width * bits // 8), max(1, bits // 8)


def _rows(part: Samples, shape: Shape) -> tuple[NDArray[np.uint8], int]:
    return packed(part.transpose(1, 2, 0), _bits(shape)), _size(shape)[1]


def _samples(rows: NDArray[np.uint8], shape: Shape) -> Samples:
    pixels = unpacked(rows, (shape.height, shape.width, shape.channels), _bits(shape))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.uint16)


def _filtered(rows: NDArray[np.uint8], step: int, kind: int) -> bytes:
    if kind == _ADAPTIVE:
        types, found = filtered_rows(rows, step)
        return np.concatenate([types[:, None], found], 1).tobytes()
    return filtered_rows(rows, step, kind)[1].tobytes()


def _deflate(data: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9)
    return packer.compress(data) + packer.flush()


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[_filter(len(data))])


def _filter(size: int) -> dict[str, Any]:
    """LZMA's settings, which a reader must know."""
    digits = min(max(size.bit_length(), _LEAST_DICTIONARY), _LARGEST_DICTIONARY)
    return {"id": lzma.FILTER_LZMA2, "dict_size": 1 << digits, "lc": 3, "lp": 0, "pb": 0, "preset": lzma.PRESET_EXTREME}


def _unpack(method: int, packed: bytes, size: int) -> bytes:
    unpacker: Any = zlib.decompressobj(-15)
    if method == LZMA:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_filter(size)])
    try:
        data: bytes = unpacker.decompress(packed, size + 1)
    except (zlib.error, lzma.LZMAError) as error:
        raise DamagedError(f"the pixel data is damaged ({error})") from error
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise DamagedError("the pixel data is damaged: it is not as long as the picture")
    return data
