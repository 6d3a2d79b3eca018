"""The very bytes of a PNG file again, from its picture and a recipe of a few dozen bytes that says how it was packed.

A recipe is: flags (1: interlaced), the two bytes of the zlib header, level + 16 x strategy, memory level + 16 x (window
bits - 8), one byte each; the runs of equally long IDAT chunks (varints: how many runs, then length and count of each);
the filter types, as differences modulo 5 from those of the least sums, deflated, behind a varint with their length; the
bytes behind the IEND chunk; the CRC-32 of the file; the CRC-32 of the recipe up to here, both little-endian.
"""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError, OutputError
from ridecodec.files import metadata, pngfile
from ridecodec.files.pngfile import Header
from ridecodec.files.pngrows import FILTERS, Bytes
from ridecodec.picture import Chunk, Picture

_INTERLACED = 1
_PIECE = 1 << 16
_EFFORT = 1 << 25
"""Bytes that are packed, all trials together, before the search is given up; a few times those of a large picture."""
_LEVELS = ((0, 1), (2, 3, 4, 5), (6,), (7, 8, 9))
"""By the class of them that stands in a zlib stream's header; of the rarer strategies it is always the first."""


@dataclass(frozen=True)
class _Settings:
    """What zlib was told."""

    level: int
    memory: int
    window: int
    strategy: int

    def pack(self, raster: bytes) -> Iterator[bytes]:
        packer = zlib.compressobj(self.level, zlib.DEFLATED, -self.window, self.memory, self.strategy)
        for at in range(0, len(raster), _PIECE):
            yield packer.compress(raster[at : at + _PIECE])
        yield packer.flush()

    def wrong_after(self, raster: bytes, packed: bytes) -> int | None:
        """How much of `raster` shows that they pack it otherwise; None if they pack it like this."""
        at = 0
        for number, piece in enumerate(self.pack(raster)):
            if packed[at : at + len(piece)] != piece:
                return min((number + 1) * _PIECE, len(raster))
            at += len(piece)
        return None if at == len(packed) else len(raster)


@dataclass(frozen=True)
class _Recipe:
    interlaced: bool
    zlib_header: bytes
    settings: _Settings
    runs: list[tuple[int, int]]
    types: Bytes
    tail: bytes
    checksum: int


def record(png: bytes, picture: Picture) -> bytes:
    """A recipe from which `rebuild` makes the PNG file again.

    `picture` is what the file holds, with all its metadata.  Raises `InputError` where the file is damaged, and
    `OutputError`, which says why, where there is no recipe.
    """
    found = pngfile.scan(io.BytesIO(png))
    stream = b"".join(png[start : start + length] for start, length in found.pixels)
    unpacker = zlib.decompressobj()
    try:
        raster = unpacker.decompress(stream, found.header.raster_bytes + 1)
    except zlib.error:
        raise OutputError("its data is damaged after the last row") from None
    if not unpacker.eof or unpacker.unused_data or len(raster) != found.header.raster_bytes:
        raise OutputError("its packed data is longer or shorter than its pixels")
    types = _types(raster, found.header)
    if types.max() >= FILTERS or _raster(picture, found.header, types) != raster:
        raise OutputError("its rows have bits after the last pixel")
    settings = _settings(raster, stream)
    if settings is None:
        raise OutputError("it was not packed by a known version of zlib")
    runs = [(length, len(list(group))) for length, group in itertools.groupby(length for _, length in found.pixels)]
    tail = png[found.end :]
    recipe = _Recipe(found.header.interlaced, stream[:2], settings, runs, types, tail, zlib.crc32(png))
    if not all(length for length, _ in runs) or _file(picture, recipe) != png:
        raise OutputError("its chunks are not arranged in the usual way")
    return _written(recipe, _least(picture, found.header))


def with_recipe(picture: Picture, png: bytes) -> Picture:
    """The picture with the recipe of its file among its metadata; raises what `record` does."""
    return replace(picture, metadata=(Chunk(metadata.RECIPE, record(png, picture)), *picture.metadata))


def original(picture: Picture) -> bytes | None:
    """The PNG file that a picture with a recipe comes from, None without one; raises what `rebuild` does."""
    recipe = picture.chunk(metadata.RECIPE)
    if recipe is None:
        return None
    bare = tuple(chunk for chunk in picture.metadata if chunk.kind != metadata.RECIPE)
    return rebuild(replace(picture, metadata=bare), recipe)


def rebuild(picture: Picture, recipe: bytes) -> bytes:
    """The PNG file that a recipe was recorded of.

    Raises `DamagedError` where the recipe is damaged, and `OutputError` where the file would be another one: this
    machine's zlib packs otherwise, or the picture or its metadata was changed.
    """
    header = Header.of(picture)
    file = _file(picture, _read(recipe, picture, header))
    if file is None:
        raise OutputError("the exact file cannot be restored: this zlib packs differently, or the metadata was changed")
    return file


