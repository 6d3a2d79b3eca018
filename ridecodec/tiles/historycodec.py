"""Pictures made from a source: the source to .rdc data and back, each part of it in the form that is cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container import rdc
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.rdc import Container, Header
from ridecodec.errors import DamagedError
from ridecodec.histories import exceptions, finding, tree
from ridecodec.histories import registry as histories
from ridecodec.histories.base import Frame
from ridecodec.histories.finding import Undone
from ridecodec.histories.tree import Node
from ridecodec.models import registry
from ridecodec.picture import BAND_PIXELS, CODING_ORDER, Picture, Samples, check_pixels
from ridecodec.tiles import autocodec, parts
from ridecodec.tiles.ahead import Ahead
from ridecodec.tiles.forms.choosing import Chooser
from ridecodec.tiles.forms.part import Shape
from ridecodec.tiles.parallel import Creep, Meter, encoders, spread
from ridecodec.tiles.parts import Part
from ridecodec.tiles.progress import Progress

_SURE, _LARGE, _DENSE = 0.75, 1 << 16, 2.0
"""Estimated share of the bits up to which a picture of more than so many pixels, and of as many bits a sample by the
same estimate, is not coded without its history: it has no form that is much shorter than the estimate says."""
Job = tuple[NDArray[np.uint16], Shape]
"""What a payload codes: samples [C, H, W], channels in coding order."""


def encode(
    picture: Picture,
    *,
    history: str,
    device: str,
    threads: int,
    tile: int,
    progress: Callable[[Progress], None] | None = None,
    ahead: Ahead | None = None,
) -> bytes:
    """The .rdc data of a picture: from its history, one of `histories.NAMES`, where that is shorter.

    Both ways are tried unless an estimate says clearly which it is.
    """
    found = finding.undone(picture, histories.wanted(history))
    options: dict[str, Any] = {"device": device, "threads": threads, "tile": tile}
    if found.node.history is None:
        return autocodec.encode(picture, progress=progress, ahead=ahead, **options)
    pixels = picture.width * picture.height
    if found.share < _SURE and pixels > _LARGE and found.rate > _DENSE:
        return from_source(picture, found, progress=progress, **options)
    both = Meter(progress, 2 * pixels, picture.channels)
    from_history = from_source(picture, found, progress=both.part(), **options)
    as_it_is = autocodec.encode(picture, progress=both.part(), ahead=ahead, **options)
    return min(from_history, as_it_is, key=len)


def from_source(
    picture: Picture,
    found: Undone,
    *,
    device: str,
    threads: int,
    tile: int,
    progress: Callable[[Progress], None] | None = None,
) -> bytes:
    """The .rdc data of a picture that was taken back, by its source."""
    meter = Meter(progress, picture.width * picture.height, picture.channels)
    card = registry.current(AUTO)
    load = autocodec.loader(card, registry.pick_device(device))
    side = autocodec.side(tile)
    side = side if side < max(picture.width, picture.height) else 0
    jobs = list(_jobs(picture, found, parts.layout(found.node, side)))
    pixels = sum(shape.pixels for _, shape in jobs)

    def work(job: Job) -> bytes:
        samples, shape = job
        if not samples.size:
            return b""
        creep = Creep(meter, meter.total * shape.pixels // pixels)
        payload = Chooser(samples, shape, load, creep.beat).choose().payload
        creep.finish(8.0 * len(payload))
        return payload

    at_once = encoders(load(0), max(shape.pixels for _, shape in jobs), threads)
    payloads = spread(work, jobs, at_once, meter)
    meter.finish()
    header = Header(
        picture.width,
        picture.height,
        picture.colour,
        picture.bit_depth,
        HISTORY,
        bytes.fromhex(card.hash),
        picture.checksum(),
        side,
    )
    return rdc.write(header, picture.metadata, payloads, tree.write(found.node))


def _jobs(picture: Picture, found: Undone, every: list[Part]) -> Iterator[Job]:
    """What all payloads code, in the order of the file."""
    palette = autocodec.palette_of(picture.colour, picture.metadata)
    for part, each in zip(every, found.all, strict=True):
        frame = part.node.frame
        if part.node.history is None:
            for box in part.boxes:
                shape = autocodec.shape_of(frame.colour, frame.bit_depth, box, _palette(frame, palette))
                yield autocodec.coding_part(each.picture, box), shape
        elif part.node.exceptions:
            assert each.difference is not None
            squares = [box.cut(each.difference, frame.box) for box in part.boxes]
            places = [exceptions.places(square) for square in squares]
            for box, where in zip(part.boxes, places, strict=True):
                some = where.any()
                yield where[None, : where.shape[0] * some].astype(np.uint16), _places_shape(box)
            for square, where in zip(squares, places, strict=True):
                numbers = exceptions.folded(square, where)[CODING_ORDER[frame.channels]]
                yield np.ascontiguousarray(numbers, np.uint16), _numbers_shape(frame, numbers.shape[2])


def _palette(frame: Frame, palette: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    return palette if frame.colour.indexed and frame.channels == 1 else None


def _places_shape(box: Box) -> Shape:
    """Of a plane that says where exceptions are."""
    return Shape(1, box.height, box.width, 2)


def _numbers_shape(frame: Frame, count: int) -> Shape:
    """Of the differences of so many exceptions."""
    return Shape(frame.channels, 1, count, 1 << max(8, frame.bit_depth))


def decode(held: Container, area: Box, *, device: str, threads: int, max_pixels: int, meter: Meter) -> Samples:
    """The samples [C, H, W] of an area of a picture made from a source; raises DamagedError."""
    return _Decoder(held, area, device, threads, max_pixels, meter).samples()


class _Decoder:
    """Decodes what an area of a picture needs of its source, and makes the picture of it."""

    def __init__(self, held: Container, area: Box, device: str, threads: int, max_pixels: int, meter: Meter) -> None:
        header = held.header
        self._held, self._area, self._meter = held, area, meter
        self._device, self._threads = device, threads
        self._parts = parts.read(held)
        most = 2 * max_pixels + tree.FREE_SAMPLES
        for part in self._parts:
            check_pixels(part.boxes[0].width, part.boxes[0].height, most)  # a tile is decoded whole
        self._areas = list(_areas(self._parts[0].node, area))
        self._palette = autocodec.palette_of(header.colour, held.metadata)
        self._planes: dict[int, Samples] = {}
        """Of the pictures that are coded as they are: the samples of their areas, by the number of the part."""
        self._places: dict[int, NDArray[np.bool_]] = {}
        """Where exceptions are, [H, W] of a square, by the number of the payload; without squares that have none."""
        self._numbers: dict[int, Samples] = {}
        """Their differences, by the same."""

    def samples(self) -> Samples:
        """Of the area."""
        self._read_parts()
        self._read_numbers()
        return self._made(0)

    def _read_parts(self) -> None:
        """Decode all that is coded as it is, and where exceptions are."""
        wanted: dict[int, Shape] = {}
        put: dict[int, Callable[[Samples], None]] = {}
        for number, (part, area) in enumerate(zip(self._parts, self._areas, strict=True)):
            frame = part.node.frame
            if part.node.history is None:
                self._planes[number] = np.empty((frame.channels, area.height, area.width), frame.dtype)
            elif not part.node.exceptions:
                continue
            for tile in part.boxes.covering(area):
                box, payload = part.boxes[tile], part.first + tile
                if part.node.history is None:
                    wanted[payload] = autocodec.shape_of(
                        frame.colour, frame.bit_depth, box, _palette(frame, self._palette)
                    )
                    put[payload] = _putter(self._planes[number], area, box)
                elif self._held.lengths[payload]:
                    wanted[payload] = _places_shape(box)
                    put[payload] = self._keeper(payload)
        share = self._area.width * self._area.height / max(1, sum(shape.pixels for shape in wanted.values()))
        wanted = {payload: replace(shape, share=share) for payload, shape in wanted.items()}
        self._decode(wanted, lambda payload, samples: put[payload](samples))

    def _keeper(self, payload: int) -> Callable[[Samples], None]:
        def keep(samples: Samples) -> None:
            self._places[payload] = samples[0] != 0

        return keep

    def _read_numbers(self) -> None:
        """Decode by how much exceptions differ."""
        wanted, places = {}, {}
        for part in self._parts:
            frame, squares = part.node.frame, len(part.boxes)
            for payload in sorted(self._places.keys() & range(part.first, part.first + part.payloads)):
                count = int(np.count_nonzero(self._places[payload]))
                if not count:
                    raise DamagedError("the pixel data is damaged: exceptions are announced that do not exist")
                wanted[payload + squares] = replace(_numbers_shape(frame, count), share=0.0)
                places[payload + squares] = payload
        self._decode(wanted, lambda payload, samples: self._numbers.__setitem__(places[payload], samples))

    def _decode(self, wanted: dict[int, Shape], place: Callable[[int, Samples], None]) -> None:
        """Give ``place`` the samples [C, H, W] of payloads of these shapes."""
        numbers = list(wanted)
        at_once = autocodec.at_a_time(max((shape.pixels for shape in wanted.values()), default=1))
        for first in range(0, len(numbers), at_once):
            some = numbers[first : first + at_once]
            autocodec.decode_parts(
                {number: (self._held.payload(number), wanted[number]) for number in some},
                place,
                self._held.header.model_hash,
                device=self._device,
                threads=self._threads,
                meter=self._meter,
            )

    def _made(self, number: int) -> Samples:
        """The samples of a part's area."""
        part, area = self._parts[number], self._areas[number]
        history, frame = part.node.history, part.node.frame
        if history is None:
            return self._planes.pop(number)
        below = []
        at = number + 1
        for source in part.node.sources:
            below.append(at)
            at += sum(1 for _ in source.nodes)
        sources = [(self._made(each), self._areas[each]) for each in below]
        out = np.empty((frame.channels, area.height, area.width), frame.dtype)
        rows = max(1, BAND_PIXELS // area.width)
        for top in range(0, area.height, rows):
            band = Box(area.x, area.y + top, area.width, min(rows, area.height - top))
            needed = history.needs(frame, band)
            given = [box.cut(samples, whole) for box, (samples, whole) in zip(needed, sources, strict=True)]
            out[:, top : top + band.height] = history.redo(given, frame, band)
        self._correct(out, part, area)
        return out

    def _correct(self, out: Samples, part: Part, area: Box) -> None:
        """Add the exceptions to what the history gives of an area."""
        frame = part.node.frame
        for tile in part.boxes.covering(area) if part.node.exceptions else []:
            places = self._places.get(part.first + tile)
            if places is None:
                continue
            box = part.boxes[tile]
            square = np.zeros((frame.channels, box.height, box.width), frame.dtype)
            exceptions.put(square, places, self._numbers[part.first + tile].astype(frame.dtype))
            shared = area.shared(box)
            shared.cut(out, area)[...] += shared.cut(square, box)
        if frame.bit_depth < 8 and out.max() >> frame.bit_depth:
            raise DamagedError("the pixel data is damaged: a sample is too large")


def _areas(node: Node, area: Box) -> Iterator[Box]:
    """What an area needs of all pictures of a tree, in the order of `Node.nodes`."""
    yield area
    if node.history is not None:
        for source, box in zip(node.sources, node.history.needs(node.frame, area), strict=True):
            yield from _areas(source, box)


def _putter(out: Samples, area: Box, box: Box) -> Callable[[Samples], None]:
    """Puts the samples of a square where they belong in those of an area."""

    def put(samples: Samples) -> None:
        shared = area.shared(box)
        shared.cut(out, area)[...] = shared.cut(samples, box)

    return put
