"""What a file says of itself, read without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ridecodec.container import rdc
from ridecodec.container.modelfield import AUTO
from ridecodec.container.payload import side_place
from ridecodec.container.rdc import Container
from ridecodec.errors import DamagedError
from ridecodec.files import metadata
from ridecodec.files.inputs import DataLike, file_bytes
from ridecodec.tiles import parts
from ridecodec.tiles.forms.outline import outline


@dataclass(frozen=True)
class TileInfo:
    """One tile: where it is, and what it takes."""

    x: int
    y: int
    width: int
    height: int
    bytes: int
    bits_per_subpixel: float
    form: str | None
    """How it is coded: a model's name, or a form with those of its parts, as ``colours(graphics)``; None: damaged."""
    models: tuple[str, ...]
    """The models that take part in it."""
    side_bytes: int | None
    """Of them the side information: a label, a code, half the size, experts; None: damaged, or in forms."""
    part: str | None = None
    """What it is of a history: `source`, `places of exceptions` or `exceptions`; None: a tile of the picture."""


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
    history: str | None
    """What was done to the picture, in words, where it is coded by what was there before; None where it is not."""
    tiles: list[TileInfo]
    metadata: list[ChunkInfo]
    header_bytes: int
    metadata_bytes: int
    index_bytes: int
    total_bytes: int
    bpsp: float

    @property
    def forms(self) -> dict[str, int]:
        """How many tiles are of each form, the most frequent first; damaged ones are not counted."""
        return dict(Counter(tile.form for tile in self.tiles if tile.form is not None).most_common())

    @property
    def models(self) -> list[str]:
        """The models that take part in it."""
        return list(dict.fromkeys(model for tile in self.tiles for model in tile.models))

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return {**asdict(self), "models": self.models, "forms": self.forms}


def read_info(data: DataLike) -> Info:
    """Read the header, metadata and tile index of .rdc data (bytes, a binary file object or a path) without decoding.

    Raises `DamagedError` if the data is damaged or is not .rdc data, and `InputError` if the file cannot be read.
    """
    held = rdc.read(file_bytes(data))
    header = held.header
    return Info(
        header.width,
        header.height,
        header.colour.name,
        header.colour.channels,
        header.bit_depth,
        AUTO if held.history else header.model,
        header.model_hash.hex(),
        f"{header.samples_checksum:08x}",
        header.tile,
        history(held),
        list(tiles(held)),
        [ChunkInfo(c.kind.decode("ascii"), len(c.data), metadata.describe(c)) for c in held.metadata],
        held.header_bytes,
        held.metadata_bytes,
        held.index_bytes,
        held.total_bytes,
        8 * held.total_bytes / header.sub_pixels,
    )


def history(held: Container) -> str | None:
    """What was done to the picture of a file that was taken apart, in words; None where it is coded as it is."""
    return parts.read(held)[0].node.words if held.history else None


def tiles(held: Container) -> Iterator[TileInfo]:
    """The tiles of a file that was taken apart."""
    header = held.header
    if held.history:
        yield from _sources(held)
        return
    for number, (box, length) in enumerate(zip(header.boxes, held.lengths.tolist(), strict=True)):
        rate = 8 * length / (box.width * box.height * header.colour.channels)
        yield TileInfo(box.x, box.y, box.width, box.height, length, rate, *_coded(held, number))


def _sources(held: Container) -> Iterator[TileInfo]:
    """The parts of a history's source, without those that are empty."""
    named = [each for part in parts.read(held) for each in part.named]
    for number, (length, (word, box, channels, depth)) in enumerate(zip(held.lengths.tolist(), named, strict=True)):
        try:
            form, models = outline(held.payload(number), channels, depth) if length else (None, ())
        except DamagedError:
            form, models = None, ()
        if length:
            rate = 8 * length / (box.width * box.height * channels)
            yield TileInfo(box.x, box.y, box.width, box.height, length, rate, form, models, None, word)


def _coded(held: Container, tile: int) -> tuple[str | None, tuple[str, ...], int | None]:
    """Form, models and bytes of side information of a tile."""
    header = held.header
    known = (None, ()) if header.model == AUTO else (header.model, (header.model,))
    try:
        payload = held.payload(tile)
        if header.model == AUTO:
            return *outline(payload, header.colour.channels, header.bit_depth), None
        begin, end = side_place(payload)
    except DamagedError:
        return *known, None
    return *known, end - begin
