"""A tile's planes with what stands around them, as `exact.order` says: filled at once, or front by front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.parts import BORDER
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64

INITIAL = 128
"""What stands left of the first row of the samples."""


def plane_type(program: Program) -> type[np.number[Any]]:
    """What holds every plane's values in little room."""
    ends = [program.ranges[plane.value] for plane in program.kept]
    top = max([program.top, *(int(end.top.max()) for end in ends)])
    return next(kind for kind in (np.int16, np.int32, np.int64) if top <= np.iinfo(kind).max)


def outside(program: Program) -> list[tuple[int, int]]:
    """What a program's planes have outside of the tile: (rule, initial value) of each."""
    return [(BORDER, INITIAL)] * program.channels + [(plane.rule, plane.initial) for plane in program.kept]


def margins(hood: Neighbourhood) -> tuple[int, int]:
    """Columns to the left and to the right of a tile that a board has.

    The top rows are filled from columns further left, so row 0 needs that much more of its left side.
    """
    return hood.left + hood.slope * hood.top, hood.right


class Board:
    """Planes [P, rows, columns] in one flat array each, so that a tap is one fixed distance from its pixel."""

    def __init__(
        self,
        hood: Neighbourhood,
        height: int,
        width: int,
        outside: Sequence[tuple[int, int]],
        dtype: type[np.number[Any]],
    ) -> None:
        """``outside``: (rule, initial) of each plane."""
        self.hood, self.height, self.width = hood, height, width
        self.left, right = margins(hood)
        self.stride = self.left + width + right
        self.plane = (hood.top + height) * self.stride
        self.border = np.array([rule == BORDER for rule, _ in outside], np.bool_)
        initial = np.array([value for _, value in outside], dtype)
        self.values: NDArray[Any] = np.repeat(initial, self.plane).reshape(len(outside), -1, self.stride)

    def positions(self, y: Int64, x: Int64) -> Int64:
        """Where pixels stand in a plane's flat array."""
        return (y + self.hood.top) * self.stride + x + self.left

    def shifts(self, planes: Int64, dy: Int64, dx: Int64) -> Int64:
        """From a pixel's position in plane 0 to its taps."""
        return planes * self.plane + dy * self.stride + dx

    def fill(self, first: int, planes: NDArray[Any]) -> None:
        """All pixels of some planes [n, H, W], from plane ``first`` on."""
        top, left, width = self.hood.top, self.left, self.width
        part = self.values[first : first + len(planes)]
        part[:, top:, left : left + width] = planes
        border = self.border[first : first + len(planes)]
        if not border.any():
            return
        body = part[border]
        rows = body[:, top:]
        rows[:, 1:, :left] = rows[:, :-1, left : left + 1]
        rows[:, :, left + width :] = rows[:, :, left + width - 1 : left + width]
        for d in range(1, top + 1):
            lag = self.hood.slope * d
            body[:, top - d, lag:] = rows[:, 0, : self.stride - lag]
        part[border] = body

    def write(self, planes: Int64 | slice, y: Int64, x: Int64, values: NDArray[Any]) -> None:
        """Some planes' values [n, m] at one front's pixels, and the border that they decide."""
        numbers = np.arange(len(self.values))[planes]
        top, left, width, slope = self.hood.top, self.left, self.width, self.hood.slope
        self.values[numbers[:, None], y + top, x + left] = values
        chosen = self.border[numbers]
        if not chosen.any():
            return
        known, border = values[chosen], numbers[chosen]
        for k in np.flatnonzero((x == 0) & (y + 1 < self.height)):
            self.values[border, top + y[k] + 1, :left] = known[:, k, None]
        for k in np.flatnonzero(x == width - 1):
            self.values[border, top + y[k], left + width :] = known[:, k, None]
        for k in np.flatnonzero(y == 0):
            end = left + width + (self.hood.right if x[k] == width - 1 else 0)
            for column in range(left + int(x[k]), end if x[k] == width - 1 else left + int(x[k]) + 1):
                for d in range(1, top + 1):
                    if column + slope * d < self.stride:
                        self.values[border, top - d, column + slope * d] = known[:, k]


def filled(
    program: Program, planes: NDArray[np.uint8], kept: Mapping[int, NDArray[Any]], dtype: type[np.number[Any]]
) -> Board:
    """The board of a known tile [C, H, W]; ``kept``: the values that the program keeps, [size, H, W] by number."""
    _, height, width = planes.shape
    board = Board(program.hood, height, width, outside(program), dtype)
    board.fill(0, planes)
    for k, plane in enumerate(program.kept):
        board.fill(program.channels + k, kept[plane.value][plane.row][None])
    return board
