"""The bytes of an .rdca file: many pictures in one file, each to be had alone; docs/format.md specifies them.

A picture is stored as in a file of its own, but what pictures have in common is stored once: models, metadata, and
*kinds*, which are headers without a checksum. As in an .rdc file, nothing that is read is trusted, and nothing here
needs a model.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.container import chunks, modelfield, rdc
from ridecodec.container.rdc import METADATA_FLAG, TILED_FLAG, TYPES, Container, Header, checksum, type_code
from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError, InputError, UsageError

MAGIC = b"\x92RA"
VERSION = 1
MOST_NAMES = 1 << 24
"""Bytes of all names together, unpacked."""
_ENTRY = 5
_HASH = 4

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Kind:
    """What a picture can share with others: its header, with 0 as checksum, and its metadata as a file has it."""

    header: Header
    section: bytes


@dataclass(frozen=True, eq=False)
class Archive:
    """An archive taken apart. Pictures have the order of the file, and are numbered from 0."""

    names: tuple[str, ...]
    kinds: Sequence[Kind]
    """Of every picture."""
    lengths: NDArray[np.int64]
    """Bytes of each picture."""
    checksums: NDArray[np.uint32]
    """Of the samples: what `Picture.checksum` gives."""
    header_bytes: int
    """With models and kinds."""
    metadata_bytes: int
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
        return sum(kind.header.sub_pixels for kind in self.kinds)

    @property
    def models(self) -> tuple[tuple[str, bytes], ...]:
        """Name and hash of each model that pictures are coded with; one for pictures with and without a history."""
        headers = [kind.header for kind in self.kinds]
        names = (modelfield.AUTO if each.model == modelfield.HISTORY else each.model for each in headers)
        return tuple(dict.fromkeys(zip(names, (each.model_hash for each in headers), strict=True)))

    def picture(self, number: int) -> Container:
        """A picture as if taken from a file of its own; raises DamagedError."""
        start = int(self._offsets[number])
        kind = self.kinds[number]
        header = replace(kind.header, samples_checksum=int(self.checksums[number]))
        body = self._data[start : start + int(self.lengths[number])]
        return rdc.inside(header, chunks.read(memoryview(kind.section)), body)

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
        raise InputError(
            f"{name!r} cannot be the name of a picture in an archive: it is empty or contains control characters"
        )


def write(names: Sequence[str], pictures: Sequence[Container]) -> bytes:
    """The file that `read` takes apart, of pictures taken from files of their own.

    ValueError where the names are not unique or not as many as the pictures.
    """
    if not names or len(pictures) != len(names):
        raise ValueError("an archive has at least one picture, and one name a picture")
    if len(set(names)) != len(names) or any("\n" in name for name in names):
        raise ValueError("the names of an archive are unique and have no line breaks")
    packed = {metadata: chunks.write(metadata) for metadata in {held.metadata for held in pictures}}
    every = [Kind(replace(held.header, samples_checksum=0), packed[held.metadata]) for held in pictures]
    kinds = _numbered(every)
    models = _numbered((kind.header.model, kind.header.model_hash) for kind in kinds)
    sections = _numbered(kind.section for kind in kinds if kind.section)
    head = [MAGIC, bytes((VERSION,)), *map(write_varint, (len(names), len(models), len(sections), len(kinds)))]
    head += [modelfield.write(model) + model_hash for model, model_hash in models]
    head += [write_varint(len(section)) + section for section in sections]
    head += [_write_kind(kind, models, sections) for kind in kinds]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    listed = packer.compress("\n".join(names).encode()) + packer.flush()
    head += [write_varint(len(listed)), listed]
    named = 1 < len(kinds) < len(names)
    bodies = [held.body for held in pictures]
    for held, kind, body in zip(pictures, every, bodies, strict=True):
        head += [write_varint(kinds[kind])] if named else []
        head += [write_varint(len(body)), held.header.samples_checksum.to_bytes(4, "little")]
    start = b"".join(head)
    return b"".join((start, checksum(start), *bodies))


def read(data: bytes | memoryview) -> Archive:
    """Take an archive apart without copying it, and check all of it but the pictures.

    Raises DamagedError naming the part that is wrong, and ModelMissingError for a model without a known number.
    """
    view = memoryview(data).cast("B")
    reader = Reader(view)
    if bytes(reader.take(len(MAGIC), "header")) != MAGIC:
        raise DamagedError("not an .rdca file")
    version = reader.integer(1, "header")
    if version != VERSION:
        raise DamagedError(f"the archive has format version {version}, which needs a newer ridecodec")
    count, *parts = (reader.varint("header") for _ in range(4))
    if not 0 < count <= reader.left // _ENTRY or max(parts) > count or not parts[0] or not parts[2]:
        raise DamagedError("the header is damaged: it claims more pictures than the file can hold")
    fields = [(modelfield.take(reader), bytes(reader.take(_HASH, "header"))) for _ in range(parts[0])]
    before = reader.position
    sections = [bytes(reader.take(reader.varint("metadata"), "metadata")) for _ in range(parts[1])]
    metadata_bytes = reader.position - before
    models = [(modelfield.name(*field), model_hash) for field, model_hash in fields]
    kinds = [_read_kind(reader, models, sections) for _ in range(parts[2])]
    header_bytes = reader.position - metadata_bytes
    names = _read_names(reader.take(reader.varint("names"), "names"), count)
    names_bytes = reader.position - header_bytes - metadata_bytes
    which, lengths, checksums = _read_index(reader, count, len(kinds))
    check = zlib.crc32(view[: reader.position])
    if reader.integer(4, "index") != check:
        raise DamagedError("the header or the index is damaged: their checksum is wrong")
    index_bytes = reader.position - header_bytes - metadata_bytes - names_bytes
    if int(lengths.sum()) != reader.left:
        raise DamagedError("the pixel data is cut short, or there are bytes after its end")
    every = [kinds[number] for number in which]
    for kind, length in zip(every, lengths.tolist(), strict=True):
        tiled = kind.header.tile and kind.header.model != modelfield.HISTORY
        if tiled and len(kind.header.boxes) > length // _ENTRY:
            raise DamagedError("the header is damaged: a picture has more tiles than bytes for them")
        rdc.check_size(kind.header, length)
    offsets = reader.position + np.cumsum(lengths) - lengths
    sizes = (header_bytes, metadata_bytes, names_bytes, index_bytes)
    return Archive(names, every, lengths, checksums, *sizes, offsets, view)


def _numbered(found: Iterable[K]) -> dict[K, int]:
    """Numbers of different things, in their order."""
    return {each: number for number, each in enumerate(dict.fromkeys(found))}


def _write_kind(kind: Kind, models: dict[tuple[str, bytes], int], sections: dict[bytes, int]) -> bytes:
    header = kind.header
    flags = type_code(header.colour, header.bit_depth)
    flags |= TILED_FLAG * bool(header.tile) | METADATA_FLAG * bool(kind.section)
    fields = [models[header.model, header.model_hash], header.width, header.height]
    fields += [header.tile] if header.tile else []
    fields += [sections[kind.section]] if kind.section else []
    return bytes((flags,)) + b"".join(map(write_varint, fields))


def _read_kind(reader: Reader, models: list[tuple[str, bytes]], sections: list[bytes]) -> Kind:
    flags = reader.integer(1, "header")
    model, width, height = (reader.varint("header") for _ in range(3))
    tile = reader.varint("header") if flags & TILED_FLAG else 0
    section = reader.varint("header") if flags & METADATA_FLAG else None
    code = flags & ~(TILED_FLAG | METADATA_FLAG)
    if code not in TYPES or not width or not height or model >= len(models):
        raise DamagedError("the header is damaged: it claims a type, size or model that does not exist")
    if flags & TILED_FLAG and not 0 < tile < max(width, height):
        raise DamagedError("the header is damaged: its tile size is not valid")
    if section is not None and (section >= len(sections) or not sections[section]):
        raise DamagedError("the header is damaged: it claims metadata that does not exist")
    header = Header(width, height, *TYPES[code], *models[model], 0, tile)
    return Kind(header, b"" if section is None else sections[section])


def _read_index(reader: Reader, count: int, kinds: int) -> tuple[list[int], NDArray[np.int64], NDArray[np.uint32]]:
    """Of every picture its kind, its bytes and the checksum of its samples."""
    named = 1 < kinds < count
    which = [0] * count if kinds == 1 else list(range(count))
    lengths, checksums = np.empty(count, np.int64), np.empty(count, np.uint32)
    for number in range(count):
        if named:
            which[number] = reader.varint("index")
        lengths[number] = reader.varint("index")
        checksums[number] = reader.integer(4, "index")
    if max(which) >= kinds:
        raise DamagedError("the index is damaged: a picture is of a kind that does not exist")
    return which, lengths, checksums


def _read_names(packed: memoryview, count: int) -> tuple[str, ...]:
    unpacker = zlib.decompressobj(-15)
    try:
        text = unpacker.decompress(packed, MOST_NAMES).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise DamagedError(f"the names are damaged ({error})") from error
    fits = unpacker.eof and not unpacker.unused_data and text.count("\n") == count - 1
    names = tuple(text.split("\n")) if fits else ()
    if len(set(names)) != count:
        raise DamagedError("the names are damaged: their number does not match the pictures, or two are the same")
    return names
