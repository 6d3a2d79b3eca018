"""PNG files of every type, held against another reader and writer; the filters of rows; damaged files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import png as pypng
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from picturefiles import GRAY, PNGSUITE, RGB, encoded, opened, png, png_chunk, refused
from pictures import same, typed
from PIL import Image

from ridecodec.errors import InputError, OutputError
from ridecodec.files import pngfile
from ridecodec.files.source import Source
from ridecodec.picture import Chunk, ColourType, Picture

TYPES = [(c, d) for c in ColourType for d in c.depths if c.name in ("GRAY", "RGB", "PALETTE", "GRAY_ALPHA", "RGBA")]
PICTURES = typed(types=TYPES)
CORRUPT = {
    "xc1n0g08": "colour type 1",
    "xc9n2c08": "colour type 9",
    "xcrn0g04": "signature",
    "xcsn0g01": "checksum of the chunk IDAT",
    "xd0n2c08": "0 bits",
    "xd3n2c08": "3 bits",
    "xd9n2c08": "99 bits",
    "xdtn0g01": "no pixels",
    "xhdn0g08": "checksum of the chunk IHDR",
    "xlfn0g04": "signature",
    "xs1n0g01": "signature",
    "xs2n0g01": "signature",
    "xs4n0g01": "signature",
    "xs7n0g01": "signature",
}
"""The suite's damaged files, and what is wrong."""


def written(picture: Picture) -> bytes:
    file = io.BytesIO()
    pngfile.write(file, picture)
    return file.getvalue()


def source(data: bytes) -> Source:
    return pngfile.read(io.BytesIO(data))


def as_pypng_reads(data: bytes) -> tuple[NDArray[np.uint16], dict[str, object]]:
    """Samples [H, W * C], and what the header says."""
    _, _, rows, info = pypng.Reader(bytes=data).read()
    return np.array([np.asarray(row, np.uint16) for row in rows]), info


def as_pypng_writes(picture: Picture, interlaced: bool) -> bytes:
    palette = None if picture.palette is None else picture.palette[: 2**picture.bit_depth].tolist()
    gray = picture.colour in (ColourType.GRAY, ColourType.GRAY_ALPHA)
    writer = pypng.Writer(
        picture.width,
        picture.height,
        greyscale=gray,
        alpha=picture.colour in (ColourType.GRAY_ALPHA, ColourType.RGBA),
        bitdepth=picture.bit_depth,
        palette=palette,
        interlace=interlaced,
    )
    file = io.BytesIO()
    writer.write_array(file, picture.to_numpy().reshape(-1).tolist())
    return file.getvalue()


@given(PICTURES)
def test_another_reader_reads_what_is_written(picture: Picture) -> None:
    samples, info = as_pypng_reads(written(picture))
    assert np.array_equal(samples, picture.to_numpy().reshape(picture.height, -1))
    assert info["bitdepth"] == picture.bit_depth


@given(PICTURES, st.booleans())
def test_what_another_writer_writes_is_read(picture: Picture, interlaced: bool) -> None:
    assert same(opened(as_pypng_writes(picture, interlaced)), picture)


@given(PICTURES)
def test_pictures_and_chunks_round_trip(picture: Picture) -> None:
    back = opened(written(picture))
    assert same(back, picture)
    assert back.metadata == picture.metadata


