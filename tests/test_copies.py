"""Histories of pictures that hold pixels several times: enlarged by nearest neighbours, or one piece repeated."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from pathlib import Path

import cv2
import numpy as np
import pytest
from history_checker import check_history
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import crop, noise, photograph
from PIL import Image

from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame
from ridecodec.histories.enlarged import Enlarged, Scale
from ridecodec.histories.repeated import Repeated
from ridecodec.picture import Picture

DATA = Path(__file__).parents[2] / "shared" / "data"
DEEP = st.booleans()
CHANNELS = st.sampled_from([1, 2, 3, 4])
COPIES = st.integers(1, 7)


def small(height: int, width: int, channels: int, seed: int, deep: bool) -> NDArray[np.uint8 | np.uint16]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 65536 if deep else 256, (height, width, channels)).astype(np.uint16 if deep else np.uint8)


@given(st.integers(12, 30), st.integers(12, 30), CHANNELS, st.integers(0, 99), DEEP, COPIES, COPIES, st.data())
def test_copied_pixels_are_found(
    height: int, width: int, channels: int, seed: int, deep: bool, down: int, across: int, data: st.DataObject
) -> None:
    """With any number of copies, and any number of lines cut off; a retouched pixel changes no other."""
    samples = small(height, width, channels, seed, deep).repeat(down, 0).repeat(across, 1)
    top, left = data.draw(st.integers(0, down - 1)), data.draw(st.integers(0, across - 1))
    picture = Picture.from_numpy(samples[top:, left:].copy())
    found = Enlarged.detect(picture)
    if down == across == 1:
        assert found is None
        return
    assert found == Enlarged(Scale(1, down, top), Scale(1, across, left))
    assert not check_history(found, picture).any()
    y, x = data.draw(st.integers(0, picture.height - 1)), data.draw(st.integers(0, picture.width - 1))
    picture.planes[:, y, x] ^= 1
    assert Enlarged.detect(picture) == found
    wrong = check_history(found, picture)
    assert wrong.sum() <= 1 or down * across < 3 or y + top < down or x + left < across or wrong.sum() < down * across


@given(st.integers(30, 60), st.integers(0, 99), st.fractions(Fraction(8, 7), 6, max_denominator=97), st.booleans())
def test_nearest_neighbours_are_found(side: int, seed: int, factor: float, cut: bool) -> None:
    """As OpenCV enlarges, by any ratio, and a part of what it makes; it rounds where a pixel ends just at another."""
    size = round(side * factor)
    assume(size % side == 0 or gcd(size, side) == 1)
    samples = cv2.resize(small(side, side, 3, seed, False), (size, size), interpolation=cv2.INTER_NEAREST)
    if cut and Fraction(size, side).denominator < 8:
        samples = samples[3:, 5:]
    picture = Picture.from_numpy(np.ascontiguousarray(samples))
    found = Enlarged.detect(picture)
    assert found is not None
    assert not check_history(found, picture).any()
    assert found.rows.length(picture.height) <= side + 1


def test_a_patch_stays_an_exception() -> None:
    samples = crop("astronaut", 100, 120).repeat(3, 0).repeat(3, 1)
    samples[50:90, 60:140] = 7
    picture = Picture.from_numpy(samples)
    found = Enlarged.detect(picture)
    assert found == Enlarged(Scale(1, 3), Scale(1, 3))
    assert check_history(found, picture).mean() < 0.01


def test_moon_is_enlarged() -> None:
    picture = Picture.from_numpy(np.kron(crop("camera", 90, 70), np.ones((2, 2), np.uint8)))
    found = Enlarged.detect(picture)
    assert found is not None
    assert found.words == "enlarged 2 x 2"


@given(
    st.integers(5, 30), st.integers(5, 30), CHANNELS, st.integers(0, 99), DEEP, st.integers(4, 40), st.integers(4, 40)
)
def test_a_repeated_piece_is_found(
    height: int, width: int, channels: int, seed: int, deep: bool, more: int, wider: int
) -> None:
    piece = small(height, width, channels, seed, deep)
    samples = np.tile(piece, (10, 10, 1))[: height + more, : width + wider].copy()
    picture = Picture.from_numpy(samples)
    found = Repeated.detect(picture)
    if height * width > 0.75 * samples.shape[0] * samples.shape[1]:
        return
    assert found == Repeated(height, width)
    assert not check_history(found, picture).any()


def test_a_patch_on_a_repeated_piece_stays_an_exception() -> None:
    samples = np.tile(crop("astronaut", 40, 50), (4, 5, 1))
    samples[30:38, 40:60] = 9
    picture = Picture.from_numpy(samples)
    found = Repeated.detect(picture)
    assert found == Repeated(40, 50)
    assert check_history(found, picture).sum() <= 160


@given(st.integers(1, 70), st.integers(1, 70), CHANNELS, st.integers(0, 999), DEEP)
def test_every_picture_is_taken(height: int, width: int, channels: int, seed: int, deep: bool) -> None:
    """And what is found of noise, where it is narrow, holds."""
    picture = Picture.from_numpy(small(height, width, channels, seed, deep))
    for history in (Enlarged.detect(picture), Repeated.detect(picture)):
        if history is not None:
            assert not check_history(history, picture).any()
            assert min(height, width) == 1 or height * width < 16 or not deep


@pytest.mark.parametrize("history", [Enlarged, Repeated])
def test_photographs_have_no_such_history(history: type[Enlarged] | type[Repeated]) -> None:
    paths = sorted((DATA / "photos-train").glob("*.webp"))[::40]
    pictures = [np.asarray(Image.open(path)) for path in paths]
    pictures += [photograph("astronaut"), photograph("chelsea"), noise((90, 80, 3), 1)]
    assert [history.detect(Picture.from_numpy(picture)) for picture in pictures] == [None] * len(pictures)


@pytest.mark.parametrize("parameters", [b"\1\2\2\1\1\0", b"\0\1\0\1\1\0", b"\2\1\0\1\1\0", b"\1\1\0\1\1"])
def test_forged_enlargements_are_refused(parameters: bytes) -> None:
    frame = Frame.of(Picture.from_numpy(noise((9, 9, 3), 0)))
    with pytest.raises(DamagedError, match="history"):
        Enlarged.read(parameters, frame)


@pytest.mark.parametrize("parameters", [b"\0\1", b"\1\0", b"\x0a\1", b"\1\x0a"])
def test_forged_pieces_are_refused(parameters: bytes) -> None:
    frame = Frame.of(Picture.from_numpy(noise((9, 9, 3), 0)))
    with pytest.raises(DamagedError, match="history"):
        Repeated.read(parameters, frame)