def _file(picture: Picture, recipe: _Recipe) -> bytes | None:
    """The file; None where it comes out otherwise."""
    header = Header.of(picture, recipe.interlaced)
    raster = _raster(picture, header, recipe.types)
    stream = recipe.zlib_header + b"".join(recipe.settings.pack(raster)) + zlib.adler32(raster).to_bytes(4, "big")
    if len(stream) != sum(length * count for length, count in recipe.runs):
        return None
    out = io.BytesIO()
    before, after = pngfile.parts(picture.metadata)
    if not all(pngfile.writable(chunk.kind) for chunk in (*before, *after)):
        return None
    out.write(pngfile.SIGNATURE + pngfile.framed(b"IHDR", header.data))
    out.writelines(pngfile.framed(chunk.kind, chunk.data) for chunk in before)
    at = 0
    for length, count in recipe.runs:
        for _ in range(count):
            out.write(pngfile.framed(b"IDAT", stream[at : at + length]))
            at += length
    out.writelines(pngfile.framed(chunk.kind, chunk.data) for chunk in after)
    out.write(pngfile.framed(b"IEND", b"") + recipe.tail)
    file = out.getvalue()
    return file if zlib.crc32(file) == recipe.checksum else None


def _raster(picture: Picture, header: Header, types: Bytes) -> bytes:
    return b"".join(rows.tobytes() for rows in pngfile.raster(picture, header, types))


def _types(raster: bytes, header: Header) -> Bytes:
    """The filter types of the rows of all passes."""
    at, found = 0, []
    for part in header.passes:
        size = part.height * (part.row_bytes + 1)
        found.append(np.frombuffer(raster, np.uint8, size, at)[:: part.row_bytes + 1])
        at += size
    return np.concatenate(found)


def _least(picture: Picture, header: Header) -> Bytes:
    """The filter types that most writers choose."""
    return np.concatenate([rows[:, 0] for rows in pngfile.raster(picture, header, None)])


def _settings(raster: bytes, stream: bytes) -> _Settings | None:
    """What zlib must be told to pack ``raster`` into ``stream``."""
    packed = stream[2:-4]
    effort = max(_EFFORT, 4 * len(raster))
    for settings in _candidates(stream):
        wrong_after = settings.wrong_after(raster, packed)
        if wrong_after is None:
            return settings
        effort -= wrong_after
        if effort < 0:
            break
    return None


def _candidates(stream: bytes) -> Iterator[_Settings]:
    """What zlib may have been told to begin ``stream`` like this, the likely first."""
    level_class = stream[1] >> 6
    plain = itertools.product((zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED), _LEVELS[level_class])
    others = [(zlib.Z_HUFFMAN_ONLY, 1), (zlib.Z_RLE, 1), *((zlib.Z_FIXED, level) for level in range(1, 10))]
    chosen = [*plain, *(others if level_class == 0 else ())]
    for memory, window in itertools.product((8, 9, 7, 6, 5, 4, 3, 2, 1), sorted({max(9, (stream[0] >> 4) + 8), 15})):
        for strategy, level in chosen:
            yield _Settings(level, memory, window, strategy)


def _written(recipe: _Recipe, least: Bytes) -> bytes:
    settings = recipe.settings
    differences = zlib.compress(((recipe.types + FILTERS - least) % FILTERS).tobytes(), 9)
    fields = [
        bytes((_INTERLACED * recipe.interlaced,)),
        recipe.zlib_header,
        bytes((settings.level | settings.strategy << 4, settings.memory | (settings.window - 8) << 4)),
        write_varint(len(recipe.runs)),
        *(write_varint(length) + write_varint(count) for length, count in recipe.runs),
        write_varint(len(differences)),
        differences,
        recipe.tail,
        recipe.checksum.to_bytes(4, "little"),
    ]
    data = b"".join(fields)
    return data + zlib.crc32(data).to_bytes(4, "little")


def _read(data: bytes, picture: Picture, header: Header) -> _Recipe:
    if zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:]:
        raise DamagedError("the recipe of the exact file is damaged: its checksum is wrong")
    part = "recipe of the exact file"
    reader = Reader(memoryview(data)[:-4])
    flags = reader.integer(1, part)
    zlib_header = bytes(reader.take(2, part))
    first, second = reader.integer(1, part), reader.integer(1, part)
    settings = _Settings(first & 15, second & 15, (second >> 4) + 8, first >> 4)
    runs = [(reader.varint(part), reader.varint(part)) for _ in range(reader.varint(part))]
    differences = bytes(reader.take(reader.varint(part), part))
    tail = bytes(reader.take(max(0, reader.left - 4), part))
    checksum = reader.integer(4, part)
    sensible = settings.level < 10 and 0 < settings.memory < 10 and 8 < settings.window < 16 and settings.strategy < 5
    if flags > _INTERLACED or not sensible or not all(length and count for length, count in runs):
        raise DamagedError("the recipe of the exact file is damaged: it has settings that do not exist")
    least = _least(picture, replace(header, interlaced=bool(flags)))
    unpacker = zlib.decompressobj()
    try:
        types = np.frombuffer(unpacker.decompress(differences, len(least) + 1), np.uint8)
    except zlib.error as error:
        raise DamagedError("the recipe of the exact file is damaged: its filters cannot be unpacked") from error
    if types.shape != least.shape or types.max() >= FILTERS:
        raise DamagedError("the recipe of the exact file is damaged: its filters do not fit the picture")
    return _Recipe(bool(flags), zlib_header, settings, runs, (types + least) % FILTERS, tail, checksum)
