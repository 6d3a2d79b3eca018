"""Sets of pictures to .rdca data and back: every picture is one tile, and alike ones are decoded together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ridecodec import archive
from ridecodec.archive import Archive, Shape
from ridecodec.codec import coding_channels, coding_planes, picture_of
from ridecodec.container import Box
from ridecodec.errors import DamagedError, InputError, VerificationError
from ridecodec.models import registry
from ridecodec.parallel import Meter, Progress, batches, encoders, spread
from ridecodec.picture import MAX_PIXELS, Picture, check_pixels, check_total
from ridecodec.sets import Entry
from ridecodec.tilecoder import TileCodec, decode_tiles, encode_tile

Report = Callable[[Progress], None]


def encode(
    entries: Sequence[Entry],
    *,
    model: str,
    device: str,
    threads: int,
    label: int | None = None,
    progress: Report | None = None,
) -> bytes:
    """The .rdca data of pictures. Raises InputError, naming the picture, and UsageError."""
    card = registry.current(model)
    backend = registry.load(card, registry.pick_device(device))
    registry.check_label(card.name, backend.classes, label)
    if not entries:
        raise InputError("there are no pictures to put into an archive")
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two pictures are named {twice!r}; an archive's pictures have names of their own")
    for entry in entries:
        archive.check_name(entry.name)
        _check(entry, card, backend)
    pixels = sum(entry.picture.width * entry.picture.height for entry in entries)
    meter = Meter(progress, pixels, entries[0].picture.channels)

    def work(entry: Entry) -> bytes:
        box = Box(0, 0, entry.picture.width, entry.picture.height)
        return encode_tile(backend, coding_planes(entry.picture, box), meter.tick, label).payload

    largest = max(entry.picture.width * entry.picture.height for entry in entries)
    payloads = spread(work, entries, encoders(backend, largest, threads), meter)
    shapes = [Shape(p.width, p.height, p.colour, p.bit_depth) for p in (entry.picture for entry in entries)]
    checksums = [entry.picture.checksum() for entry in entries]
    return archive.write(card.name, bytes.fromhex(card.hash), names, shapes, checksums, payloads)


def _check(entry: Entry, card: registry.ModelCard, backend: TileCodec) -> None:
    picture = entry.picture
    channels = coding_channels(picture.colour, picture.bit_depth)
    registry.check_channels(card, len(channels), repr(entry.name))
    if max(picture.width, picture.height) > backend.largest_tile:
        raise InputError(
            f"{entry.name}: {picture.width} x {picture.height} pixels are too many for an archive with the model "
            f"{card.name!r}, which takes {backend.largest_tile} a side; compress it alone"
        )


def decode(
    held: Archive,
    numbers: Sequence[int],
    *,
    device: str,
    threads: int,
    max_pixels: int = MAX_PIXELS,
    progress: Report | None = None,
) -> Iterator[tuple[int, Picture | DamagedError]]:
    """(number, picture) of the pictures asked for, alike ones together; in the place of a damaged one, what is wrong.

    Raises, at once, DamagedError where the archive claims pictures that its model cannot have coded, and InputError
    for one of more than ``max_pixels``, or as many in total.
    """
    card = registry.find(held.model, held.model_hash)
    backend = registry.load(card, registry.pick_device(device))
    shapes = {number: held.shapes[number] for number in numbers}
    for shape in set(shapes.values()):
        if len(coding_channels(shape.colour, shape.bit_depth)) not in card.channels:
            raise DamagedError(f"the header is damaged: the model {card.name!r} codes {card.pictures} pictures only")
        if max(shape.width, shape.height) > backend.largest_tile:
            raise DamagedError("the header is damaged: its pictures are larger than the model's tiles")
        check_pixels(shape.width, shape.height, max_pixels)
    check_total(sum(shape.width * shape.height for shape in shapes.values()), max_pixels)
    return _decoded(held, shapes, backend, threads, progress)


def _decoded(
    held: Archive, shapes: dict[int, Shape], backend: TileCodec, threads: int, progress: Report | None
) -> Iterator[tuple[int, Picture | DamagedError]]:
    pixels = sum(shape.width * shape.height for shape in shapes.values())
    meter = Meter(progress, pixels, max((shape.colour.channels for shape in shapes.values()), default=1))

    def work(batch: list[int]) -> list[tuple[int, Picture | DamagedError]]:
        shape = shapes[batch[0]]
        payloads = [held.payload(number) for number in batch]
        channels = shape.colour.channels
        try:
            tiles = decode_tiles(backend, payloads, channels, shape.height, shape.width, meter.tick)
        except DamagedError as error:
            if len(batch) == 1:
                return [(batch[0], error)]
            return [found for number in batch for found in work([number])]
        return [
            (number, _checked(picture_of(tile, shape.colour, shape.bit_depth), int(held.checksums[number])))
            for number, tile in zip(batch, tiles, strict=True)
        ]

    alike = {number: (shape.colour.channels, shape.height, shape.width) for number, shape in shapes.items()}
    groups, at_once = batches(backend, alike, threads, share=True)
    for first in range(0, len(groups), at_once):
        for found in spread(work, groups[first : first + at_once], at_once, meter):
            yield from found


def _checked(picture: Picture, checksum: int) -> Picture | DamagedError:
    if picture.checksum() == checksum:
        return picture
    return DamagedError("the decoded pixels do not match the archive's checksum of them: the picture is damaged")


def verify(entries: Sequence[Entry], data: bytes, *, device: str, threads: int, progress: Report | None = None) -> None:
    """Decode ``data`` and compare; VerificationError where it is not the pictures."""
    try:
        held = archive.read(data)
        for number, picture in decode(held, range(len(entries)), device=device, threads=threads, progress=progress):
            if isinstance(picture, DamagedError):
                raise picture
            if not np.array_equal(picture.planes, entries[number].picture.planes):
                raise VerificationError(f"decoding {entries[number].name!r} gives other pixels; please report this")
    except DamagedError as error:
        raise VerificationError(f"what was compressed cannot be decoded ({error}); please report this") from error
