"""TGA files: pixels as they are stored, and what stands around them."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ridecodec.errors import InputError
from ridecodec.files.source import Source, gaps
from ridecodec.picture import Chunk, ColourType, Picture, check_pixels

_LAYOUT = "<BBBHHBHHHHBB"
_FOOTER = b"TRUEVISION-XFILE.\0"
_PALETTE, _COLOUR, _GRAY, _RUNS = 1, 2, 3, 8
_LONGEST_RUN = 128
_TYPES = {
    (_PALETTE, 8): ColourType.PALETTE,
    (_GRAY, 8): ColourType.GRAY,
    (_GRAY, 16): ColourType.GRAY_ALPHA,
    (_COLOUR, 24): ColourType.RGB,
    (_COLOUR, 32): ColourType.RGBA,
}


@dataclass(frozen=True)
class _Header:
    named: int
    mapped: int
    kind: int
    first: int
    entries: int
    entry_bits: int
    x: int
    y: int
    width: int
    height: int
    bits: int
    flags: int


def is_plain(start: bytes) -> bool:
    """Whether `read` takes a file that begins so; no signature tells that it is of this format, but Pillow does."""
    if len(start) < struct.calcsize(_LAYOUT):
        return False
    header = _Header(*struct.unpack_from(_LAYOUT, start))
    kind = (header.kind & ~_RUNS, header.bits)
    palette = header.entry_bits in (24, 32) and not header.first and 1 <= header.entries <= 256
    return kind in _TYPES and not header.flags & 0xC0 and header.mapped <= 1 and (kind[0] != _PALETTE or palette)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a TGA file that is a plain one (see `Source`)."""
    header = _Header(*struct.unpack(_LAYOUT, stream.read(struct.calcsize(_LAYOUT))))
    colour = _TYPES[header.kind & ~_RUNS, header.bits]
    if not header.width or not header.height:
        raise _damaged(f"it claims {header.width} x {header.height} pixels")
    check_pixels(header.width, header.height, max_pixels)
    name = stream.read(header.named)
    lost = ["its TGA description"] if name.strip(b"\0 ") else []
    chunks, more = _palette(stream, header, colour)
    lost += more
    begin, pixel = stream.tell(), header.bits // 8
    size = header.width * header.height * pixel
    if header.kind & _RUNS:
        data, used = _unpacked(stream.read(), size, pixel)
    else:
        data = stream.read(size)
        used = size
    if len(data) < size:
        raise _damaged("its pixels are cut short")
    samples = np.frombuffer(data, np.uint8).reshape(header.height, header.width, pixel)
    if pixel > 2:
        samples = samples[..., [2, 1, 0, 3][:pixel]]
    if not header.flags & 0x20:
        samples = samples[::-1]
    if header.flags & 0x10:
        samples = samples[:, ::-1]
    if header.x or header.y:
        lost.append("its place on a screen")
    if header.flags & 15 != (8 if colour in (ColourType.RGBA, ColourType.GRAY_ALPHA) else 0):
        lost.append("what its header says of alpha")
    around, notes = _around(stream, begin + used)
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1))
    return Source(Picture(planes, colour, 8, chunks), (*lost, *around), notes)


def _palette(stream: BinaryIO, header: _Header, colour: ColourType) -> tuple[tuple[Chunk, ...], list[str]]:
    size = header.entry_bits // 8
    if not header.mapped:
        if colour is ColourType.PALETTE:
            raise _damaged("it has no palette")
        return (), []
    data = stream.read(header.entries * ((header.entry_bits + 7) // 8))
    if colour is not ColourType.PALETTE:
        return (), ["its palette, which no pixel uses"] if data else []
    if len(data) < header.entries * size:
        raise _damaged("its palette is cut short")
    entries = np.frombuffer(data, np.uint8).reshape(-1, size)
    chunks = [Chunk(b"PLTE", entries[:, 2::-1].tobytes())]
    if size == 4:
        chunks.append(Chunk(b"tRNS", entries[:, 3].tobytes()))
    return tuple(chunks), []


def _unpacked(data: bytes, size: int, pixel: int) -> tuple[bytes, int]:
    """The pixels of run-length packets, and how many bytes these take."""
    if size > _LONGEST_RUN * len(data):
        raise _damaged("it claims more pixels than its bytes can hold")
    out, at = bytearray(), 0
    while len(out) < size:
        if at >= len(data):
            raise _damaged("its pixels are cut short")
        count = (data[at] & 127) + 1
        if data[at] & 128:
            out += data[at + 1 : at + 1 + pixel] * count
            at += 1 + pixel
        else:
            out += data[at + 1 : at + 1 + pixel * count]
            at += 1 + pixel * count
    if len(out) != size or at > len(data):
        raise _damaged("a run of its pixels leaves the picture")
    return bytes(out), at


def _around(stream: BinaryIO, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands behind the pixels: what of it is lost, and notes."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(end, size - 26))
    footer = stream.read()
    if len(footer) != 26 or not footer.endswith(_FOOTER):
        return gaps(stream, [(0, end)])
    extension, developer = struct.unpack_from("<II", footer)
    lost = (("its extension area",) if extension else ()) + (("its developer area",) if developer else ())
    return (lost, ()) if lost else gaps(stream, [(0, end), (size - 26, size)])


def _damaged(what: str) -> InputError:
    return InputError(f"the TGA data is damaged: {what}")
