"""Pictures enlarged by nearest neighbours: rows and columns that stand several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame, History
from ridecodec.histories.copies import agreed, crossing
from ridecodec.picture import Picture, Samples

_MOST_COPIES = 64
"""Copies of a line that are looked for, unless all lines are copies of one."""
_STRAY = 0.03
"""Share of the changes between lines that may lie elsewhere: what was pasted afterwards."""
_STEP = 0.1
"""How much of a line changes at least where the next one begins, of what changes most."""
_SMALLER = 0.9
"""Share of the pixels that the source has at most."""
_SIMPLE = 64
"""Largest numerator of the ratios that are tried beside that of the sizes."""


@dataclass(frozen=True)
class Scale:
    """Line `i` of the picture is line `(i * over + first) // under` of the source: first < under, over <= under."""

    over: int = 1
    under: int = 1
    first: int = 0

    def source(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """The source's lines of those of the picture."""
        return (lines * self.over + self.first) // self.under

    def length(self, lines: int) -> int:
        """Lines of the source for a picture of so many."""
        return ((lines - 1) * self.over + self.first) // self.under + 1

    def copies(self, lines: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The first, a middle and the last line of the picture of each line of the source."""
        begin = -((self.first - np.arange(self.length(lines) + 1) * self.under) // self.over)
        begin = np.clip(begin, 0, lines)
        return begin[:-1], (begin[:-1] + begin[1:] - 1) // 2, begin[1:] - 1

    def span(self, begin: int, length: int) -> tuple[int, int]:
        """The first line of the source that some lines need, and how many."""
        low, high = (int(self.source(np.int64(line))) for line in (begin, begin + length - 1))
        return low, high - low + 1

    @property
    def words(self) -> str:
        """Such as `2` or `3/2`."""
        common = gcd(self.over, self.under)
        over = f"/{self.over // common}" if self.over > common else ""
        return f"{self.under // common}{over}"


@dataclass(frozen=True)
class Enlarged(History):
    """A picture of any type whose rows and columns are those of a smaller one, some of them several times."""

    number: ClassVar[int] = 3
    name: ClassVar[str] = "enlarged"

    rows: Scale
    columns: Scale

    @classmethod
    def detect(cls, picture: Picture) -> Enlarged | None:
        """Judged by how many of some pixels of each line are as those of the line before."""
        found = cls(*(_scale(_changes(picture.planes, axis)) for axis in (1, 2)))
        pixels = found.rows.length(picture.height) * found.columns.length(picture.width)
        return found if 1 < pixels <= _SMALLER * picture.height * picture.width else None

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> Enlarged:
        """Of rows and of columns: three varints each."""
        reader = Reader(memoryview(parameters))
        scales = [Scale(*(reader.varint("history") for _ in range(3))) for _ in range(2)]
        if reader.left or any(not 0 < each.over <= each.under or each.first >= each.under for each in scales):
            raise DamagedError("the history is damaged: it has an enlargement that does not exist")
        return cls(*scales)

    def write(self) -> bytes:
        """Of rows and of columns: the numerator and the denominator of the ratio, and what is added."""
        scales = (self.rows, self.columns)
        return b"".join(write_varint(part) for each in scales for part in (each.over, each.under, each.first))

    @property
    def words(self) -> str:
        """Such as `enlarged 2 x 2`, width first."""
        return f"enlarged {self.columns.words} x {self.rows.words}"

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """A smaller picture of the same type."""
        width, height = self.columns.length(frame.width), self.rows.length(frame.height)
        return (Frame(width, height, frame.colour, frame.bit_depth),)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """Each pixel is what two of three copies have."""
        lines = zip(self.rows.copies(picture.height), self.columns.copies(picture.width), strict=True)
        first, middle, last = (picture.planes[:, rows[:, None], columns] for rows, columns in lines)
        return (agreed((first, middle, last)),)

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The pixels that those of the box are copies of."""
        top, height = self.rows.span(box.y, box.height)
        left, width = self.columns.span(box.x, box.width)
        return (Box(left, top, width, height),)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """Copy the pixels."""
        (needed,) = self.needs(frame, box)
        rows = self.rows.source(np.arange(box.y, box.y + box.height)) - needed.y
        columns = self.columns.source(np.arange(box.x, box.x + box.width)) - needed.x
        return source[0][:, rows[:, None], columns]


def _changes(planes: Samples, axis: int) -> NDArray[np.float64]:
    """Of each line but the first along an axis, how much is not as in the line before: 0 to 1."""
    lines = crossing(planes, axis)
    return np.asarray((lines[:, 1:] != lines[:, :-1]).any(0).mean(1))


def _scale(changes: NDArray[np.float64]) -> Scale:
    """The scale that leads to such changes; of 1 where none does."""
    total = float(changes.sum())
    if not total:
        return Scale(1, len(changes) + 1)
    places = np.arange(1, len(changes) + 1)
    for copies in range(min(_MOST_COPIES, len(changes)), 1, -1):
        begin = np.bincount(places % copies, changes, copies)
        if begin.max() >= (1 - _STRAY) * total:
            return Scale(1, copies, -int(begin.argmax()) % copies)
    begins = places[changes > _STEP * changes.max()]
    stray = total - float(changes[begins - 1].sum())
    if stray > _STRAY * total or not 3 < len(begins) <= _SMALLER * len(changes):
        return Scale()
    return next(_fitting(begins, len(changes) + 1), Scale())


def _fitting(begins: NDArray[np.int64], lines: int) -> Iterator[Scale]:
    """Scales for which the lines of the source after the first begin at ``begins``."""
    count = len(begins) + 1
    mean = (begins[-1] - begins[0]) / (len(begins) - 1)
    simple = ((over, int(over * mean) + more) for over in range(1, _SIMPLE) for more in (0, 1))
    for over, under in ((2 * count, 2 * lines), *simple):
        lowest = int((np.arange(1, count) * under - begins * over).max())
        highest = int((np.arange(1, count) * under - (begins - 1) * over).min()) - 1
        first = max(lowest, 0)
        if 0 < over < under and first <= min(highest, under - 1):
            preferred = over // 2  # of centres of pixels, as most programs enlarge
            yield Scale(over, under, preferred if first <= preferred <= min(highest, under - 1) else first)
