"""Rows packed by a general coder, filtered as in PNG: for what no model is made for, and never much larger than PNG."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.files.pngrows import bands, filtered_rows, packed, unfiltered, unpacked
from ridecodec.tiles.forms.part import Samples, Shape

DEFLATE, LZMA = 1, 2
_ADAPTIVE = 5
"""Filter of each row its own; 0 to 4: PNG's, the same for all."""
_USUAL = (0, _ADAPTIVE)
"""Filters that writers of PNG files use."""
_SMALL, _LARGE = 1 << 16, 1 << 21
"""Bytes up to which every coder is tried, and from which on only the filters that mostly win are."""
_FAST, _BEST = 6, 9
"""Level of deflate that filters are judged by, and the one of files."""
_FINALISTS = 2
_FEW = 16
"""Values of so few hide long matches among short ones, and only the best level finds them."""
_LONG = 1 / 8
"""Share of the rows that a fast deflate does not come down to without long matches."""
_LEAST, _LEAST_LONG = 0.8, 0.45
"""What the best coder may take of what the fast one does; where there are long matches, or samples of 16 bits."""
_PATIENT = 0.95
"""What the best level of deflate leaves of the fast one's bytes where patience finds longer matches."""
_LEAST_LZMA, _LEAST_LZMA_PATIENT = 0.8, 0.4
"""What LZMA may leave of deflate's bytes; where patience helps, or samples have 16 bits."""
_LEAST_DICTIONARY, _LARGEST_DICTIONARY = 12, 26


class Rows:
    """The rows of a part, to be packed."""

    def __init__(self, part: Samples, shape: Shape) -> None:
        self._rows = packed(part.transpose(1, 2, 0), _bits(shape))
        self._step = _size(shape)[1]
        self._wide = _bits(shape) == 16
        self._sizes: dict[int, int] = {}

    @cached_property
    def estimate(self) -> int:
        """About how many bytes `encode` takes at most, by the filters that writers of PNG files use."""
        return min(self._fast(kind) for kind in _USUAL)

    @property
    def least(self) -> float:
        """The fewest bytes that `encode` may take."""
        return self._least(self.estimate)

    def _least(self, fast: int) -> float:
        """What may be left of so many bytes of a fast deflate."""
        if self._few:
            return 0.0
        return fast * (_LEAST_LONG if self._wide or fast <= _LONG * self._rows.size else _LEAST)

    @cached_property
    def _few(self) -> bool:
        return bool(np.count_nonzero(np.bincount(self._rows.reshape(-1))) <= _FEW)

    def _fast(self, kind: int) -> int:
        """Bytes of a fast deflate."""
        if kind not in self._sizes:
            self._sizes[kind] = len(self._deflated(kind, _FAST))
        return self._sizes[kind]

    def encode(self, limit: float = math.inf) -> bytes:
        """The payload: the shortest that is found; coders that cannot come below ``limit`` bytes are not tried."""
        kinds = (0, 2, 4, _ADAPTIVE) if self._rows.size > _LARGE else range(_ADAPTIVE + 1)
        ranked = sorted(kinds, key=self._fast)
        finalists = [kind for kind in ranked if kind in (*ranked[:_FINALISTS], *_USUAL)]
        found: list[bytes] = []
        least = math.inf
        for kind in finalists:
            if found and self._least(self._fast(kind)) > min(limit, *map(len, found)):
                continue
            data = self._deflated(kind, _BEST)
            found.append(_framed(DEFLATE, kind, data))
            patient = self._wide or len(data) < _PATIENT * self._fast(kind)
            least = min(least, len(data) * (_LEAST_LZMA_PATIENT if patient else _LEAST_LZMA))
        if self._rows.size <= _SMALL or least < limit:
            for kind in ranked[: _FINALISTS if self._rows.size <= _LARGE else 1]:
                size = self._rows.size + (len(self._rows) if kind == _ADAPTIVE else 0)
                coder = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[_filter(size)])
                data = b"".join(coder.compress(band) for band in self._filtered(kind)) + coder.flush()
                found.append(_framed(LZMA, kind, data))
        return min(found, key=len)

    def _filtered(self, kind: int) -> Iterator[bytes]:
        """The rows, filtered, in bands."""
        for band in bands(*self._rows.shape):
            above = self._rows[band.start - 1] if band.start else None
            wanted = None if kind == _ADAPTIVE else kind
            types, found = filtered_rows(self._rows[band], self._step, wanted, above)
            yield (np.concatenate([types[:, None], found], 1) if kind == _ADAPTIVE else found).tobytes()

    def _deflated(self, kind: int, level: int) -> bytes:
        strategy = zlib.Z_FILTERED if kind and level == _BEST else zlib.Z_DEFAULT_STRATEGY
        packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        return b"".join(packer.compress(band) for band in self._filtered(kind)) + packer.flush()


def decode(method: int, reader: Reader, shape: Shape) -> Samples:
    """What `encode` made; raises DamagedError."""
    kind = reader.integer(1, "pixel data")
    packed = reader.take(reader.varint("pixel data"), "pixel data")
    if kind > _ADAPTIVE:
        raise DamagedError("the pixel data is damaged: it has a filter that does not exist")
    length, step = _size(shape)
    size = shape.height * (length + (kind == _ADAPTIVE))
    data = _unpack(method, bytes(packed), size)
    rows = np.frombuffer(data, np.uint8).reshape(shape.height, -1)
    types = np.full(shape.height, kind, np.uint8)
    if kind == _ADAPTIVE:
        types, rows = rows[:, 0], rows[:, 1:]
        if types.max() >= _ADAPTIVE:
            raise DamagedError("the pixel data is damaged: a row has a filter that does not exist")
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


def _samples(rows: NDArray[np.uint8], shape: Shape) -> Samples:
    pixels = unpacked(rows, (shape.height, shape.width, shape.channels), _bits(shape))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.uint16)


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
        raise DamagedError("the pixel data is damaged: its length does not match the picture")
    return data
