"""Photo CD: Y of every pixel and two chroma channels of every fourth, put through Kodak's conversion to RGB.

The formulas were found by fitting them to the pictures of Kodak's suite, of which they give every unclipped pixel but
about one in ten thousand. Where the samples of chroma lie depends on how a picture was turned and cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ridecodec.box import Box
from ridecodec.errors import DamagedError
from ridecodec.histories import photo_cd_chroma as chroma
from ridecodec.histories.base import Frame, History
from ridecodec.histories.halves import Halves, means
from ridecodec.histories.photo_cd_colours import clipped, colours, inverted, luma_range
from ridecodec.picture import ColourType, Picture, Samples

_LEAST = 16
"""Pixels a side from which on it is looked for."""
_SAMPLE = 1 << 14
"""Pixels that are looked at first."""
_ROWS, _COLUMNS = 32, 512
"""Of the bands that tell where chroma lies."""
_BANDS = 4
_PERIODIC = 0.3
"""How much of the light has the period of Y: 0.6 in Photo CD, 0.02 in other photographs."""
_AGREE = 0.9
"""Share of the pixels whose chroma is the mean of its neighbours, at least."""
_ENOUGH = 64
"""Pixels that say so, and values of light, at least."""


@dataclass(frozen=True)
class PhotoCd(History):
    """Where the samples of chroma lie, by rows and by columns."""

    rows: Halves
    columns: Halves

    number: ClassVar[int] = 1
    name: ClassVar[str] = "photo-cd"

    @property
    def words(self) -> str:
        """What was done, for people."""
        return "Photo CD 4:2:0"

    @classmethod
    def detect(cls, picture: Picture) -> History | None:
        """Light has the period of Y, and chroma of every other pixel is the mean of its neighbours."""
        plain = picture.colour is ColourType.RGB and picture.bit_depth == 8
        if not plain or min(picture.width, picture.height) < _LEAST or not _periodic(picture.planes):
            return None
        phase = _phase(picture.planes)
        if phase is None:
            return None
        top, left = phase
        rows = _halves(picture.planes, top, left)
        columns = _halves(picture.planes.transpose(0, 2, 1), left, top)
        return cls(rows, columns)

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> History:
        """One byte: a number below 8 for the rows, and 8 times one for the columns."""
        if len(parameters) != 1 or parameters[0] >> 6 or frame.colour is not ColourType.RGB or frame.bit_depth != 8:
            raise DamagedError("the history is damaged: its parameters are not those of Photo CD")
        rows = Halves.of(parameters[0] & 7, frame.height)
        columns = Halves.of(parameters[0] >> 3, frame.width)
        return cls(rows, columns)

    def write(self) -> bytes:
        """One byte."""
        return bytes([self.rows.code | self.columns.code << 3])

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """The two channels of chroma, C1 and C2, and Y."""
        half = Frame(self.columns.count(frame.width), self.rows.count(frame.height), ColourType.GRAY, 8)
        return half, half, Frame(frame.width, frame.height, ColourType.GRAY, 8)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """Chroma where it lies, guessed where pixels are clipped, and the Y that goes with it."""
        planes = np.ascontiguousarray(picture.planes, np.uint8)
        halves = chroma.found(planes, self.rows, self.columns)
        box = Box(0, 0, picture.width, picture.height)
        whole = [means(half, self.rows, self.columns, box, half.shape) for half in halves]
        low, high = luma_range(planes, *whole)
        luma = chroma.luma(planes, whole, low, high)
        return halves[0][None], halves[1][None], luma[None]

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The samples of chroma above, below, left and right of all pixels."""
        top, bottom = self.rows.needed(box.y, box.height, frame.height)
        left, right = self.columns.needed(box.x, box.width, frame.width)
        half = Box(left, top, right - left, bottom - top)
        return half, half, box

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """The colours of Y and of the means of chroma."""
        size = self.rows.count(frame.height), self.columns.count(frame.width)
        whole = [means(each[0], self.rows, self.columns, box, size) for each in source[:2]]
        return colours(source[2][0], *whole)


def _periodic(planes: Samples) -> bool:
    """Whether light has the period of Y in a sample of the pixels."""
    step = max(1, planes[0].size // _SAMPLE)
    red, green, blue = (np.ascontiguousarray(plane).reshape(-1)[::step].astype(np.float32) for plane in planes)
    inside = ~clipped(planes.reshape(3, -1)[:, ::step])
    if inside.sum() < _ENOUGH:
        return False
    light = (0.299 * red + 0.587 * green + 0.114 * blue)[inside] * np.float32(2 * np.pi / 1.3584)
    if len(np.unique(light)) < _ENOUGH:
        return False
    return bool(np.hypot(np.cos(light).mean(), np.sin(light).mean()) > _PERIODIC)


def _phase(planes: Samples) -> tuple[int, int] | None:
    """The first row and column that have samples of chroma: 0 or 1 each."""
    height, width = planes.shape[1:]
    agree = np.zeros((2, 2, 2), np.int64)
    for band in range(_BANDS):
        top = (height - _ROWS) * band // (_BANDS - 1) & ~1 if height > _ROWS else 0
        left = (width - _COLUMNS) * band // (_BANDS - 1) & ~1 if width > _COLUMNS else 0
        part = np.ascontiguousarray(planes[:, top : top + _ROWS, left : left + _COLUMNS])
        first, second, known = inverted(part)
        corners = known[:-2, :-2] & known[2:, :-2] & known[:-2, 2:] & known[2:, 2:] & known[1:-1, 1:-1]
        right = corners.copy()
        for plane in (first, second):
            total = plane[:-2, :-2] + plane[2:, :-2] + plane[:-2, 2:] + plane[2:, 2:]
            right &= total + 2 >> 2 == plane[1:-1, 1:-1]
        for y in (0, 1):
            for x in (0, 1):
                agree[y, x] += right[y::2, x::2].sum(), corners[y::2, x::2].sum()
    share = agree[..., 0] / np.maximum(agree[..., 1], 1)
    y, x = divmod(int(share.argmax()), 2)
    return (y, x) if share[y, x] >= _AGREE and agree[y, x, 1] >= _ENOUGH else None


def _halves(planes: Samples, phase: int, across: int) -> Halves:
    """How chroma goes on beyond the first and the last row."""
    height = planes.shape[1]
    before = phase == 1 and not _repeated(planes[:, :2, across::2])
    after = (height - phase) % 2 == 0 and not _repeated(planes[:, -2:, across::2])
    return Halves(phase, before, after)


def _repeated(rows: Samples) -> bool:
    """Whether two rows have the same chroma, where it is known."""
    first, second, known = inverted(np.ascontiguousarray(rows))
    both = known.all(0)
    alike = (first[0] == first[1]) & (second[0] == second[1])
    return bool(alike[both].sum() >= _AGREE * both.sum())
