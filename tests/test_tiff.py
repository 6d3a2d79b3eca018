"""TIFF files in: every layout exactly, every tag kept or named, and all that is damaged or no picture refused."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from picturefiles import GRAY, RGB, encoded, opened, png, refused, tiff
from PIL import Image

from ridecodec.errors import InputError
from ridecodec.files import metadata, tiffdirectory
from ridecodec.files.lossy import lossy
from ridecodec.files.source import Source
from ridecodec.files.tiff import read
from ridecodec.files.tiffdirectory import EXIF, GPS, INTEROPERABILITY, Directory, Field, TiffFile
from ridecodec.picture import ColourType, Picture

SMOOTH = np.cumsum(np.random.default_rng(3).integers(-2, 3, (45, 70, 3)), axis=1)


def written(samples: NDArray[Any], **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, metadata=None, **options)
    return out.getvalue()


def source(data: bytes) -> Source:
    return read(io.BytesIO(data), 10**7)


def directory(data: bytes) -> Directory:
    return next(TiffFile(io.BytesIO(data)).directories())


def built(
    fields: dict[int, Field] | None = None,
    branches: dict[int, Directory] | None = None,
    order: str = "<",
    pixels: bytes = bytes((1, 2, 3, 4)),
    **numbers: int,
) -> bytes:
    """A TIFF of 2x2 gray pixels, with further fields, and other `numbers` (tags with a "t" before them)."""
    usual = {256: 2, 257: 2, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: len(pixels)}
    held = Directory(order, branches=branches or {})
    for tag, value in (usual | {int(name[1:]): value for name, value in numbers.items()}).items():
        held.put(tag, tiffdirectory.LONG, value)
    held.fields |= fields or {}
    pixels += bytes(len(pixels) % 2)
    return tiffdirectory.header(order, 8 + len(pixels)) + pixels + tiffdirectory.serialised(held, 8 + len(pixels))


def text(content: str | bytes) -> Field:
    data = (content.encode() if isinstance(content, str) else content) + b"\0"
    return Field(tiffdirectory.ASCII, len(data), data)


CODED: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 7, "byteorder": ">"},
    {"tile": (16, 32), "bigtiff": True},
    {"planarconfig": "separate"},
    {"planarconfig": "separate", "tile": (16, 16), "compression": "zlib", "predictor": True},
    {"compression": "lzw", "rowsperstrip": 8},
    {"compression": "lzw", "predictor": True, "byteorder": ">"},
    {"compression": "zlib", "predictor": True, "tile": (32, 16), "byteorder": ">", "bigtiff": True},
    {"compression": "packbits", "rowsperstrip": 5},
    {"compression": "lzma", "predictor": True},
    {"compression": "zstd", "rowsperstrip": 9, "predictor": True},
    {"compression": "lerc"},
    {"compression": "png", "rowsperstrip": 9},
    {"compression": "jpeg2000"},
]


@pytest.mark.parametrize("options", CODED, ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_layout_is_read_exactly(options: dict[str, Any], dtype: type) -> None:
    scaled = SMOOTH.astype(dtype) * (1 if dtype is np.uint8 else 37)
    planar = "planarconfig" in options
    found = source(written(np.moveaxis(scaled, 2, 0).copy() if planar else scaled, photometric="rgb", **options))
    assert (found.picture.colour, found.picture.bit_depth, found.lost) == (ColourType.RGB, 8 * dtype().itemsize, ())
    assert np.array_equal(found.picture.to_numpy(), scaled)
    if not planar:
        found = source(written(scaled[..., 0], photometric="minisblack", **options))
        assert np.array_equal(found.picture.to_numpy(), scaled[..., 0])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_gray_of_every_depth(bits: int, photometric: str) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (13, 21)).astype(np.uint16 if bits > 8 else np.uint8)
    data = written(values.astype(bool) if bits == 1 else values, photometric=photometric, bitspersample=bits)
    found = source(data).picture
    assert (found.colour, found.bit_depth) == (ColourType.GRAY, bits)
    assert np.array_equal(found.to_numpy(), values if photometric == "minisblack" else 2**bits - 1 - values)


def test_fill_order_and_missing_counts_and_a_sample_type_that_fits() -> None:
    assert opened(tiff(b"\x80\x05", (16,), 1, (266, 2))).to_numpy().tolist() == [[0xA001]]
    data = tiff(b"\7", (8,), 1).replace(struct.pack("<HHII", 279, 3, 1, 1), struct.pack("<HHII", 280, 3, 1, 1))
    assert opened(data).to_numpy().tolist() == [[7]]
    found = source(written(np.array([[0, 40000]], np.int32)))
    assert found.picture.to_numpy().tolist() == [[0, 40000]]
    assert found.lost == ("the type of its samples (signed, 32 bits)",)


@pytest.mark.parametrize(
    ("scale", "low", "kept"), [(257, 0, False), (256, 0, False), (1, 0, False), (257, 1, True)], ids=str
)
def test_palettes_of_8_and_of_16_bits(scale: int, low: int, kept: bool) -> None:
    entries = np.arange(48)[::-1] * 5
    values = (entries * scale ^ low).astype(np.uint16)
    table = Field(tiffdirectory.SHORT, 48, values.astype("<u2").tobytes())
    found = source(built({320: table}, pixels=b"\x3f\x01", t258=4, t262=3))
    assert found.picture.to_numpy().tolist() == [[3, 15], [0, 1]]
    assert found.lost == ()
    assert found.picture.palette is not None
    assert found.picture.palette.T.reshape(-1).tolist() == entries.tolist()
    assert any(chunk.kind == b"eXIf" for chunk in found.picture.metadata) == kept
    again = io.BytesIO()
    found.picture.save(again, "tiff")
    wanted = values if kept else entries * 257
    assert directory(again.getvalue()).integers(320) == tuple(wanted.tolist())


NAMES = {
    270: text("Größe 5 µm"),
    315: text(b"M\xfcller"),
    290: Field(3, 1, struct.pack("<H", 3)),
    291: Field(3, 256, struct.pack("<256H", *range(256))),
    532: Field(5, 2, struct.pack("<4I", 15, 1, 235, 1)),
    37724: Field(7, 9, b"Photoshop"),
    65000: Field(12, 2, struct.pack("<2d", 1.5, -2)),
}
OF_EXIF = Directory("<", {0x9003: text("2020:02:02 02:02:02"), 37500: Field(7, 6, b"maker!")})
OF_EXIF.branches[INTEROPERABILITY] = Directory("<", {1: text("R98")})
OF_GPS = Directory("<", {1: text("N"), 2: Field(5, 3, struct.pack("<6I", 48, 1, 30, 1, 0, 1))})


@pytest.mark.parametrize("big", [False, True])
def test_every_tag_is_kept_byte_for_byte(big: bool) -> None:
    """In EXIF, which is a directory as well; in a file of TIFF again, too."""
    branches = {EXIF: OF_EXIF, GPS: OF_GPS, 65010: OF_GPS}
    data = built(NAMES, branches)
    if big:
        held = Directory("<", {**directory(data).fields, 273: Field(16, 1, struct.pack("<Q", 16))})
        held.branches = branches
        data = tiffdirectory.header("<", 20, big=True) + bytes((1, 2, 3, 4)) + tiffdirectory.serialised(held, 20, True)
    found = source(data)
    assert found.lost == ()
    assert found.picture.to_numpy().tolist() == [[1, 2], [3, 4]]
    out = io.BytesIO()
    found.picture.save(out, "tiff")
    for held in (tiffdirectory.read_exif(found.picture.chunk(b"eXIf") or b""), directory(out.getvalue())):
        assert {tag: held.fields[tag] for tag in NAMES} == NAMES
        assert held.branches == branches
    with Image.open(out) as image:
        assert image.getexif().get_ifd(EXIF)[0x9003] == "2020:02:02 02:02:02"


def test_profile_xmp_and_orientation_are_kept_and_pixels_stay_as_they_are() -> None:
    packet = b"<x:xmpmeta tiff:Orientation='3'/>"
    fields = {700: Field(1, len(packet), packet), 34675: Field(7, 7, b"profile")}
    found = source(built(fields, order=">", t274=6))
    assert found.picture.to_numpy().tolist() == [[1, 2], [3, 4]]
    assert found.lost == ()
    assert metadata.xmp(found.picture.metadata) == packet
    assert metadata.profile(found.picture.metadata) == b"profile"
    exif = Image.Exif()
    exif.load(found.picture.chunk(b"eXIf"))
    assert dict(exif) == {274: 6}
    assert source(built(t274=1)).picture.metadata == ()


@pytest.mark.parametrize(
    ("x", "y", "unit", "dots"),
    [
        ((300, 1), (72, 1), 2, (11811, 2835, 1)),
        ((629145600, 2097152), (300, 1), 2, (11811, 11811, 1)),
        ((11811, 100), (11811, 100), 3, None),
        ((1000, 10), (10001, 100), 3, (10000, 10001, 1)),
        ((963, 10), (72, 1), 2, None),
        ((1, 1), (2, 1), 1, (1, 2, 0)),
        ((1, 3), (1, 1), 1, None),
        ((1, 0), (0, 1), 2, None),
    ],
)
def test_a_resolution_comes_back_as_it_was(
    x: tuple[int, int], y: tuple[int, int], unit: int, dots: tuple[int, ...] | None
) -> None:
    held = Directory()
    held.put(282, tiffdirectory.RATIONAL, *x)
    held.put(283, tiffdirectory.RATIONAL, *y)
    found = source(built(held.fields, t296=unit)).picture
    assert found.chunk(b"pHYs") == (None if dots is None else struct.pack(">IIB", *dots))
    out = io.BytesIO()
    found.save(out, "tiff")
    again = directory(out.getvalue())
    for tag, (above, below) in ((282, x), (283, y)):
        told = again.integers(tag)
        assert told[0] * below == told[1] * above
    assert again.integers(296) == (unit,)


def test_what_is_not_kept_is_named() -> None:
    assert source(built() + b"more than a gap of padding").lost == ("26 bytes that nothing in it points to",)
    assert source(built() + bytes(40)).lost == ()
    data = bytearray(built({65000: Field(7, 8, b"12345678")}))
    at = data.index(struct.pack("<HHI", 65000, 7, 8)) + 8
    data[at : at + 4] = struct.pack("<I", 10**6)
    assert source(bytes(data)).lost == ("its TIFF tag 65000, which points outside of the file",)
    odd = built().replace(struct.pack("<HHI", 278, 4, 1), struct.pack("<HHI", 278, 99, 1))
    assert source(odd).lost == ("its TIFF tag 278, which has a type that is not known (99)",)
    dangling = Directory()
    dangling.put(EXIF, tiffdirectory.LONG, 10**6)
    assert source(built(dangling.fields)).lost == (f"the directory of its TIFF tag {EXIF}, which cannot be read",)
    assert source(built(NAMES, t262=0)).lost == ("its TIFF tag 290", "its TIFF tag 291")
    assert source(built(pixels=bytes((1, 2, 3, 4, 5)))).lost == ("the data after the rows of its strips",)


def shaped() -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((3, 9, 9), np.uint8), photometric="minisblack", truncate=True)
    return out.getvalue()


VOLUME = np.zeros((16, 16, 16), np.uint8)


def stack() -> bytes:
    return built({270: text("ImageJ=1.53\nimages=3\nslices=3\n")}, pixels=bytes(range(4)), t279=4) + bytes(range(8))


REFUSED = {
    "volume": (lambda: written(VOLUME, photometric="minisblack", tile=VOLUME.shape, volumetric=True), "a TIFF volume"),
    "pages": (lambda: written(np.zeros((2, 9, 9), np.uint8), photometric="minisblack"), "several frames"),
    "pictures below": (lambda: built(t330=8), "several frames"),
    "ImageJ stack": (stack, "ImageJ stack"),
    "MetaMorph stack": (lambda: built({33629: Field(5, 2, bytes(16))}), "MetaMorph stack"),
    "a tifffile stack": (shaped, "a tifffile stack"),
    "YCbCr": (lambda: written(RGB, photometric="ycbcr", compression="zlib"), "YCbCr"),
    "CIELAB": (lambda: written(RGB, photometric="cielab"), "CIELAB"),
    "10 bits": (lambda: written(GRAY.astype(np.uint16), bitspersample=10), "10-bit gray"),
    "16-bit CMYK": (lambda: written(np.zeros((4, 5, 4), np.uint16), photometric="separated"), "16-bit CMYK"),
    "other inks": (lambda: built(t262=5, t277=4, t332=2, pixels=bytes(16)), "inks other than CMYK"),
    "five channels": (
        lambda: written(VOLUME[:5, :, :5], photometric="rgb", planarconfig="contig"),
        "multi-channel RGB",
    ),
    "negative": (lambda: written(np.full((2, 2), -1, np.int16)), "values below 0"),
    "negative of 32 bits": (lambda: built(t262=0, t258=32, pixels=bytes(16)), "white-is-zero gray of 32 bits"),
    "sparse": (lambda: built(t279=0), "without data"),
    "unknown compression": (lambda: built(t259=34676), "SGILog"),
    "JPEG XL": (lambda: written(RGB, photometric="rgb", compression="jpegxl"), "JPEG XL"),
    "PNG of another size": (lambda: built(t259=34933, pixels=png(2, 1, 8, 0, bytes(3))), "PNG file of another size"),
    "no meaning": (lambda: built({262: Field(7, 1, b"\0")}), "does not say what its samples mean"),
    "no predictor": (lambda: built(t317=2), "predictor 2"),
    "cut short": (lambda: built(t279=3), "damaged: it is cut short"),
    "strip in the header": (lambda: built(t273=0), "lies in its header"),
    "strip outside": (lambda: built(t273=10**6), "damaged: it points outside"),
    "cut LZW": (lambda: built(t259=5, pixels=b"\x80\x01"), "a strip or tile cannot be unpacked"),
    "cut deflate": (lambda: built(t259=8, pixels=b"\x78\x9c\x63"), "a strip or tile cannot be unpacked"),
    "no size": (lambda: built(t256=0), "no pixels"),
    "a negative size": (lambda: built({256: Field(9, 1, struct.pack("<i", -2))}), "tag 256 is missing or not valid"),
    "a negative count": (lambda: built({279: Field(9, 1, struct.pack("<i", -2))}), "claims more pixels|points outside"),
    "no strips": (lambda: built(t278=1), "1 strips or tiles, and 2 are needed"),
    "circle": (lambda: built()[:-4] + struct.pack("<I", 12), "its directories form a loop"),
    "no palette": (lambda: built(t262=3), "no palette"),
    "header": (lambda: b"II*\0\0", "cut short"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_kept_is_refused_by_name(kind: str) -> None:
    make, message = REFUSED[kind]
    refused(make(), message)


def test_directories_that_claim_more_than_there_is_have_an_end() -> None:
    """Entries that all point to one long value, and directories that point to themselves."""
    value = struct.pack("<I", 8)
    rows = [struct.pack("<HHI", tag, 13, 1) + value for tag in range(60000)]
    refused(tiffdirectory.header("<", 8) + struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4), "claim more bytes")
    rows = [struct.pack("<HHII", tag, 7, 10**5, 8) for tag in range(20000)]
    refused(tiffdirectory.header("<", 8) + struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4), "claim more bytes")


def test_a_picture_in_a_strip_has_the_size_that_the_tags_say() -> None:
    """Which is seen before memory is taken for it."""
    data = bytearray(written(GRAY, compression="jpeg2000"))
    at = data.index(b"\xff\x4f\xff\x51") + 8
    data[at : at + 8] = struct.pack(">II", 10**6, 10**6)
    refused(bytes(data), "a picture of another size")
    data[at : at + 8] = struct.pack(">II", *GRAY.shape[::-1])
    data[at + 34] |= 0x80
    refused(bytes(data), "or of other samples")


def test_mutations_are_an_error_or_a_picture() -> None:
    rng = random.Random(5)
    bases = [built(NAMES, {EXIF: OF_EXIF}), *(written(GRAY, **options) for options in CODED[1:3])]
    codings = ("lzw", "zlib", "packbits", "lerc", "jpeg2000")
    bases += [written(GRAY, compression=coding, rowsperstrip=9) for coding in codings]
    messages = []
    for base in bases:
        for _ in range(60):
            data = bytearray(base)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                picture = opened(bytes(data[: rng.randrange(len(data)) if rng.random() < 0.3 else len(data)]))
            except InputError as error:
                messages.append(str(error))
            else:
                assert picture.to_numpy().size == picture.sub_pixels
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"compression": "jpeg"}, "TIFF (JPEG)"),
        ({"compression": "webp", "compressionargs": {"lossless": False}}, "TIFF (lossy WebP)"),
        ({"compression": "webp", "compressionargs": {"lossless": True}}, ""),
        ({"compression": "jpeg2000", "compressionargs": {"level": 30}}, "TIFF (lossy JPEG 2000)"),
        ({"compression": "jpeg2000"}, ""),
        ({"compression": "lerc", "compressionargs": {"level": 3.0}}, "TIFF (lossy LERC)"),
        ({"compression": "zlib"}, ""),
    ],
    ids=str,
)
def test_lossy_codings_are_told_from_lossless_ones(options: dict[str, Any], found: str) -> None:
    data = written(RGB, photometric="rgb", **options)
    assert lossy(io.BytesIO(data)) == found
    samples = source(data).picture.to_numpy()
    assert np.array_equal(samples, tifffile.imread(io.BytesIO(data)))
    assert np.array_equal(samples, RGB) or found


def test_jpeg_of_ycbcr_becomes_rgb_as_elsewhere() -> None:
    data = encoded(Image.fromarray(SMOOTH.astype(np.uint8)).convert("YCbCr"), "TIFF", compression="jpeg")
    found = source(data)
    assert directory(data).integers(262) == (6,)
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(found.picture.to_numpy().astype(int) - np.asarray(image.convert("RGB"))).max() <= 2
    cut = bytearray(data)
    held = directory(data)
    end = held.integers(273)[-1] + held.integers(279)[-1]
    cut[end - 2 : end] = b"\0\0"
    with pytest.raises(InputError, match="cannot be unpacked"):
        source(bytes(cut))


def test_what_needs_imagecodecs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(GRAY, compression="lzw")

    def absent(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'compression'")

    for codecs in ({}, {5: absent}):
        monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", codecs)
        refused(data, r"LZW needs another package: pip install 'ridecodec\[tiff\]'")
    assert np.array_equal(opened(written(GRAY, compression="zlib")).to_numpy(), GRAY)


def test_an_image_of_pillow_that_is_not_loaded_is_read_as_its_file() -> None:
    deep = SMOOTH.astype(np.uint16)
    with Image.open(io.BytesIO(written(deep, photometric="rgb"))) as image:
        assert np.array_equal(Picture.from_pil(image).to_numpy(), deep)
    pages = written(np.stack([GRAY, GRAY[::-1]]), photometric="minisblack")
    with Image.open(io.BytesIO(pages)) as image:
        image.seek(1)
        assert np.array_equal(Picture.from_pil(image).to_numpy(), GRAY[::-1])
        image.load()
        assert np.array_equal(Picture.from_pil(image).to_numpy(), GRAY[::-1])


def test_tifffile_is_imported_only_where_it_is_needed() -> None:
    code = "import sys, ridecodec.files.opening; sys.exit('tifffile' in sys.modules or 'imagecodecs' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
