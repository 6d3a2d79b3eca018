"""Pictures out to files and back: exact, or refused with a format that can; what Pillow's writers are handed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from picturefiles import RGB, opened
from pictures import same, typed
from PIL import Image

from ridecodec.errors import OutputError, UsageError
from ridecodec.picture import FORMATS, Chunk, ColourType, Picture, target_format

PNG_TYPES = {ColourType.GRAY, ColourType.GRAY_ALPHA, ColourType.RGB, ColourType.RGBA, ColourType.PALETTE}


def saved(picture: Picture, name: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, name)
    return file.getvalue()


def held(picture: Picture, name: str) -> bool:
    """Whether a format holds a picture: what the documentation of the formats says."""
    colour, depth = picture.colour, picture.bit_depth
    gray, rgb = colour is ColourType.GRAY, colour is ColourType.RGB
    if name == "png":
        return colour in PNG_TYPES
    if picture.transparency is not None:
        return False
    return {
        "ppm": rgb,
        "pgm": gray,
        "pnm": gray or rgb,
        "pbm": gray and depth == 1,
        "tiff": True,
        "bmp": (gray and depth in (1, 8)) or (depth == 8 and colour in (ColourType.RGB, ColourType.PALETTE)),
        "webp": depth == 8 and colour in PNG_TYPES - {ColourType.PALETTE},
        "npy": (depth >= 8 and colour in PNG_TYPES - {ColourType.PALETTE}) or (gray and depth == 1),
    }[name]


@given(typed(), st.sampled_from(FORMATS))
def test_saved_pictures_are_opened_unchanged(picture: Picture, name: str) -> None:
    if not held(picture, name):
        with pytest.raises(OutputError, match=r"cannot hold .* write \.") as refusal:
            saved(picture, name)
        other = str(refusal.value).rpartition(".")[2]
        assert same(opened(saved(picture, other)), picture)
        return
    back = opened(saved(picture, name))
    if name == "webp" and picture.colour in (ColourType.GRAY, ColourType.GRAY_ALPHA):
        assert back.colour is (ColourType.RGB if picture.channels == 1 else ColourType.RGBA)
        assert np.array_equal(back.planes[[0, 1, 2]], picture.planes[[0, 0, 0]])
        assert np.array_equal(back.planes[3:], picture.planes[1:])
        return
    assert same(back, picture)
    if picture.palette is not None:
        assert back.palette is not None
        assert np.array_equal(back.palette[: len(picture.palette)], picture.palette)


@given(typed(types=[(c, d) for c in sorted(PNG_TYPES) for d in c.depths]))
def test_png_keeps_metadata(picture: Picture) -> None:
    assert opened(saved(picture, "png")).metadata == picture.metadata


def test_the_formats_say_what_a_picture_means() -> None:
    gray = Picture(np.array([[[0, 1, 1]]], np.uint8), ColourType.GRAY, 1)
    assert saved(gray, "pbm") == b"P4\n3 1\n\x80"
    assert saved(gray, "pgm") == b"P5\n3 1\n1\n\0\1\1"
    assert saved(gray, "pnm") == saved(gray, "pbm")
    deep = Picture(np.array([[[1, 258]]] * 3, np.uint16), ColourType.RGB, 16)
    assert saved(deep, "ppm") == b"P6\n2 1\n65535\n" + b"\0\1" * 3 + b"\1\2" * 3
    cmyk = Picture(np.arange(4, dtype=np.uint8).reshape(4, 1, 1), ColourType.CMYK)
    with Image.open(io.BytesIO(saved(cmyk, "tiff"))) as image:
        assert (image.mode, image.getpixel((0, 0))) == ("CMYK", (0, 1, 2, 3))
    assert np.load(io.BytesIO(saved(deep, "npy"))).tolist() == [[[1, 1, 1], [258, 258, 258]]]


EXIF = Image.Exif()
EXIF[0x0110] = "a camera"
EXIF.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
CARRIED = (
    Chunk(b"ICC ", b"a profile"),
    Chunk(b"pHYs", (11811).to_bytes(4, "big") * 2 + b"\1"),
    Chunk(b"eXIf", EXIF.tobytes()[6:]),
    Chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + b"<xmp/>"),
)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("tiff", {b"ICC ", b"pHYs", b"eXIf", b"iTXt"}), ("webp", {b"ICC ", b"eXIf", b"iTXt"}), ("bmp", {b"pHYs"})],
)
def test_metadata_goes_where_pillow_can_write_it(name: str, kept: set[bytes]) -> None:
    picture = Picture(RGB.transpose(2, 0, 1), ColourType.RGB, metadata=CARRIED)
    back = opened(saved(picture, name))
    assert same(back, picture)
    assert {chunk.kind for chunk in back.metadata} == kept
    for chunk in back.metadata:
        if chunk.kind == b"eXIf":
            exif = Image.Exif()
            exif.load(b"Exif\0\0" + chunk.data)
            assert (exif[0x0110], exif.get_ifd(0x8769)) == ("a camera", {0x9003: "2020:02:02 02:02:02"})
        else:
            assert chunk in CARRIED


def test_a_raw_profile_becomes_that_of_a_png() -> None:
    picture = Picture(RGB.transpose(2, 0, 1), ColourType.RGB, metadata=CARRIED)
    with Image.open(io.BytesIO(saved(picture, "png"))) as image:
        assert image.info["icc_profile"] == b"a profile"
        assert image.info["exif"] == EXIF.tobytes()
        assert image.info["xmp"] == b"<xmp/>"


@pytest.mark.parametrize("kind", [b"eXIf", b"ICC ", b"iCCP", b"iTXt", b"tRNS", b"pHYs", b"gAMA", b"tEXt", b"zTXt"])
@pytest.mark.parametrize("data", [b"", b"XML:com.adobe.xmp\0", b"MM\0*\0\0\0\x08\xff\xff", b"compression\0unknown"])
def test_damaged_metadata_does_not_keep_a_picture_from_being_saved(kind: bytes, data: bytes) -> None:
    picture = Picture(np.zeros((4, 3, 2), np.uint8), ColourType.RGBA, metadata=(Chunk(kind, data),))
    for name in ("png", "tiff", "webp", "npy"):
        assert same(opened(saved(picture, name)), picture)


@pytest.mark.parametrize("kind", [b"IHDR", b"IEND", b"1234", b"\x7fabc", b"ab d", b"ABCD"])
def test_chunks_that_no_png_has_are_left_out(kind: bytes) -> None:
    picture = Picture(np.zeros((1, 3, 2), np.uint8), ColourType.GRAY, metadata=(Chunk(kind, b"data"), CARRIED[1]))
    assert opened(saved(picture, "png")).metadata == CARRIED[1:2]


def test_paths_and_streams(tmp_path: Path) -> None:
    picture = Picture.from_numpy(RGB)
    for name, file_format in {"a.png": "png", "a.TIF": "tiff", "a.npy": "npy"}.items():
        assert target_format(name) == file_format
        picture.save(tmp_path / name)
        assert np.array_equal(Picture.open(str(tmp_path / name)).to_numpy(), RGB)

    for file_format in FORMATS:
        if file_format in ("pgm", "pbm"):
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
    monkeypatch.setattr("ridecodec.files.pngfile.framed", full)
    monkeypatch.setattr("ridecodec.files.tiffwriter.serialised", full)
    for name in ("a.png", "a.tiff", "a.bmp"):
        with pytest.raises(OutputError, match="No space left"):
            picture.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_tiff_takes_all_tags_of_exif() -> None:
    exif = Image.Exif()
    exif.update({0x010F: "maker", 316: "computer", 18246: 4, 40092: b"c\0o\0", 0x0100: 7})
    picture = Picture(Picture.from_numpy(RGB).planes, ColourType.RGB, metadata=(Chunk(b"eXIf", exif.tobytes()[6:]),))
    out = io.BytesIO()
    picture.save(out, "tiff")
    with Image.open(out) as image:
        found = image.getexif()
        assert image.size == RGB.shape[1::-1]
        assert {tag: found[tag] for tag in (0x010F, 316, 18246, 40092)} == {
            0x010F: "maker",
            316: "computer",
            18246: 4,
            40092: b"c\0o\0",
        }


def test_a_resolution_that_bmp_cannot_say() -> None:
    most = Chunk(b"pHYs", bytes([255] * 8) + b"\1")
    with pytest.raises(OutputError, match="cannot be written as bmp"):
        Picture(Picture.from_numpy(RGB).planes, ColourType.RGB, metadata=(most,)).save(io.BytesIO(), "bmp")


@given(typed(), st.sampled_from(["MM", "II"]))
def test_others_read_the_tiffs_that_are_written(picture: Picture, order: str) -> None:
    """tifffile all of them; Pillow where it has a mode for the picture."""
    if picture.colour not in PNG_TYPES:
        picture = Picture(picture.planes, picture.colour, 8, picture.metadata)
    exif = Image.Exif()
    exif.endian = "<" if order == "II" else ">"
    exif[0x0110] = "camera"
    held = tuple(chunk for chunk in picture.metadata if chunk.kind not in (b"tRNS", b"eXIf"))
    picture = Picture(picture.planes, picture.colour, picture.bit_depth, (*held, Chunk(b"eXIf", exif.tobytes()[6:])))
    data = saved(picture, "tiff")
    assert data.startswith(order.encode())
    samples = tifffile.imread(io.BytesIO(data))
    assert np.array_equal(samples.reshape(-1), picture.to_numpy().reshape(-1))
    if (picture.colour, picture.bit_depth) == (ColourType.GRAY_ALPHA, 16):
        return
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0110] == "camera"
        if picture.colour is ColourType.RGBX or (picture.bit_depth == 16 and picture.channels > 1):
            return
        found = np.asarray(image).astype(int)
        most = 1 if picture.bit_depth in (1, 8, 16) or picture.colour.indexed else 255 // (2**picture.bit_depth - 1)
        assert np.array_equal(found.reshape(-1), picture.to_numpy().reshape(-1).astype(int) * most)


def test_a_tiff_too_large_for_its_offsets_is_a_bigtiff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ridecodec.files.tiffwriter._CLASSIC", 1000)
    picture = Picture(RGB.transpose(2, 0, 1), ColourType.RGB, metadata=CARRIED)
    data = saved(picture, "tiff")
    assert data.startswith(b"MM\0+")
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), RGB)
    back = opened(data)
    assert same(back, picture)
    assert {chunk.kind for chunk in back.metadata} == {chunk.kind for chunk in CARRIED}
