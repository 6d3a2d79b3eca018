"""Pillow images in and out: all modes that are kept, and what their `info` carries."""

from __future__ import annotations

import errno
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from picturefiles import RGB, opened, png, png_chunk
from pictures import TYPES, same, typed
from PIL import Image, PngImagePlugin

from ridecodec.errors import InputError, OutputError
from ridecodec.files import pilimages
from ridecodec.picture import Chunk, ColourType, Picture

MODES = {
    ColourType.GRAY: "L",
    ColourType.RGBX: "RGBX",
    ColourType.RGB: "RGB",
    ColourType.PALETTE: "P",
    ColourType.GRAY_ALPHA: "LA",
    ColourType.CMYK: "CMYK",
    ColourType.RGBA: "RGBA",
    ColourType.PALETTE_ALPHA: "PA",
}


@given(typed(types=[(c, d) for c, d in TYPES if d < 16 or c is ColourType.GRAY]))
def test_pillow_round_trip(picture: Picture) -> None:
    image = picture.to_pil()
    back = Picture.from_pil(image)
    assert image.mode == {1: "1", 16: "I;16"}.get(picture.bit_depth, "L") or picture.colour is not ColourType.GRAY
    assert image.mode == MODES[picture.colour] or picture.colour is ColourType.GRAY
    if picture.colour is ColourType.GRAY and picture.bit_depth in (2, 4):  # Pillow holds them scaled
        assert np.array_equal(back.planes.astype(int) * (2**picture.bit_depth - 1), picture.planes.astype(int) * 255)
        return
    assert back.colour is picture.colour
    assert np.array_equal(back.planes, picture.planes)
    assert back.bit_depth == picture.bit_depth or picture.colour is ColourType.PALETTE
    if picture.palette is not None:
        assert np.array_equal(back.palette, picture.palette)
    if picture.colour is not ColourType.PALETTE_ALPHA:
        assert back.transparency == picture.transparency


@pytest.mark.parametrize("colour", [ColourType.RGB, ColourType.GRAY_ALPHA, ColourType.RGBA])
def test_sixteen_bits_of_colour_have_no_mode(colour: ColourType) -> None:
    with pytest.raises(OutputError, match=r"NumPy array, or write \.png"):
        Picture(np.zeros((colour.channels, 2, 2), np.uint16), colour, 16).to_pil()


@pytest.mark.parametrize("name", ["I;16", "I;16B", "I;16L", "I;16N", "I"])
def test_all_modes_of_16_bits(name: str) -> None:
    values = np.array([[0, 258, 65535]], np.uint16)
    image = Image.new(name, (3, 1))
    for x, value in enumerate(values[0].tolist()):
        image.putpixel((x, 0), value)
    picture = Picture.from_pil(image)
    assert (picture.colour, picture.bit_depth) == (ColourType.GRAY, 16)
    assert np.array_equal(picture.to_numpy(), values)


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_beyond_16_bits_are_refused(value: int) -> None:
    with pytest.raises(InputError, match="outside of 0 to 65535"):
        Picture.from_pil(Image.new("I", (3, 2), value))


@pytest.mark.parametrize(
    ("name", "words"), [("La", "premultiplied"), ("RGBa", "premultiplied"), ("YCbCr", "YCbCr"), ("LAB", "CIELAB")]
)
def test_other_modes_are_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(InputError, match=f"{words}.* is not supported"):
        Picture.from_pil(Image.new(name, (3, 2)))


@pytest.mark.parametrize("name", ["HSV", "F"])
def test_modes_without_exact_samples_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not supported"):
        Picture.from_pil(Image.new(name, (3, 2)))


def test_no_depth_is_lost_silently() -> None:
    with (
        Image.open(io.BytesIO(png(1, 1, 16, 2, bytes(7)))) as image,
        pytest.raises(InputError, match="16-bit RGB of PNG files is not supported"),
    ):
        Picture.from_pil(image)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("value", [0, 1])
def test_files_that_pillow_opened_are_as_we_open_them(depth: int, value: int) -> None:
    raster = bytes.fromhex("00abcd 00abcd" if depth == 16 else "00ff 0000")
    data = png(1, 2, depth, 0, raster, png_chunk(b"tRNS", bytes((0, value))))
    with Image.open(io.BytesIO(data)) as image:
        picture = Picture.from_pil(image)
    assert same(picture, opened(data))
    assert picture.transparency == bytes((0, value))


