"""What a file says of itself, read without a model."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ridecodec import container
from ridecodec.container import Container
from ridecodec.errors import DamagedError, InputError
from ridecodec.formats import metadata
from ridecodec.modelfield import AUTO
from ridecodec.payload import side_place


@dataclass(frozen=True)
class TileInfo:
    """One tile: where it is, and what it takes."""

    x: int
    y: int
    width: int
    height: int
    bytes: int
    bits_per_subpixel: float
    side_bytes: int | None
    """Of them the side information: a label, a code, half the size, experts; None: damaged, or in forms."""


@dataclass(frozen=True)
class ChunkInfo:
    """One metadata chunk: its kind, its bytes, and what it is and says in words."""

    kind: str
    bytes: int
    words: str


@dataclass(frozen=True)
class Info:
    """A file's header, and its bytes by part. Rates are bits per sub-pixel; ``tile`` 0 means one tile."""

    width: int
    height: int
    colour: str
    channels: int
    bit_depth: int
    model: str
    model_hash: str
    samples_checksum: str
    tile: int
    tiles: list[TileInfo]
    metadata: list[ChunkInfo]
    header_bytes: int
    metadata_bytes: int
    index_bytes: int
    total_bytes: int
    bpsp: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


def file_bytes(data: bytes | str | os.PathLike[str]) -> bytes:
    """The data itself, or that of the file at a path; InputError where it cannot be read."""
    if not isinstance(data, (str, os.PathLike)):
        return data
    try:
        return Path(data).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})") from error


def read_info(data: bytes | str | os.PathLike[str]) -> Info:
    """What .rdc data, or the file at a path, says of itself; nothing is decoded.

    Raises DamagedError where it is damaged or no .rdc data, InputError where the file cannot be read.
    """
    held = container.read(file_bytes(data))
    header = held.header
    tiles = []
    for number, (box, length) in enumerate(zip(header.boxes, held.lengths.tolist(), strict=True)):
        rate = 8 * length / (box.width * box.height * header.colour.channels)
        tiles.append(TileInfo(box.x, box.y, box.width, box.height, length, rate, _side_bytes(held, number)))
    return Info(
        header.width,
        header.height,
        header.colour.name,
        header.colour.channels,
        header.bit_depth,
        header.model,
        header.model_hash.hex(),
        f"{header.samples_checksum:08x}",
        header.tile,
        tiles,
        [ChunkInfo(c.kind.decode("ascii"), len(c.data), metadata.describe(c)) for c in held.metadata],
        held.header_bytes,
        held.metadata_bytes,
        held.index_bytes,
        held.total_bytes,
        8 * held.total_bytes / header.sub_pixels,
    )


def _side_bytes(held: Container, tile: int) -> int | None:
    if held.header.model == AUTO:
        return None
    try:
        begin, end = side_place(held.payload(tile))
    except DamagedError:
        return None
    return end - begin
