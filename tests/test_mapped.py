"""The history of channels that are tables of others, or of fewer values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from history_checker import check_history
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import crop, noise, photograph
from PIL import Image

from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame
from ridecodec.histories.mapped import Mapped
from ridecodec.picture import Picture

Array = NDArray[np.uint8 | np.uint16]
DATA = Path(__file__).parents[2] / "shared" / "data"
GRAY = photograph("camera")[100:260, 100:300]
COLOUR = photograph("astronaut")[:160, :200]
DEEP = GRAY.astype(np.uint16)


def stretched(plane: NDArray[np.uint8], low: int, high: int) -> NDArray[np.uint8]:
    """Contrast raised, as programs do: gaps between the values."""
    return np.clip((plane.astype(float) - low) * 255 / (high - low), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: np.stack([GRAY] * 3, -1), "1 channel of 256 values"),
        (lambda: np.stack([DEEP * 257] * 3, -1), None),
        (lambda: np.stack([GRAY, 255 - GRAY, GRAY // 2 + 9], -1), "1 channel of 256 values"),
        (lambda: np.stack([*COLOUR.transpose(2, 0, 1), np.full_like(GRAY, 255)], -1), "3 channels of 256 values"),
        (lambda: np.stack([GRAY, COLOUR[..., 0], GRAY], -1), "2 channels of 256 values"),
        (lambda: np.stack([stretched(COLOUR[..., k], 40 * k, 130 + 20 * k) for k in range(3)], -1), None),
        (lambda: DEEP << 8 | DEEP, None),
        (lambda: (COLOUR.astype(np.uint16) << 4 | COLOUR.astype(np.uint16) >> 4) << 4, None),
        (lambda: ((DEEP.astype(np.uint32) * 65535 + 127) // 255).astype(np.uint16) & 0xFFF8, None),
    ],
)
def test_tables_are_found(make: Callable[[], Array], words: str | None) -> None:
    """Whatever channels and values were made of; pixels that were changed afterwards are exceptions."""
    samples = make()
    picture = Picture.from_numpy(samples)
    found = Mapped.detect(picture)
    assert found is not None
    assert words is None or found.words == words
    assert not check_history(found, picture).any()
    (source,) = found.sources(Frame.of(picture))
    assert source.channels * source.bit_depth < picture.channels * picture.bit_depth or "256" not in found.words
    if samples.ndim == 3:
        picture = Picture.from_numpy(samples.copy())
        picture.planes[0, 5, 7:9] ^= 1
        again = Mapped.detect(picture)
        assert again is not None
        assert check_history(again, picture).sum() <= 2 * GRAY.size // 100


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 3, 4]), st.integers(0, 999), st.booleans())
def test_noise_has_no_tables(height: int, width: int, channels: int, seed: int, deep: bool) -> None:
    samples = np.random.default_rng(seed).integers(0, 65536 if deep else 256, (height, width, channels))
    picture = Picture.from_numpy(samples.astype(np.uint16 if deep else np.uint8))
    found = Mapped.detect(picture)
    assert found is None or height * width < 32


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 999), st.data())
def test_any_tables_are_kept(height: int, width: int, channels: int, seed: int, data: st.DataObject) -> None:
    """What `detect` does not give, too: any tables of any of the source's channels."""
    draw = np.random.default_rng(seed)
    picture = Picture.from_numpy(draw.integers(0, 65536, (height, width, channels)).astype(np.uint16))
    count = data.draw(st.integers(1, 300))
    sources = data.draw(st.lists(st.integers(0, channels - 1), min_size=channels, max_size=channels))
    places = tuple(sorted(set(sources)).index(source) for source in sources)
    tables = tuple(draw.integers(0, 65536, count).astype("<u2").tobytes() for _ in sources)
    check_history(Mapped(places, tables), picture)


def test_photographs_have_no_tables() -> None:
    paths = sorted((DATA / "photos-train").glob("*.webp"))[::40]
    pictures = [np.asarray(Image.open(path)) for path in paths]
    pictures += [photograph("astronaut"), photograph("chelsea"), crop("camera", 90, 80), noise((90, 80, 3), 1)]
    found = [Mapped.detect(Picture.from_numpy(picture)) for picture in pictures]
    assert sum(each is not None for each in found) <= len(paths) // 25  # gray ones, in RGB
    assert found[len(paths) :] == [None] * 4


def test_forged_tables_are_refused() -> None:
    frame = Frame.of(Picture.from_numpy(noise((9, 9, 3), 0)))
    good = Mapped((0, 1, 0), (bytes(6), bytes(4), bytes(6)))
    assert Mapped.read(good.write(), frame) == good
    for forged in (
        Mapped((0, 2, 0), (bytes(6), bytes(4), bytes(6))).channels,
        (0, 3, 0),
        (1, 1, 1),
    ):
        with pytest.raises(DamagedError, match="history"):
            Mapped.read(bytes(forged) + good.write()[3:], frame)
    with pytest.raises(DamagedError, match="out of range"):
        Mapped.read(Mapped((0, 0, 0), (b"\0\1",) * 3).write(), frame)
    with pytest.raises(DamagedError, match="too many"):
        Mapped.read(Mapped((0, 0, 0), (bytes(514),) * 3).write(), frame)