def test_info_is_carried() -> None:
    info = {
        "icc_profile": b"profile",
        "gamma": 0.45455,
        "dpi": (300, 72),
        "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0",
        "xmp": b"<xmp/>",
        "Title": "a picture",
        "Comment": "mit Umlaut ä and 文",
        "transparency": (1, 2, 3),
    }
    image = Image.fromarray(RGB)
    image.info.update(info, compression="raw", duration=3)
    picture = Picture.from_pil(image)
    kinds = [chunk.kind for chunk in picture.metadata]
    assert kinds == [b"ICC ", b"gAMA", b"tRNS", b"pHYs", b"eXIf", b"iTXt", b"tEXt", b"iTXt"]
    assert picture.transparency == b"\0\1\0\2\0\3"
    assert picture.to_pil().info == info


@pytest.mark.parametrize(
    ("dpi", "metric"),
    [
        ((72, 72), (2835, 2835)),
        ((96.012, 25.4), (3780, 1000)),
        ((72.5, 72), None),
        ((0, 0), None),
        ((float("nan"), 1), None),
        ((1e300, 1), None),
        (72, None),
        (("a", "b"), None),
        ((1, 2, 3), None),
    ],
)
def test_a_resolution_is_kept_where_whole_numbers_say_it(dpi: object, metric: tuple[int, int] | None) -> None:
    image = Image.fromarray(RGB)
    image.info["dpi"] = dpi
    chunks = Picture.from_pil(image).metadata
    if metric is None:
        assert chunks == ()
    else:
        assert chunks == (Chunk(b"pHYs", b"".join(m.to_bytes(4, "big") for m in metric) + b"\1"),)


def test_texts_of_a_png_that_pillow_opened() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("software", "of ours")
    texts.add_itxt("Comment", "文")
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG", pnginfo=texts)
    with Image.open(file) as image:
        chunks = Picture.from_pil(image).metadata
    assert chunks == (Chunk(b"tEXt", b"software\0of ours"), Chunk(b"iTXt", b"Comment" + bytes(5) + "文".encode()))


@pytest.mark.parametrize("transparency", [b"\1\2\3\4\5", 1, None, 2**60])
def test_the_transparency_of_a_palette(transparency: bytes | int | None) -> None:
    image = Image.new("P", (3, 2))
    image.putpalette(bytes(range(12)))
    if transparency is not None:
        image.info["transparency"] = transparency
    expected = {None: None, 1: b"\xff\0", 2**60: b"\xff" * 4}.get(transparency, b"\1\2\3\4")
    assert Picture.from_pil(image).transparency == expected


@pytest.mark.parametrize("value", [-1, 2**40, "a", None, (1, 2), (1, 2, 2**16), (1, 2, "a"), (1, 2, 3, 4)])
@pytest.mark.parametrize("name", ["1", "L", "RGB", "RGBA", "I;16"])
def test_a_transparency_that_makes_no_sense_is_left_out(name: str, value: object) -> None:
    image = Image.new(name, (3, 2))
    image.info["transparency"] = value
    assert Picture.from_pil(image).metadata == ()


def test_a_palette_with_alpha_in_it() -> None:
    image = Image.new("P", (3, 2))
    image.putpalette(bytes(range(8)), "RGBA")
    picture = Picture.from_pil(image)
    assert picture.palette is not None
    assert picture.palette.tolist() == [[0, 1, 2], [4, 5, 6]]
    assert picture.transparency == b"\3\7"


def test_a_palette_has_no_entry_that_no_index_reaches() -> None:
    colours = bytes(range(192))
    header = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 4, 0, 4, 0, 0, 64, 0)
    quads = b"".join(colours[at : at + 3] + b"\0" for at in range(0, 192, 3))
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 256) + header + quads + b"\x1f\0\0\0"
    with Image.open(io.BytesIO(data)) as image:
        picture = Picture.from_pil(image)
    assert picture.bit_depth == 4
    assert picture.palette is not None
    assert len(picture.palette) == 16


def test_seeking_before_the_start_is_a_file_that_is_cut_short() -> None:
    assert pilimages.one_line(OSError(errno.EINVAL, "Invalid argument")) == "it is cut short"
    assert pilimages.one_line(OSError(errno.EIO, "Input/output error")) == "Input/output error"
