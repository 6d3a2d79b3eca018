"""The bytes of an .rdca file: many pictures in one file, each to be had alone; docs/format.md specifies them.

As in an .rdc file, nothing that is read is trusted, and nothing here needs a model.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec import modelfield
from ridecodec.container import (
    MIN_BITS,
    TILE_SLACK_BITS,
    TYPES,
    checksum,
    type_code,
)
from ridecodec.errors import DamagedError, InputError, UsageError
from ridecodec.picture import ColourType
from ridecodec.reader import Reader
from ridecodec.varint import write_varint

MAGIC = b"\x92RA"
VERSION = 1
MOST_NAMES = 1 << 24
"""Bytes of all names together, unpacked."""
_ENTRY = 5
_ALIKE = 1


@dataclass(frozen=True)
class Shape:
    """Size and type of a picture."""

    width: int
    height: int
    colour: ColourType
    bit_depth: int

    @property
    def sub_pixels(self) -> int:
        """Samples."""
        return self.width * self.height * self.colour.channels


@dataclass(frozen=True, eq=False)
class Archive:
    """An archive taken apart. Pictures have the order of the file."""

    model: str
    model_hash: bytes
    names: tuple[str, ...]
    shapes: Sequence[Shape]
    """One a picture; the same one for all, where they are alike."""
    lengths: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    """Of the samples: what `Picture.checksum` gives."""
    header_bytes: int
    names_bytes: int
    index_bytes: int
    _offsets: NDArray[np.int64]
    _data: memoryview

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self._data)

    @property
    def sub_pixels(self) -> int:
        """Samples of all pictures."""
        return sum(shape.sub_pixels for shape in self.shapes)

    def payload(self, number: int) -> bytes:
        """The coded bytes of a picture."""
        start = int(self._offsets[number])
        return bytes(self._data[start : start + int(self.lengths[number])])

    def numbers(self, names: Sequence[str]) -> list[int]:
        """Where pictures of these names are; UsageError for a name that is not there."""
        places = {name: number for number, name in enumerate(self.names)}
        for name in names:
            if name not in places:
                raise UsageError(f"there is no picture {name!r} in the archive")
        return [places[name] for name in names]


def is_archive(data: bytes | memoryview) -> bool:
    """Whether these bytes begin like an archive."""
    return bytes(data[: len(MAGIC)]) == MAGIC


def check_name(name: str) -> None:
    """InputError where no picture of an archive can have this name."""
    if not name or "\n" in name or not name.isprintable():
        raise InputError(f"{name!r} cannot be the name of a picture in an archive: it is empty or has odd characters")


def write(
    model: str,
    model_hash: bytes,
    names: Sequence[str],
    shapes: Sequence[Shape],
    checksums: Sequence[int],
    payloads: Sequence[bytes],
) -> bytes:
    """The file that `read` takes apart. ValueError where the names are not unique or the lists differ in length."""
    count = len(names)
    if not count or not len(shapes) == len(checksums) == len(payloads) == count:
        raise ValueError("an archive has one name, shape, checksum and payload a picture, and a picture at least")
    if len(set(names)) != count or any("\n" in name for name in names):
        raise ValueError("the names of an archive are unique and have no line breaks")
    alike = len(set(shapes)) == 1
    head = MAGIC + bytes((VERSION, _ALIKE if alike else 0)) + modelfield.write(model) + model_hash + write_varint(count)
    head += b"".join(_shape(shape) for shape in (shapes[:1] if alike else shapes))
    packed = zlib.compress("\n".join(names).encode(), 9)
    head += write_varint(len(packed)) + packed
    head += b"".join(
        write_varint(len(payload)) + samples.to_bytes(4, "little")
        for payload, samples in zip(payloads, checksums, strict=True)
    )
    return b"".join((head, checksum(head), *payloads))


def read(data: bytes | memoryview) -> Archive:
    """Take an archive apart without copying it, and check all of it but the pictures.

    Raises DamagedError naming the part that is wrong, and ModelMissingError for a model without a known number.
    """
    view = memoryview(data).cast("B")
    reader = Reader(view)
    if bytes(reader.take(len(MAGIC), "header")) != MAGIC:
        raise DamagedError("this is no .rdca file")
    version, flags = reader.integer(1, "header"), reader.integer(1, "header")
    if version != VERSION:
        raise DamagedError(f"the archive has format version {version}, which needs a newer ridecodec")
    model = modelfield.take(reader)
    model_hash = bytes(reader.take(4, "header"))
    count = reader.varint("header")
    if flags > _ALIKE or not 0 < count <= reader.left // _ENTRY:
        raise DamagedError("the header is damaged: it claims pictures that there is no room for")
    shapes = [_read_shape(reader) for _ in range(1 if flags & _ALIKE else count)]
    header_bytes = reader.position
    names = _read_names(reader.take(reader.varint("names"), "names"), count)
    names_bytes = reader.position - header_bytes
    lengths, checksums = np.empty(count, np.int64), np.empty(count, np.uint32)
    for number in range(count):
        lengths[number] = reader.varint("index")
        checksums[number] = reader.integer(4, "index")
    check = zlib.crc32(view[: reader.position])
    if reader.integer(4, "index") != check:
        raise DamagedError("the header or the index is damaged: their checksum is wrong")
    index_bytes = reader.position - header_bytes - names_bytes
    if int(lengths.sum()) != reader.left:
        raise DamagedError("the pixel data is cut short, or there are bytes after its end")
    shapes = shapes * count if flags & _ALIKE else shapes
    for shape, length in zip(shapes, lengths.tolist(), strict=True):
        if length * 8 + TILE_SLACK_BITS < shape.sub_pixels * MIN_BITS:
            raise DamagedError("the header is damaged: it claims more pixels than the file's bytes can hold")
    offsets = reader.position + np.cumsum(lengths) - lengths
    return Archive(
        modelfield.name(*model),
        model_hash,
        names,
        shapes,
        lengths,
        checksums,
        header_bytes,
        names_bytes,
        index_bytes,
        offsets,
        view,
    )


def _shape(shape: Shape) -> bytes:
    return bytes((type_code(shape.colour, shape.bit_depth),)) + write_varint(shape.width) + write_varint(shape.height)


def _read_shape(reader: Reader) -> Shape:
    code = reader.integer(1, "header")
    width, height = reader.varint("header"), reader.varint("header")
    if code not in TYPES or not width or not height:
        raise DamagedError("the header is damaged: it claims a type or size of picture that there is not")
    return Shape(width, height, *TYPES[code])


def _read_names(packed: memoryview, count: int) -> tuple[str, ...]:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MOST_NAMES).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise DamagedError(f"the names are damaged ({error})") from error
    fits = unpacker.eof and not unpacker.unused_data and text.count("\n") == count - 1
    names = tuple(text.split("\n")) if fits else ()
    if len(set(names)) != count:
        raise DamagedError("the names are damaged: there are not as many as pictures, or two are the same")
    return names