@pytest.mark.parametrize("shape", [(900, 700, 3), (1, 400_000, 4), (3000, 1, 2), (1200, 1300)])
def test_pictures_of_many_bands(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    samples = np.cumsum(rng.integers(-9, 10, shape), axis=0).astype(np.uint16)
    assert np.array_equal(opened(written(Picture.from_numpy(samples))).to_numpy(), samples)


@pytest.mark.parametrize("colour", [ColourType.CMYK, ColourType.RGBX, ColourType.PALETTE_ALPHA])
def test_other_types_have_no_png(colour: ColourType) -> None:
    planes = np.zeros((colour.channels, 2, 2), np.uint8)
    with pytest.raises(OutputError, match="PNG cannot hold"):
        written(Picture(planes, colour, metadata=(Chunk(b"PLTE", bytes(3)),)))


@pytest.mark.parametrize("path", PNGSUITE, ids=lambda path: path.stem)
def test_pngsuite(path: Path) -> None:
    if path.stem in CORRUPT:
        refused(path.read_bytes(), f"damaged.*{CORRUPT[path.stem]}")
        return
    picture = Picture.open(path)
    samples, info = as_pypng_reads(path.read_bytes())
    assert np.array_equal(samples, picture.to_numpy().reshape(picture.height, -1))
    assert info["bitdepth"] == picture.bit_depth
    if picture.colour is ColourType.PALETTE:
        assert [entry[:3] for entry in info["palette"]] == [tuple(entry) for entry in picture.palette.tolist()]
    back = opened(written(picture))
    assert same(back, picture)
    assert back.metadata == picture.metadata


GOOD = {
    "gray": encoded(Image.fromarray(GRAY), "PNG"),
    "RGB": encoded(Image.fromarray(RGB), "PNG", dpi=(72, 72)),
    "interlaced palette": as_pypng_writes(
        Picture(GRAY[None] // 16, ColourType.PALETTE, 4, (Chunk(b"PLTE", bytes(48)),)), True
    ),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_png_cut_anywhere_is_damaged(data: bytes) -> None:
    """But for its IEND chunk, which says nothing: libpng takes it without."""
    for length in range(1, len(data) - 12):
        refused(data[:length], "damaged")
    for length in range(len(data) - 12, len(data)):
        found = source(data[:length])
        assert same(found.picture, opened(data))
        assert (found.lost, found.notes) == ((), ("has no IEND chunk, which ends a PNG file",))


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_png_with_a_wrong_byte_anywhere_is_damaged(data: bytes) -> None:
    """Or a chunk that readers can do without is, and is named."""
    without = 0
    for position in range(len(data)):
        for change in (1, 0x80):
            damaged = bytearray(data)
            damaged[position] ^= change
            try:
                found = source(bytes(damaged))
            except InputError:
                continue
            assert "a chunk (the c" in found.lost[0]
            assert same(found.picture, opened(data))
            without += 1
    assert without == (2 * 17 - 1 if b"pHYs" in data else 0)


PLTE, IDAT = png_chunk(b"PLTE", bytes(6)), png_chunk(b"IDAT", b"")
ONE = png(1, 1, 8, 0, b"\0\0")


def of_stream(stream: bytes) -> bytes:
    """A PNG of 1x1 pixels whose IDAT chunk is `stream`."""
    return ONE[:33] + png_chunk(b"IDAT", stream) + ONE[-12:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(40000, 40000, 8, 2, bytes(1000)), "more pixels than its bytes can hold"),
        (png(2**31 - 1, 2**31 - 1, 8, 0, bytes(1000)), "more than the 2147483647 pixels"),
        (png(9, 9, 8, 2, bytes(40)), "pixels are cut short"),
        (png(0, 9, 8, 2, bytes(40)), "header is missing or wrong"),
        (png(2**31, 9, 8, 2, bytes(40)), "header is missing or wrong"),
        (png(9, 9, 8, 1, bytes(90)), "no colour type 1"),
        (png(9, 9, 3, 0, bytes(90)), "no gray pictures of 3 bits"),
        (png(9, 9, 4, 2, bytes(90)), "no RGB pictures of 4 bits"),
        (ONE[:8] + png_chunk(b"IHDR", ONE[16:26] + b"\1\0\0") + ONE[33:], "method of compression"),
        (ONE[:8] + png_chunk(b"IHDR", ONE[16:26] + b"\0\0\2") + ONE[33:], "interlacing"),
        (ONE[:8] + png_chunk(b"IHDR", ONE[16:28]) + ONE[33:], "header is missing"),
        (ONE.replace(b"IHDR", b"IDAT"), "damaged"),
        (png(1, 1, 8, 0, b"\0\0", ONE[8:33]), "second header"),
        (png(1, 1, 8, 0, b"\0\0", png_chunk(b"1234", b"")), "no valid name"),
        (png(1, 1, 8, 0, b"\0\0", png_chunk(b"NeeD", b"")), "unknown critical chunk NeeD"),
        (png(1, 1, 8, 0, b"\0\0", b"\xff\xff\xff\xfftEXt"), "length of the chunk tEXt"),
        (ONE[:8] + png_chunk(b"IEND", b""), "header is missing"),
        (ONE[:33] + png_chunk(b"IEND", b""), "no pixels"),
        (ONE[:33] + IDAT + ONE[-12:], "more pixels than its bytes"),
        (png(1, 1, 8, 0, b"\7\0"), "the filter type 7, which does not exist"),
        (png(1, 1, 8, 3, b"\0\0"), "no palette"),
        (png(1, 1, 8, 3, b"\0\0", png_chunk(b"PLTE", bytes(4))), "no palette"),
        (png(1, 1, 8, 3, b"\0\0", PLTE, PLTE), "two palettes"),
        (
            ONE[:-12] + PLTE.replace(b"PLTE", b"PLTE") + IDAT + ONE[-12:],
            "another chunk is between the chunks of its pixels",
        ),
        (of_stream(b"garbage"), "cannot be unpacked"),
        (of_stream(zlib.compress(b"\0\0")[:-4] + b"1234"), "cannot be unpacked"),
        (of_stream(b"\x78\xbb" + bytes(8)), "cannot be unpacked"),
    ],
)
def test_a_png_of_valid_checksums_can_still_be_damaged(data: bytes, message: str) -> None:
    refused(data, message)


def test_a_palette_behind_the_pixels_is_none() -> None:
    data = png(1, 1, 8, 3, b"\0\0")
    refused(data[:-12] + PLTE + data[-12:], "no palette")


TEXT = png_chunk(b"tEXt", b"Title\0text")
BROKEN = TEXT[:-4] + b"\0\0\0\1"
SEVEN = zlib.compress(b"\0\7")


@pytest.mark.parametrize(
    ("data", "lost", "notes"),
    [
        (of_stream(SEVEN), [], []),
        (of_stream(SEVEN + b"more"), ["the bytes after its packed pixels"], []),
        (of_stream(SEVEN)[:-12] + IDAT[:4] + png_chunk(b"IDAT", b"more")[4:] + ONE[-12:], None, None),
        (of_stream(SEVEN)[:-12] + png_chunk(b"IDAT", b"more") + ONE[-12:], ["the bytes after its packed pixels"], []),
        (of_stream(zlib.compress(b"\0\7" + bytes(10**5))), ["the rows beyond its height"], []),
        (of_stream(zlib.compress(b"\0\7", 0)[:-4]), [], ["has no checksum of its pixels"]),
        (of_stream(zlib.compress(b"\0\7", 0)[:-4])[:-12], None, None),
        (
            of_stream(SEVEN)[:33] + BROKEN + of_stream(SEVEN)[33:],
            ["a chunk (the checksum of the chunk tEXt is wrong)"],
            [],
        ),
        (of_stream(SEVEN)[:-12] + BROKEN, ["a chunk (the checksum of the chunk tEXt is wrong)"], ["has no IEND"]),
        (of_stream(SEVEN)[:-12] + TEXT[:-4], None, None),
        (
            of_stream(SEVEN)[:33] + png_chunk(b"v1\xffg", b"?") + of_stream(SEVEN)[33:],
            ["the chunk v1?g has no valid"],
            [],
        ),
        (of_stream(SEVEN)[:-12] + png_chunk(b"IEND", b"more"), ["the bytes in its IEND chunk"], []),
        (of_stream(SEVEN) + b"more", ["the bytes after its end"], []),
        (png(1, 1, 4, 0, b"\0\x7f"), ["the bits after the last pixel of its rows"], []),
    ],
)
def test_what_libpng_leaves_out_is_named(data: bytes, lost: list[str] | None, notes: list[str] | None) -> None:
    if lost is None or notes is None:
        refused(data, "damaged")
        return
    found = source(data)
    assert found.picture.to_numpy().tolist() == [[7]]
    assert len(found.lost) == len(lost)
    assert all(part in whole for part, whole in zip(lost, found.lost, strict=True))
    assert len(found.notes) == len(notes)
    assert all(part in whole for part, whole in zip(notes, found.notes, strict=True))


CONTROL = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 10, 0, 0)
ANIMATED = (png_chunk(b"acTL", bytes((0, 0, 0, 1, 0, 0, 0, 0))), png_chunk(b"fcTL", CONTROL))
FRAME = png_chunk(b"fdAT", b"\0\0\0\1" + SEVEN)


