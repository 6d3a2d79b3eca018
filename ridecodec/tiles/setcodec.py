"""Sets of pictures to .rdca data and back: each is coded as a file of its own, and alike ones are decoded together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ridecodec.container import rdc, rdca
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.rdc import Container
from ridecodec.container.rdca import Archive, Kind
from ridecodec.engines.tilecoder import TileCodec, decode_tiles
from ridecodec.errors import DamagedError, InputError, RidecodecError, VerificationError
from ridecodec.files.sets import Entry
from ridecodec.histories import registry as histories
from ridecodec.models import registry
from ridecodec.picture import MAX_PIXELS, Picture, Samples, check_pixels, check_total
from ridecodec.tiles import autocodec, codec, precheck
from ridecodec.tiles.ahead import Ahead
from ridecodec.tiles.parallel import Meter, batches, encoders, spread
from ridecodec.tiles.progress import Progress

Report = Callable[[Progress], None]
Refused = Callable[[Entry, RidecodecError], None]
Found = tuple[int, Picture | DamagedError]
Made = bytes | RidecodecError
Share = Callable[["Coding", Iterator[list[Entry]], Meter], Iterator[tuple[list[Entry], list[Made]]]]
_SMALL, _TOGETHER, _MOST = 1 << 20, 1 << 22, 1 << 8
"""Pixels of a picture that one thread codes, and pixels and pictures that are held at a time."""


@dataclass(frozen=True)
class Coding:
    """Codes groups of pictures; it can be pickled."""

    model: str
    device: str
    threads: int
    label: int | None = None
    tile: int = 0
    history: str = histories.AUTO

    def __call__(self, group: Sequence[Entry], meter: Meter) -> list[Made]:
        """The .rdc data of each picture, or why it cannot be coded."""
        if len(group) == 1:
            return [self._coded(group[0], meter, None, self.threads)]
        ahead = Ahead(self.label)
        certain = (codec.certain(entry.picture, self.model, self.device, self.tile) for entry in group)
        ahead.code(chain.from_iterable(certain), self.threads, meter)
        at_once = encoders(_heaviest(self.model, self.device), max(map(_pixels, group)), self.threads)
        return spread(lambda entry: self._coded(entry, meter, ahead, 1), group, at_once, meter)

    def _coded(self, entry: Entry, meter: Meter, ahead: Ahead | None, threads: int) -> Made:
        try:
            return codec.encode(
                entry.picture,
                model=self.model,
                device=self.device,
                threads=threads,
                tile=self.tile,
                history=self.history,
                label=self.label,
                progress=meter.part(),
                ahead=ahead,
            )
        except RidecodecError as error:
            return error


def encode(
    entries: Iterable[Entry],
    *,
    model: str,
    device: str,
    threads: int,
    label: int | None = None,
    tile: int = 0,
    history: str = histories.AUTO,
    verify: bool = False,
    progress: Report | None = None,
    refused: Refused | None = None,
    share: Share | None = None,
) -> bytes:
    """The .rdca data of pictures, of which only some are held at a time.

    A picture that cannot be coded is told to ``refused`` and left out; without that it raises, named: `InputError`
    or `UsageError`. `InputError` where no picture is left. ``verify``: decode the data and compare. ``share``: gives
    the groups to other processes.
    """
    registry.current(model)
    names: dict[str, bytes] = {}
    pictures: list[Container] = []
    meter = Meter(progress, 0, 1)

    def taken() -> Iterator[Entry]:
        """The entries whose names are right, counted."""
        pixels = 0
        for entry in entries:
            try:
                rdca.check_name(entry.name)
                if entry.name in names:
                    raise InputError(f"the archive already has a picture named {entry.name!r}")
            except InputError as error:
                _refuse(entry, error, refused)
                continue
            names[entry.name] = _seal(entry.picture)
            pixels += _pixels(entry)
            meter.total, meter.channels = max(pixels, round(pixels / entry.position)), entry.picture.channels
            yield entry

    coding = Coding(model, device, threads, label, tile, history)
    groups = _groups(taken())
    coded = ((group, coding(group, meter)) for group in groups) if share is None else share(coding, groups, meter)
    for group, done in coded:
        for entry, made in zip(group, done, strict=True):
            if isinstance(made, bytes):
                pictures.append(rdc.read(made))
            else:
                del names[entry.name]
                _refuse(entry, made, refused)
    if not pictures:
        raise InputError("there are no pictures to put into an archive")
    data = rdca.write(list(names), pictures)
    if verify:
        _verify(names, data, device, threads, progress)
    return data


def _refuse(entry: Entry, error: RidecodecError, refused: Refused | None) -> None:
    if refused is None:
        raise type(error)(f"{entry.name}: {error}") from error
    refused(entry, error)


def _pixels(entry: Entry) -> int:
    return entry.picture.width * entry.picture.height


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Small pictures together, each large one alone; all in order."""
    group: list[Entry] = []
    held = 0
    for entry in entries:
        large = _pixels(entry) > _SMALL
        if group and (large or held > _TOGETHER or len(group) == _MOST):
            yield group
            group, held = [], 0
        group.append(entry)
        held += _pixels(entry)
        if large:
            yield group
            group, held = [], 0
    if group:
        yield group


