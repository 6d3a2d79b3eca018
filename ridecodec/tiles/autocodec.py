"""Pictures of every type to .rdc data and back, each tile in the form that is cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container import rdc
from ridecodec.container.modelfield import AUTO
from ridecodec.container.rdc import Container, Header
from ridecodec.engines.tilecoder import TileCodec, decode_tiles
from ridecodec.errors import DamagedError, UsageError
from ridecodec.models import registry
from ridecodec.models.registry import ModelCard
from ridecodec.picture import CODING_ORDER, Chunk, ColourType, Picture
from ridecodec.tiles.ahead import Ahead
from ridecodec.tiles.forms import choosing, reading
from ridecodec.tiles.forms.choosing import ALONE, Chooser, Chosen, Load
from ridecodec.tiles.forms.part import Request, Samples, Shape
from ridecodec.tiles.forms.rows import Rows
from ridecodec.tiles.parallel import Creep, Meter, batches, encoders, spread
from ridecodec.tiles.progress import Progress

TILE = 1024
_PIXELS_AT_ONCE, _TILES_AT_ONCE = 1 << 24, 1 << 12
"""Pixels and tiles that are decoded before they are put in place."""


def encode(
    picture: Picture,
    *,
    device: str,
    threads: int,
    tile: int,
    progress: Callable[[Progress], None] | None = None,
    ahead: Ahead | None = None,
) -> bytes:
    """The .rdc data of a picture: of a model alone where that codes all tiles, else of several forms."""
    card = registry.current(AUTO)
    load = loader(card, registry.pick_device(device), ahead)
    tile = side(tile)
    boxes = rdc.tile_boxes(picture.width, picture.height, tile)
    meter = Meter(progress, picture.width * picture.height, picture.channels)
    palette = palette_of(picture.colour, picture.metadata)

    def chooser(box: Box, tick: Callable[[], None]) -> Chooser:
        shape = shape_of(picture.colour, picture.bit_depth, box, palette)
        return Chooser(coding_part(picture, box), shape, load, tick)

    def alone(box: Box, member: int) -> bytes:
        return chooser(box, partial(meter.tick, 0, 0.0)).alone(member)

    def work(box: Box) -> Chosen:
        creep = Creep(meter, box.width * box.height)
        chosen = chooser(box, creep.beat).choose()
        creep.finish(8.0 * len(chosen.payload))
        return chosen

    at_once = encoders(load(0), boxes[0].width * boxes[0].height, threads)
    chosen = spread(work, boxes, at_once, meter)
    header = Header(
        picture.width,
        picture.height,
        picture.colour,
        picture.bit_depth,
        AUTO,
        bytes.fromhex(card.hash),
        picture.checksum(),
        tile if len(boxes) > 1 else 0,
    )
    found = [rdc.write(header, picture.metadata, [each.payload for each in chosen])]
    if picture.bit_depth == 8 and picture.colour in (ColourType.GRAY, ColourType.RGB):
        for member, (name, hash4) in enumerate(card.members):
            payloads = _alone(member, chosen, [partial(alone, box, member) for box in boxes])
            if payloads is not None:
                plain = replace(header, model=name, model_hash=bytes.fromhex(hash4))
                found.append(rdc.write(plain, picture.metadata, payloads))
    if len(boxes) > 1:
        found += _untiled(picture, header, min(map(len, found)))
    return min(found, key=len)


def certain(picture: Picture, load: Load, tile: int) -> Iterator[tuple[TileCodec, NDArray[np.uint8]]]:
    """What a small picture of one tile is coded by for certain, and the tiles of its forms."""
    if max(picture.width, picture.height) > side(tile):
        return
    whole = Box(0, 0, picture.width, picture.height)
    shape = shape_of(picture.colour, picture.bit_depth, whole, palette_of(picture.colour, picture.metadata))
    for member, planes in choosing.certain(coding_part(picture, whole), shape):
        yield load(member), planes


def side(tile: int) -> int:
    """The side of the tiles where ``tile`` is asked for, 0 for the default; UsageError where it is too large."""
    if not 0 <= tile <= TileCodec.largest_tile:
        raise UsageError(f"a tile size of {tile} is out of range; choose 1 to {TileCodec.largest_tile}")
    return tile or TILE


def _alone(member: int, chosen: list[Chosen], code: list[Callable[[], bytes]]) -> list[bytes] | None:
    """The payloads of all tiles by one model, where they may be the shortest; ``code`` gives what is not known yet."""
    known = [each.alone(member) for each in chosen]
    if member not in ALONE and None in known:
        return None
    least = sum(
        len(each.payload) + 1 if payload is None else len(payload) for each, payload in zip(chosen, known, strict=True)
    )
    if least > sum(len(each.payload) for each in chosen):
        return None
    return [payload if payload is not None else make() for payload, make in zip(known, code, strict=True)]


def _untiled(picture: Picture, header: Header, most: int) -> list[bytes]:
    """Files of one tile, by a general coder: what repeats far away is no tile's."""
    whole = Box(0, 0, picture.width, picture.height)
    shape = shape_of(picture.colour, picture.bit_depth, whole, palette_of(picture.colour, picture.metadata))
    rows = Rows(coding_part(picture, whole), shape)
    if rows.least > most:
        return []
    return [rdc.write(replace(header, tile=0), picture.metadata, [rows.encode(most)])]


