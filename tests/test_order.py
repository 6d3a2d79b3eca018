"""The order of coding: what is wanted is known, and boards have what the rules say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ridecodec.engines.board import Board
from ridecodec.exact.order import Neighbourhood, Offset, front_order
from ridecodec.exact.parts import BORDER, CONSTANT
from ridecodec.models.gradient import NEAR
from ridecodec.models.photo.definition import FAN

OUTSIDE = (-7, -4)
"""The initial values of two planes."""

causal = st.one_of(
    st.tuples(st.just(0), st.integers(-5, -1)),
    st.tuples(st.integers(-4, -1), st.integers(-5, 6)),
)
offset_sets = st.lists(causal, min_size=1, max_size=6, unique=True)
sides = st.integers(1, 9)


def value(plane: NDArray[np.int64], y: int, x: int, slope: int, rule: int = BORDER, initial: int = -7) -> int:
    """What stands at (y, x), in the picture or around it, by the words of the module's documentation."""
    height, width = plane.shape
    if 0 <= y < height and 0 <= x < width:
        return int(plane[y, x])
    if rule == CONSTANT:
        return initial
    if y < 0:
        return value(plane, 0, x + slope * y, slope, rule, initial)
    if x >= width:
        return int(plane[y, width - 1])
    return int(plane[y - 1, 0]) if y else initial


def numbered(count: int, height: int, width: int) -> NDArray[np.int64]:
    """Planes [count, H, W] in which every pixel is another one."""
    return np.arange(count * height * width).reshape(count, height, width)


def test_slope_follows_from_the_offsets() -> None:
    assert Neighbourhood.of([]) == Neighbourhood(0, 1, 1, 1)
    assert Neighbourhood.of([(0, -1), (-1, 0)]) == Neighbourhood(1, 1, 1, 1)
    assert Neighbourhood.of(NEAR) == Neighbourhood(1, 1, 1, 2)
    assert Neighbourhood.of([(-1, 2)]) == Neighbourhood(1, 1, 2, 3)
    assert Neighbourhood.of([(-2, 3), (0, -4)]) == Neighbourhood(2, 4, 3, 2)  # two rows share what is to the right
    assert Neighbourhood.of(FAN).slope == 2


@pytest.mark.parametrize("offset", [(0, 0), (0, 1), (1, -3)])
def test_what_comes_later_is_no_neighbour(offset: Offset) -> None:
    with pytest.raises(ValueError, match="not causal"):
        Neighbourhood.of([(0, -1), offset])


@given(offset_sets)
def test_every_neighbour_lies_in_an_earlier_front(offsets: list[Offset]) -> None:
    hood = Neighbourhood.of(offsets)
    assert all(dx + hood.slope * dy < 0 for dy, dx in offsets)
    smaller = hood.slope - 1
    assert smaller == 0 or not all(dx + smaller * dy < 0 for dy, dx in offsets)


@given(sides, sides, st.integers(1, 5))
def test_wavefront_visits_every_pixel_once_in_order(height: int, width: int, slope: int) -> None:
    order = front_order(height, width, slope)
    assert sorted(order.tolist()) == list(range(height * width))
    y, x = order // width, order % width
    keys = list(zip((x + slope * y).tolist(), y.tolist(), strict=True))
    assert keys == sorted(keys)
    hood = Neighbourhood(1, 1, 1, slope)
    visited = [(t, row) for t in range(hood.fronts(height, width)) for row in range(*hood.rows(t, height, width))]
    assert visited == keys


@given(offset_sets, sides, sides)
def test_border_values_are_known_when_wanted(offsets: list[Offset], height: int, width: int) -> None:
    """Pixels of the same and of later fronts may be anything."""
    slope = Neighbourhood.of(offsets).slope
    (plane,) = numbered(1, height, width)
    front = np.arange(width) + slope * np.arange(height)[:, None]
    for y, x in np.ndindex(height, width):
        later = np.where(front >= front[y, x], -1000, plane)
        for dy, dx in offsets:
            assert value(later, y + dy, x + dx, slope) == value(plane, y + dy, x + dx, slope)


@pytest.mark.parametrize("rule", [BORDER, CONSTANT])
@given(offset_sets, sides, sides)
@example([(-1, 4)], 9, 1)  # so narrow that fronts without a pixel come between
@example([(-1, 4)], 9, 2)
def test_boards(rule: int, offsets: list[Offset], height: int, width: int) -> None:
    """What taps see, of a board that is filled at once and of one that is filled front by front, just before it."""
    hood = Neighbourhood.of(offsets)
    planes = numbered(2, height, width)
    whole, growing = (Board(hood, height, width, [(rule, v) for v in OUTSIDE], np.int32) for _ in range(2))
    whole.fill(0, planes)
    taps = [(p, dy, dx) for p in range(2) for dy, dx in offsets]
    shifts = whole.shifts(*np.array(taps).T)
    for t in range(hood.fronts(height, width)):
        y = np.arange(*hood.rows(t, height, width))
        x = t - hood.slope * y
        wanted = [
            [value(planes[p], v + dy, u + dx, hood.slope, rule, OUTSIDE[p]) for v, u in zip(y, x, strict=True)]
            for p, dy, dx in taps
        ]
        for board in (whole, growing):
            found = board.values.take(shifts[:, None] + board.positions(y, x))
            assert found.tolist() == wanted, f"front {t}"
        growing.write(slice(2), y, x, planes[:, y, x])
