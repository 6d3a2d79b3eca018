"""The public functions: what they take, the default model, and the limit of pixels."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import crop
from PIL import Image

import ridecodec
from ridecodec.errors import InputError, UsageError
from ridecodec.picture import Chunk, ColourType, Picture

PIXELS = crop("astronaut", 9, 14)
FORMS: dict[str, Callable[[Path], Any]] = {
    "array": lambda path: PIXELS,
    "picture": lambda path: Picture.from_numpy(PIXELS),
    "image": lambda path: Image.fromarray(PIXELS),
    "path": lambda path: path,
    "name": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "stream": lambda path: io.BytesIO(path.read_bytes()),
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
        ridecodec.compress(FORMS[form](path), model="gradient", max_pixels=125)
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
    with pytest.warns(ridecodec.LossWarning, match=r"in\.bmp loses the bytes after its end"):
        data = ridecodec.compress(file, model="uniform")
    assert data == ridecodec.compress(file, model="uniform", pixels=True)
    Image.fromarray(PIXELS).save(lossy)
    with pytest.raises(InputError, match="is a JPEG file"):
        ridecodec.compress(lossy, model="uniform")
    assert ridecodec.decompress(ridecodec.compress(lossy, model="uniform", pixels=True)).width == 14


@pytest.mark.parametrize("limit", [0, -1])
def test_limits_that_make_no_sense(limit: int) -> None:
    with pytest.raises(UsageError, match=r"max_pixels is .*; it must be 1 or more"):
        ridecodec.compress(PIXELS, max_pixels=limit)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 2), (5, 6, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_picture_by_default(shape: tuple[int, ...], dtype: type[Any]) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)
    found = ridecodec.decompress(ridecodec.compress(pixels)).to_numpy()
    assert found.dtype == dtype
    assert np.array_equal(found.reshape(shape), pixels)


def test_all_forms_of_a_file(tmp_path: Path) -> None:
    data = ridecodec.compress(PIXELS, model="uniform")
    path = tmp_path / "x.rdc"
    path.write_bytes(data)
    forms = (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8), io.BytesIO(data), path, str(path))
    for form in forms:
        assert np.array_equal(ridecodec.decompress(form).to_numpy(), PIXELS)
    with path.open("rb") as file:
        assert ridecodec.read_info(file).width == 14


@pytest.mark.parametrize("wrong", [None, 3, [[1, 2]], object(), {"a": 1}])
def test_types_that_are_not_taken(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"takes a path, the bytes of a picture file, .* or a Picture, not "):
        ridecodec.compress(wrong)
    for function in (ridecodec.decompress, ridecodec.read_info):
        with pytest.raises(TypeError, match=r"takes the bytes of an \.rdc file, a binary file object or a path, not "):
            function(wrong)


def test_text_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")
    for function in (ridecodec.compress, ridecodec.decompress):
        with (tmp_path / "x").open() as file, pytest.raises(InputError, match="binary mode"):
            function(file)  # type: ignore[operator]
        with pytest.raises(InputError, match="cannot be read"):
            function("\0")  # type: ignore[operator]


BEFORE_TORCH = """
import sys
sys.modules["torch"] = None  # importing it is an ImportError
import io, numpy, ridecodec
from ridecodec import DamagedError, InputError, UsageError, compress, decompress, evaluate

