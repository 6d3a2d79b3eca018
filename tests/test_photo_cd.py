"""Photo CD is found and undone wherever its chroma lies, and nothing else is taken for it."""

from __future__ import annotations

import io
import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from history_checker import check_history
from historypictures import RGB, SIDES, WHOLE, compress, photo_cd
from hypothesis import given
from hypothesis import strategies as st
from picturefiles import DATA
from pictures import noise, photograph

from ridecodec.box import Box
from ridecodec.histories.filling import filled
from ridecodec.histories.halves import Halves, means
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.picture import Picture

KODAK = sorted((DATA / "kodak").glob("*.png"))


@pytest.mark.parametrize(("rows", "columns"), list(itertools.product(SIDES, SIDES)), ids=str)
def test_photo_cd_is_found_wherever_its_chroma_lies(rows: Halves, columns: Halves) -> None:
    height, width = (64 + (each.phase if each.after else 0) for each in (rows, columns))
    picture = photo_cd(height, width, rows, columns)
    found = PhotoCd.detect(picture)
    assert found is not None
    wrong = check_history(found, picture)
    assert wrong.mean() < 0.002
    clipped = (picture.planes.min(0) == 0) | (picture.planes.max(0) == 255)
    assert clipped.any()
    assert (wrong & clipped).sum() <= 0.05 * clipped.sum()


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirror", [False, True])
def test_photo_cd_is_found_however_it_was_turned(turn: int, mirror: bool) -> None:
    planes = photo_cd(70, 95).planes
    planes = np.rot90(planes[:, :, ::-1] if mirror else planes, turn, (1, 2))
    picture = Picture(np.ascontiguousarray(planes), RGB)
    found = PhotoCd.detect(picture)
    assert found is not None
    assert check_history(found, picture).mean() < 0.001


def test_photo_cd_of_a_cut_picture() -> None:
    whole = photo_cd(90, 100)
    for top, left, bottom, right in itertools.product((0, 1), (0, 1), (88, 89), (98, 99)):
        picture = replace(whole, planes=whole.planes[:, top:bottom, left:right].copy())
        found = PhotoCd.detect(picture)
        assert found is not None
        assert check_history(found, picture).mean() < 0.002


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket", "chelsea", "camera", "coins", "gravel", "moon"])
def test_other_photographs_are_no_photo_cd(name: str) -> None:
    array = photograph(name)
    for pixels in (array, array[1:, 1:], np.rot90(array), array >> 1):
        assert PhotoCd.detect(Picture.from_numpy(np.ascontiguousarray(pixels))) is None


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_gaps_are_filled_from_what_is_known(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane, known = rng.integers(40, 60, (height, width)).astype(np.int32), rng.random((height, width)) < 0.3
    out = filled(np.where(known, plane, -1000), known)
    assert np.array_equal(out[known], plane[known])
    if known.any():
        assert out.min() >= plane[known].min()
        assert out.max() <= plane[known].max()


@pytest.mark.parametrize("rows", SIDES, ids=str)
def test_means_of_a_box_are_those_of_all(rows: Halves) -> None:
    height, width = 13 + rows.phase, 12
    half = noise((rows.count(height), 6), 4)
    whole = means(half, rows, WHOLE, Box(0, 0, width, height), half.shape)
    for y, size in itertools.product(range(height), (1, 2, 5)):
        length = min(size, height - y)
        top, bottom = rows.needed(y, length, height)
        part = means(half[top:bottom], rows, WHOLE, Box(0, y, width, length), half.shape)
        assert np.array_equal(part, whole[y : y + length])


@pytest.mark.skipif(not KODAK, reason="the pictures of Kodak are not here")
@pytest.mark.parametrize("path", KODAK, ids=lambda path: path.stem)
def test_kodak_is_photo_cd(path: Path) -> None:
    picture = Picture.open(io.BytesIO(path.read_bytes()))
    begun = time.process_time()
    found = PhotoCd.detect(picture)
    assert time.process_time() - begun < 0.5
    assert found == PhotoCd(Halves(int(picture.height > picture.width)), WHOLE)
    wrong = check_history(found, picture)
    clipped = (picture.planes.min(0) == 0) | (picture.planes.max(0) == 255)
    assert wrong.mean() < 0.03
    assert (wrong & ~clipped).sum() < 2000


@pytest.mark.skipif(not KODAK, reason="the pictures of Kodak are not here")
def test_a_piece_of_kodak_takes_half() -> None:
    picture = Picture.open(io.BytesIO(KODAK[14].read_bytes()))
    piece = replace(picture, planes=picture.planes[:, 101:229, 200:328].copy())
    assert len(compress(piece)) < 0.62 * len(compress(piece, "off"))
