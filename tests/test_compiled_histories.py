"""What is compiled of histories gives what NumPy gives, number for number."""

from __future__ import annotations

import numpy as np
import pytest
from historypictures import SIDES, photo_cd
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ycbcr import made

from ridecodec.box import Box
from ridecodec.histories import lattice, native, photo_cd_colours
from ridecodec.histories.base import Frame, History
from ridecodec.histories.conversions import WORDS, conversion
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.histories.sampling import SAMPLINGS
from ridecodec.histories.ycbcr import YCbCr
from ridecodec.picture import Picture

pytestmark = pytest.mark.skipif(not native.compiled, reason="the compiled module was not built")


def both(monkeypatch: pytest.MonkeyPatch, history: History, picture: Picture, box: Box) -> None:
    """Undo and redo with and without it."""
    found = []
    for compiled in (True, False):
        monkeypatch.setattr(native, "compiled", compiled)
        source = history.undo(picture)
        frame = Frame.of(picture)
        parts = [
            needed.cut(samples, each.box)
            for needed, samples, each in zip(history.needs(frame, box), source, history.sources(frame), strict=True)
        ]
        found.append([*source, history.redo(parts, frame, box)])
    assert all(map(np.array_equal, *found))


def spoiled(picture: Picture, seed: int) -> Picture:
    """With clipped pixels and others that its history does not give."""
    draw = np.random.default_rng(seed)
    height, width = picture.planes.shape[1:]
    at = draw.integers(0, height, height), draw.integers(0, width, height)
    picture.planes[:, at[0], at[1]] = draw.choice(np.array([0, 3, 255], np.uint8), (len(picture.planes), height))
    bright = slice(height // 2, None), slice(width // 2, None)
    picture.planes[0][bright] = np.where(picture.planes[0][bright] > 120, 255, picture.planes[0][bright])
    return picture


@given(
    st.integers(0, len(WORDS) - 1),
    st.integers(0, len(SAMPLINGS) - 1),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_ycbcr(number: int, sampled: int, height: int, width: int, seed: int) -> None:
    picture = spoiled(made(number, sampled, height, width, seed), seed)
    box = Box(width // 3, height // 3, width - width // 3, height - height // 3)
    with pytest.MonkeyPatch.context() as monkeypatch:
        both(monkeypatch, YCbCr(number, sampled), picture, box)


@pytest.mark.parametrize("side", SIDES, ids=str)
def test_photo_cd(side: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(side, type(SIDES[0]))
    size = 64 + (side.phase if side.after else 0)
    both(monkeypatch, PhotoCd(side, side), spoiled(photo_cd(size, size, side, side), 5), Box(0, 0, size, size))


def test_any_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every kind, whether a history gives them or not."""
    draw = np.random.default_rng(3)
    colours = draw.integers(0, 256, (3, 61, 67), np.uint8)
    colours[:, :20] = draw.choice(np.array([0, 1, 254, 255], np.uint8), (3, 20, 67))
    first, second = draw.integers(0, 256, (2, 61, 67), np.uint8)
    found = []
    for compiled in (True, False):
        monkeypatch.setattr(native, "compiled", compiled)
        numbers = [*photo_cd_colours.inverted(colours), *photo_cd_colours.luma_range(colours, first, second)]
        for number in range(len(WORDS)):
            of = lattice.find(conversion(number), colours)
            numbers += [of.y, of.cb, of.cr, of.known]
            numbers += lattice.fitting(conversion(number), colours, first, second)
        found.append(numbers)
    assert len(found[0]) == 5 + 7 * len(WORDS)
    assert all(map(np.array_equal, *found))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        native.module.photo_cd_ranges(*(np.zeros(size, np.uint8) for size in ((3, 4, 4), (4, 4), (4, 3))))
    lines = ((0, 6, 2, 0, 2, True), (0, 4, 2, 0, 2, True))
    with pytest.raises(ValueError, match="do not fit"):
        native.module.spread_smooth(np.zeros((2, 2), np.uint8), *lines)
    with pytest.raises(ValueError, match="do not fit"):
        native.module.mend_chroma(
            np.zeros((1, 2, 2), np.uint8),
            (2, True, 0, 4, 2),
            (2, True, 0, 4, 2),
            np.array([2]),
            np.array([0]),
            np.zeros((1, 1, 1, 1), np.int64),
            3,
            np.zeros((4, 4), np.int32),
            np.zeros((4, 4), np.bool_),
        )
