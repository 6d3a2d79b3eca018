"""The structure of TIFF files, and of EXIF, which is one: directories of fields, read and written byte for byte."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from ridecodec.errors import InputError

EXIF, GPS, INTEROPERABILITY, SUB_IMAGES = 0x8769, 0x8825, 0xA005, 330
_BRANCHES = (EXIF, GPS, INTEROPERABILITY, 400)
"""Tags that point to a directory although they may have the type of a number."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, _IFD, LONG8, _IFD8 = 1, 2, 3, 4, 5, 7, 13, 16, 18
_CODES = {BYTE: "B", SHORT: "H", LONG: "I", RATIONAL: "I", 6: "b", 8: "h", 9: "i", _IFD: "I", LONG8: "Q", _IFD8: "Q"}
_NARROW = {LONG8: LONG, _IFD8: _IFD, 17: 9}
"""Types that only BigTIFF has, and those of the same meaning that every TIFF has."""
_DEEPEST = 4
_GAP = 16
"""Bytes between two structures that are taken for padding; so are zeros, however many."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class Field:
    """The values of a tag, as they stand in the file."""

    type: int
    count: int
    data: bytes

    def integers(self, order: str) -> tuple[int, ...]:
        """Its whole numbers (of a rational number two), none where it has no such type."""
        code = _CODES.get(self.type)
        return struct.unpack(f"{order}{len(self.data) // struct.calcsize(code)}{code}", self.data) if code else ()


@dataclass
class Directory:
    """Fields by their tags, and the directories that further tags point to; `order` is "<" or ">"."""

    order: str = "<"
    fields: dict[int, Field] = field(default_factory=dict)
    branches: dict[int, Directory] = field(default_factory=dict)

    def integers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag, none where there is no such tag."""
        return self.fields[tag].integers(self.order) if tag in self.fields else ()

    def put(self, tag: int, kind: int, *values: int) -> None:
        """Give a tag whole numbers (a rational number is two)."""
        data = struct.pack(f"{self.order}{len(values)}{_CODES[kind]}", *values)
        self.fields[tag] = Field(kind, len(values) // (2 if kind == RATIONAL else 1), data)


class TiffFile:
    """A TIFF structure in a stream that can seek, and an account of which of its bytes were used.

    Raises `InputError` where it is damaged; ``lost`` names what is damaged, or unknown, and can be done without.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        self._spans: list[tuple[int, int]] = []
        self._budget = 2 * self.size
        self.lost: list[str] = []
        self.order = {b"II": "<", b"MM": ">"}.get(self.take(0, 2), "")
        version = self._number(2, "H") if self.order else 0
        if version not in (42, 43):
            raise damaged("it has no TIFF signature")
        self.big = version == 43
        if self.big and self.take(4, 4) != struct.pack(f"{self.order}HH", 8, 0):
            raise damaged("its header is not valid")
        self._first = self._number(8, "Q") if self.big else self._number(4, "I")

    def take(self, start: int, length: int) -> bytes:
        """Some bytes, which thereby are used."""
        if start < 0 or length < 0 or start + length > self.size:
            raise damaged("it points outside of the file, or is cut short")
        self._stream.seek(start)
        data = self._stream.read(length)
        if len(data) < length:
            raise damaged("it is cut short")
        self._spans.append((start, start + length))
        return data

    def directories(self) -> Iterator[Directory]:
        """The directories of its pictures, read one by one."""
        at, seen = self._first, set[int]()
        while at:
            if at in seen:
                raise damaged("its directories form a loop")
            seen.add(at)
            found, at = self._directory(at, 0)
            yield found

    def unused(self) -> int:
        """Bytes that nothing points to, but for padding."""
        at, found = 0, 0
        for start, end in [*sorted(self._spans), (self.size, self.size)]:
            if start - at >= _GAP and self._says_something(at, start):
                found += start - at
            at = max(at, end)
        return found

    def _says_something(self, start: int, end: int) -> bool:
        self._stream.seek(start)
        return any(any(self._stream.read(min(_PIECE, end - at))) for at in range(start, end, _PIECE))

    def _number(self, at: int, code: str) -> int:
        value: int = struct.unpack(self.order + code, self.take(at, struct.calcsize(code)))[0]
        return value

    def _spend(self, length: int) -> None:
        """Many tags may point to the same bytes, and directories to one another: that has an end."""
        self._budget -= length
        if self._budget < 0:
            raise damaged("its tags claim more bytes than there are")

    def _directory(self, at: int, depth: int) -> tuple[Directory, int]:
        """The directory at an offset, and where the next one of its chain is (0: none)."""
        head, row, code, room = (8, 20, "HHQ", 8) if self.big else (2, 12, "HHI", 4)
        count = self._number(at, "Q" if self.big else "H")
        if count > 0xFFFF:
            raise damaged("a directory has more entries than there are tags")
        self._spend(count * row)
        rows = self.take(at + head, count * row)
        found = Directory(self.order)
        for start in range(0, count * row, row):
            tag, kind, values = struct.unpack_from(self.order + code, rows, start)
            inline = rows[start + row - room : start + row]
            if tag in found.fields or tag in found.branches:
                self.lost.append(f"its second TIFF tag {tag}")
                continue
            self._entry(found, tag, kind, values, inline, depth)
        return found, self._number(at + head + count * row, "Q" if self.big else "I")

    def _entry(self, found: Directory, tag: int, kind: int, count: int, inline: bytes, depth: int) -> None:
        length = _SIZES.get(kind, 0) * count
        if not length:
            if count:
                self.lost.append(f"its TIFF tag {tag}, which has a type that is not known ({kind})")
            return
        offset = int.from_bytes(inline, "little" if self.order == "<" else "big")
        if length > len(inline):
            if offset + length > self.size:
                self.lost.append(f"its TIFF tag {tag}, which points outside of the file")
                return
            self._spend(length)
            data = self.take(offset, length)
        else:
            data = inline[:length]
        value = Field(kind, count, data)
        if (tag in _BRANCHES or kind in (_IFD, _IFD8)) and tag != SUB_IMAGES:
            self._branch(found, tag, value.integers(self.order), depth)
        else:
            found.fields[tag] = value

    def _branch(self, found: Directory, tag: int, at: tuple[int, ...], depth: int) -> None:
        try:
            if len(at) != 1 or depth == _DEEPEST:
                raise damaged("it points to more directories than are known")
            found.branches[tag] = self._directory(at[0], depth + 1)[0]
        except InputError:
            if self._budget < 0:
                raise
            self.lost.append(f"the directory of its TIFF tag {tag}, which cannot be read")


def header(order: str, first: int, big: bool = False) -> bytes:
    """The first 8 bytes of a file, or 16 of a BigTIFF, whose directory is at ``first``."""
    start = b"II" if order == "<" else b"MM"
    return start + (struct.pack(f"{order}HHHQ", 43, 8, 0, first) if big else struct.pack(f"{order}HI", 42, first))


def serialised(directory: Directory, at: int, big: bool = False) -> bytes:
    """A directory as it stands at the even offset ``at`` of a file, its values and branches behind it.

    Raises `struct.error` where an offset has no room in a file that is no BigTIFF.
    """
    head, row, code, room = (8, 20, "HHQ", 8) if big else (2, 12, "HHI", 4)
    order, pointer = directory.order, "Q" if big else "I"
    tags = sorted({*directory.fields, *directory.branches})
    length = head + len(tags) * row + room
    rows, behind = [], bytearray(length % 2)
    for tag in tags:
        place = at + length + len(behind)
        value = directory.fields.get(tag)
        if value is None:
            kind = _IFD8 if big else LONG if tag in _BRANCHES else _IFD
            rows.append(struct.pack(order + code + pointer, tag, kind, 1, place))
            more = serialised(directory.branches[tag], place, big)
        elif len(value.data) <= room:
            rows.append(struct.pack(order + code, tag, value.type, value.count) + value.data.ljust(room, b"\0"))
            more = b""
        else:
            rows.append(struct.pack(order + code + pointer, tag, value.type, value.count, place))
            more = value.data
        behind += more + bytes(len(more) % 2)
    count = struct.pack(order + ("Q" if big else "H"), len(rows))
    return b"".join((count, *rows, bytes(room))) + behind


def read_exif(data: bytes) -> Directory:
    """The first directory of EXIF; `InputError` where it is damaged."""
    return next(TiffFile(io.BytesIO(data)).directories(), Directory())


def exif(directory: Directory) -> bytes:
    """A directory as EXIF."""
    return header(directory.order, 8) + serialised(directory, 8)


def narrowed(directory: Directory, lost: list[str]) -> Directory:
    """A directory without the types that only BigTIFF has; ``lost`` gets the names of what has no other type."""
    fields = {}
    for tag, value in directory.fields.items():
        if value.type not in _NARROW:
            fields[tag] = value
            continue
        try:
            made = Directory(directory.order)
            numbers = struct.unpack(f"{directory.order}{value.count}{'q' if value.type == 17 else 'Q'}", value.data)
            made.put(tag, _NARROW[value.type], *numbers)
            fields |= made.fields
        except struct.error:
            lost.append(f"its TIFF tag {tag}, of numbers of 64 bits")
    branches: Mapping[int, Directory] = directory.branches
    return Directory(directory.order, fields, {tag: narrowed(each, lost) for tag, each in branches.items()})


def damaged(what: str) -> InputError:
    """The error of a TIFF file that is damaged."""
    return InputError(f"the TIFF data is damaged: {what}")
