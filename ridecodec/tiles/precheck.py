"""What is refused before torch is imported, which takes seconds: options, and data that no model can decode."""

from __future__ import annotations

import operator

from ridecodec.box import Box
from ridecodec.container import rdc, rdca
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.rdc import LARGEST_TILE, Header
from ridecodec.errors import InputError, UsageError
from ridecodec.models import registry
from ridecodec.picture import CODING_ORDER, ColourType, Picture, check_pixels

CODED = {colour: CODING_ORDER[colour.channels] for colour in (ColourType.GRAY, ColourType.RGB)}
"""Channels of the pictures that are coded, in coding order."""


def check_options(
    picture: Picture, model: str, device: str, threads: int, tile: int, label: int | None, history: str
) -> None:
    """Raise `UsageError` for options of `compress` that make no sense, and `InputError` for a picture of a type that
    the model does not code."""
    card = registry.current(model)
    if model != AUTO:
        registry.check_channels(card, len(coding_channels(picture.colour, picture.bit_depth)), "this one")
    check_work(device, threads)
    if not 0 <= tile <= LARGEST_TILE:
        raise UsageError(f"a tile size of {tile} is out of range; choose 1 to {LARGEST_TILE}, or 0 for the default")
    if label is not None and model == AUTO:
        raise UsageError(f"{AUTO!r} has no labels; choose a model that has some")
    check_history(model, history)


def check_history(model: str, history: str) -> None:
    """Raise `UsageError` for a history that there is not, or that goes with another model."""
    from ridecodec.histories import registry as histories  # all of them, which decoding does not need

    if histories.wanted(history) and history != histories.AUTO and model != AUTO:
        raise UsageError(f"only {AUTO!r} looks for histories; leave out --model, or use --history {histories.OFF}")


def check_work(device: str, threads: int) -> None:
    """Raise `UsageError` for a device or a number of threads that makes no sense."""
    registry.check_device(device)
    check_threads(threads)


def check_threads(threads: int) -> None:
    """Raise `UsageError` for a number of threads that makes no sense."""
    if threads < 0:
        raise UsageError(f"{threads} threads are not possible; choose 1 or more, or 0 for all cores")


def check_data(data: bytes | memoryview) -> None:
    """Raise `DamagedError` where the data is no whole .rdc or .rdca file, `ModelMissingError` where its model is not
    at hand."""
    if rdca.is_archive(data):
        for model, model_hash in rdca.read(data).models:
            registry.find(model, model_hash)
    else:
        header = rdc.read(data).header
        registry.find(header.model, header.model_hash)


def check_decoding(header: Header, region: tuple[int, int, int, int] | None, preview: bool, max_pixels: int) -> None:
    """Raise what `decompress` raises for a header and a region."""
    if header.model not in (AUTO, HISTORY):
        coding_channels(header.colour, header.bit_depth)
    registry.find(header.model, header.model_hash)
    if preview and region is not None:
        raise UsageError("a preview shows the whole picture: leave out the region")
    box = area(header, region)
    if not preview:
        check_pixels(box.width, box.height, max_pixels)


def area(header: Header, region: tuple[int, int, int, int] | None) -> Box:
    """The region (x, y, width, height) of a picture, or all of it; UsageError where it is not inside."""
    if region is None:
        return Box(0, 0, header.width, header.height)
    try:
        x, y, width, height = map(operator.index, region)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a region is four integers (x, y, width, height), not {region!r}") from error
    inside = 0 <= x < x + width <= header.width and 0 <= y < y + height <= header.height
    if not inside:
        raise UsageError(
            f"the region {x},{y},{width},{height} is not inside the picture ({header.width} x {header.height})"
        )
    return Box(x, y, width, height)


def coding_channels(colour: ColourType, depth: int) -> list[int]:
    """Channels of a picture that a density model codes, in coding order; `InputError` for other types."""
    if colour not in CODED or depth != 8:
        words = f"{depth}-bit {colour.words} pictures cannot be coded with a single model, only 8-bit gray and RGB"
        raise InputError(f"{words}; use the default model {AUTO!r}")
    return CODED[colour]
