"""JPEG 2000 files of plain components: boxes and markers are walked here; Pillow unpacks the pixels."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.files import metadata, pilfiles
from ridecodec.files.source import Source, behind
from ridecodec.picture import Chunk

_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_START, _SIZE, _TILE, _DATA, _END, _COMMENT = 0xFF4F, 0xFF51, 0xFF90, 0xFF93, 0xFFD9, 0xFF64
_REGISTRATION = 0xFF63
_GRAY, _SRGB = 17, 16
"""Colour spaces, as a colour box numbers them."""
_DEPTHS = {(1, 8), (1, 16), (3, 8)}
"""Components and bits of what Pillow unpacks exactly."""


def is_jp2(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith((_SIGNATURE, b"\xff\x4f\xff\x51"))


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a JPEG 2000 file (see `Source`): unsigned gray of 8 or 16 bits, or RGB of 8; of others only the pixels."""
    walk = _Walk(stream)
    end = stream.seek(0, io.SEEK_END)
    if walk.at(0, 2) == b"\xff\x4f":
        end = walk.codestream(0, end)
    else:
        walk.boxes(0, end)
    if not walk.components:
        raise _damaged("it has no pixels")
    stream.seek(0)
    found = pilfiles.read(stream, max_pixels)
    if walk.odd:
        return found
    said = [chunk for chunk in found.picture.metadata if chunk.kind == b"pHYs"]
    if walk.resolution and not said:
        walk.lost.append("its resolution")
    picture = replace(found.picture, metadata=(*walk.first, *said, *walk.others))
    return Source(picture, (*dict.fromkeys(walk.lost), *behind(stream, end)))


class _Walk:
    """What boxes and markers say; ``odd``: that the pixels are no plain ones."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.components = 0
        self.odd = self.resolution = False
        self.first = list[Chunk]()
        self.others = list[Chunk]()
        self.lost = list[str]()
        self._size = (0, 0, 0)
        self._claimed: tuple[int, int, int] | None = None
        self._coloured = False

    def at(self, place: int, count: int) -> bytes:
        """Bytes at a place of the file."""
        self.stream.seek(place)
        data = self.stream.read(count)
        if len(data) < count:
            raise _damaged("it is cut short")
        return data

    def boxes(self, begin: int, end: int, inside: bool = False) -> None:
        """Go through the boxes of the file, or of its header (``inside``)."""
        while begin < end:
            head = self.at(begin, 8)
            length, kind, start = int.from_bytes(head[:4], "big"), head[4:], begin + 8
            if length == 1:
                length, start = int.from_bytes(self.at(start, 8), "big"), begin + 16
            stop = begin + length if length else end
            if stop > end or stop < start:
                raise _damaged("one of its boxes is cut short")
            if kind == b"jp2h" and not inside:
                self.boxes(start, stop, inside=True)
            elif kind == b"jp2c" and not inside and not self.components:
                if self.codestream(start, stop) != stop:
                    self.lost.append("the bytes after its codestream")
            elif kind == b"ihdr" and inside:
                height, width, components = struct.unpack(">IIH", self.at(start, 10))
                self._claimed = (width, height, components)
            elif kind == b"colr" and inside and not self._coloured:
                self._colour(self.at(start, stop - start))
            elif kind == b"res " and inside:
                self.resolution = True
                self.lost += [] if self.at(start + 4, 4) == b"resc" and stop - start == 18 else ["its resolution"]
            elif inside:  # palettes, alpha, depths that differ
                self.odd = True
            elif kind not in (b"jP  ", b"ftyp"):
                self.lost.append("its further boxes")
            begin = stop
        if self._claimed not in (None, self._size) and not inside:
            raise _damaged("its header does not fit its pixels")

    def _colour(self, data: bytes) -> None:
        self._coloured = True
        method, space = data[:1], int.from_bytes(data[3:7], "big")
        components = self._claimed[2] if self._claimed else 0
        if method == b"\1":
            self.odd |= (components, space) not in ((1, _GRAY), (3, _SRGB))
        elif method == b"\2":
            self.odd |= (components, data[19:23]) not in ((1, b"GRAY"), (3, b"RGB "))
            self.first.append(Chunk(b"ICC ", data[3:]))
        else:
            self.odd = True

    def codestream(self, begin: int, end: int) -> int:
        """Go through the markers of a codestream, and return where it ends."""
        place, tiles, wanted = begin + 2, dict[int, list[int]](), 0
        while (marker := int.from_bytes(self.at(place, 2), "big")) != _END:
            length = int.from_bytes(self.at(place + 2, 2), "big")
            data = self.at(place + 4, max(0, length - 2))
            if marker == _SIZE:
                wanted = self._pixels(data)
            elif marker == _COMMENT:
                self._comment(data)
            elif marker == _REGISTRATION:
                self.odd = True
            elif marker == _TILE:
                tile, whole, _, parts = struct.unpack(">HIBB", data.ljust(8, b"\0")[:8])
                stop = place + whole if whole else end - 2
                if not place + 12 < stop <= end - 2:
                    raise _damaged("its pixels are cut short")
                tiles.setdefault(tile, []).append(parts)
                place = stop
                continue
            elif marker < 0xFF00:
                raise _damaged("one of its markers is not valid")
            place += 2 + length
        if not wanted or set(tiles) != set(range(wanted)):
            raise _damaged("some of its tiles are missing")
        if any(max(parts) not in (0, len(parts)) for parts in tiles.values()):
            raise _damaged("parts of its tiles are missing")
        return place + 2

    def _pixels(self, data: bytes) -> int:
        """What the first marker says of the pixels: how many tiles there are."""
        if len(data) < 36:
            raise _damaged("its header is cut short")
        right, bottom, left, top, *tile, components = struct.unpack_from(">8IH", data, 2)
        depths = data[36:]
        if not components or len(depths) != 3 * components or min(tile[:2]) < 1 or left >= right or top >= bottom:
            raise _damaged("its header is not valid")
        if any(depth & 0x80 for depth in depths[::3]):
            raise InputError("JPEG 2000 of signed samples is not supported")
        self.components = components
        self._size = (right - left, bottom - top, components)
        plain = set(zip(depths[::3], depths[1::3], depths[2::3], strict=True)) == {(depths[0], 1, 1)}
        self.odd |= not plain or (components, depths[0] + 1) not in _DEPTHS or bool(left or top)
        columns, rows = -(-(right - tile[2]) // tile[0]), -(-(bottom - tile[3]) // tile[1])
        return columns * rows if columns * rows < 1 << 16 else 0

    def _comment(self, data: bytes) -> None:
        chunk = metadata.text_chunk("Comment", data[2:].decode("latin-1")) if data[:2] == b"\0\1" else None
        if chunk is not None:
            self.others.append(chunk)
        else:
            self.lost.append("a comment that is not text")


def _damaged(what: str) -> InputError:
    return InputError(f"the JPEG 2000 data is damaged: {what}")
