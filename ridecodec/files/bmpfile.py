"""BMP files of all kinds, read exactly: Pillow drops alpha, profiles and bits, and takes some palettes for gray."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ridecodec.files import bmpheader, bmprows
from ridecodec.files.bmpheader import RGB, Header, damaged
from ridecodec.files.palettes import is_ramp
from ridecodec.files.source import Source, gaps
from ridecodec.picture import Chunk, ColourType, Picture, check_pixels

_FILE_HEADER = 14
_FOURTH = 0xFF000000
_INTENT = 64
"""Where a profile says for which intent it is."""


def is_bmp(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in bmpheader.SIZES


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a BMP file (see `Source`).

    A fourth byte of 32-bit pixels that no mask names is alpha, unless it is 0 everywhere.  Channels of fewer than 8
    bits are scaled to 8, those of more to 16, and an sBIT chunk says how many they were.
    """
    head = stream.read(_FILE_HEADER)
    header = bmpheader.parse(stream, _FILE_HEADER)
    check_pixels(header.width, header.height, max_pixels)
    begin = int.from_bytes(head[10:14], "little")
    if begin < header.palette_end:
        raise damaged("its pixels start inside its header")
    found, end = pixels(stream, header, begin)
    lost = found.lost + (("the reserved fields of its header",) if any(head[6:10]) else ())
    chunks = header.chunks
    at, length = header.profile
    if length:
        if at + length > stream.seek(0, io.SEEK_END) or begin - length < at < end or at < header.palette_end:
            raise damaged("its profile is not at the position in its header")
        stream.seek(at)
        profile = stream.read(length)
        chunks = (Chunk(b"ICC ", profile), *chunks)
        if header.intent != int.from_bytes(profile[_INTENT : _INTENT + 4], "big"):
            lost += ("the rendering intent of its profile",)
    more, notes = gaps(stream, [(0, header.palette_end), (begin, end), (at, at + length)])
    picture = replace(found.picture, metadata=(*chunks, *found.picture.metadata))
    return Source(picture, lost + more, found.notes + notes)


def pixels(stream: BinaryIO, header: Header, begin: int) -> tuple[Source, int]:
    """The pixels that begin at ``begin``, with the palette that they need, and where they end."""
    entries = _palette(stream, header)
    decode = _indexed if header.bits <= 8 else _coloured
    source, end = decode(stream, header, begin, entries)
    return replace(source, lost=header.lost + source.lost), end


def _palette(stream: BinaryIO, header: Header) -> NDArray[np.uint8]:
    """The palette as it is stored, uint8 [entries, 3 or 4], blue first."""
    stream.seek(header.end)
    data = stream.read(header.entries * header.entry_bytes)
    if len(data) < header.entries * header.entry_bytes:
        raise damaged("its palette is cut short")
    return np.frombuffer(data, np.uint8).reshape(-1, header.entry_bytes)


def _indexed(stream: BinaryIO, header: Header, begin: int, entries: NDArray[np.uint8]) -> tuple[Source, int]:
    lost, notes = list[str](), list[str]()
    if header.compression == RGB:
        samples, end, clean = bmprows.indices(stream, header, begin)
        lost += [] if clean else ["the bits between its rows"]
    else:
        stream.seek(begin)
        samples, used, whole = bmprows.run_lengths(stream.read(), header)
        end = begin + used
        notes += [] if whole else ["pixels that it skips have the first colour of its palette"]
    if entries[:, 3:].any():
        lost.append("the fourth bytes of its palette")
    most = 1 << header.bits
    if entries[most:].any():
        lost.append("the colours of its palette that no pixel can have")
    elif len(entries) > most:
        notes.append(f"its palette of {len(entries)} entries is cut to {most}, as the others are 0")
    palette = entries[:most, 2::-1]
    if is_ramp(palette, header.bits):
        return Source(Picture(samples[None], ColourType.GRAY, header.bits), tuple(lost), tuple(notes)), end
    chunks = (Chunk(b"PLTE", palette.tobytes()),)
    return Source(Picture(samples[None], ColourType.PALETTE, header.bits, chunks), tuple(lost), tuple(notes)), end


def _coloured(stream: BinaryIO, header: Header, begin: int, entries: NDArray[np.uint8]) -> tuple[Source, int]:
    lost, notes = list[str](), list[str]()
    samples, end, clean, covered = bmprows.channels(stream, header, begin)
    if not covered and header.compression == RGB and header.bits == 32:
        header = replace(header, masks=(*header.masks[:3], _FOURTH))
        samples, end, clean, covered = bmprows.channels(stream, header, begin)
        notes.append("the fourth bytes of its pixels are taken as alpha")
    lost += [] if clean else ["the bits between its rows"]
    lost += [] if covered else ["the bits of its pixels that are of no channel"]
    lost += ["the palette that it suggests"] if len(entries) else []
    depth = 8 * samples.itemsize
    bits = [mask.bit_count() for mask in header.masks[: samples.shape[2]]]
    chunks = () if set(bits) == {depth} else (Chunk(b"sBIT", bytes(bits)),)
    colour = ColourType.RGBA if samples.shape[2] == 4 else ColourType.RGB
    return Source(Picture(samples.transpose(2, 0, 1), colour, depth, chunks), tuple(lost), tuple(notes)), end