pixels = numpy.zeros((4, 5, 3), numpy.uint8)
data = open(sys.argv[1], "rb").read()
cases = [
    (InputError, "is empty", lambda: compress(b"")),
    (InputError, "not a picture", lambda: compress(b"no picture at all, but long enough")),
    (InputError, "no such file", lambda: compress("nosuch.png")),
    (UsageError, "no model 'nosuch'", lambda: compress(pixels, model="nosuch")),
    (UsageError, "device 'abacus'", lambda: compress(pixels, device="abacus")),
    (UsageError, "-1 threads", lambda: compress(pixels, threads=-1)),
    (UsageError, "tile size of 5000", lambda: compress(pixels, tile=5000)),
    (UsageError, "has no labels", lambda: compress(pixels, label=1)),
    (UsageError, "codes gray pictures only", lambda: compress(pixels, model="ride-gray")),
    (InputError, "16-bit gray", lambda: compress(pixels[:, :, 0].astype("u2"), model="photo")),
    (UsageError, "no model 'nosuch'", lambda: evaluate(pixels, model="nosuch")),
    (DamagedError, "not an .rdc file", lambda: decompress(b"")),
    (DamagedError, "not an .rdc file", lambda: decompress(b"no data at all")),
    (InputError, "pixels", lambda: decompress(data, max_pixels=3)),
    (UsageError, "not inside", lambda: decompress(data, region=(3, 3, 90, 90))),
    (UsageError, "leave out the region", lambda: decompress(data, region=(0, 0, 1, 1), preview=True)),
    (UsageError, "device 'abacus'", lambda: decompress(data, device="abacus")),
]
for kind, said, call in cases:
    try:
        call()
    except kind as error:
        assert said in str(error), (said, str(error))
    else:
        raise AssertionError(said)
"""


def test_what_costs_little_is_checked_before_torch_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "x.rdc"
    path.write_bytes(ridecodec.compress(PIXELS, model="uniform"))
    ran = subprocess.run([sys.executable, "-c", BEFORE_TORCH, path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_representations_are_short() -> None:
    picture = Picture.from_numpy(PIXELS)
    assert repr(picture) == "<Picture 14x9 RGB, 8 bits>"
    metadata = tuple(Chunk(b"tEXt", bytes(1000)) for _ in range(9))
    assert repr(Picture(picture.planes[:1] % 2, ColourType.GRAY, 1, metadata)) == (
        "<Picture 14x9 GRAY, 1 bit, metadata tEXt tEXt tEXt tEXt tEXt tEXt tEXt tEXt ...>"
    )
    rates = ridecodec.evaluate(PIXELS, model="uniform")
    assert isinstance(rates, ridecodec.Rates)
    said = f"likelihood=8.0000, ideal=8.0000, achieved={rates.achieved:.4f}, {len(rates.data)} bytes"
    assert repr(rates) == f"<Rates uniform: {said}>"


def test_evaluate_measures_what_compress_does() -> None:
    """A photograph's file is one of a model, which has rates; that of a drawing has its own rate alone."""
    photograph = crop("astronaut", 64, 80)
    drawing = np.zeros((20, 30, 4), np.uint8)
    drawing[5:, 7:] = np.random.default_rng(1).integers(0, 3, (15, 23, 1))
    for pixels, model, tile in ((photograph, "photo", 48), (drawing, "auto", 16)):
        rates = ridecodec.evaluate(pixels, tile=tile)
        assert rates.data == ridecodec.compress(pixels, tile=tile, verify=False)
        assert (rates.model, rates.sub_pixels) == (model, pixels.size)
        assert rates.achieved == 8 * len(rates.data) / pixels.size
        assert rates.bits_map.shape == pixels.shape[:2]
        assert (rates.ideal is None) == (rates.likelihood is None) == (model == "auto")
        payloads = sum(each.bytes for each in ridecodec.read_info(rates.data).tiles)
        assert rates.bits_map.sum() == pytest.approx(8 * payloads, rel=0.02)


def test_progress_tells_of_both_passes() -> None:
    told: list[ridecodec.Progress] = []
    ridecodec.compress(PIXELS, tile=5, progress=told.append)
    assert {(state.pixels_total, state.channels) for state in told} == {(126, 3)}
    done = [state.pixels_done for state in told]
    again = next(k for k in range(1, len(done)) if done[k] < done[k - 1])
    assert done[0] == done[again] == 0
    assert done[:again] == sorted(done[:again])
    assert done[again:] == sorted(done[again:])
    assert done[again - 1] == done[-1] == 126
