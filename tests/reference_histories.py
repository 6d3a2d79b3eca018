"""The histories of docs/format.md, for the second decoder; plain Python, a pixel at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from reference_sources import SOURCES


@dataclass
class Frame:
    """Size, colour type and bits of a picture in the tree, and what it was made from."""

    width: int
    height: int
    colour: int
    depth: int
    number: int = 0
    parameters: bytes = b""
    exceptions: int = 0
    sources: list[Frame] = field(default_factory=list)


def read(reader: Any, frame: Frame) -> Frame:
    """The histories of a picture, and of its sources."""
    frame.number = reader.number(1)
    if frame.number:
        assert reader.number(1) == 1
        frame.parameters = reader.take(reader.varint())
        frame.exceptions = reader.varint()
        frame.sources = [read(reader, source) for source in HISTORIES[frame.number][0](frame)]
    return frame


def made(frame: Frame, planes: list[np.ndarray]) -> np.ndarray:
    """The picture int [C, H, W] that a history makes of the samples of its sources."""
    return HISTORIES[frame.number][1](frame, planes)


def difference(numbers: np.ndarray) -> np.ndarray:
    """Of the numbers of exceptions."""
    return np.where(numbers % 2, -(numbers + 1) // 2, numbers // 2)


def halves(code: int, size: int) -> tuple[int, int]:
    """The first row that has a sample, and how many samples there are."""
    phase, before, after = code & 1, code >> 1 & 1, code >> 2 & 1
    return phase - 2 * before, (size - phase + 1) // 2 + before + after


def photo_cd_sources(frame: Frame) -> list[Frame]:
    rows, columns = (
        halves(code, size)[1]
        for code, size in ((frame.parameters[0] & 7, frame.height), (frame.parameters[0] >> 3, frame.width))
    )
    return [Frame(columns, rows, 0, 8), Frame(columns, rows, 0, 8), Frame(frame.width, frame.height, 0, 8)]


def photo_cd(frame: Frame, planes: list[np.ndarray]) -> np.ndarray:
    top, rows = halves(frame.parameters[0] & 7, frame.height)
    left, columns = halves(frame.parameters[0] >> 3, frame.width)
    out = np.empty((3, frame.height, frame.width), int)
    for y in range(frame.height):
        above, below = (min(max(place // 2, 0), rows - 1) for place in (y - top, y - top + 1))
        for x in range(frame.width):
            before, after = (min(max(place // 2, 0), columns - 1) for place in (x - left, x - left + 1))
            c1, c2 = (
                sum(int(plane[0, i, j]) for i in (above, below) for j in (before, after)) + 2 >> 2
                for plane in planes[:2]
            )
            light = 13584 * int(planes[2][0, y, x])
            u, v = 22179 * (c1 - 156), 18215 * (c2 - 137)
            red, blue = (light + v) // 10000, (light + u) // 10000
            green = (light - 1940 * (u // 10000) - 5090 * (v // 10000)) // 10000
            out[:, y, x] = [min(max(value, 0), 255) for value in (red, green, blue)]
    return out


def framed(number: int) -> Any:
    """The frames of the sources of a history of the other file."""
    return lambda frame: [Frame(*size) for size in SOURCES[number][0](frame)]


HISTORIES = {1: (photo_cd_sources, photo_cd), **{number: (framed(number), SOURCES[number][1]) for number in SOURCES}}
"""By number: the sources of a picture, and how it is made of them."""
