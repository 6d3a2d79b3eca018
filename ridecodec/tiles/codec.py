"""Pictures to .rdc data and back: plans the tiles, picks the backend, spreads the work, checks the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container import rdc
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.rdc import Container, Header
from ridecodec.engines.tilecoder import EncodedTile, TileCodec, decode_halves, decode_tiles, encode_tile
from ridecodec.errors import DamagedError, UsageError, VerificationError
from ridecodec.models import registry
from ridecodec.picture import MAX_PIXELS, Picture, Samples, check_pixels
from ridecodec.tiles import autocodec, precheck
from ridecodec.tiles.ahead import Ahead
from ridecodec.tiles.parallel import Meter, batches, encoders, spread
from ridecodec.tiles.precheck import CODED, coding_channels
from ridecodec.tiles.progress import Progress


def encode(
    picture: Picture,
    *,
    model: str,
    device: str,
    threads: int,
    tile: int,
    history: str = "auto",
    label: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    look: Callable[[Box, EncodedTile], None] | None = None,
    ahead: Ahead | None = None,
) -> bytes:
    """The .rdc data of a picture; ``look`` is shown every tile when it is done, by the thread that did it.

    Only `AUTO` looks for a ``history``. ``ahead``: tiles that were coded with those of other pictures.
    """
    if model == AUTO:
        if label is not None or look is not None:
            raise UsageError(f"{AUTO!r} is not a single density model; choose one, such as photo, for labels and rates")
        from ridecodec.tiles import historycodec

        return historycodec.encode(
            picture, history=history, device=device, threads=threads, tile=tile, progress=progress, ahead=ahead
        )
    channels = coding_channels(picture.colour, picture.bit_depth)
    card = registry.current(model)
    registry.check_channels(card, len(channels), "this one")
    backend = registry.load(card, registry.pick_device(device))
    if ahead is not None:
        backend = ahead.of(backend)
    tile = backend.tile if tile == 0 else tile
    if not 1 <= tile <= backend.largest_tile:
        raise UsageError(f"a tile size of {tile} is out of range for {model!r}; choose 1 to {backend.largest_tile}")
    if backend.half is not None and tile % 2:
        raise UsageError(f"a tile size of {tile} is odd, and {model!r} halves its tiles; choose an even one")
    registry.check_label(model, backend.classes, label)
    boxes = rdc.tile_boxes(picture.width, picture.height, tile)
    meter = Meter(progress, picture.width * picture.height, len(channels))

    def work(box: Box) -> bytes:
        tile = encode_tile(backend, coding_planes(picture, box), meter.tick, label)
        if look is not None:
            look(box, tile)
        return tile.payload

    at_once = encoders(backend, boxes[0].width * boxes[0].height, threads)
    payloads = spread(work, boxes, at_once, meter)
    header = Header(
        picture.width,
        picture.height,
        picture.colour,
        picture.bit_depth,
        card.name,
        bytes.fromhex(card.hash),
        picture.checksum(),
        tile if len(boxes) > 1 else 0,
    )
    return rdc.write(header, picture.metadata, payloads)


def coding_planes(picture: Picture, box: Box) -> NDArray[np.uint8]:
    """A tile's samples in coding order, uint8 [C, H, W]."""
    pixels = picture.planes[:, box.y : box.y + box.height, box.x : box.x + box.width]
    return np.stack([pixels[c] for c in CODED[picture.colour]])


