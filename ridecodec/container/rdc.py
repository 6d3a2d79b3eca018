"""The bytes of an .rdc file, written and read without any model; docs/format.md specifies them.

Nothing that is read is trusted: every length is held against the bytes that are there before memory is taken for it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container import chunks, modelfield
from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.picture import Chunk, ColourType

MAGIC = b"\x92RD"
VERSION = 1
MIN_BITS = 2 * math.log2(2**24 / (2**24 - 15))
"""The least that a sample costs: two steps of 16 symbols each, of which the other 15 keep a probability of 2^-24."""

_DEPTHS = (8, 1, 2, 4, 16)
TYPES = {colour | _DEPTHS.index(depth) << 3: (colour, depth) for colour in ColourType for depth in colour.depths}
METADATA_FLAG = 1 << 6
TILED_FLAG = 1 << 7
TILE_SLACK_BITS = 64
LARGEST_TILE = 1 << 11
"""Largest side of a tile: bounds the memory that a file can make a decoder take, and what an encoder needs."""
_INDEX_ENTRY = 5
_LONGEST_HEADER = 128
_PIECE = 1 << 20


class TileBoxes(Sequence[Box]):
    """The tiles of a picture in the order of the file: rows of squares, clipped at the right and at the bottom.

    Boxes are computed when asked for, as a file can claim any number of them.
    """

    def __init__(self, width: int, height: int, tile: int) -> None:
        """Cut `width` x `height` pixels into squares of `tile` (0: all is one tile)."""
        self._width, self._height = width, height
        self._side = tile or max(width, height)
        self.columns = -(-width // self._side)
        self.rows = -(-height // self._side)

    def __len__(self) -> int:
        return self.columns * self.rows

    def covering(self, area: Box) -> list[int]:
        """The tiles that have a pixel of `area`, which is not empty."""
        right, bottom = min(area.x + area.width, self._width) - 1, min(area.y + area.height, self._height) - 1
        across = range(area.x // self._side, right // self._side + 1)
        down = range(area.y // self._side, bottom // self._side + 1)
        return [row * self.columns + column for row in down for column in across]

    @overload
    def __getitem__(self, index: int) -> Box: ...
    @overload
    def __getitem__(self, index: slice) -> list[Box]: ...
    def __getitem__(self, index: int | slice) -> Box | list[Box]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"tile {index} of {len(self)}")
        row, column = divmod(index % len(self), self.columns)
        x, y = column * self._side, row * self._side
        return Box(x, y, min(self._side, self._width - x), min(self._side, self._height - y))


def tile_boxes(width: int, height: int, tile: int) -> TileBoxes:
    """Return the boxes of the tiles of a picture, in the order of the file; `tile` 0 means that all is one tile."""
    return TileBoxes(width, height, tile)


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before any sample.

    `model_hash` is the first four bytes of the model's content hash, `samples_checksum` what `Picture.checksum` gives,
    and `tile` the side of the square tiles, or 0 if the picture is one tile.
    """

    width: int
    height: int
    colour: ColourType
    bit_depth: int
    model: str
    model_hash: bytes
    samples_checksum: int
    tile: int = 0

    @property
    def boxes(self) -> TileBoxes:
        """The tiles of the picture, in the order of the file."""
        return tile_boxes(self.width, self.height, self.tile)

    @property
    def sub_pixels(self) -> int:
        """Samples of the picture."""
        return self.width * self.height * self.colour.channels

    @property
    def indexed(self) -> bool:
        """Whether an index tells the payloads apart, not the header alone: there are several tiles, or a history."""
        return bool(self.tile) or self.model == modelfield.HISTORY


@dataclass(frozen=True, eq=False)
class Container:
    """A file taken apart: `lengths`, int64 [payloads], are the bytes of each tile, or of each part of a source.

    `history` says what was done to the picture, empty where nothing was. The four sizes in bytes and the lengths add up
    to the file: `header_bytes` (its check included), `metadata_bytes`, `index_bytes` (the payload's checksum if there
    is one tile; the history included).
    """

    header: Header
    metadata: tuple[Chunk, ...]
    history: bytes
    lengths: NDArray[np.int64]
    header_bytes: int
    metadata_bytes: int
    index_bytes: int
    _checksums: NDArray[np.uint32]
    _offsets: NDArray[np.int64]
    _data: memoryview

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self._data)

    @property
    def body(self) -> memoryview:
        """What `inside` takes."""
        before = self.header_bytes + self.metadata_bytes
        return self._data[before if self.header.indexed else before + self.index_bytes :]

    def check(self) -> None:
        """Raise `DamagedError`, naming the first tile whose checksum is wrong, as in a file that is cut short."""
        for tile in range(len(self.lengths)):
            self.payload(tile)

    def payload(self, tile: int) -> memoryview:
        """Return the coded bytes of a tile; raise `DamagedError`, naming the tile, if its checksum is wrong."""
        start = int(self._offsets[tile])
        payload = self._data[start : start + int(self.lengths[tile])]
        if zlib.crc32(payload) != self._checksums[tile]:
            if not self.header.indexed:
                raise DamagedError("the pixel data is damaged or cut short: its checksum is wrong")
            if self.history:
                raise DamagedError(f"part {tile} of the pixel data is damaged: its checksum is wrong")
            box = self.header.boxes[tile]
            raise DamagedError(f"tile {tile} (at {box.x},{box.y}) is damaged: its checksum is wrong")
        return payload


