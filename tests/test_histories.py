"""Histories: what was done to a picture is found, undone and done again; a file of one is never much larger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from history_checker import check_history
from historypictures import Twice, compress, photo_cd, with_logo
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import crop, noise, typed
from reference_decoder import decode as plain_decode

import ridecodec
from ridecodec.cli import archiveinfo
from ridecodec.container import rdc, rdca
from ridecodec.container.modelfield import HISTORY
from ridecodec.files.sets import Entry
from ridecodec.histories import exceptions, finding, registry
from ridecodec.histories.halves import Halves
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.picture import ColourType, Picture
from ridecodec.tiles import historycodec, setcodec

WEIGHTS = Path(ridecodec.__file__).parent / "weights"
SLACK = 8
"""Bytes that a picture may take more for having been looked at."""


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice is a history, too."""
    monkeypatch.setattr(registry, "HISTORIES", (Twice, PhotoCd))


@settings(max_examples=60, deadline=None)
@given(typed(40))
def test_detection_takes_every_picture(picture: Picture) -> None:
    for kind in registry.HISTORIES:
        found = kind.detect(picture)
        if found is not None:
            check_history(found, picture)


@settings(max_examples=25, deadline=None)
@given(typed(24), st.booleans())
def test_no_picture_becomes_larger(picture: Picture, twice: bool) -> None:
    if twice:
        picture = replace(picture, planes=picture.planes.repeat(2, 1).repeat(2, 2))
    assert len(compress(picture)) <= len(compress(picture, "off")) + SLACK


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.booleans(), st.booleans())
def test_files_of_photo_cd(seed: int, retouched: bool, tiled: bool) -> None:
    picture = photo_cd(61, 72, Halves(seed % 2), Halves(seed // 2 % 2), seed)
    picture = with_logo(picture) if retouched else picture
    data = compress(picture, tile=32 if tiled else 0)
    held = rdc.read(data)
    assert held.header.model == HISTORY
    assert len(data) < 0.8 * len(compress(picture, "off", tile=32 if tiled else 0))
    for box in ((0, 0, 72, 61), (13, 9, 20, 22), (71, 60, 1, 1), (0, 31, 72, 2)):
        x, y, width, height = box
        region = ridecodec.decompress(data, region=box).planes
        assert np.array_equal(region, picture.planes[:, y : y + height, x : x + width])


@pytest.mark.parametrize("tile", [0, 16])
def test_reference_decoder_reads_photo_cd(tile: int) -> None:
    picture = photo_cd(23, 26, Halves(1, before=True), Halves(0, after=True))
    picture.planes[:, 3:6, 4:9] ^= 21
    history = PhotoCd(Halves(1, before=True), Halves(0, after=True))
    data = historycodec.from_source(picture, finding.by(picture, history), device="cpu", threads=1, tile=tile)
    assert np.array_equal(plain_decode(data, WEIGHTS).transpose(2, 0, 1), picture.planes)


def test_archives_of_pictures_with_histories() -> None:
    pictures = {
        "cd": photo_cd(50, 60),
        "plain": Picture.from_numpy(crop("coffee", 30, 40)),
        "logo": with_logo(photo_cd(64, 64)),
    }
    entries = [Entry(name, picture) for name, picture in pictures.items()]
    data = setcodec.encode(entries, model="auto", device="cpu", threads=1, verify=True)
    held = rdca.read(data)
    assert HISTORY in {kind.header.model for kind in held.kinds}
    for number, picture in setcodec.decode(held, range(3), device="cpu", threads=1):
        assert isinstance(picture, Picture)
        assert np.array_equal(picture.planes, pictures[held.names[number]].planes)


@pytest.mark.usefixtures("stacked")
def test_histories_on_one_another() -> None:
    small = with_logo(photo_cd(40, 44))
    picture = replace(small, planes=small.planes.repeat(2, 1).repeat(2, 2))
    picture.planes[:, 4, 5:10:2] ^= 16
    found = finding.undone(picture, registry.HISTORIES)
    assert [type(node.history) for node in found.node.nodes][:2] == [type(Twice()), PhotoCd]
    data = compress(picture)
    words = ridecodec.read_info(data).history
    assert words is not None
    assert words.startswith("each pixel 2 x 2 times, ")
    assert "; Photo CD 4:2:0, " in words
    assert len(data) < 0.7 * len(compress(picture, "twice"))
    for x, y, width, height in ((0, 0, 88, 80), (5, 3, 9, 1), (33, 20, 41, 60)):
        region = ridecodec.decompress(data, region=(x, y, width, height)).planes
        assert np.array_equal(region, picture.planes[:, y : y + height, x : x + width])
    check_history(Twice(), picture)


@pytest.mark.usefixtures("stacked")
@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_histories_of_other_depths(bits: int) -> None:
    values = crop("camera", 20, 23).astype(np.uint16) * 257 >> 16 - bits
    planes = values.astype(np.uint16 if bits == 16 else np.uint8)[None].repeat(2, 1).repeat(2, 2)
    planes[0, 7, 8] ^= 1
    picture = Picture(planes, ColourType.GRAY, bits)
    data = historycodec.from_source(picture, finding.by(picture, Twice()), device="cpu", threads=1, tile=0)
    assert ridecodec.read_info(data).history == "each pixel 2 x 2 times, 0.054 % exceptions"
    assert np.array_equal(ridecodec.decompress(data).planes, planes)


@pytest.mark.usefixtures("stacked")
def test_a_history_of_indices_keeps_the_palette() -> None:
    image = Picture.from_numpy(crop("coffee", 20, 30)).to_pil().quantize(200)
    small = Picture.from_pil(image)
    picture = replace(small, planes=small.planes.repeat(2, 1).repeat(2, 2))
    data = historycodec.from_source(picture, finding.by(picture, Twice()), device="cpu", threads=1, tile=0)
    again = ridecodec.decompress(data)
    assert ridecodec.read_info(data).history is not None
    assert again.metadata == picture.metadata
    assert np.array_equal(again.planes, picture.planes)


@given(st.integers(1, 9), st.integers(0, 2**32), st.sampled_from([np.uint8, np.uint16]))
def test_differences_and_their_numbers(count: int, seed: int, kind: type[np.uint8] | type[np.uint16]) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.integers(0, np.iinfo(kind).max + 1, (2, 4, 5)).astype(kind) * (rng.random((4, 5)) < count / 9)
    wanted = wanted.astype(kind)
    where = exceptions.places(wanted)
    out = np.zeros_like(wanted)
    exceptions.put(out, where, exceptions.folded(wanted, where))
    assert np.array_equal(out, wanted)


def test_progress_reaches_its_end() -> None:
    seen: list[tuple[int, int]] = []
    picture = photo_cd(48, 52)
    data = ridecodec.compress(picture, progress=lambda state: seen.append((state.pixels_done, state.pixels_total)))
    ridecodec.decompress(data, progress=lambda state: seen.append((state.pixels_done, state.pixels_total)))
    assert seen[-1][0] == seen[-1][1]
    assert all(done <= total for done, total in seen)


def test_what_does_not_pay_is_not_taken() -> None:
    """Constant pictures and noise have nothing to gain."""
    for pixels in (np.full((40, 40, 3), 77, np.uint8), noise((40, 40, 3), 1)):
        picture = Picture.from_numpy(pixels)
        assert finding.undone(picture, registry.HISTORIES).share == 1.0
        assert ridecodec.read_info(compress(picture)).history is None


def test_large_tables_count() -> None:
    """What parameters take is part of the estimate."""
    picture = Picture.from_numpy(noise((48, 52, 3), 2))

    class Heavy(Twice):
        def write(self) -> bytes:
            return bytes(1000)

    apart = finding.by(picture, Heavy()).share - finding.by(picture, Twice()).share
    assert apart > 0.9 * 1000 / picture.sub_pixels


def test_flat_pictures_are_coded_both_ways() -> None:
    """An estimate says nothing of them: a general coder may take a hundredth of it."""
    draw = np.random.default_rng(5)
    rows = np.repeat(draw.integers(0, 2, (1, 300, 3)) * 99, 300, 0) + np.arange(300)[:, None, None] // 100
    picture = Picture.from_numpy(rows.astype(np.uint8).repeat(2, 0).repeat(2, 1))
    found = finding.undone(picture, registry.HISTORIES)
    assert found.node.history is not None
    assert picture.width * picture.height > 1 << 16
    assert len(compress(picture)) <= len(compress(picture, "off")) + SLACK


def test_an_archive_says_what_was_found() -> None:
    entries = [Entry("plain", Picture.from_numpy(noise((20, 20, 3), 1))), Entry("photo-cd", photo_cd(48, 52))]
    held = rdca.read(setcodec.encode(entries, model="auto", device="cpu", threads=1))
    assert [name for name, _ in held.models] == ["auto"]
    said = archiveinfo.fields(held)["pictures"]
    assert isinstance(said, list)
    assert [each["model"] for each in said] == ["auto", "auto"]
    assert said[0]["history"] is None
    assert said[1]["history"].startswith("Photo CD 4:2:0")
    assert sum("history: Photo CD" in line for line in archiveinfo.lines("a.rdca", held)) == 1
