"""Pictures in and out: exact for 8-bit gray and RGB, refused by name for all else, one line for what is damaged."""

from __future__ import annotations

import io
import os
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, features

from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.opening import BAND_PIXELS, MAX_PIXELS
from ridecodec.picture import FORMATS, ColourType, Picture, target_format

PNGSUITE = Path(__file__).parents[2] / "shared" / "data" / "pngsuite"
GRAY = np.random.default_rng(1).integers(0, 256, (23, 31), np.uint8)
RGB = np.random.default_rng(2).integers(0, 256, (23, 31, 3), np.uint8)
SIDES = st.integers(1, 20)
SAMPLES = st.one_of(
    st.tuples(SIDES, SIDES).flatmap(lambda shape: hnp.arrays(np.uint8, shape)),
    st.tuples(SIDES, SIDES, st.just(3)).flatmap(lambda shape: hnp.arrays(np.uint8, shape)),
)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Picture:
    return Picture.open(io.BytesIO(data))


def refused(data: bytes, message: str) -> None:
    """Opening `data` must raise an `InputError` of one line that says `message`."""
    with pytest.raises(InputError, match=message) as caught:
        opened(data)
    assert "\n" not in str(caught.value)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, depth: int, colour: int, raster: bytes, *chunks: bytes) -> bytes:
    """A PNG file of `raster` (filter bytes included), with further chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(raster))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def tiff(samples: bytes, bits: tuple[int, ...], photometric: int, *tags: tuple[int, int]) -> bytes:
    """A TIFF file of one strip of 1x1 pixels; `tags` are further SHORT tags."""
    offset = 8
    bits_at = offset + len(samples)
    body = samples + struct.pack(f"<{len(bits)}H", *bits)
    entries = {256: 1, 257: 1, 259: 1, 262: photometric, 277: len(bits), 278: 1, 273: offset, 279: len(samples)}
    rows = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in [*entries.items(), *tags]]
    rows.append(struct.pack("<HHII", 258, 3, len(bits), bits_at if len(bits) > 2 else bits[0] | bits[-1] << 16))
    directory = (
        struct.pack("<H", len(rows)) + b"".join(sorted(rows, key=lambda row: struct.unpack_from("<H", row))) + bytes(4)
    )
    return b"II*\0" + struct.pack("<I", offset + len(body)) + body + directory


def jpeg2000(depth: int) -> bytes:
    data = bytearray(encoded(Image.fromarray(RGB), "JPEG2000"))
    size_marker = data.index(b"\xff\x4f\xff\x51") + 4
    data[size_marker + 38 : size_marker + 47 : 3] = bytes([depth - 1]) * 3
    return bytes(data)


def avif(deep: bool) -> bytes:
    data = bytearray(encoded(Image.fromarray(RGB), "AVIF"))
    if deep:
        data[data.index(b"av1C") + 6] |= 0x40
        depths = data.index(b"pixi") + 9
        data[depths : depths + 3] = bytes([10] * 3)
    return bytes(data)


def animation(file_format: str) -> bytes:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    return encoded(frames[0], file_format, save_all=True, append_images=frames[1:])


def sgi16() -> bytes:
    return struct.pack(">HBBHHHH", 474, 0, 2, 3, 1, 1, 3).ljust(512, b"\0") + bytes(6)


def mode(name: str, file_format: str = "PNG") -> Callable[[], bytes]:
    return lambda: encoded(Image.new(name, (5, 4)), file_format)


TRANSPARENT = png_chunk(b"tRNS", bytes(6))
OTHER_TYPES: dict[str, tuple[Callable[[], bytes], str]] = {
    "1-bit PNG": (mode("1"), "1-bit black and white"),
    "palette PNG": (mode("P"), "palette"),
    "gray+alpha PNG": (mode("LA"), "gray with alpha"),
    "RGBA PNG": (mode("RGBA"), "RGB with alpha"),
    "16-bit gray PNG": (mode("I;16"), "16-bit gray"),
    "2-bit gray PNG": (lambda: png(1, 1, 2, 0, b"\0\0"), "2-bit gray"),
    "4-bit gray PNG": (lambda: png(1, 1, 4, 0, b"\0\0"), "4-bit gray"),
    "16-bit RGB PNG": (lambda: png(1, 1, 16, 2, bytes(7)), "16-bit RGB"),
    "16-bit gray+alpha PNG": (lambda: png(1, 1, 16, 4, bytes(5)), "16-bit gray with alpha"),
    "16-bit RGBA PNG": (lambda: png(1, 1, 16, 6, bytes(9)), "16-bit RGB with alpha"),
    "RGB PNG with tRNS": (lambda: png(1, 1, 8, 2, bytes(4), TRANSPARENT), "RGB with a transparent colour"),
    "gray PNG with tRNS": (lambda: png(1, 1, 8, 0, bytes(2), png_chunk(b"tRNS", bytes(2))), "gray with a transparent"),
    "animated PNG": (lambda: animation("PNG"), "several frames"),
    "animated GIF": (lambda: animation("GIF"), "several frames"),
    "GIF": (mode("P", "GIF"), "palette"),
    "multi-page TIFF": (lambda: animation("TIFF"), "several frames"),
    "CMYK JPEG": (mode("CMYK", "JPEG"), "CMYK"),
    "CMYK TIFF": (mode("CMYK", "TIFF"), "CMYK"),
    "LAB TIFF": (mode("LAB", "TIFF"), "CIELAB"),
    "float TIFF": (mode("F", "TIFF"), "floating-point"),
    "32-bit TIFF": (mode("I", "TIFF"), "more than 8 bits"),
    "YCbCr TIFF": (lambda: tiff(bytes(3), (8, 8, 8), 6), "YCbCr"),
    "16-bit RGB TIFF": (lambda: tiff(bytes(6), (16, 16, 16), 2), "16-bit RGB"),
    "4-bit gray TIFF": (lambda: tiff(bytes(1), (4,), 1), "4-bit gray"),
    "signed TIFF": (lambda: tiff(bytes(1), (8,), 1, (339, 2)), "signed gray"),
    "TIFF with a fourth channel": (lambda: tiff(bytes(4), (8, 8, 8, 8), 2, (338, 0)), "multi-channel RGB"),
    "16-bit PGM": (lambda: b"P5 1 1 65535\n\0\0", "gray of more than 8 bits"),
    "16-bit PPM": (lambda: b"P6 1 1 65535\n" + bytes(6), "65536-level RGB"),
    "PGM of 16 levels": (lambda: b"P5 1 1 15\n\0", "16-level gray"),
    "plain PPM of 101 levels": (lambda: b"P3 1 1 100\n1 2 3\n", "101-level RGB"),
    "PBM": (mode("1", "PPM"), "1-bit"),
    "RGBA WebP": (lambda: encoded(Image.new("RGBA", (5, 4)), "WEBP", lossless=True), "RGB with alpha"),
    "16-bit SGI": (sgi16, "16-bit RGB"),
    "16-bit JPEG 2000": (lambda: jpeg2000(16), "16-bit RGB"),
    "EPS": (mode("L", "EPS"), "vector graphics"),
}
if features.check("avif"):
    OTHER_TYPES["10-bit AVIF"] = (lambda: avif(True), "10- or 12-bit RGB")


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_other_types_are_refused_by_name(kind: str) -> None:
    make, name = OTHER_TYPES[kind]
    refused(make(), name)


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


@pytest.mark.parametrize(
    "name", ["1", "P", "PA", "LA", "La", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I"]
)
def test_pillow_images_of_other_modes_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not supported, only 8-bit gray and 8-bit RGB"):
        Picture.from_pil(Image.new(name, (3, 2)))


def test_pillow_images_lose_no_depth_silently() -> None:
    with (
        Image.open(io.BytesIO(png(1, 1, 16, 2, bytes(7)))) as image,
        pytest.raises(InputError, match="16-bit RGB is not supported"),
    ):
        Picture.from_pil(image)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), "float64"),
        (np.zeros((2, 3), bool), "bool"),
        (np.zeros((2, 3, 3), np.uint16), "uint16"),
        (np.zeros(3, np.uint8), "shape"),
        (np.zeros((2, 3, 1), np.uint8), "shape"),
        (np.zeros((2, 3, 4), np.uint8), "shape"),
        (np.zeros((1, 2, 3, 3), np.uint8), "shape"),
        (np.zeros((0, 3), np.uint8), "no pixels"),
        (np.zeros((3, 0, 3), np.uint8), "no pixels"),
        (np.broadcast_to(np.uint8(0), (2, MAX_PIXELS)), "over 2147483647 pixels"),
        (np.ma.masked_equal(np.zeros((2, 3), np.uint8), 0), "masked"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Picture.from_numpy(array)


@given(SAMPLES, st.sampled_from(FORMATS))
def test_saved_pictures_are_opened_unchanged(samples: NDArray[np.uint8], name: str) -> None:
    picture = Picture.from_numpy(samples)
    if (name, picture.colour) in (("ppm", ColourType.GRAY), ("pgm", ColourType.RGB)):
        with pytest.raises(OutputError, match="holds"):
            picture.save(io.BytesIO(), name)
        return
    file = io.BytesIO()
    picture.save(file, name)
    back = opened(file.getvalue())
    if name == "webp" and picture.colour is ColourType.GRAY:
        samples = np.repeat(samples[..., None], 3, axis=2)
    assert np.array_equal(back.to_numpy(), samples)


@given(SAMPLES)
def test_numpy_and_pillow_round_trip(samples: NDArray[np.uint8]) -> None:
    picture = Picture.from_numpy(samples)
    assert picture.sub_pixels == samples.size
    assert (picture.height, picture.width) == samples.shape[:2]
    assert picture.channels == picture.colour.channels == (3 if samples.ndim == 3 else 1)
    assert np.array_equal(picture.to_numpy(), samples)
    assert np.array_equal(np.asarray(picture.to_pil()), samples)
    assert np.array_equal(Picture.from_pil(picture.to_pil()).planes, picture.planes)
    assert picture.checksum() == zlib.crc32(samples.tobytes())


@pytest.mark.parametrize("shape", [(1, BAND_PIXELS + 5), (5, BAND_PIXELS // 2 - 1), (BAND_PIXELS + 5, 1, 3)])
def test_bands_are_put_together_in_order(shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    picture = Picture.from_numpy(samples)
    assert picture.checksum() == zlib.crc32(samples.tobytes())
    assert np.array_equal(Picture.from_pil(picture.to_pil()).to_numpy(), samples)


def test_planes_of_any_layout_give_the_same_picture() -> None:
    separate = Picture(np.ascontiguousarray(RGB.transpose(2, 0, 1)), ColourType.RGB)
    turned = Picture.from_numpy(np.asfortranarray(RGB)[::-1][::-1])
    for picture in (separate, turned):
        assert picture.checksum() == zlib.crc32(RGB.tobytes())
        assert np.array_equal(picture.to_numpy(), RGB)
        assert picture.to_numpy().flags.c_contiguous


def test_planes_must_fit_the_colour_type() -> None:
    for shape in ((3, 2, 2), (1, 0, 2), (2, 2)):
        with pytest.raises(ValueError, match="cannot hold a GRAY picture"):
            Picture(np.zeros(shape, np.uint8), ColourType.GRAY)


def test_paths_and_streams(tmp_path: Path) -> None:
    picture = Picture.from_numpy(RGB)
    for name, file_format in {"a.png": "png", "a.TIF": "tiff", "a.npy": "npy"}.items():
        assert target_format(name) == file_format
        picture.save(tmp_path / name)
        assert np.array_equal(Picture.open(str(tmp_path / name)).to_numpy(), RGB)

    for file_format in FORMATS:
        if file_format == "pgm":
            continue
        reader, writer = os.pipe()
        with open(writer, "wb") as file:
            picture.save(file, file_format)
        with open(reader, "rb") as file:
            assert np.array_equal(Picture.open(file).to_numpy(), RGB)

    for wrong in ("a.xyz", "a", "a.jpg"):
        with pytest.raises(UsageError, match="choose one of"):
            picture.save(tmp_path / wrong)
    with pytest.raises(UsageError, match="needs a format"):
        picture.save(io.BytesIO())
    with pytest.raises(UsageError, match="unknown picture format"):
        picture.save(io.BytesIO(), "gif")


def test_failed_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture.from_numpy(RGB)
    with pytest.raises(OutputError, match="No such file"):
        picture.save(tmp_path / "missing" / "a.png")
    with pytest.raises(OutputError, match="directory"):
        picture.save(tmp_path, "png")
    with pytest.raises(OutputError, match="16383"):
        Picture.from_numpy(np.zeros((1, 16384), np.uint8)).save(tmp_path / "a.webp")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        picture.save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_what_is_no_picture_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        Picture.open(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        Picture.open(tmp_path / "missing.png")
    with pytest.raises(InputError, match="cannot be read"):
        Picture.open("a\0b")
    refused(b"", "is empty")
    refused(b"P", "no picture")
    refused(b"This is text.\n" * 99, "no picture")
    refused(random.Random(0).randbytes(5000), "no picture")


GOOD_PNG = {
    "gray": encoded(Image.fromarray(GRAY), "PNG"),
    "RGB": encoded(Image.fromarray(RGB), "PNG", dpi=(72, 72)),
}


@pytest.mark.parametrize("data", GOOD_PNG.values(), ids=GOOD_PNG)
def test_a_png_cut_anywhere_is_damaged(data: bytes) -> None:
    for length in range(1, len(data)):
        refused(data[:length], "damaged")


@pytest.mark.parametrize("data", GOOD_PNG.values(), ids=GOOD_PNG)
def test_a_png_with_a_wrong_byte_anywhere_is_damaged(data: bytes) -> None:
    for position in range(len(data)):
        for change in (1, 0x80):
            damaged = bytearray(data)
            damaged[position] ^= change
            refused(bytes(damaged), "damaged|no picture")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(50000, 40000, 8, 2, bytes(1000)), "more pixels than its bytes can hold"),
        (png(2**31 - 1, 2**31 - 1, 8, 0, bytes(1000)), "more pixels than its bytes can hold"),
        (png(9, 9, 8, 2, bytes(40)), "damaged"),
        (png(0, 9, 8, 2, bytes(40)), "header is missing or wrong"),
        (png(9, 9, 8, 1, bytes(90)), "damaged"),
        (png(9, 9, 3, 0, bytes(90)), "damaged"),
        (png(1, 1, 8, 0, b"\0\0").replace(b"IHDR", b"IDAT"), "damaged"),
        (png(1, 1, 8, 0, b"\0\0", png_chunk(b"1234", b"")), "no valid name"),
        (png(1, 1, 8, 0, b"\0\0")[:8] + png_chunk(b"IEND", b""), "header is missing"),
        (png(1, 1, 8, 0, b"\0\0")[:33] + png_chunk(b"IEND", b""), "more pixels than its bytes"),
        (png(1, 1, 8, 0, b"\7\0"), "damaged"),
    ],
)
def test_a_png_of_valid_checksums_can_still_be_damaged(data: bytes, message: str) -> None:
    refused(data, message)


def test_pngsuite() -> None:
    """The suite's files are opened as Pillow opens them if 8-bit gray or RGB, else refused; "x" marks damaged ones."""
    for path in sorted(PNGSUITE.glob("*.png")):
        kind = path.stem[3:]
        if path.name.startswith("x"):
            with pytest.raises(InputError, match="damaged"):
                Picture.open(path)
        elif kind.endswith(("0g08", "2c08")) and path.stem != "tbrn2c08":
            with Image.open(path) as image:
                assert np.array_equal(Picture.open(path).to_numpy(), np.asarray(image)), path
        else:
            with pytest.raises(InputError, match="is not supported"):
                Picture.open(path)


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda data: data[:-1], "does not match the shape"),
        (lambda data: data + b"\0", "does not match the shape"),
        (lambda data: data[:40], "header is damaged"),
        (lambda data: data.replace(b"(23, 31", b"(99999999999, 31"), "header is damaged|does not match"),
        (lambda data: data.replace(b"(23, 31, 3), }  ", b"(-23, -31, 3), }"), "is negative"),
        (lambda data: data.replace(b"|u1", b"<f4"), "float32"),
        (lambda data: data.replace(b"|u1", b"|O8"), "object"),
        (lambda data: data[:6] + b"\7" + data[7:], "header is damaged"),
    ],
)
def test_damaged_npy(content: Callable[[bytes], bytes], message: str) -> None:
    buffer = io.BytesIO()
    np.save(buffer, RGB)
    refused(content(buffer.getvalue()), message)


def test_npy_data_that_ends_while_it_is_read() -> None:
    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
            return super().seek(offset, whence) + (100 if whence == io.SEEK_END else 0)

    buffer = io.BytesIO()
    np.save(buffer, RGB)
    with pytest.raises(InputError, match="cut short"):
        Picture.open(Shrinking(buffer.getvalue()[:-100]))


def test_npy_in_fortran_order() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(RGB))
    assert np.array_equal(opened(buffer.getvalue()).to_numpy(), RGB)


def test_pillow_keeps_its_limit_and_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(opened(GOOD_PNG["RGB"]).to_numpy(), RGB)
    assert Image.MAX_IMAGE_PIXELS == 10
    bmp = bytearray(encoded(Image.fromarray(RGB), "BMP"))
    bmp[18:26] = struct.pack("<II", 60000, 60000)
    refused(bytes(bmp), "claims more than 2147483647 pixels")