def _heaviest(model: str, device: str) -> TileCodec:
    """The backend that memory is reckoned by."""
    card = registry.current(model)
    where = registry.pick_device(device)
    return autocodec.loader(card, where)(0) if card.members else registry.load(card, where)


def _seal(picture: Picture) -> bytes:
    """What tells a picture, its type and its metadata from all others."""
    digest = hashlib.blake2b(repr((picture.colour, picture.bit_depth, picture.planes.shape)).encode())
    for chunk in picture.metadata:
        digest.update(chunk.kind + len(chunk.data).to_bytes(8, "little") + chunk.data)
    for band in picture.bands():
        digest.update(band.data)
    return digest.digest()


def _verify(seals: dict[str, bytes], data: bytes, device: str, threads: int, progress: Report | None) -> None:
    """Decode ``data`` and compare with the pictures by their seals, by name; VerificationError where it is others."""
    try:
        held = rdca.read(data)
        for number, picture in decode(held, range(len(held.names)), device=device, threads=threads, progress=progress):
            if isinstance(picture, DamagedError):
                raise picture
            if _seal(picture) != seals[held.names[number]]:
                raise VerificationError(
                    f"decoding {held.names[number]!r} gives a different picture; please report this"
                )
    except DamagedError as error:
        raise VerificationError(f"the compressed data cannot be decoded ({error}); please report this") from error


def decode(
    held: Archive,
    numbers: Sequence[int],
    *,
    device: str,
    threads: int,
    max_pixels: int = MAX_PIXELS,
    progress: Report | None = None,
) -> Iterator[Found]:
    """(number, picture) of the pictures asked for, alike ones together; in the place of a damaged one, what is wrong.

    Raises, at once, `ModelMissingError`, `DamagedError` where the archive claims pictures that its model cannot have
    coded, and `InputError` for one of more than ``max_pixels``, or as many in total.
    """
    kinds = {number: held.kinds[number] for number in numbers}
    headers = [kind.header for kind in kinds.values()]
    for header in headers:
        check_pixels(header.width, header.height, max_pixels)
    check_total(sum(header.width * header.height for header in headers), max_pixels)
    for kind in set(kinds.values()):
        if kind.header.model in (AUTO, HISTORY):
            registry.find(AUTO, kind.header.model_hash)
        else:
            codec.backend_of(kind.header, 1, device)
    return _decoded(held, kinds, device, threads, progress)


