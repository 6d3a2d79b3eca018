"""The chunks of PNG files: what there is, taken apart and checked, and put together."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ridecodec.errors import InputError, OutputError
from ridecodec.files.pngrows import Pass, passes
from ridecodec.picture import MAX_PIXELS, MOST_CHUNKS, Chunk, ColourType, Picture, check_pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARK = Chunk(b"IDAT", b"")
"""Stands in the metadata where the pixels stood, if chunks follow them."""

_COLOURS = (ColourType.GRAY, ColourType.RGB, ColourType.PALETTE, ColourType.GRAY_ALPHA, ColourType.RGBA)
_DEFLATE_LIMIT = 1032
_END = b"\0\0\0\0IEND\xaeB`\x82"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Header:
    """What the IHDR chunk says."""

    width: int
    height: int
    colour: ColourType
    bit_depth: int
    interlaced: bool = False

    @classmethod
    def of(cls, picture: Picture, interlaced: bool = False) -> Header:
        """The header of a picture; `OutputError` for a type that PNG does not have."""
        if picture.colour not in _COLOURS:
            raise OutputError(f"PNG cannot hold {picture.colour.words} pictures")
        return cls(picture.width, picture.height, picture.colour, picture.bit_depth, interlaced)

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """The header of the chunk's data; `InputError` where it makes no sense."""
        if len(data) != 13:
            raise damaged("its header is missing or wrong")
        width, height, depth, colour, compression, filtering, interlaced = struct.unpack(">IIBBBBB", data)
        if not 0 < width < 2**31 or not 0 < height < 2**31:
            raise damaged(f"its header is missing or wrong: it claims {width} x {height} pixels")
        if colour not in _COLOURS:
            raise damaged(f"there is no colour type {colour}")
        if depth not in ColourType(colour).depths:
            raise damaged(f"there are no {ColourType(colour).words} pictures of {depth} bits")
        if compression or filtering or interlaced > 1:
            raise damaged("its header names a method of compression, filtering or interlacing that does not exist")
        return cls(width, height, ColourType(colour), depth, bool(interlaced))

    @property
    def bpp(self) -> int:
        """Bytes a pixel, 1 if it has fewer bits: how far back the filters of rows look."""
        return max(1, self.bit_depth * self.colour.channels // 8)

    @property
    def passes(self) -> list[Pass]:
        """The passes that the rows are stored in."""
        return passes(self.width, self.height, self.bit_depth * self.colour.channels, self.interlaced)

    @property
    def raster_bytes(self) -> int:
        """Bytes of all rows, filter types included."""
        return sum(part.height * (part.row_bytes + 1) for part in self.passes)

    @property
    def data(self) -> bytes:
        """The data of the IHDR chunk."""
        return struct.pack(">IIBBBBB", self.width, self.height, self.bit_depth, self.colour, 0, 0, self.interlaced)


@dataclass(frozen=True)
class Scan:
    """The chunks of a file: all but IHDR, IDAT and IEND are in `metadata`, and `MARK` where more follow the IDATs.

    `pixels` says where the data of each IDAT chunk begins and how long it is; `end` is the byte behind IEND, or of the
    file where it is not `ended`.  `lost` names the chunks that are left out, as other readers do.
    """

    header: Header
    metadata: tuple[Chunk, ...]
    pixels: Sequence[tuple[int, int]]
    end: int
    ended: bool
    lost: tuple[str, ...]


def scan(stream: BinaryIO, max_pixels: int = MAX_PIXELS) -> Scan:
    """Check the chunks of a PNG file, with their checksums; `stream` is at its signature and can seek.

    Raises `InputError` where a chunk that is needed is damaged, missing or unknown, where there are several frames, or
    more pixels than `max_pixels` or than the bytes could give.
    """
    if stream.read(8) != SIGNATURE:
        raise damaged("its signature is wrong, as after a transfer in text mode")
    first = _read_chunk(stream)
    if first.kind == b"CgBI":
        raise InputError("Apple's variant of PNG (CgBI, made by Xcode) is not supported; convert it back to PNG first")
    if first.kind != b"IHDR" or first.wrong:
        raise damaged(first.wrong or "its header is missing or wrong")
    header = Header.parse(first.data)
    check_pixels(header.width, header.height, max_pixels)
    metadata: list[Chunk] = []
    pixels: list[tuple[int, int]] = []
    lost: list[str] = []
    previous = first.kind
    while True:
        start = stream.tell() + 8
        if pixels and _no_more(stream):
            kind = b""
            break
        found = _read_chunk(stream)
        kind = found.kind
        if found.wrong and not found.ancillary:
            raise damaged(found.wrong)
        if kind == b"IEND":
            lost += ["the bytes in its IEND chunk"] if found.data else []
            break
        if kind == b"IDAT":
            if pixels and previous != b"IDAT":
                raise damaged("another chunk is between the chunks of its pixels")
            pixels.append((start, stream.tell() - 4 - start))
        else:
            if previous == b"IDAT":
                metadata.append(MARK)
            if found.wrong:
                lost.append(f"a chunk ({found.wrong})")
            else:
                _check_chunk(kind, found.data, metadata)
                metadata.append(Chunk(kind, found.data))
            if len(metadata) + len(lost) > MOST_CHUNKS:
                raise InputError(f"has more than {MOST_CHUNKS} chunks of metadata")
        previous = kind
    if not pixels:
        raise damaged("it has no pixels (no IDAT chunk)")
    if header.raster_bytes > _DEFLATE_LIMIT * sum(length for _, length in pixels):
        raise damaged("it claims more pixels than its bytes can hold")
    if metadata and metadata[-1] == MARK:
        metadata.pop()
    return Scan(header, tuple(metadata), pixels, stream.tell(), kind == b"IEND", tuple(lost))


def framed(kind: bytes, data: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")


def parts(metadata: Sequence[Chunk]) -> tuple[Sequence[Chunk], Sequence[Chunk]]:
    """The chunks that stand before the pixels, and those behind."""
    middle = metadata.index(MARK) if MARK in metadata else len(metadata)
    return metadata[:middle], metadata[middle + 1 :]


@dataclass(frozen=True)
class _Read:
    """A chunk as it was read; `wrong` says what is wrong with its name or its checksum."""

    kind: bytes
    data: bytes
    wrong: str = ""

    @property
    def ancillary(self) -> bool:
        """Whether readers can do without it."""
        return self.kind[:1].isalpha() and self.kind[:1].islower()


def _no_more(stream: BinaryIO) -> bool:
    """Whether a file ends here, or within its last chunk; it goes on where it was, or at its end."""
    at = stream.tell()
    tail = stream.read(len(_END))
    if not stream.read(1) and len(tail) < len(_END) and _END.startswith(tail):
        return True
    stream.seek(at)
    return False


def _read_chunk(stream: BinaryIO) -> _Read:
    """The next chunk; the data of IDAT chunks is only checked."""
    head = stream.read(8)
    length, kind = int.from_bytes(head[:4], "big"), head[4:]
    name = "".join(chr(byte) if 0x20 < byte < 0x7F else "?" for byte in kind)
    if len(head) < 8:
        raise damaged("it is cut short")
    if length >= 2**31:
        raise damaged(f"the length of the chunk {name} is wrong")
    checksum, left, kept = zlib.crc32(kind), length, []
    while left:
        data = stream.read(min(left, _PIECE))
        if not data:
            raise damaged(f"it is cut short in the chunk {name}")
        checksum = zlib.crc32(data, checksum)
        left -= len(data)
        if kind != b"IDAT":
            kept.append(data)
    found = stream.read(4)
    if len(found) < 4:
        raise damaged("it is cut short")
    wrong = "" if found == checksum.to_bytes(4, "big") else f"the checksum of the chunk {name} is wrong"
    return _Read(kind, b"".join(kept), wrong if kind.isalpha() else f"the chunk {name} has no valid name")


def _check_chunk(kind: bytes, data: bytes, before: Sequence[Chunk]) -> None:
    """Refuse what a reader must understand and does not, and animations of several frames."""
    name = kind.decode("ascii")
    if kind[:1].isupper() and kind != b"PLTE":
        raise damaged(f"it has a second header, or an unknown critical chunk {name}")
    if kind == b"PLTE" and any(chunk.kind == kind for chunk in before):
        raise damaged("it has two palettes")
    frames = int.from_bytes(data[:4], "big") if kind == b"acTL" else 1
    if frames > 1 or (kind == b"fdAT" and not any(chunk.kind == b"acTL" for chunk in before)):
        raise InputError("a picture of several frames (an animated PNG) is not supported")


def damaged(what: str) -> InputError:
    """The error of a PNG file that is damaged."""
    return InputError(f"the PNG data is damaged: {what}")