def verify(
    picture: Picture,
    data: bytes,
    *,
    device: str,
    threads: int,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Decode ``data`` and compare; VerificationError where it is not the picture."""
    try:
        again = decode(data, device=device, threads=threads, progress=progress)
    except DamagedError as error:
        raise VerificationError(
            f"the compressed data cannot be decoded ({error}); please report this picture"
        ) from error
    alike = (again.colour, again.bit_depth, again.metadata) == (picture.colour, picture.bit_depth, picture.metadata)
    if not alike or not np.array_equal(again.planes, picture.planes):
        raise VerificationError("the compressed data decodes to different pixels; please report this picture")


def decode(
    data: bytes | memoryview,
    *,
    device: str,
    threads: int,
    region: tuple[int, int, int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[Progress], None] | None = None,
) -> Picture:
    """The picture in .rdc data, or the region (x, y, width, height) of it.

    Raises `InputError` before memory is taken for more than ``max_pixels``.
    """
    held = rdc.read(data)
    return decode_held(held, device=device, threads=threads, region=region, max_pixels=max_pixels, progress=progress)


def decode_held(
    held: Container,
    *,
    device: str,
    threads: int,
    region: tuple[int, int, int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[Progress], None] | None = None,
) -> Picture:
    """What `decode` does, of data taken apart already."""
    header = held.header
    area = precheck.area(header, region)
    check_pixels(area.width, area.height, max_pixels)
    if header.model == HISTORY:
        out = _made(held, area, device, threads, max_pixels, progress)
    else:
        out = _decode(held, area, 1, decode_tiles, device, threads, max_pixels, progress)
    whole = area == Box(0, 0, header.width, header.height)
    return checked(held, out) if whole else _picture(held, out)


def checked(held: Container, samples: Samples) -> Picture:
    """The whole picture of samples [H, W, C]; DamagedError where they are not those that were compressed."""
    picture = _picture(held, samples)
    if picture.checksum() != held.header.samples_checksum:
        raise DamagedError("the decoded pixels do not match the checksum in the file: the file is damaged")
    return picture


def preview(
    held: Container,
    *,
    device: str,
    threads: int,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[Progress], None] | None = None,
) -> Picture:
    """The picture in a file at half its size, without the rest; UsageError where its model does not code it."""
    header = held.header
    area = Box(0, 0, (header.width + 1) // 2, (header.height + 1) // 2)
    check_pixels(area.width, area.height, max_pixels)
    out = _decode(held, area, 2, decode_halves, device, threads, max_pixels, progress)
    return _picture(held, out)


def _picture(held: Container, samples: Samples) -> Picture:
    """The picture of samples [H, W, C]."""
    try:
        return Picture(samples.transpose(2, 0, 1), held.header.colour, held.header.bit_depth, held.metadata)
    except ValueError as error:
        raise DamagedError(f"the metadata is damaged: {error}") from error


def _made(
    held: Container,
    area: Box,
    device: str,
    threads: int,
    max_pixels: int,
    progress: Callable[[Progress], None] | None,
) -> Samples:
    """Samples [H, W, C] of an area of a picture that is made from a source."""
    from ridecodec.tiles import historycodec  # with all histories, which few files need

    meter = Meter(progress, area.width * area.height, held.header.colour.channels)
    planes = historycodec.decode(held, area, device=device, threads=threads, max_pixels=max_pixels, meter=meter)
    meter.finish()
    samples: Samples = planes.transpose(1, 2, 0)
    return samples


def _decode(
    held: Container,
    area: Box,
    step: int,
    decoder: Callable[..., NDArray[np.uint8]],
    device: str,
    threads: int,
    max_pixels: int,
    progress: Callable[[Progress], None] | None,
) -> Samples:
    """Samples [H, W, C] of ``area``, in pixels of the picture that has every ``step``-th of a row and of a column."""
    header = held.header
    if header.model in (AUTO, HISTORY) and step == 2:
        raise UsageError("there is no preview: the file has no half-size picture")
    backend = None if header.model == AUTO else backend_of(header, step, device)
    boxes = header.boxes
    tiles = boxes.covering(Box(area.x * step, area.y * step, area.width * step, area.height * step))
    check_pixels(boxes[0].width, boxes[0].height, max_pixels)  # a tile is decoded whole
    out = np.empty((area.height, area.width, header.colour.channels), np.uint16 if header.bit_depth == 16 else np.uint8)
    pixels = sum(-(-boxes[i].width // step) * -(-boxes[i].height // step) for i in tiles)
    meter = Meter(progress, pixels, header.colour.channels)

    def place(tile: int, planes: Samples) -> None:
        """Put a tile's samples [C, H, W], channels as in the picture, where they belong."""
        x, y = boxes[tile].x // step, boxes[tile].y // step
        left, top = max(x, area.x), max(y, area.y)
        right = min(x + planes.shape[2], area.x + area.width)
        bottom = min(y + planes.shape[1], area.y + area.height)
        for c, plane in enumerate(planes):
            part = plane[top - y : bottom - y, left - x : right - x]
            out[top - area.y : bottom - area.y, left - area.x : right - area.x, c] = part

    if backend is None:
        autocodec.decode(held, tiles, place, device=device, threads=threads, meter=meter)
    else:
        _decode_modelled(held, tiles, backend, decoder, place, threads, meter)
    meter.finish()
    return out


def certain(picture: Picture, model: str, device: str, tile: int) -> Iterator[tuple[TileCodec, NDArray[np.uint8]]]:
    """What a small picture of one tile is coded by for certain, and the tiles."""
    card, device = registry.current(model), registry.pick_device(device)
    if card.members:
        yield from autocodec.certain(picture, autocodec.loader(card, device), tile)
    elif picture.colour in CODED and picture.bit_depth == 8 and picture.channels in card.channels:
        backend = registry.load(card, device)
        if max(picture.width, picture.height) <= (tile or backend.tile):
            yield backend, coding_planes(picture, Box(0, 0, picture.width, picture.height))


def backend_of(header: Header, step: int, device: str) -> TileCodec:
    """The one model of a file, for all its pixels (``step`` 1) or half its size (2).

    Raises DamagedError where it is none for such a picture.
    """
    channels = coding_channels(header.colour, header.bit_depth)
    boxes = header.boxes
    card = registry.find(header.model, header.model_hash)
    if len(channels) not in card.channels:
        raise DamagedError(f"the header is damaged: the model {card.name!r} codes {card.pictures} pictures only")
    backend = registry.load(card, registry.pick_device(device))
    if max(boxes[0].width, boxes[0].height) > backend.largest_tile:
        raise DamagedError(f"the header is damaged: its tiles have more than {backend.largest_tile} pixels per side")
    if backend.half is None and step == 2:
        raise UsageError(f"there is no preview: the model {card.name!r} has no half-size picture")
    if backend.half is not None and header.tile % 2:
        raise DamagedError("the header is damaged: its tiles cannot be halved")
    return backend


def _decode_modelled(
    held: Container,
    tiles: list[int],
    backend: TileCodec,
    decoder: Callable[..., NDArray[np.uint8]],
    place: Callable[[int, Samples], None],
    threads: int,
    meter: Meter,
) -> None:
    """Decode tiles of a file of one model."""
    boxes = held.header.boxes
    channels = coding_channels(held.header.colour, held.header.bit_depth)

    def work(batch: list[int]) -> None:
        first = boxes[batch[0]]
        payloads = [bytes(held.payload(i)) for i in batch]
        decoded = decoder(backend, payloads, len(channels), first.height, first.width, meter.tick)
        for i, planes in zip(batch, decoded, strict=True):
            place(i, planes[channels])

    shapes = {i: (len(channels), boxes[i].height, boxes[i].width) for i in tiles}
    groups, at_once = batches(backend, shapes, threads)
    spread(work, groups, at_once, meter)
