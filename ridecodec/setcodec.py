"""Sets of pictures to .rdca data and back: every picture is one tile, and alike ones are decoded together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ridecodec import archive
from ridecodec.archive import Archive, Shape
from ridecodec.codec import Meter, Progress, coding_channels, coding_planes, picture_of, spread, workers
from ridecodec.container import Box
from ridecodec.errors import DamagedError, InputError, UsageError, VerificationError
from ridecodec.models import registry
from ridecodec.models.base import Backend
from ridecodec.picture import Picture
from ridecodec.sets import Entry
from ridecodec.tilecoder import decode_tiles, encode_tile

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

    payloads = spread(work, entries, workers(threads), meter)
    shapes = [Shape(p.width, p.height, p.colour, p.bit_depth) for p in (entry.picture for entry in entries)]
    checksums = [entry.picture.checksum() for entry in entries]
    return archive.write(card.name, bytes.fromhex(card.hash), names, shapes, checksums, payloads)


def _check(entry: Entry, card: registry.ModelCard, backend: Backend) -> None:
    picture = entry.picture
    channels = coding_channels(picture.colour, picture.bit_depth)
    if len(channels) not in card.channels:
        words = registry.words([len(channels)])
        raise UsageError(f"the model {card.name!r} codes {card.pictures} pictures only, {entry.name!r} is {words}")
    if max(picture.width, picture.height) > backend.largest_tile:
        raise InputError(
            f"{entry.name}: {picture.width} x {picture.height} pixels are too many for an archive with the model "
            f"{card.name!r}, which takes {backend.largest_tile} a side; compress it alone"
        )


def decode(
    held: Archive, numbers: Sequence[int], *, device: str, threads: int, progress: Report | None = None
) -> Iterator[tuple[int, Picture]]:
    """(number, picture) of the pictures asked for, alike ones together; DamagedError names the picture."""
    card = registry.find(held.model, held.model_hash)
    backend = registry.load(card, registry.pick_device(device))
    shapes = [held.shapes[number] for number in numbers]
    for shape in set(shapes):
        if len(coding_channels(shape.colour, shape.bit_depth)) not in card.channels:
            raise DamagedError(f"the header is damaged: the model {card.name!r} codes {card.pictures} pictures only")
        if max(shape.width, shape.height) > backend.largest_tile:
            raise DamagedError("the header is damaged: its pictures are larger than the model's tiles")
    pixels = sum(shape.width * shape.height for shape in shapes)
    meter = Meter(progress, pixels, shapes[0].colour.channels if shapes else 1)

    def work(batch: list[int]) -> list[tuple[int, Picture]]:
        shape = held.shapes[batch[0]]
        payloads = [held.payload(number) for number in batch]
        channels = shape.colour.channels
        try:
            tiles = decode_tiles(backend, payloads, channels, shape.height, shape.width, meter.tick)
        except DamagedError as error:
            if len(batch) == 1:
                raise DamagedError(f"the picture {held.names[batch[0]]!r} is damaged ({error})") from error
            return [found for number in batch for found in work([number])]
        pictures = [picture_of(tile, shape.colour, shape.bit_depth) for tile in tiles]
        for number, picture in zip(batch, pictures, strict=True):
            if picture.checksum() != held.checksums[number]:
                raise DamagedError(f"the picture {held.names[number]!r} is damaged: its checksum is wrong")
        return list(zip(batch, pictures, strict=True))

    batches = _batches(backend, held, numbers, workers(threads))
    group = max(1, workers(threads))
    for first in range(0, len(batches), group):
        for found in spread(work, batches[first : first + group], workers(threads), meter):
            yield from found


def _batches(backend: Backend, held: Archive, numbers: Sequence[int], threads: int) -> list[list[int]]:
    """Alike pictures together: as many as the backend takes, but something for every thread."""
    by_shape: dict[Shape, list[int]] = {}
    for number in numbers:
        by_shape.setdefault(held.shapes[number], []).append(number)
    batches = []
    for shape, same in by_shape.items():
        size = min(backend.batch(shape.height, shape.width), -(-len(same) // threads))
        batches += [same[i : i + size] for i in range(0, len(same), size)]
    return batches


def verify(entries: Sequence[Entry], data: bytes, *, device: str, threads: int, progress: Report | None = None) -> None:
    """Decode ``data`` and compare; VerificationError where it is not the pictures."""
    try:
        held = archive.read(data)
        for number, picture in decode(held, range(len(entries)), device=device, threads=threads, progress=progress):
            if not np.array_equal(picture.planes, entries[number].picture.planes):
                raise VerificationError(f"decoding {entries[number].name!r} gives other pixels; please report this")
    except DamagedError as error:
        raise VerificationError(f"what was compressed cannot be decoded ({error}); please report this") from error
