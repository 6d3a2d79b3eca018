"""Thin parts cut into strips that lie side by side: a model takes as many steps as a part is wide and high."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.tiles.forms.part import Decoding, Samples, Shape

FOLDED = 8
_STEPS, _SLOPE = 256, 2
"""Steps that any part may take, and those of a row."""
_MORE = 6
"""Steps that a part may take as multiples of the side of a square of its size; a square itself takes 3."""


def thin(shape: Shape) -> bool:
    """Whether a model would take many more steps than it does for a square of as many pixels."""
    return shape.width + _SLOPE * shape.height > _STEPS + _MORE * math.sqrt(shape.pixels)


def fold(part: Samples, shape: Shape) -> tuple[bytes, Samples, Shape]:
    """What begins the payload, and the part that stands for a thin one: nearly square."""
    long, short = max(shape.height, shape.width), min(shape.height, shape.width)
    length = math.ceil(long / max(2, round(math.sqrt(long / short))))
    strips = math.ceil(long / length)
    wide = part if shape.width >= shape.height else part.transpose(0, 2, 1)
    padded = np.pad(wide, ((0, 0), (0, 0), (0, strips * length - long)), "edge")
    stacked = padded.reshape(len(part), short, strips, length).transpose(0, 2, 1, 3).reshape(len(part), -1, length)
    folded = stacked if shape.width >= shape.height else stacked.transpose(0, 2, 1)
    return bytes([FOLDED]) + write_varint(strips), np.ascontiguousarray(folded), _shape(shape, strips)


def _shape(shape: Shape, strips: int) -> Shape:
    """Of the folded part; ValueError where there cannot be so many strips."""
    long, short = max(shape.height, shape.width), min(shape.height, shape.width)
    if not 2 <= strips <= long or (strips - 1) * math.ceil(long / strips) >= long:
        raise ValueError(f"{strips} strips of {long} pixels")
    size = (strips * short, math.ceil(long / strips))
    height, width = size if shape.width >= shape.height else size[::-1]
    return replace(shape, height=height, width=width, share=shape.share * shape.pixels / (height * width))


def read_folded(reader: Reader, shape: Shape, read: Callable[[Reader, Shape], Decoding]) -> Decoding:
    """A thin part: how many strips, and the part that they make."""
    strips = reader.varint("pixel data")
    try:
        inner = _shape(shape, strips)
    except ValueError as error:
        raise DamagedError(f"the pixel data is damaged: it cannot have {error}") from error
    folded = yield from read(reader, inner)
    stacked = folded if shape.width >= shape.height else folded.transpose(0, 2, 1)
    long, short = max(shape.height, shape.width), min(shape.height, shape.width)
    rows = stacked.reshape(shape.channels, strips, short, -1).transpose(0, 2, 1, 3).reshape(shape.channels, short, -1)
    wide = rows[:, :, :long]
    return np.ascontiguousarray(wide if shape.width >= shape.height else wide.transpose(0, 2, 1))