def loader(card: ModelCard, device: str, ahead: Ahead | None = None) -> Load:
    """Gives the backend of a member of the bundle; one that knows what was coded ``ahead``."""

    def load(member: int) -> TileCodec:
        name, hash4 = card.members[member]
        backend = registry.load(registry.find(name, bytes.fromhex(hash4)), device)
        return backend if ahead is None else ahead.of(backend)

    return load


def coding_part(picture: Picture, box: Box) -> Samples:
    """A tile's samples in coding order."""
    part = picture.planes[:, box.y : box.y + box.height, box.x : box.x + box.width]
    return np.ascontiguousarray(part[CODING_ORDER[picture.channels]], np.uint16)


def palette_of(colour: ColourType, metadata: Sequence[Chunk]) -> NDArray[np.uint8] | None:
    """What indices stand for, [entries, 3], where a picture has nothing but indices."""
    if colour is not ColourType.PALETTE:
        return None
    found = next((chunk.data for chunk in metadata if chunk.kind == b"PLTE"), b"")
    return np.frombuffer(found[: len(found) // 3 * 3], np.uint8).reshape(-1, 3)[: 1 << 8]


def shape_of(colour: ColourType, depth: int, box: Box, palette: NDArray[np.uint8] | None) -> Shape:
    """Of a tile."""
    return Shape(colour.channels, box.height, box.width, 1 << depth, palette)


def decode(
    held: Container,
    tiles: Sequence[int],
    place: Callable[[int, Samples], None],
    *,
    device: str,
    threads: int,
    meter: Meter,
) -> None:
    """Give ``place`` the samples [C, H, W] of tiles, channels as in the picture; raises DamagedError.

    What the tiles want of the same model is decoded together.
    """
    header = held.header
    palette = palette_of(header.colour, held.metadata)
    at_once = at_a_time(header.boxes[0].width * header.boxes[0].height)
    for first in range(0, len(tiles), at_once):
        parts = {
            tile: (held.payload(tile), shape_of(header.colour, header.bit_depth, header.boxes[tile], palette))
            for tile in tiles[first : first + at_once]
        }
        decode_parts(parts, place, header.model_hash, device=device, threads=threads, meter=meter)


def at_a_time(pixels: int) -> int:
    """How many tiles of so many pixels are decoded before they are put in place."""
    return max(1, min(_TILES_AT_ONCE, _PIXELS_AT_ONCE // pixels))


def decode_parts(
    parts: Mapping[int, tuple[bytes | memoryview, Shape]],
    place: Callable[[int, Samples], None],
    model_hash: bytes,
    *,
    device: str,
    threads: int,
    meter: Meter,
) -> None:
    """Give ``place`` the samples [C, H, W] of payloads in forms, by number; raises DamagedError."""
    load = loader(registry.find(AUTO, model_hash), registry.pick_device(device))
    going = {number: reading.decode(payload, shape) for number, (payload, shape) in parts.items()}
    answers: dict[int, NDArray[np.uint8] | None] = dict.fromkeys(going)
    while answers:
        wanted: dict[int, Request] = {}
        for number, answer in answers.items():
            try:
                wanted[number] = going[number].send(answer) if answer is not None else next(going[number])
            except StopIteration as end:
                place(number, end.value[np.argsort(CODING_ORDER[len(end.value)])])
        answers = dict(_answered(wanted, load, threads, meter))


def _answered(
    wanted: dict[int, Request], load: Load, threads: int, meter: Meter
) -> Iterable[tuple[int, NDArray[np.uint8]]]:
    for member in sorted({request.member for request in wanted.values()}):
        backend = load(member)
        asked = {tile: request for tile, request in wanted.items() if request.member == member}
        if any(max(request.height, request.width) > backend.largest_tile for request in asked.values()):
            raise DamagedError(
                f"the header is damaged: its tiles have more than {backend.largest_tile} pixels per side"
            )

        def work(
            batch: list[int], backend: TileCodec = backend, asked: dict[int, Request] = asked
        ) -> list[tuple[int, NDArray[np.uint8]]]:
            first = asked[batch[0]]
            share = first.share

            def tick(pixels: int, bits: float) -> None:
                meter.tick(round(pixels * share), bits)

            payloads = [asked[tile].payload for tile in batch]
            planes = decode_tiles(backend, payloads, first.channels, first.height, first.width, tick)
            return list(zip(batch, planes, strict=True))

        shapes = {tile: (request.channels, request.height, request.width) for tile, request in asked.items()}
        groups, at_once = batches(backend, shapes, threads)
        for found in spread(work, groups, at_once, meter):
            yield from found
