"""Picture files in: exact where their type is kept, refused by name where not, one line for what is damaged."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picturefiles import (
    DATA,
    GRAY,
    RGB,
    animation,
    avif,
    encoded,
    jpeg2000,
    mode,
    opened,
    png,
    png_chunk,
    refused,
    sgi16,
    tiff,
)
from pictures import same, typed
from PIL import Image, features

from ridecodec.errors import InputError, LossWarning
from ridecodec.picture import FORMATS, ColourType, Picture

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "animated PNG": (lambda: animation("PNG"), "several frames"),
    "PNG of later frames": (lambda: png(1, 1, 8, 0, bytes(2), png_chunk(b"fdAT", bytes(9))), "several frames"),
    "animated GIF": (lambda: animation("GIF"), "several frames"),
    "multi-page TIFF": (lambda: animation("TIFF"), "several frames"),
    "several PGMs": (lambda: b"P5 1 1 255\n\0P5 1 1 255\n\0", "several pictures"),
    "LAB TIFF": (mode("LAB", "TIFF"), "CIELAB"),
    "float TIFF": (mode("F", "TIFF"), "floating-point"),
    "TIFF of doubles": (lambda: tiff(bytes(8), (64,), 1, (339, 3)), "floating-point gray"),
    "32-bit TIFF": (lambda: encoded(Image.new("I", (2, 2), 65536), "TIFF"), "outside of 0 to 65535"),
    "YCbCr TIFF": (lambda: tiff(bytes(3), (8, 8, 8), 6), "YCbCr"),
    "16-bit CMYK TIFF": (lambda: tiff(bytes(8), (16, 16, 16, 16), 5), "16-bit CMYK"),
    "12-bit TIFF": (lambda: tiff(bytes(2), (12,), 1), "12-bit gray"),
    "signed TIFF": (lambda: tiff(b"\xff", (8,), 1, (339, 2)), "signed gray"),
    "premultiplied TIFF": (lambda: tiff(bytes(4), (8, 8, 8, 8), 2, (338, 1)), "premultiplied"),
    "gray TIFF of two channels": (lambda: tiff(bytes(2), (8, 8), 1, (338, 0)), "multi-channel gray"),
    "PGM of 101 levels": (lambda: b"P5 1 1 100\n1", "101-level gray"),
    "PPM of 16 levels": (lambda: b"P6 1 1 15\n123", "16-level RGB"),
    "plain PPM of 101 levels": (lambda: b"P3 1 1 100\n1 2 3\n", "101-level RGB"),
    "several plain PGMs": (lambda: b"P2 1 1 15\n1\nP2 1 1 15\n1\n", "several pictures"),
    "16-bit SGI": (sgi16, "16-bit RGB"),
    "16-bit JPEG 2000": (lambda: jpeg2000(16), "16-bit RGB"),
    "EPS": (mode("L", "EPS"), "vector graphics"),
}
if features.check("avif"):
    REFUSED["10-bit AVIF"] = (lambda: avif(True), "10- or 12-bit RGB")


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_not_be_exact_is_refused_by_name(kind: str) -> None:
    make, name = REFUSED[kind]
    refused(make(), name)


PALETTE = png_chunk(b"PLTE", bytes(range(12)))
KEPT: dict[str, tuple[Callable[[], bytes], ColourType, int, list[int]]] = {
    "1-bit PNG": (lambda: png(3, 1, 1, 0, b"\0\xa0"), ColourType.GRAY, 1, [1, 0, 1]),
    "2-bit PNG": (lambda: png(3, 1, 2, 0, b"\0\x6c"), ColourType.GRAY, 2, [1, 2, 3]),
    "4-bit PNG": (lambda: png(2, 1, 4, 0, b"\0\x1f"), ColourType.GRAY, 4, [1, 15]),
    "16-bit PNG": (lambda: png(1, 1, 16, 0, b"\0\1\2"), ColourType.GRAY, 16, [258]),
    "palette PNG": (lambda: png(2, 1, 4, 3, b"\0\x31", PALETTE), ColourType.PALETTE, 4, [3, 1]),
    "palette PNG, index beyond": (lambda: png(2, 1, 4, 3, b"\0\xf1", PALETTE), ColourType.PALETTE, 4, [15, 1]),
    "palette PNG, palette too long": (lambda: png(2, 1, 1, 3, b"\0\x40", PALETTE), ColourType.PALETTE, 1, [0, 1]),
    "gray+alpha PNG": (lambda: png(1, 1, 8, 4, b"\0\1\2"), ColourType.GRAY_ALPHA, 8, [1, 2]),
    "16-bit gray+alpha PNG": (lambda: png(1, 1, 16, 4, b"\0\1\2\3\4"), ColourType.GRAY_ALPHA, 16, [258, 772]),
    "16-bit RGB PNG": (lambda: png(1, 1, 16, 2, b"\0\1\2\3\4\5\6"), ColourType.RGB, 16, [258, 772, 1286]),
    "RGBA PNG": (lambda: png(1, 1, 8, 6, b"\0\1\2\3\0"), ColourType.RGBA, 8, [1, 2, 3, 0]),
    "16-bit RGBA PNG": (lambda: png(1, 1, 16, 6, bytes(8) + b"\7"), ColourType.RGBA, 16, [0, 0, 0, 7]),
    "1-bit TIFF": (lambda: tiff(b"\x80", (1,), 1), ColourType.GRAY, 1, [1]),
    "1-bit TIFF, white is zero": (lambda: tiff(b"\x80", (1,), 0), ColourType.GRAY, 1, [0]),
    "2-bit TIFF": (lambda: tiff(b"\x80", (2,), 1), ColourType.GRAY, 2, [2]),
    "4-bit TIFF": (lambda: tiff(b"\x90", (4,), 1), ColourType.GRAY, 4, [9]),
    "4-bit TIFF, white is zero": (lambda: tiff(b"\x90", (4,), 0), ColourType.GRAY, 4, [6]),
    "16-bit TIFF, white is zero": (lambda: tiff(b"\1\2", (16,), 0), ColourType.GRAY, 16, [65535 - 513]),
    "16-bit RGB TIFF": (lambda: tiff(b"\1\2\3\4\5\6", (16,) * 3, 2), ColourType.RGB, 16, [513, 1027, 1541]),
    "16-bit TIFF": (lambda: tiff(b"\1\2", (16,), 1), ColourType.GRAY, 16, [513]),
    "32-bit TIFF": (lambda: encoded(Image.new("I", (1, 1), 65535), "TIFF"), ColourType.GRAY, 16, [65535]),
    "CMYK TIFF": (lambda: tiff(b"\1\2\3\4", (8, 8, 8, 8), 5), ColourType.CMYK, 8, [1, 2, 3, 4]),
    "TIFF, fourth channel": (lambda: tiff(b"\1\2\3\4", (8,) * 4, 2, (338, 0)), ColourType.RGBX, 8, [1, 2, 3, 4]),
    "RGBA TIFF": (lambda: tiff(b"\1\2\3\4", (8,) * 4, 2, (338, 2)), ColourType.RGBA, 8, [1, 2, 3, 4]),
    "gray+alpha TIFF": (lambda: tiff(b"\1\2", (8, 8), 1, (338, 2)), ColourType.GRAY_ALPHA, 8, [1, 2]),
    "CMYK JPEG": (mode("CMYK", "JPEG"), ColourType.CMYK, 8, [0] * 80),
    "PBM": (lambda: b"P4 3 1\n\xa0", ColourType.GRAY, 1, [0, 1, 0]),
    "PGM of 4 levels": (lambda: b"P5\n# c\n3 1 3\n\0\1\3", ColourType.GRAY, 2, [0, 1, 3]),
    "plain PBM": (lambda: b"P1\n3 1\n10 1\n", ColourType.GRAY, 1, [0, 1, 0]),
    "plain PGM of 2 levels": (lambda: b"P2 3 1 1\n1\n0\r\n1", ColourType.GRAY, 1, [1, 0, 1]),
    "plain PGM of 16 levels": (lambda: b"P2 # c\n3 1 15 #\n1 # 2\n 0\t15\n", ColourType.GRAY, 4, [1, 0, 15]),
    "plain PPM of 65536 levels": (lambda: b"P3 1 1 65535\n1 258 65535\n", ColourType.RGB, 16, [1, 258, 65535]),
    "PGM of 16 levels": (lambda: b"P5 2 1 15\n\0\17", ColourType.GRAY, 4, [0, 15]),
    "PGM of 65536 levels": (lambda: b"P5 1 1 65535\n\1\2", ColourType.GRAY, 16, [258]),
    "PPM of 65536 levels": (lambda: b"P6 1 1 65535#c\n\1\2\3\4\5\6", ColourType.RGB, 16, [258, 772, 1286]),
    "RGBA WebP": (
        lambda: encoded(Image.new("RGBA", (1, 1), (1, 2, 3, 4)), "WEBP", lossless=True),
        ColourType.RGBA,
        8,
        [1, 2, 3, 4],
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_types_are_kept(kind: str) -> None:
    make, colour, depth, samples = KEPT[kind]
    picture = opened(make())
    assert (picture.colour, picture.bit_depth) == (colour, depth)
    assert picture.to_numpy().reshape(-1).tolist() == samples


def test_gif_keeps_its_palette_and_what_is_transparent() -> None:
    image = Image.new("P", (3, 1))
    image.putdata([2, 0, 3])
    image.putpalette(bytes(range(12)))
    picture = opened(encoded(image, "GIF", transparency=2, optimize=False))
    assert picture.palette is not None
    assert picture.palette.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert picture.to_numpy().tolist() == [[2, 0, 3]]
    assert picture.transparency == b"\xff\xff\0"


@pytest.mark.parametrize(
    "make",
    [
        lambda: jpeg2000(8),
        lambda: encoded(Image.fromarray(RGB), "JPEG"),
        lambda: encoded(Image.fromarray(RGB), "TGA"),
        lambda: encoded(Image.fromarray(RGB), "SGI"),
        lambda: encoded(Image.fromarray(RGB), "TIFF", compression="tiff_lzw"),
        lambda: encoded(Image.fromarray(GRAY), "JPEG"),
        lambda: tiff(b"\1\2\3", (8, 8, 8), 2),
        *([lambda: avif(False)] if features.check("avif") else []),
    ],
)
def test_decoded_samples_are_those_of_pillow(make: Callable[[], bytes]) -> None:
    data = make()
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image)
    assert np.array_equal(opened(data).to_numpy(), expected)


LESS_THAN_ALL: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
    "jpegls_conformance-banny.ppm": lambda: pytest.warns(LossWarning, match="loses its comments"),
    "satellite_maps-alpha.tif": lambda: pytest.raises(InputError, match=r"TIFF \(JPEG\) file.*--pixels"),
}
"""Of the pictures from everywhere, those that do not open whole, and what opening them says."""


@pytest.mark.parametrize("path", sorted((DATA / "assorted").glob("*")), ids=lambda path: path.name)
def test_pictures_from_everywhere_are_kept(path: Path) -> None:
    with LESS_THAN_ALL.get(path.name, contextlib.nullcontext)():
        Picture.open(path)
    picture = Picture.open(path, pixels=True)
    if picture.sub_pixels > 2_000_000:
        return
    file = io.BytesIO()
    picture.save(file, "png")
    back = opened(file.getvalue())
    assert same(back, picture)
    assert back.metadata == picture.metadata
    if picture.bit_depth == 8 and not picture.colour.indexed:
        with Image.open(path) as image:
            assert np.array_equal(picture.to_numpy(), np.asarray(image))


def test_what_is_no_picture_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        Picture.open(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        Picture.open(tmp_path / "missing.png")
    with pytest.raises(InputError, match="cannot be read"):
        Picture.open("a\0b")
    refused(b"", "is empty")
    refused(b"P", "not a picture")
    refused(b"This is text.\n" * 99, "not a picture")
    refused(random.Random(0).randbytes(5000), "not a picture")


@given(typed(types=[(ColourType.RGB, 8), (ColourType.GRAY, 8)]), st.sampled_from(FORMATS))
def test_a_limit_of_pixels_is_kept_to(picture: Picture, name: str) -> None:
    picture = Picture(picture.planes, picture.colour)
    if (name == "ppm" and picture.channels == 1) or (name == "pgm" and picture.channels == 3) or name == "pbm":
        return
    file = io.BytesIO()
    picture.save(file, name)
    pixels = picture.width * picture.height
    for limit, fits in ((pixels, True), (pixels + 1, True), (pixels - 1, False), (0, False)):
        file.seek(0)
        if fits:
            assert Picture.open(file, max_pixels=limit).width == picture.width
        else:
            with pytest.raises(InputError, match=f"{limit} pixels that are allowed"):
                Picture.open(file, max_pixels=limit)


@pytest.mark.parametrize(
    "data",
    [
        png(40000, 40000, 16, 6, bytes(10**6)),
        b"P6 40000 40000 65535\n" + bytes(1000),
        b"\x93NUMPY\1\0\x76\0{'descr': '|u1', 'fortran_order': False, 'shape': (40000, 40000), }".ljust(128),
        b"BM" + struct.pack("<IIIIIIHHIIIIII", 1000, 0, 54, 40, 40000, 40000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(999),
    ],
)
def test_a_limit_is_checked_before_memory_is_taken(data: bytes) -> None:
    file = io.BytesIO(data)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="1000000 pixels that are allowed"):
            Picture.open(file, max_pixels=10**6)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "WEBP", "BMP", "PPM", "GIF", "JPEG2000", "TGA", "SGI", "PCX"])
def test_mutations_of_other_formats_never_end_in_a_traceback(file_format: str) -> None:
    rng = random.Random(file_format)
    data = encoded(Image.fromarray(RGB), file_format)
    messages = []
    for _ in range(60):
        mutated = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            mutated[rng.randrange(min(len(data), 600))] = rng.randrange(256)
        try:
            picture = opened(bytes(mutated[: rng.randrange(len(data)) if rng.random() < 0.3 else len(data)]))
        except InputError as error:
            messages.append(str(error))
        else:
            assert picture.to_numpy().size == picture.sub_pixels
    assert messages
    assert not any("\n" in message for message in messages)


def test_pillow_keeps_its_limit_and_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("PNG", "BMP"):
            assert np.array_equal(opened(encoded(Image.fromarray(RGB), name)).to_numpy(), RGB)
    assert Image.MAX_IMAGE_PIXELS == 10
    bmp = bytearray(encoded(Image.fromarray(RGB), "BMP"))
    bmp[18:26] = struct.pack("<II", 60000, 60000)
    refused(bytes(bmp), "more than the 2147483647 pixels that are allowed")
