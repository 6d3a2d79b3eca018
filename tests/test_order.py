"""The order of coding: what is wanted is known, and both layouts agree on what stands where."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from ridecodec.coding.order import FrontLayout, RasterLayout
from ridecodec.exact.order import Neighbourhood, Offset, front_order
from ridecodec.models.gradient import NEAR
from ridecodec.models.photo.definition import FAN

INITIAL = -7.0
OUTSIDE = torch.tensor([-3.0, -4.0])
"""Constants around the two planes."""

causal = st.one_of(
    st.tuples(st.just(0), st.integers(-5, -1)),
    st.tuples(st.integers(-4, -1), st.integers(-5, 6)),
)
offset_sets = st.lists(causal, min_size=1, max_size=6, unique=True)
sides = st.integers(1, 9)


def value(plane: Tensor, y: int, x: int, slope: int) -> float:
    """What stands at (y, x), in the picture or around it, by the words of the module's documentation."""
    width = plane.shape[1]
    if y < 0:
        return value(plane, 0, x + slope * y, slope)
    if x >= width:
        return float(plane[y, width - 1])
    if x >= 0:
        return float(plane[y, x])
    return float(plane[y - 1, 0]) if y else INITIAL


def taps(plane: Tensor, offsets: list[Offset], y: int, x: int, slope: int) -> list[float]:
    return [value(plane, y + dy, x + dx, slope) for dy, dx in offsets]


def numbered(tiles: int, height: int, width: int) -> Tensor:
    """Planes [2, tiles, H, W] in which every pixel is another one."""
    return torch.arange(2.0 * tiles * height * width).view(2, tiles, height, width)


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
    plane = numbered(1, height, width)[0, 0]
    front = torch.arange(width) + slope * torch.arange(height)[:, None]
    for y in range(height):
        for x in range(width):
            later = torch.where(front >= front[y, x], -1000.0, plane)
            assert taps(later, offsets, y, x, slope) == taps(plane, offsets, y, x, slope)


@given(offset_sets, sides, sides)
def test_raster_layout(offsets: list[Offset], height: int, width: int) -> None:
    hood = Neighbourhood.of(offsets)
    planes = numbered(1, height, width)[:, 0]
    layout = RasterLayout(hood, height, width)
    extended = layout.extend(planes, INITIAL)
    surrounded = layout.surround(planes, OUTSIDE)
    assert extended.shape == surrounded.shape == (2, layout.plane)
    y0 = height // 2
    positions = torch.cat([layout.positions(0, y0), layout.positions(y0, height)])
    for p, plane in enumerate(planes):
        found = torch.stack([extended[p, positions + layout.shift(o)] for o in offsets], 1).tolist()
        assert found == [taps(plane, offsets, y, x, hood.slope) for y in range(height) for x in range(width)]
        found = torch.stack([surrounded[p, positions + layout.shift(o)] for o in offsets], 1).tolist()
        for at, (y, x) in enumerate(itertools.product(range(height), range(width))):
            near = [(y + dy, x + dx) for dy, dx in offsets]
            inside = [0 <= v < height and 0 <= u < width for v, u in near]
            wanted = [float(plane[place] if there else OUTSIDE[p]) for place, there in zip(near, inside, strict=True)]
            assert found[at] == wanted


def check_front_layout(
    offsets: list[Offset], tiles: int, height: int, width: int, outside: torch.Tensor | None = None
) -> None:
    """Feed a batch of tiles front by front; what it gives is what the raster layout has."""
    hood = Neighbourhood.of(offsets)
    planes = numbered(tiles, height, width)
    layout = FrontLayout(hood, height, width, tiles, outside)
    buffer = layout.blank([INITIAL, INITIAL] if outside is None else outside.tolist(), torch.device("cpu"))
    assert buffer.shape == (2, layout.window, tiles, layout.rows)
    shifts = torch.tensor([p * layout.plane + layout.shift(o) for p in range(2) for o in offsets])
    index = shifts[:, None, None] + layout.positions()

    raster = RasterLayout(hood, height, width)
    if outside is None:
        extended = raster.extend(planes.flatten(0, 1), INITIAL).view(2, tiles, -1)
    else:
        extended = raster.surround(planes.flatten(0, 1), outside.repeat_interleave(tiles)).view(2, tiles, -1)
    at = torch.stack([raster.positions(0, height) + raster.shift(o) for o in offsets])
    wanted = extended[:, :, at].view(2, tiles, len(offsets), height, width)

    for t in range(hood.fronts(height, width)):
        y0, y1 = hood.rows(t, height, width)
        if y0 >= y1:
            continue
        y = torch.arange(y0, y1)
        flat = buffer.view(-1)[layout.enter(buffer, t) :]
        found = flat.take(index[:, :, y0:y1])  # [planes * offsets, tiles, rows]
        right = wanted[:, :, :, y, t - hood.slope * y].transpose(1, 2).flatten(0, 1)
        assert torch.equal(found, right), f"front {t}"
        layout.write(buffer, t, planes[:, :, y, t - hood.slope * y])


@given(offset_sets, st.integers(1, 3), sides, sides)
@example([(-1, 4)], 2, 9, 1)  # so narrow that fronts without a pixel come between
@example([(-1, 4)], 2, 9, 2)
def test_front_layout(offsets: list[Offset], tiles: int, height: int, width: int) -> None:
    check_front_layout(offsets, tiles, height, width)
    check_front_layout(offsets, tiles, height, width, OUTSIDE)


@pytest.mark.parametrize("offsets", [[(0, -1)], [(0, -3), (-2, 3), (-1, -4)], list(FAN)])
@pytest.mark.parametrize(("height", "width"), [(1, 300), (5, 200), (150, 3), (70, 90)])
def test_front_layout_moves_its_window(offsets: list[Offset], height: int, width: int) -> None:
    hood = Neighbourhood.of(offsets)
    assert hood.fronts(height, width) > FrontLayout(hood, height, width, 1).window + FrontLayout.SPARE
    check_front_layout(offsets, 2, height, width)
    check_front_layout(offsets, 2, height, width, OUTSIDE)
