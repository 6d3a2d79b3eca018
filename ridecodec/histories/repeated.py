"""Pictures that are one piece again and again, side by side and below one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ridecodec.box import Box
from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame, History
from ridecodec.histories.copies import agreed, crossing
from ridecodec.picture import Picture, Samples

_ALIKE = 0.75
"""Share of the lines that are as those one piece before: the others may have been changed."""
_SMALLER = 0.75
"""Share of the pixels that the piece has at most."""
_TRIED = 8
"""Kinds of lines, rare ones first, and distances between lines of a kind that are tried as the size of a piece."""


@dataclass(frozen=True)
class Repeated(History):
    """A picture of any type, of copies of a piece of ``height`` x ``width`` pixels; the last ones may be cut off."""

    number: ClassVar[int] = 4
    name: ClassVar[str] = "repeated"

    height: int
    width: int

    @classmethod
    def detect(cls, picture: Picture) -> Repeated | None:
        """Judged by some pixels of each line."""
        height, width = (_period(picture.planes, axis) for axis in (1, 2))
        smaller = 1 < height * width <= _SMALLER * picture.height * picture.width  # one pixel is a form of its own
        return cls(height, width) if smaller else None

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> Repeated:
        """Two varints: the height and the width of the piece."""
        reader = Reader(memoryview(parameters))
        height, width = reader.varint("history"), reader.varint("history")
        if reader.left or not (0 < height <= frame.height and 0 < width <= frame.width):
            raise DamagedError("the history is damaged: it repeats a piece that does not fit")
        return cls(height, width)

    def write(self) -> bytes:
        """The height and the width of the piece."""
        return write_varint(self.height) + write_varint(self.width)

    @property
    def words(self) -> str:
        """Such as `a piece of 64 x 64 pixels, repeated`."""
        return f"a piece of {self.width} x {self.height} pixels, repeated"

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """The piece."""
        return (Frame(self.width, self.height, frame.colour, frame.bit_depth),)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """Each pixel is what two of three copies have."""
        return (agreed((self._copy(picture, 0), self._copy(picture, 1), self._copy(picture, 2))),)

    def _copy(self, picture: Picture, number: int) -> Samples:
        """A copy of the piece; of what the picture does not have of it, an earlier copy."""
        rows, columns = np.arange(self.height), np.arange(self.width)
        for lines, period, length in ((rows, self.height, picture.height), (columns, self.width, picture.width)):
            lines += period * np.minimum(number, (length - 1 - lines) // period)
        return picture.planes[:, rows[:, None], columns]

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The whole piece."""
        return (Box(0, 0, self.width, self.height),)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """Copy the pixels."""
        rows = np.arange(box.y, box.y + box.height) % self.height
        columns = np.arange(box.x, box.x + box.width) % self.width
        return source[0][:, rows[:, None], columns]


def _period(planes: Samples, axis: int) -> int:
    """After how many lines along an axis they are the same again; their number where they are not."""
    lines = np.ascontiguousarray(crossing(planes, axis).transpose(1, 0, 2)).reshape(planes.shape[axis], -1)
    count = len(lines)
    numbers: dict[bytes, int] = {}
    kinds = np.array([numbers.setdefault(line.tobytes(), len(numbers)) for line in lines])
    copies = np.bincount(kinds)
    rare = sorted(np.flatnonzero(copies > 1), key=lambda kind: copies[kind])[:_TRIED]
    places = (np.flatnonzero(kinds == kind) for kind in rare)
    periods = {int(period) for at in places for period in np.diff(at)[:_TRIED]}
    for period in sorted(periods):
        if (kinds[period:] == kinds[:-period]).mean() >= _ALIKE:
            return period
    return count
