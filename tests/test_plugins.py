"""Other libraries read and write .rdc files: Pillow, imageio, numcodecs and Zarr."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from picturefiles import RGB
from pictures import TYPES, same, typed
from PIL import Image, UnidentifiedImageError

import ridecodec
from ridecodec.errors import DamagedError, InputError, UsageError
from ridecodec.picture import ColourType, Picture
from ridecodec.plugins.pillow import RdcImageFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MODED = [(colour, depth) for colour, depth in TYPES if depth < 16 or colour is ColourType.GRAY]
DATA = ridecodec.compress(RGB, model="uniform", tile=16)


def test_importing_is_light() -> None:
    code = "import sys, ridecodec; sys.exit(bool({'torch', 'scipy', 'imageio', 'numcodecs'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(max_examples=20)
@given(typed(side=8, types=MODED))
def test_pillow_opens_what_to_pil_gives(picture: Picture) -> None:
    image = Image.open(io.BytesIO(ridecodec.compress(picture, verify=False)))
    assert isinstance(image, RdcImageFile)
    wanted = picture.to_pil()
    assert (image.mode, image.size, image.info) == (wanted.mode, wanted.size, wanted.info)
    assert image.tobytes() == wanted.tobytes()
    assert image.getpalette() == wanted.getpalette()
    if picture.colour is not ColourType.GRAY or picture.bit_depth > 4:
        assert same(Picture.from_pil(image), Picture.from_pil(wanted))


def test_pixels_are_decoded_when_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.rdc"
    path.write_bytes(DATA)
    decoded = []
    monkeypatch.setattr("ridecodec.tiles.codec.decode", lambda *a, **k: decoded.append(a) or Picture.from_numpy(RGB))
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("RDC", "RGB", (31, 23))
        assert image.get_format_mimetype() == "image/x-ridecodec"
        assert not decoded
        image.load()
        image.load()
        assert np.array_equal(np.asarray(image), RGB)
    assert len(decoded) == 1


def test_pillow_reads_the_head_alone() -> None:
    """The pixels of a file that is cut short are missed only when they are needed."""
    image = Image.open(io.BytesIO(DATA[:100]))
    assert image.size == (31, 23)
    with pytest.raises(OSError, match="pixel data is cut short"):
        image.load()


def test_pillow_saves(tmp_path: Path) -> None:
    path = tmp_path / "out.rdc"
    image = Image.fromarray(RGB)
    image.info["dpi"] = (300, 300)
    image.save(path, model="uniform", tile=9)
    info = ridecodec.read_info(path)
    assert (info.model, info.tile, [chunk.kind for chunk in info.metadata]) == ("uniform", 9, ["pHYs"])
    with Image.open(path) as again:
        assert again.info == {"dpi": (300, 300)}
        assert np.array_equal(np.asarray(again), RGB)
        again.verify()


def test_what_pillow_is_told_takes_the_place_of_info() -> None:
    exif = Image.Exif()
    exif[0x010E] = "told"
    image = Image.fromarray(RGB)
    image.info.update(dpi=(300, 300), icc_profile=b"profile")
    out = io.BytesIO()
    image.save(out, "RDC", model="uniform", exif=exif, icc_profile=None)
    again = Image.open(out)
    assert again.getexif()[0x010E] == "told"
    assert again.info.keys() == {"dpi", "exif"}


def test_what_pillow_is_told_is_not_dropped() -> None:
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "RDC", model="uniform", dpi=(96.3, 96.3), xmp="<x/>")
    with Image.open(out) as image:
        assert image.info["xmp"] == b"<x/>"
        assert image.info["dpi"] == pytest.approx((96.3, 96.3), abs=0.02)
    for told in ({"exif": "abc"}, {"icc_profile": 3}, {"dpi": (1, "x")}):
        with pytest.raises(OSError, match=f"^{next(iter(told))} is "):
            Image.fromarray(RGB).save(io.BytesIO(), "RDC", **told)


def test_texts_survive_pillow() -> None:
    picture = Picture.from_numpy(RGB)
    chunk = ridecodec.picture.Chunk(b"tEXt", b"Odd keyword\0said")
    data = ridecodec.compress(Picture(picture.planes, picture.colour, 8, (chunk,)), model="uniform")
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(out, "RDC", model="uniform")
    assert out.getvalue() == data


def test_pickled_and_verified() -> None:
    again = pickle.loads(pickle.dumps(Image.open(io.BytesIO(DATA))))
    assert np.array_equal(np.asarray(again), RGB)
    wrong = bytearray(DATA)
    wrong[-1] ^= 1
    with pytest.raises(OSError, match=r"tile 3 .* is damaged"):
        Image.open(io.BytesIO(wrong)).verify()


def test_pillow_has_no_mode_for_16_bits_of_colour(tmp_path: Path) -> None:
    path = tmp_path / "deep.rdc"
    path.write_bytes(ridecodec.compress(np.zeros((2, 3, 3), np.uint16)))
    with pytest.raises(OSError, match=r"deep\.rdc: Pillow has no 16-bit RGB images; take the samples as a NumPy array"):
        Image.open(path)


def test_pillow_and_damage() -> None:
    with pytest.raises(OSError, match="header is damaged"):
        Image.open(io.BytesIO(DATA[:9]))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"\x92RA" + bytes(30)))
    with pytest.raises(OSError, match="no model 'nosuch'"):
        Image.fromarray(RGB).save(io.BytesIO(), "RDC", model="nosuch")
    with pytest.raises(OSError, match="floating-point gray is not supported"):
        Image.new("F", (2, 2)).save(io.BytesIO(), "RDC")


@pytest.fixture(scope="module")
def iio() -> ModuleType:
    """imageio, which knows .rdc files."""
    pytest.importorskip("imageio")
    import_module("ridecodec.plugins.imageio")
    return import_module("imageio.v3")


ARRAYS = [
    RGB,
    RGB[:, :, 0],
    np.asarray(RGB, np.uint16) * 257,
    np.random.default_rng(1).integers(0, 65536, (4, 5, 2), np.uint16),
    np.random.default_rng(1).integers(0, 256, (4, 5, 4), np.uint8),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype} {array.shape}")
def test_imageio_round_trip(iio: ModuleType, array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "x.rdc"
    iio.imwrite(path, array)
    found = iio.imread(path)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    data = iio.imwrite("<bytes>", [array], extension=".rdc")
    assert data == path.read_bytes()
    assert np.array_equal(iio.imread(data, index=...), array[None])
    assert np.array_equal(next(iio.imiter(data)), array)
    properties = iio.improps(path)
    assert (properties.shape, properties.dtype, properties.n_images) == (array.shape, array.dtype, None)
    assert iio.improps(path, index=...).shape == (1, *array.shape)


@settings(max_examples=20)
@given(typed(side=8))
def test_imageio_shows_colours(iio: ModuleType, picture: Picture) -> None:
    data = ridecodec.compress(picture, verify=False)
    found, properties = iio.imread(data), iio.improps(data)
    assert (found.shape, found.dtype) == (properties.shape, properties.dtype)
    assert iio.immeta(data)["model"] == ridecodec.read_info(data).model
    if picture.colour.indexed:
        black = np.zeros((256, 3), np.uint8)
        black[: len(picture.palette)] = picture.palette
        assert np.array_equal(found[:, :, :3], black[picture.planes[0]])
    elif picture.bit_depth < 8:
        most = 1 if picture.bit_depth == 1 else 255
        assert np.array_equal(found * (2**picture.bit_depth - 1.0), picture.planes[0] * float(most))
    else:
        assert np.array_equal(found, picture.to_numpy())


def test_imageio_takes_one_picture_of_rdc_files(iio: ModuleType) -> None:
    from ridecodec.plugins.imageio import RdcPlugin

    with pytest.raises(ridecodec.UsageError, match="holds one picture"):
        iio.imwrite("<bytes>", [RGB, RGB], extension=".rdc")
    with pytest.raises(IndexError, match="there is no picture 1"):
        iio.imread(DATA, index=1)
    with pytest.raises(OSError, match="can not handle"):
        iio.imread(b"no .rdc data", plugin=RdcPlugin)
    with pytest.raises(OSError, match="can not handle"):
        iio.imwrite("<bytes>", RGB, extension=".png", plugin=RdcPlugin)


SHAPES = [(5, 6), (5, 6, 3), (2, 5, 6), (1, 5, 6, 1), (2, 1, 5, 6, 4), (5, 1), (7,), (1,), (3, 5, 7)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numcodecs_round_trip(shape: tuple[int, ...], order: str, dtype: type) -> None:
    pytest.importorskip("numcodecs")
    from ridecodec.plugins.numcodecs import Rdc

    codec = Rdc(verify=False)
    array = np.asarray(np.random.default_rng(1).integers(0, 2**8, shape, dtype), order=order)
    data = codec.encode(array)
    assert bytes(codec.decode(data)) == array.tobytes("A")
    out = np.empty(shape, dtype, order=order)
    codec.decode(data, out)
    assert np.array_equal(out, array)


def test_numcodecs_codes_pictures_as_pictures() -> None:
    pytest.importorskip("numcodecs")
    from ridecodec.plugins.numcodecs import Rdc

    info = ridecodec.read_info(Rdc("uniform").encode(RGB[None]))
    assert (info.width, info.height, info.channels, info.model) == (31, 23, 3, "uniform")
    info = ridecodec.read_info(Rdc("uniform", tile=8, verify=False).encode(np.stack([RGB[:, :, 0]] * 2)))
    assert (info.width, info.height, info.channels, info.tile) == (31, 46, 1, 8)


def test_numcodecs_refuses_what_would_change() -> None:
    pytest.importorskip("numcodecs")
    from ridecodec.plugins.numcodecs import Rdc

    for array in (np.zeros((2, 2)), np.zeros((2, 2), np.int8), np.zeros((2, 2), np.dtype("u2").newbyteorder())):
        with pytest.raises(InputError, match="are not supported"):
            Rdc().encode(array)
    with pytest.raises(DamagedError):
        Rdc().decode(b"no .rdc data")


def test_numcodecs_finds_the_codec_by_its_entry_point() -> None:
    numcodecs = pytest.importorskip("numcodecs")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["numcodecs.codecs"].items()
    codec = EntryPoint(name, value, "numcodecs.codecs").load()
    assert name == codec.codec_id == "rdc"
    numcodecs.register_codec(codec)
    config = {"id": "rdc", "model": "uniform", "tile": 8, "verify": False}
    assert numcodecs.get_codec(config).get_config() == config


@pytest.mark.parametrize("order", ["C", "F"])
def test_chunks_of_zarr_arrays(order: str, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    from ridecodec.plugins.numcodecs import Rdc

    pixels = np.random.default_rng(1).integers(0, 256, (3, 20, 25, 3), np.uint8)
    options = {"shape": pixels.shape, "chunks": (1, 16, 16, 3), "dtype": "u1", "order": order, "zarr_format": 2}
    array = zarr.open_array(str(tmp_path / "a.zarr"), mode="w", compressor=Rdc("gradient"), **options)
    array[:] = pixels
    assert np.array_equal(zarr.open_array(str(tmp_path / "a.zarr"), mode="r")[:], pixels)
    chunk = (tmp_path / "a.zarr" / "0.0.0.0").read_bytes()
    assert ridecodec.read_info(chunk).model == "gradient"


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_zarr_arrays_of_format_3(dtype: str, tmp_path: Path) -> None:
    """The codec is found by its entry point; chunks are pictures, whatever their byte order."""
    zarr = pytest.importorskip("zarr")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["zarr.codecs"].items()
    codec = EntryPoint(name, value, "zarr.codecs").load()
    zarr.registry.register_codec(name, codec)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 20, 25, 3)).astype(dtype) * 9
    options = {"shape": pixels.shape, "chunks": (1, 16, 25, 3), "dtype": dtype, "compressors": None}
    model = "gradient" if dtype == "u1" else "auto"
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, serializer=codec(model=model, tile=16), **options)
    array[:] = pixels
    array[1, :5] = 3
    pixels[1, :5] = 3
    again = zarr.open_array(path, mode="r")
    assert np.array_equal(again[:], pixels)
    assert again.metadata.codecs[-1].to_dict() == {
        "name": "rdc",
        "configuration": {"model": model, "tile": 16, "verify": True},
    }
    info = ridecodec.read_info(path / "c" / "0" / "0" / "0" / "0")
    assert (info.width, info.height, info.channels, info.tile) == (25, 16, 3, 16)


def test_zarr_refuses_what_is_no_picture(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    from ridecodec.plugins.zarr import Rdc

    with pytest.raises(InputError, match="float32 are not supported, only uint8 and uint16"):
        zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), chunks=(4, 4), dtype="f4", serializer=Rdc())
    options = {"shape": (4, 4), "chunks": (4, 4), "dtype": "u1", "compressors": None}
    array = zarr.create_array(tmp_path / "b.zarr", serializer=Rdc("uniform"), **options)
    array[:] = 1
    (tmp_path / "b.zarr" / "c" / "0" / "0").write_bytes(DATA)
    with pytest.raises(DamagedError, match="the chunk holds uint8"):
        array[:]


def test_pictures_of_one_bit_go_both_ways(iio: ModuleType) -> None:
    array = np.random.default_rng(1).random((5, 7)) < 0.5
    again = iio.imread(iio.imwrite("<bytes>", array, extension=".rdc"), extension=".rdc")
    assert again.dtype == np.bool_
    assert np.array_equal(again, array)


def test_imageio_writes_one_picture(iio: ModuleType, tmp_path: Path) -> None:
    with iio.imopen(tmp_path / "out.rdc", "w") as file:
        file.write(RGB, model="uniform")
        with pytest.raises(UsageError, match="holds one picture"):
            file.write(RGB, model="uniform")
    assert np.array_equal(iio.imread(tmp_path / "out.rdc"), RGB)


@pytest.mark.parametrize("mode", ["P", "PA"])
def test_an_empty_palette_is_black(mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (4, 3)).save(stream, "RDC")
    with Image.open(stream) as image:
        assert image.convert("RGB").getcolors() == [(12, (0, 0, 0))]
