"""What `auto` makes is never larger than an optimized PNG, nor than what a model makes alone."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Array, arrays, crop
from PIL import Image

import ridecodec
from ridecodec.picture import Picture
from ridecodec.tiles import autocodec
from ridecodec.tiles.forms import reading
from ridecodec.tiles.forms.choosing import Chosen
from ridecodec.tiles.forms.members import PHOTO

SLACK = 24
"""Bytes that a file may be larger than the PNG."""


def size(pixels: Array, model: str, tile: int = 0) -> int:
    return len(ridecodec.compress(pixels, model=model, tile=tile, device="cpu", threads=1, verify=False))


def png(pixels: Array) -> int:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return len(out.getvalue())


def check(pixels: Array, tile: int = 0) -> bytes:
    """The file, which is not larger than the others."""
    data = ridecodec.compress(pixels, tile=tile, device="cpu", threads=1, verify=False)
    assert np.array_equal(ridecodec.decompress(data, device="cpu", threads=1).to_numpy(), pixels)
    assert len(data) <= min(png(pixels) + SLACK, size(pixels, "photo", tile), size(pixels, "gradient", tile))
    return data


def ramps(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Modulo 256, each channel its own."""
    return np.stack([a * x + b * y + c for a, b, c in rng.integers(0, 256, (3, 3))], 2)


def checks(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """A board of two colours with a ramp on one of them, or on both."""
    one, other = rng.integers(0, 256, (2, 3))
    field = (x // rng.integers(1, 9) + y // rng.integers(1, 9)) % 2
    lit, dark = (np.multiply.outer(x * rng.integers(0, 3) + y * rng.integers(0, 3), [1, 1, 1]) for _ in range(2))
    return np.where(field[:, :, None], one + lit, other + dark * rng.integers(0, 2))


def rolling(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """A row of noise, to which every row adds."""
    return rng.integers(0, 256, (1, x.shape[1], 3)) + (y * rng.integers(0, 9))[:, :, None]


def hills(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Elevation, packed into three channels of 8 bits."""
    a, b = rng.uniform(5, 60, 2)
    height = (8e6 + 10 ** rng.uniform(3, 6) * np.sin(x / a) * np.cos(y / b)).astype(np.int64)
    return np.stack([height >> 16, height >> 8, height], 2)


def packed(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Numbers that count, packed low byte first."""
    number = (y * x.shape[1] + x) * rng.integers(1, 5000)
    return np.stack([number, number >> 8, number >> 16], 2)


def wrapped(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Coordinates of a texture, which wrap around."""
    u, v = x * rng.uniform(0.3, 30), y * rng.uniform(0.3, 30)
    return np.stack([u, v, np.zeros_like(u) + rng.integers(0, 256)], 2).astype(np.int64)


def periodic(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """A texture of any period and any number of values."""
    colours = rng.integers(0, 256, (rng.choice([2, 3, 7, 40, 256]), 3))
    motif = colours[rng.integers(0, len(colours), rng.integers(1, 50, 2))]
    return motif[y % len(motif), x % motif.shape[1]]


def waves(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """A smooth gradient that wraps around many times, and a little noise where the seed has it."""
    slow = np.stack([np.sin(x / p) + np.cos(y / q) for p, q in rng.uniform(4, 40, (3, 2))], 2) * rng.uniform(50, 3000)
    return (slow + rng.normal(0, rng.choice([0, 0, 1]), slow.shape)).astype(np.int64)


def walk(y: Array, x: Array, rng: np.random.Generator) -> Array:
    """Noise that adds up along the rows, in channels that are the same or not."""
    steps = rng.integers(-3, 4, (*x.shape, rng.choice([1, 3])))
    return np.cumsum(steps, 1).repeat(3 // steps.shape[2], 2)


STRUCTURES: tuple[Callable[..., Array], ...] = (
    ramps, checks, rolling, hills, packed, wrapped, periodic, waves, walk
)  # fmt: skip


@st.composite
def structures(draw: st.DrawFn, least: int = 1, most: int = 60) -> Array:
    """Gray and RGB pictures that follow a rule."""
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    y, x = np.mgrid[:height, :width]
    found = draw(st.sampled_from(STRUCTURES))(y, x, np.random.default_rng(draw(st.integers(0, 2**32))))
    pixels: Array = found.astype(np.uint8)
    return np.ascontiguousarray(pixels[:, :, 0]) if draw(st.booleans()) else pixels


@settings(max_examples=25)
@given(structures())
def test_structures(pixels: Array) -> None:
    check(pixels)


@pytest.mark.parametrize("kind", [ramps, periodic, waves])
def test_large_structures(kind: Callable[..., Array]) -> None:
    """Judged by pieces."""
    check(kind(*np.mgrid[:190, :180], np.random.default_rng(1)).astype(np.uint8)[:, :, 0])


@settings(max_examples=15)
@given(arrays(40), st.integers(12, 40))
def test_tiles(pixels: Array, tile: int) -> None:
    """Some by a model, some not."""
    check(pixels, tile)


def test_the_worst_that_was_found() -> None:
    """Of 1000 x 1000 pixels the PNG takes 2,187 bytes, `photo` 754,753."""
    y, x = np.mgrid[:400, :400]
    pixels = ((37 * x + 11 * y) % 256).astype(np.uint8)
    assert len(ridecodec.compress(pixels, device="cpu", threads=1, verify=False)) <= png(pixels) + SLACK


@pytest.mark.parametrize("side", [1, 9, 63, 65])
@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (10, 200, 90)])
def test_flat_pictures(side: int, colour: tuple[int, int, int]) -> None:
    """Which models take less of than a form does, where they are small."""
    pixels = np.full((side, side, 3), colour, np.uint8)
    check(pixels)
    check(pixels[:, :, 1])


@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_photographs_go_to_photo(name: str) -> None:
    pixels = crop(name, 190, 180)
    assert len(check(pixels)) == size(pixels, "photo")


def test_a_photograph_on_a_page() -> None:
    """Most of the page is blank, and says nothing of the photograph."""
    page = np.full((300, 320), 12, np.uint8)
    page[40:160, 100:220] = crop("camera", 120, 120)
    assert len(check(page)) < 1.1 * size(crop("camera", 120, 120), "photo")


def test_one_model_codes_all_tiles_where_that_is_shorter() -> None:
    """Forms say in each tile which model it is, so a file of one model may be shorter though one of its tiles is not;
    that tile is coded only if it can be so."""

    def coded(photographs: int, rows: int, length: int = 30) -> list[bytes] | None:
        tiles = [Chosen(reading.modelled(PHOTO, bytes(50)), {})] * photographs + [Chosen(bytes(20), {})] * rows
        return autocodec._alone(PHOTO, tiles, [lambda: bytes(length)] * len(tiles))

    assert coded(10, 1) == [bytes(50)] * 10 + [bytes(30)]
    assert coded(1, 10) is None
    assert coded(3, 0) == [bytes(50)] * 3


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.booleans())
def test_palettes(seed: int, spread: bool) -> None:
    """Against the PNG of the same palette."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: rng.integers(1, 70), : rng.integers(1, 70)]
    indices = STRUCTURES[seed % len(STRUCTURES)](y, x, rng)[:, :, 0] % (256 if spread else 16)
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(rng.bytes(768))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    picture = Picture.open(io.BytesIO(out.getvalue()))
    data = ridecodec.compress(picture, device="cpu", threads=1, verify=False)
    assert len(data) <= len(out.getvalue()) + SLACK
