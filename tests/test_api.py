"""The public functions: what they take, the default model, and the limit of pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import crop
from PIL import Image

import ridecodec
from ridecodec.errors import InputError, UsageError
from ridecodec.picture import Picture

PIXELS = crop("astronaut", 9, 14)
FORMS: dict[str, Callable[[Path], Any]] = {
    "array": lambda path: PIXELS,
    "picture": lambda path: Picture.from_numpy(PIXELS),
    "image": lambda path: Image.fromarray(PIXELS),
    "path": lambda path: path,
    "name": str,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A picture file of 14 x 9 pixels."""
    Image.fromarray(PIXELS).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_a_picture_and_their_limit(form: str, path: Path) -> None:
    image = FORMS[form](path)
    data = ridecodec.compress(image, model="gradient", max_pixels=126)
    assert np.array_equal(ridecodec.decompress(data, max_pixels=126).to_numpy(), PIXELS)
    with pytest.raises(InputError, match="14 x 9 pixels, more than the 125 pixels"):
        ridecodec.compress(image, model="gradient", max_pixels=125)
    with pytest.raises(InputError, match="14 x 9 pixels, more than the 125 pixels"):
        ridecodec.decompress(data, max_pixels=125)


@pytest.mark.parametrize(("region", "least", "said"), [((3, 2, 3, 2), 16, "4 x 4"), ((0, 1, 14, 2), 28, "14 x 2")])
def test_a_limit_is_of_what_is_decoded(region: tuple[int, int, int, int], least: int, said: str) -> None:
    """Of a part, and of the tiles that it touches, each of which is decoded whole."""
    data = ridecodec.compress(PIXELS, model="gradient", tile=4)
    found = ridecodec.decompress(data, region=region, max_pixels=least)
    assert (found.width, found.height) == region[2:]
    with pytest.raises(InputError, match=f"{said} pixels"):
        ridecodec.decompress(data, region=region, max_pixels=least - 1)


def test_what_a_file_loses_is_warned_of(tmp_path: Path) -> None:
    file, lossy = tmp_path / "in.bmp", tmp_path / "in.jpg"
    Image.fromarray(PIXELS).save(file)
    file.write_bytes(file.read_bytes() + b"tail")
    with pytest.warns(ridecodec.LossWarning, match=r"in\.bmp loses the bytes behind its end"):
        data = ridecodec.compress(file, model="uniform")
    assert data == ridecodec.compress(file, model="uniform", pixels=True)
    Image.fromarray(PIXELS).save(lossy)
    with pytest.raises(InputError, match="is a JPEG file"):
        ridecodec.compress(lossy, model="uniform")
    assert ridecodec.decompress(ridecodec.compress(lossy, model="uniform", pixels=True)).width == 14


@pytest.mark.parametrize("limit", [0, -1])
def test_limits_that_make_no_sense(limit: int) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        ridecodec.compress(PIXELS, max_pixels=limit)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 2), (5, 6, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_picture_by_default(shape: tuple[int, ...], dtype: type[Any]) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)
    found = ridecodec.decompress(ridecodec.compress(pixels)).to_numpy()
    assert found.dtype == dtype
    assert np.array_equal(found.reshape(shape), pixels)