def write(header: Header, metadata: Sequence[Chunk], payloads: Sequence[bytes], history: bytes = b"") -> bytes:
    """Return the file that `read` takes apart; `payloads` has the coded bytes of each tile of `header.boxes`.

    With a `history`, they are those of the parts of its source. A tile size that the whole picture fits into is written
    as 0.  Raises `ValueError` for what the format cannot hold.
    """
    if bool(history) != (header.model == modelfield.HISTORY):
        raise ValueError(f"a history and the model {header.model!r} do not go together")
    if not history and len(payloads) != len(header.boxes):
        raise ValueError(f"{len(payloads)} payloads for {len(header.boxes)} tiles")
    if len(header.boxes) == 1:
        header = replace(header, tile=0)
    section = chunks.write(metadata)
    head = _write_header(header, section)
    if header.indexed:
        index = write_varint(len(history)) + history + write_varint(len(payloads)) if history else b""
        index += b"".join(write_varint(len(payload)) + checksum(payload) for payload in payloads)
        index += checksum(index)
    else:
        index = checksum(payloads[0])
    return b"".join((head, section, index, *payloads))


def read(data: bytes | memoryview) -> Container:
    """Take a file apart without copying it, and check all of it but the tiles (see `Container.payload`).

    Raises `DamagedError` naming the part that is wrong, and `ModelMissingError` for a model without a known number.
    """
    view = memoryview(data).cast("B")
    reader = Reader(view)
    header, metadata_bytes, metadata_checksum = _read_header(reader)
    header_bytes = reader.position
    metadata = _read_metadata(reader.take(metadata_bytes, "metadata"), metadata_checksum)
    history, lengths, checksums = _read_index(reader, header)
    index_bytes = reader.position - header_bytes - metadata_bytes
    offsets = reader.position + np.cumsum(lengths) - lengths
    check_size(header, reader.left)
    sizes = (header_bytes, metadata_bytes, index_bytes)
    return Container(header, metadata, history, lengths, *sizes, checksums, offsets, view)


def check_size(header: Header, size: int) -> None:
    """Raise `DamagedError` where payloads of `size` bytes cannot hold so many pixels."""
    if size * 8 + len(header.boxes) * TILE_SLACK_BITS < header.sub_pixels * MIN_BITS:
        raise DamagedError("the header is damaged: it claims more pixels than the file's bytes can hold")


def inside(header: Header, metadata: tuple[Chunk, ...], body: memoryview) -> Container:
    """A picture inside an archive; raises `DamagedError`.

    `body` is what follows the metadata in a file of its own, but without the checksum of a single tile's payload.
    """
    reader = Reader(body)
    if header.indexed:
        history, lengths, checksums = _read_index(reader, header)
    else:
        history, lengths, checksums = b"", np.array([len(body)], np.int64), np.array([zlib.crc32(body)], np.uint32)
    offsets = reader.position + np.cumsum(lengths) - lengths
    return Container(header, metadata, history, lengths, 0, 0, reader.position, checksums, offsets, body)


def read_header(stream: BinaryIO) -> Header:
    """Return the header of the file that ``stream`` is at the start of; raises what `read` does."""
    return _read_header(Reader(memoryview(stream.read(_LONGEST_HEADER))))[0]


def read_head(stream: BinaryIO) -> tuple[Header, tuple[Chunk, ...]]:
    """Return the header and the metadata of the file that `stream` is at the start of; what follows is not looked at.

    Raises what `read` does.
    """
    start = stream.read(_LONGEST_HEADER)
    reader = Reader(memoryview(start))
    header, size, checksum = _read_header(reader)
    section = bytearray(start[reader.position : reader.position + size])
    while len(section) < size and (piece := stream.read(min(_PIECE, size - len(section)))):
        section += piece
    return header, _read_metadata(Reader(memoryview(section)).take(size, "metadata"), checksum)