def test_an_animation_of_one_frame_is_a_picture() -> None:
    for data in (
        png(1, 1, 8, 0, b"\0\7", *ANIMATED),
        png(1, 1, 8, 0, b"\0\7", ANIMATED[0])[:-12] + ANIMATED[1] + FRAME + ONE[-12:],
    ):
        found = source(data)
        assert (found.lost, found.notes) == ((), ())
        assert written(found.picture) == data.replace(SEVEN, zlib.compress(b"\0\7", 6))
        wider = Picture(np.zeros((1, 1, 2), np.uint8), ColourType.GRAY, 8, found.picture.metadata)
        assert opened(written(wider)).metadata in ((), (Chunk(b"IDAT", b""),))
    refused(png(1, 1, 8, 0, b"\0\7", png_chunk(b"acTL", bytes((0, 0, 0, 2, 0, 0, 0, 0)))), "several frames")
    refused(png(1, 1, 8, 0, b"\0\7", FRAME), "several frames")


def test_apples_variant_is_refused_by_its_name() -> None:
    refused(ONE[:8] + png_chunk(b"CgBI", b"\x50\0\x20\2") + ONE[8:], "Apple's variant of PNG")


@pytest.mark.parametrize("colour", [ColourType.GRAY, ColourType.RGB, ColourType.PALETTE, ColourType.RGBA])
def test_what_the_specification_forbids_is_not_written(colour: ColourType) -> None:
    """A palette is no longer than indices reach, and its transparency and histogram no longer than it."""
    depth = 2 if colour is ColourType.PALETTE else 8
    chunks = (Chunk(b"PLTE", bytes(range(15))), Chunk(b"hIST", bytes(10)), Chunk(b"tRNS", bytes(6)))
    picture = Picture(np.zeros((colour.channels, 1, 1), np.uint8), colour, depth, chunks)
    found = {chunk.kind: len(chunk.data) for chunk in opened(written(picture)).metadata}
    assert (
        found
        == {
            ColourType.GRAY: {b"tRNS": 2},
            ColourType.RGB: {b"PLTE": 15, b"hIST": 10, b"tRNS": 6},
            ColourType.PALETTE: {b"PLTE": 12, b"hIST": 8, b"tRNS": 4},
            ColourType.RGBA: {b"PLTE": 15, b"hIST": 10},
        }[colour]
    )


def test_pixels_may_be_cut_into_chunks_anyhow() -> None:
    found = pngfile.scan(io.BytesIO(GOOD["RGB"]))
    stream = b"".join(GOOD["RGB"][start : start + length] for start, length in found.pixels)
    chunks = b"".join(IDAT + png_chunk(b"IDAT", stream[at : at + 1]) for at in range(len(stream)))
    assert np.array_equal(opened(GOOD["RGB"][:33] + chunks + ONE[-12:]).to_numpy(), RGB)


def test_bytes_before_and_after_the_file_are_not_read() -> None:
    stream = io.BytesIO(b"before" + GOOD["RGB"] + b"after")
    stream.seek(6)
    assert np.array_equal(Picture.open(stream, pixels=True).to_numpy(), RGB)
    with pytest.raises(InputError, match="not a picture"):
        Picture.open(io.BytesIO(b"before" + GOOD["RGB"]))
