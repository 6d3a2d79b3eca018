"""PCX files: Pillow drops the palette of those of two colours, and takes some that are cut short."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError
from ridecodec.files.palettes import is_ramp
from ridecodec.files.pngrows import unpacked
from ridecodec.files.source import Source, gaps
from ridecodec.picture import Chunk, ColourType, Picture, check_pixels

_HEADER = 128
_VERSIONS = (0, 2, 3, 4, 5)
_MARK = 12
"""Stands before a palette of 256 colours."""
_LONGEST_RUN = 63
_GRAY = 2
"""What the header says of a palette that means gray."""


def is_pcx(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return len(start) > 3 and start[0] == 10 and start[1] in _VERSIONS and start[2] <= 1 and start[3] in (1, 2, 4, 8)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a PCX file (see `Source`). What its header means depends on the program that wrote it, so it is partial."""
    head = stream.read(_HEADER)
    if len(head) < _HEADER:
        raise _damaged("its header is cut short")
    _, version, packed, bits, left, top, right, bottom = struct.unpack_from("<4B4H", head)
    planes, row_bytes, meaning = struct.unpack_from("<BHH", head, 65)
    width, height = right - left + 1, bottom - top + 1
    if width < 1 or height < 1:
        raise _damaged(f"it claims {width} x {height} pixels")
    check_pixels(width, height, max_pixels)
    if (bits, planes) not in ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 3), (1, 4), (8, 3)):
        raise InputError(f"PCX of {planes} planes of {bits} bits is not supported")
    if row_bytes * 8 < width * bits:
        raise _damaged("its rows are too short")
    data = stream.read()
    size = row_bytes * planes * height
    raw, used = _unpacked(data, size) if packed else (data[:size], size)
    if len(raw) < size:
        raise _damaged("its pixels are cut short")
    rows = np.frombuffer(raw, np.uint8).reshape(height * planes, row_bytes)
    stored = unpacked(rows[:, : (width * bits + 7) // 8], (height * planes, width), bits)
    samples = np.asarray(stored, np.uint8).reshape(height, planes, width).transpose(1, 0, 2)
    end = _HEADER + used
    if planes == 3 and bits == 8:
        picture = Picture(samples, ColourType.RGB)
    else:
        depth = bits * (4 if planes == 3 else planes)
        indices = sum((samples[plane] << plane for plane in range(planes)), np.zeros_like(samples[0]))
        palette, end = _colours(stream, head, version, depth, meaning, end)
        gray = palette is None
        chunks = () if palette is None else (Chunk(b"PLTE", palette.tobytes()),)
        picture = Picture(indices[None], ColourType.GRAY if gray else ColourType.PALETTE, depth, chunks)
    lost, notes = gaps(stream, [(0, end)])
    return Source(picture, lost, notes, partial="PCX files do not define their colours clearly")


def _colours(
    stream: BinaryIO, head: bytes, version: int, depth: int, meaning: int, end: int
) -> tuple[NDArray[np.uint8] | None, int]:
    """The palette, uint8 [entries, 3], or None where the samples are gray, and where the file ends."""
    if depth == 8:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(end, size - 769))
        tail = stream.read()
        if len(tail) == 769 and tail[0] == _MARK:
            palette = np.frombuffer(tail, np.uint8, offset=1).reshape(256, 3)
            return None if is_ramp(palette, 8) else palette, size
        if meaning == _GRAY:
            return None, end
        raise _damaged("its palette is missing")
    palette = np.frombuffer(head, np.uint8, 3 << depth, 16).reshape(-1, 3)
    plain = not palette.any() or version == 3
    if depth == 1 and (plain or palette.tolist() == [[0] * 3, [255] * 3]):
        return None, end
    if plain:
        raise InputError("PCX without a palette is not supported")
    return palette, end


def _unpacked(data: bytes, size: int) -> tuple[bytes, int]:
    """The bytes of run-length codes, and how many these take."""
    if size > _LONGEST_RUN * len(data):
        raise _damaged("it claims more pixels than its bytes can hold")
    out, at = bytearray(), 0
    while len(out) < size:
        if at >= len(data):
            raise _damaged("its pixels are cut short")
        count, value = 1, data[at]
        if value >= 0xC0:
            if at + 1 >= len(data):
                raise _damaged("its pixels are cut short")
            count, value, at = value & 63, data[at + 1], at + 1
        out += bytes([value]) * count
        at += 1
    return bytes(out[:size]), at


def _damaged(what: str) -> InputError:
    return InputError(f"the PCX data is damaged: {what}")