def _read_header(reader: Reader) -> tuple[Header, int, int]:
    """Return the header, and the length and checksum of the metadata."""
    if reader.data[: len(MAGIC)] != MAGIC:
        raise DamagedError("not an .rdc file")
    reader.take(len(MAGIC), "header")
    version = reader.integer(1, "header")
    if version != VERSION:
        raise DamagedError(f"the file has format version {version}, which needs a newer ridecodec")
    flags = reader.integer(1, "header")
    width, height = reader.varint("header"), reader.varint("header")
    model_field = modelfield.take(reader)
    model_hash = bytes(reader.take(4, "header"))
    samples_checksum = reader.integer(4, "header")
    tile = reader.varint("header") if flags & TILED_FLAG else 0
    metadata_bytes = reader.varint("header") if flags & METADATA_FLAG else 0
    metadata_checksum = reader.integer(4, "header") if flags & METADATA_FLAG else 0
    check = zlib.crc32(reader.data[: reader.position]) & 0xFFFF
    if reader.integer(2, "header") != check:
        raise DamagedError("the header is damaged: its check is wrong")

    code = flags & ~(METADATA_FLAG | TILED_FLAG)
    if code not in TYPES:
        raise DamagedError("the header is damaged: it claims a picture type that does not exist")
    colour, bit_depth = TYPES[code]
    if not width or not height:
        raise DamagedError("the header is damaged: it claims a picture without pixels")
    if flags & TILED_FLAG and not 0 < tile < max(width, height):
        raise DamagedError("the header is damaged: its tile size is not valid")
    if flags & METADATA_FLAG and not metadata_bytes:
        raise DamagedError("the header is damaged: it claims metadata without bytes")
    header = Header(width, height, colour, bit_depth, modelfield.name(*model_field), model_hash, samples_checksum, tile)
    return header, metadata_bytes, metadata_checksum


def _read_metadata(section: memoryview, checksum: int) -> tuple[Chunk, ...]:
    if section and zlib.crc32(section) != checksum:
        raise DamagedError("the metadata is damaged: its checksum is wrong")
    return chunks.read(section)


def _read_index(reader: Reader, header: Header) -> tuple[bytes, NDArray[np.int64], NDArray[np.uint32]]:
    """Return the history, and the length and the checksum of each payload; the lengths add up to the bytes left."""
    if not header.indexed:
        checksum = reader.integer(4, "pixel data")
        return b"", np.array([reader.left], np.int64), np.array([checksum], np.uint32)
    start = reader.position
    history, count = b"", len(header.boxes)
    if header.model == modelfield.HISTORY:
        history, count = bytes(reader.take(reader.varint("history"), "history")), reader.varint("tile index")
        if not history or not count:
            raise DamagedError("the history is damaged: it is empty")
    if count > reader.left // _INDEX_ENTRY:
        raise DamagedError("the tile index is damaged: there are more tiles than bytes for them")
    lengths, checksums = np.empty(count, np.int64), np.empty(count, np.uint32)
    for tile in range(count):
        lengths[tile] = reader.varint("tile index")
        checksums[tile] = reader.integer(4, "tile index")
    check = zlib.crc32(reader.data[start : reader.position])
    if reader.integer(4, "tile index") != check:
        raise DamagedError("the tile index is damaged: its checksum is wrong")
    total = int(lengths.sum())
    if total > reader.left:
        raise DamagedError("the pixel data is cut short")
    if total < reader.left:
        raise DamagedError("there are bytes after the end of the pixel data")
    return history, lengths, checksums


def _write_header(header: Header, section: bytes) -> bytes:
    if not header.width or not header.height or len(header.model_hash) != 4:
        raise ValueError(f"not a header that can be written: {header}")
    flags = type_code(header.colour, header.bit_depth)
    fields = [
        write_varint(header.width),
        write_varint(header.height),
        modelfield.write(header.model),
        header.model_hash,
    ]
    fields.append(header.samples_checksum.to_bytes(4, "little"))
    if header.tile:
        flags |= TILED_FLAG
        fields.append(write_varint(header.tile))
    if section:
        flags |= METADATA_FLAG
        fields.append(write_varint(len(section)) + checksum(section))
    head = MAGIC + bytes((VERSION, flags)) + b"".join(fields)
    return head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")


def type_code(colour: ColourType, bit_depth: int) -> int:
    """The byte that says a picture's type; ValueError where there is no such type."""
    if bit_depth not in colour.depths:
        raise ValueError(f"there is no {colour.name} picture of {bit_depth} bits")
    return colour | _DEPTHS.index(bit_depth) << 3


def checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")
