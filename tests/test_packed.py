"""The history of numbers in the three channels of a colour: elevation, as map tiles have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from history_checker import check_history
from historypictures import compress
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import noise, photograph
from reference_decoder import decode as plain_decode

import ridecodec
from ridecodec.errors import DamagedError
from ridecodec.evaluation.peers import PEERS
from ridecodec.histories import finding, registry
from ridecodec.histories.base import Frame
from ridecodec.histories.packed import Packed
from ridecodec.picture import ColourType, Picture
from ridecodec.tiles import historycodec

WEIGHTS = Path(ridecodec.__file__).parent / "weights"


def terrain(size: int, span: float, seed: int, falling: float = 2) -> NDArray[np.float64]:
    """Heights in metres, 0 to ``span``: noise whose spectrum falls like that of mountains, or faster."""
    draw = np.random.default_rng(seed)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    wave[0, 0] = 1
    made = np.fft.ifft2(np.fft.fft2(draw.normal(size=(size, size))) * wave**-falling).real
    return span * (made - made.min()) / np.ptp(made)


def tile(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Their bytes as a colour."""
    whole = np.floor(numbers).astype(np.int64)
    return np.stack([whole >> 16, whole >> 8 & 255, whole & 255], -1).astype(np.uint8)


def terrain_rgb(size: int, span: float, seed: int) -> NDArray[np.uint8]:
    """Mapbox's: tenths of a metre above -10,000."""
    return tile((terrain(size, span, seed) + 10000) * 10)


@pytest.mark.parametrize(("span", "seed"), [(300, 1), (3000, 2), (900, 3)])
def test_elevation_beats_all_peers(span: float, seed: int) -> None:
    pixels = terrain_rgb(128, span, seed)
    pixels[3:5, 7:20] = 0  # without data
    picture = Picture.from_numpy(pixels)
    found = Packed.detect(picture)
    assert found is not None
    assert not found.split
    assert check_history(found, picture).sum() == 26
    data = compress(picture)
    said = ridecodec.read_info(data).history
    assert said is not None
    assert said.startswith("numbers of 16 bits in RGB")
    assert np.array_equal(ridecodec.decompress(data).planes, picture.planes)
    assert len(data) < min(len(PEERS[name].encode(pixels)) for name in ("png-optimize", "webp-m6", "jxl-e9"))


def test_numbers_that_16_bits_do_not_hold() -> None:
    """Mapzen's Terrarium: 256ths of a metre above -32,768."""
    picture = Picture.from_numpy(tile((terrain(96, 600, 4, 3) + 32768) * 256))
    found = Packed.detect(picture)
    assert found == Packed(0, True)
    assert not check_history(found, picture).any()
    data = compress(picture)
    assert np.array_equal(ridecodec.decompress(data).planes, picture.planes)
    assert len(data) < len(compress(picture, "off"))


@pytest.mark.parametrize("history", [Packed(90000, False), Packed(7, True)])
def test_the_second_decoder_agrees(history: Packed) -> None:
    picture = Picture.from_numpy(terrain_rgb(12, 300, 5))
    picture.planes[:, 3, 4:6] = 9
    data = historycodec.from_source(picture, finding.by(picture, history), device="cpu", threads=1, tile=0)
    assert np.array_equal(plain_decode(data, WEIGHTS).transpose(2, 0, 1), picture.planes)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99), st.integers(0, (1 << 24) - 1), st.booleans())
def test_any_picture_is_redone(height: int, width: int, seed: int, base: int, split: bool) -> None:
    picture = Picture.from_numpy(noise((height, width, 3), seed))
    wrong = check_history(Packed(base, split), picture)
    if split:
        assert not wrong.any()


def test_others_are_not_taken() -> None:
    for pixels in (photograph("astronaut")[:200, :200], noise((60, 60, 3), 1), np.zeros((40, 40, 3), np.uint8)):
        assert Packed.detect(Picture.from_numpy(pixels)) is None
    gray = Picture.from_numpy(np.stack([photograph("camera")[:90, :90]] * 3, -1))
    assert Packed.detect(gray) is None
    assert "packed" not in [type(node.history).__name__ for node in finding.undone(gray, registry.HISTORIES).node.nodes]


@pytest.mark.parametrize("parameters", [b"\2\0\0\0", b"\0\0\0"])
def test_forged_parameters(parameters: bytes) -> None:
    with pytest.raises(DamagedError):
        Packed.read(parameters, Frame(3, 3, ColourType.RGB, 8))
    with pytest.raises(DamagedError):
        Packed.read(b"\0\0\0\0", Frame(3, 3, ColourType.GRAY, 8))
