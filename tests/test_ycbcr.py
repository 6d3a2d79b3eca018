"""The history of pictures that were YCbCr: found where it is, undone exactly, and not found where it is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from history_checker import check_history
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import noise, photograph
from PIL import Image

from ridecodec.histories.conversions import WORDS, conversion
from ridecodec.histories.sampling import SAMPLINGS
from ridecodec.histories.ycbcr import YCbCr
from ridecodec.picture import Picture

DATA = Path(__file__).parents[2] / "shared" / "data"
PLAIN = [number for number, sampling in enumerate(SAMPLINGS) if not sampling.smooth]
SMOOTH = [number for number, sampling in enumerate(SAMPLINGS) if sampling.smooth]


def waves(height: int, width: int, seed: int, low: int, high: int) -> np.ndarray:
    """A plane that is nowhere flat, and has detail."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    parts = [np.sin(y * a + x * b + c) for a, b, c in draw.uniform(-0.4, 0.4, (5, 3))]
    made = sum(parts) / 10 + 0.5 + draw.normal(0, 0.02, (height, width))
    return np.clip(low + (high - low) * made, low, high).astype(np.uint8)


def made(number: int, sampled: int, height: int, width: int, seed: int, alpha: bool = False) -> Picture:
    """A picture that was YCbCr, with few clipped colours."""
    sampling = SAMPLINGS[sampled]
    rows, columns = sampling.size(height, width)
    chroma = [waves(rows, columns, seed + k, 90, 166) for k in (1, 2)]
    y = waves(height, width, seed, 60, 190)
    colours = conversion(number).rgb(y, *(sampling.whole(plane, height, width) for plane in chroma))
    planes = [*colours, *([noise((height, width), seed)] if alpha else [])]
    return Picture.from_numpy(np.stack(planes, -1))


@given(
    st.integers(0, len(WORDS) - 1),
    st.sampled_from(PLAIN),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 999),
    st.booleans(),
    st.integers(0, 20),
)
@settings(max_examples=40)
def test_plain_chroma_is_undone(
    number: int, sampled: int, height: int, width: int, seed: int, alpha: bool, retouched: int
) -> None:
    """No pixel that was not changed is lost, if its sample has others."""
    picture = made(number, sampled, height, width, seed, alpha)
    draw = np.random.default_rng(seed)
    at = draw.integers(0, height, retouched), draw.integers(0, width, retouched)
    picture.planes[:, at[0], at[1]] = draw.integers(0, 256, (len(picture.planes), retouched))
    wrong = check_history(YCbCr(number, sampled), picture)
    sampling = SAMPLINGS[sampled]
    if not retouched or sampling.down * sampling.across == 1:
        assert wrong.sum() <= retouched
    else:
        assert wrong.sum() <= retouched * sampling.down * sampling.across


@given(st.sampled_from(SMOOTH), st.integers(1, 90), st.integers(1, 90), st.integers(0, 999))
@settings(max_examples=20)
def test_smoothed_chroma_is_undone(sampled: int, height: int, width: int, seed: int) -> None:
    wrong = check_history(YCbCr(0, sampled), made(0, sampled, height, width, seed))
    assert wrong.mean() < 0.05


@given(st.integers(0, len(WORDS) - 1), st.integers(0, len(SAMPLINGS) - 1), st.integers(0, 99), st.booleans())
@settings(max_examples=25)
def test_a_history_is_found(number: int, sampled: int, seed: int, alpha: bool) -> None:
    picture = made(number, sampled, 120, 140, seed, alpha)
    picture.planes[:3, 40:50, 60:70] = noise((3, 10, 10), seed)  # pasted
    found = YCbCr.detect(picture)
    assert found is not None
    assert SAMPLINGS[found.sampling] == SAMPLINGS[sampled]
    assert check_history(found, picture).mean() < 0.03


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize(("subsampling", "words"), [(0, "4:4:4"), (1, "4:2:2, smoothed"), (2, "4:2:0, smoothed")])
def test_photographs_that_were_jpeg(subsampling: int, words: str, quality: int, name: str) -> None:
    """Clipped colours too: a seventh of the astronaut's."""
    data = io.BytesIO()
    Image.fromarray(photograph(name)[:201, :301]).save(data, "JPEG", subsampling=subsampling, quality=quality)
    picture = Picture.from_numpy(np.asarray(Image.open(data)))
    found = YCbCr.detect(picture)
    assert found is not None
    assert found.words == f"YCbCr {words}, JFIF"
    assert check_history(found, picture).mean() < 0.015


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 3, 4]), st.integers(0, 999), st.booleans())
def test_noise_has_no_such_history(height: int, width: int, channels: int, seed: int, deep: bool) -> None:
    samples = np.random.default_rng(seed).integers(0, 65536 if deep else 256, (height, width, channels))
    assert YCbCr.detect(Picture.from_numpy(samples.astype(np.uint16 if deep else np.uint8))) is None


def test_clean_photographs_have_no_such_history() -> None:
    paths = sorted((DATA / "photos-train").glob("*.webp"))[::40]
    pictures = [np.asarray(Image.open(path)) for path in paths]
    if not paths:  # scikit-image's were all JPEG: half the size, they are not
        pictures = [np.asarray(Image.fromarray(photograph("astronaut")).resize((256, 256), Image.Resampling.BOX))]
    assert [YCbCr.detect(Picture.from_numpy(picture)) for picture in pictures] == [None] * len(pictures)