def _decoded(
    held: Archive, kinds: dict[int, Kind], device: str, threads: int, progress: Report | None
) -> Iterator[Found]:
    headers = {number: kind.header for number, kind in kinds.items()}
    pixels = sum(header.width * header.height for header in headers.values())
    channels = max((header.colour.channels for header in headers.values()), default=1)
    meter = Meter(progress, pixels, channels)
    modelled: dict[tuple[str, bytes], list[int]] = {}
    formed: dict[bytes, list[int]] = {}
    for number, header in headers.items():
        if header.indexed:
            yield number, _alone(held, number, device, threads, meter)
        elif header.model == AUTO:
            formed.setdefault(header.model_hash, []).append(number)
        else:
            modelled.setdefault((header.model, header.model_hash), []).append(number)
    for same in modelled.values():
        yield from _of_model(held, same, device, threads, meter)
    for same in formed.values():
        largest = max(headers[number].width * headers[number].height for number in same)
        at_once = autocodec.at_a_time(largest)
        for first in range(0, len(same), at_once):
            yield from _in_forms(held, same[first : first + at_once], device, threads, meter)


def _alone(held: Archive, number: int, device: str, threads: int, meter: Meter) -> Picture | DamagedError:
    """A picture of several tiles, or one that is made from a source."""
    try:
        return codec.decode_held(held.picture(number), device=device, threads=threads, progress=meter.part())
    except DamagedError as error:
        return error


def _of_model(held: Archive, numbers: list[int], device: str, threads: int, meter: Meter) -> Iterator[Found]:
    """Pictures of one tile each, all of one model."""
    backend = codec.backend_of(held.kinds[numbers[0]].header, 1, device)

    def work(batch: list[int]) -> list[Found]:
        header = held.kinds[batch[0]].header
        order = precheck.coding_channels(header.colour, header.bit_depth)
        try:
            pictures = [held.picture(number) for number in batch]
            payloads = [bytes(each.payload(0)) for each in pictures]
            tiles = decode_tiles(backend, payloads, len(order), header.height, header.width, meter.tick)
        except DamagedError as error:
            if len(batch) == 1:
                return [(batch[0], error)]
            return [found for number in batch for found in work([number])]
        return [
            (number, _checked(each, planes[order])) for number, each, planes in zip(batch, pictures, tiles, strict=True)
        ]

    headers = {number: held.kinds[number].header for number in numbers}
    shapes = {number: (each.colour.channels, each.height, each.width) for number, each in headers.items()}
    groups, at_once = batches(backend, shapes, threads, share=True)
    for first in range(0, len(groups), at_once):
        for found in spread(work, groups[first : first + at_once], at_once, meter):
            yield from found


def _in_forms(held: Archive, numbers: list[int], device: str, threads: int, meter: Meter) -> list[Found]:
    """Pictures of one tile each in forms, all of one release of `auto`."""
    try:
        pictures = {number: held.picture(number) for number in numbers}
        parts, planes = {}, dict[int, Samples]()
        for number, each in pictures.items():
            header = each.header
            palette = autocodec.palette_of(header.colour, each.metadata)
            shape = autocodec.shape_of(header.colour, header.bit_depth, header.boxes[0], palette)
            parts[number] = (each.payload(0), shape)
        model_hash = held.kinds[numbers[0]].header.model_hash
        autocodec.decode_parts(parts, planes.__setitem__, model_hash, device=device, threads=threads, meter=meter)
    except DamagedError as error:
        if len(numbers) == 1:
            return [(numbers[0], error)]
        return [found for number in numbers for found in _in_forms(held, [number], device, threads, meter)]
    return [(number, _checked(pictures[number], planes[number])) for number in numbers]


def _checked(held: Container, planes: Samples) -> Picture | DamagedError:
    """The picture of samples [C, H, W], if they are those that were compressed."""
    samples = planes.astype(np.uint16 if held.header.bit_depth == 16 else np.uint8, copy=False)
    try:
        return codec.checked(held, samples.transpose(1, 2, 0))
    except DamagedError as error:
        return error
