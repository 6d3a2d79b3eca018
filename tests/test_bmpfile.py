"""BMP files: every version, depth and layout, what they hold besides their pixels, and damage."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picturefiles import RGB, encoded, opened, refused
from PIL import Image

from ridecodec.errors import InputError
from ridecodec.files import opening
from ridecodec.files.source import Source
from ridecodec.picture import Chunk, ColourType, Picture

GRAY_2 = bytes((0, 0, 0, 0, 255, 255, 255, 0))
SRGB = b"BGRs"


def bmp(
    width: int,
    height: int,
    bits: int,
    pixels: bytes,
    *,
    palette: bytes = b"",
    compression: int = 0,
    size: int = 40,
    more: bytes = b"",
    used: int = 0,
    gap: bytes = b"",
    tail: bytes = b"",
    resolution: tuple[int, int] = (0, 0),
) -> bytes:
    """A BMP file; ``more`` is what follows the first 40 bytes of its header."""
    if size == 12:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        fields = (size, width, height, 1, bits, compression, len(pixels), *resolution, used, 0)
        header = struct.pack("<IiiHHIIiiII", *fields) + more.ljust(size - 40, b"\0")
    begin = 14 + len(header) + len(palette) + len(gap)
    whole = header + palette + gap + pixels + tail
    return struct.pack("<2sIHHI", b"BM", 14 + len(whole), 0, 0, begin) + whole


def source(data: bytes) -> Source:
    return opening.read(io.BytesIO(data), 10**6)


def entries(*colours: tuple[int, int, int]) -> bytes:
    """A palette of (red, green, blue)."""
    return b"".join(bytes((blue, green, red, 0)) for red, green, blue in colours)


def masks(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


RAMP_16 = entries(*[(17 * i,) * 3 for i in range(16)])
TWO = entries((1, 2, 3), (4, 5, 6))
READ: dict[str, tuple[bytes, ColourType, int, list[Any]]] = {
    "1 bit": (bmp(3, 2, 1, b"\xa0\0\0\0\x40\0\0\0", palette=TWO), ColourType.PALETTE, 1, [0, 1, 0, 1, 0, 1]),
    "1 bit, black and white": (bmp(3, 1, 1, b"\xa0\0\0\0", palette=GRAY_2), ColourType.GRAY, 1, [1, 0, 1]),
    "1 bit, white and black": (
        bmp(3, 1, 1, b"\xa0\0\0\0", palette=GRAY_2[4:] + GRAY_2[:4]),
        ColourType.PALETTE,
        1,
        [1, 0, 1],
    ),
    "8 bits, black and white": (
        bmp(3, 1, 8, b"\0\1\1\0", palette=GRAY_2, used=2),
        ColourType.PALETTE,
        8,
        [0, 1, 1],
    ),
    "4 bits": (bmp(3, 1, 4, b"\x1f\x20\0\0", palette=RAMP_16), ColourType.GRAY, 4, [1, 15, 2]),
    "4 bits, dark": (
        bmp(2, 1, 4, b"\x1f\0\0\0", palette=entries(*[(i,) * 3 for i in range(16)])),
        ColourType.PALETTE,
        4,
        [1, 15],
    ),
    "2 bits": (bmp(4, 1, 2, b"\x1b\0\0\0", palette=TWO + TWO), ColourType.PALETTE, 2, [0, 1, 2, 3]),
    "OS/2": (bmp(2, 1, 8, b"\1\0\0\0", palette=bytes(768), size=12), ColourType.PALETTE, 8, [1, 0]),
    "top down": (bmp(1, -2, 8, b"\1\0\0\0\2\0\0\0", palette=TWO, used=2), ColourType.PALETTE, 8, [1, 2]),
    "24 bits": (bmp(1, 2, 24, b"\3\2\1\0\6\5\4\0"), ColourType.RGB, 8, [4, 5, 6, 1, 2, 3]),
    "24 bits, last row unpadded": (bmp(1, 2, 24, b"\3\2\1\0\6\5\4"), ColourType.RGB, 8, [4, 5, 6, 1, 2, 3]),
    "32 bits": (bmp(1, 1, 32, b"\3\2\1\0"), ColourType.RGB, 8, [1, 2, 3]),
    "32 bits, a fourth byte": (bmp(1, 1, 32, b"\3\2\1\4"), ColourType.RGBA, 8, [1, 2, 3, 4]),
    "16 bits": (bmp(2, 1, 16, b"\x1f\0\0\x7c"), ColourType.RGB, 8, [0, 0, 255, 255, 0, 0]),
    "5, 6 and 5 bits": (
        bmp(2, 1, 16, b"\xe1\xff\0\0", palette=masks(0xF800, 0x7E0, 0x1F), compression=3),
        ColourType.RGB,
        8,
        [255, 255, 8, 0, 0, 0],
    ),
    "A1R5G5B5": (
        bmp(2, 1, 16, b"\x1f\x80\x1f\0", more=masks(0x7C00, 0x3E0, 0x1F, 0x8000), compression=3, size=56),
        ColourType.RGBA,
        8,
        [0, 0, 255, 255, 0, 0, 255, 0],
    ),
    "alpha bit fields": (
        bmp(1, 1, 32, b"\1\2\3\4", palette=masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000), compression=6),
        ColourType.RGBA,
        8,
        [1, 2, 3, 4],
    ),
    "10 bits": (
        bmp(1, 1, 32, masks(0x3FF | 1 << 20), palette=masks(0x3FF, 0xFFC00, 0x3FF00000), compression=3),
        ColourType.RGB,
        16,
        [65535, 0, 64],
    ),
    "version 4": (
        bmp(1, 1, 32, b"\1\2\3\0", more=masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000) + SRGB, compression=3, size=108),
        ColourType.RGBA,
        8,
        [1, 2, 3, 0],
    ),
    "runs of 8 bits": (
        bmp(4, 2, 8, b"\2\5\2\6\0\0\0\3\1\2\3\0\1\7\0\1", palette=TWO, used=2, compression=1),
        ColourType.PALETTE,
        8,
        [1, 2, 3, 7, 5, 5, 6, 6],
    ),
    "runs of 4 bits": (
        bmp(5, 1, 4, b"\3\x12\0\2\0\0\2\x34\0\1", palette=TWO, used=2, compression=2),
        ColourType.PALETTE,
        4,
        [1, 2, 1, 3, 4],
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_all_kinds_are_read_with_all_their_bits(kind: str) -> None:
    data, colour, depth, samples = READ[kind]
    found = source(data)
    assert (found.picture.colour, found.picture.bit_depth) == (colour, depth)
    assert found.picture.to_numpy().reshape(-1).tolist() == samples
    assert found.lost == ()
    assert bool(found.notes) == (kind == "32 bits, a fourth byte")


@pytest.mark.parametrize(("bits", "said"), [("16 bits", [5, 5, 5]), ("A1R5G5B5", [5, 5, 5, 1]), ("10 bits", [10] * 3)])
def test_few_bits_are_said(bits: str, said: list[int]) -> None:
    assert source(READ[bits][0]).picture.chunk(b"sBIT") == bytes(said)


def test_skipped_pixels_have_the_first_colour() -> None:
    codes = b"\1\1\0\2\1\1\1\1\0\1"
    found = source(bmp(3, 2, 8, codes, palette=TWO, used=2, compression=1))
    assert found.picture.to_numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert "first colour" in found.notes[0]


PROFILE = bytes(64) + b"\0\0\0\1" + b"a profile"


def version5(kind: bytes, *numbers: int, tail: bytes = b"") -> bytes:
    """A file of version 5 that says of its colours ``kind``, its intent, and where a profile is."""
    more = bytes(16) + kind + bytes(48) + struct.pack("<4I", *(*numbers, 0, 0, 0, 0)[:4])
    return bmp(1, 1, 24, b"\3\2\1\0", size=124, more=more, tail=tail)


CHUNKS = [
    (version5(b"DEBM", 2, 128, len(PROFILE), tail=PROFILE), [Chunk(b"ICC ", PROFILE)]),
    (version5(SRGB, 4), [Chunk(b"sRGB", b"\0")]),
    (version5(b" niW"), []),
    (bmp(1, 1, 24, bytes(4), resolution=(2835, 1000)), [Chunk(b"pHYs", b"\0\0\x0b\x13\0\0\3\xe8\1")]),
]


@pytest.mark.parametrize(("data", "chunks"), CHUNKS)
def test_profiles_and_resolutions_are_kept(data: bytes, chunks: list[Chunk]) -> None:
    found = source(data)
    assert (list(found.picture.metadata), found.lost, found.notes) == (chunks, (), ())


LOST = [
    (bmp(1, 1, 24, bytes(4), tail=b"tail"), "the bytes after its end"),
    (bmp(1, 1, 24, bytes(4), gap=b"gap"), "the bytes between its parts"),
    (bmp(1, 1, 24, b"\0\0\0\1"), "the bits between its rows"),
    (bmp(1, 1, 8, b"\0\0\1\0", palette=TWO, used=2), "the bits between its rows"),
    (bmp(1, 1, 16, b"\0\x80\0\0"), "the bits of its pixels that are of no channel"),
    (bmp(1, 1, 24, bytes(4), palette=TWO, used=2), "the palette that it suggests"),
    (bmp(1, 1, 1, bytes(4), palette=TWO + TWO, used=4), "the colours of its palette that no pixel can have"),
    (bmp(1, 1, 1, bytes(4), palette=b"\0\0\0\1" + TWO[4:]), "the fourth bytes of its palette"),
    (bmp(1, 1, 24, bytes(4), resolution=(0, 5)), "its resolution"),
    (bmp(1, 1, 24, bytes(4), size=108, more=bytes(16) + b"\0\0\0\0\1"), "its colour calibration"),
    (bmp(1, 1, 24, bytes(4), size=64, more=b"\1"), "the OS/2 fields of its header"),
    (version5(b"KNIL", 0, 128, 4, tail=b"name"), "the name of its colour profile"),
    (version5(b" niW", 4), "its rendering intent"),
    (version5(b"DEBM", 4, 128, len(PROFILE), tail=PROFILE), "the rendering intent of its profile"),
    (b"BM" + bmp(1, 1, 24, bytes(4))[2:6] + b"\1" + bmp(1, 1, 24, bytes(4))[7:], "the reserved fields of its header"),
]


@pytest.mark.parametrize(("data", "said"), LOST)
def test_what_is_lost_is_named(data: bytes, said: str) -> None:
    assert said in source(data).lost


def test_zeros_are_noted_and_not_lost() -> None:
    found = source(bmp(1, 1, 4, bytes(4), palette=RAMP_16 + bytes(960), used=256, gap=bytes(2), tail=bytes(2)))
    assert found.lost == ()
    assert len(found.notes) == 3
    assert len(found.picture.palette if found.picture.palette is not None else ()) in (0, 16)


DAMAGED = [
    (bmp(2, 2, 24, bytes(8)), "cut short"),
    (bmp(2, 1, 8, b"\2\0", palette=TWO, used=2, compression=1), "cut short"),
    (bmp(2, 1, 8, b"\0\3\1", palette=TWO, used=2, compression=1), "cut short"),
    (bmp(2, 1, 8, b"\3\0\0\1", palette=TWO, used=2, compression=1), "leaves the picture"),
    (bmp(1, -1, 8, b"\1\0\0\1", palette=TWO, used=2, compression=1), "top to bottom"),
    (bmp(900, 900, 8, b"\0\1", palette=TWO, used=2, compression=1), "than its bytes can hold"),
    (bmp(0, 1, 24, b""), "claims 0 x 1"),
    (bmp(1, 1, 24, bytes(4))[:40], "header is cut short"),
    (bmp(1, 1, 24, bytes(4), used=2), "start inside its header"),
    (bmp(1, 1, 16, bytes(4), palette=masks(1, 1, 2), compression=3), "masks"),
    (bmp(1, 1, 16, bytes(4), palette=masks(5, 2, 8), compression=3), "masks"),
    (bmp(1, 1, 24, bytes(4), compression=4), "is not supported"),
    (bmp(1, 1, 3, bytes(4)), "is not supported"),
    (version5(b"DEBM", 0, 500, 4), "profile is not at the position"),
    (version5(b"DEBM", 0, 2, 4), "profile is not at the position"),
]


@pytest.mark.parametrize(("data", "said"), DAMAGED)
def test_damage_is_refused(data: bytes, said: str) -> None:
    refused(data, said)


@given(st.data())
def test_damage_of_any_kind_is_an_input_error(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from([each[0] for each in READ.values()])))
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        opening.read(io.BytesIO(bytes(file[: data.draw(st.integers(1, len(file)))])), 10**5)
    except InputError as error:
        messages = [str(error)]
    else:
        messages = []
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize("name", ["1", "L", "P", "RGB", "RGBA"])
def test_files_of_pillow_are_read_alike(name: str) -> None:
    image = Image.fromarray(RGB).convert(name)
    data = encoded(image, "BMP")
    assert np.array_equal(opened(data).to_pil().convert(name), image)


@pytest.mark.parametrize("palette", [GRAY_2, GRAY_2[:4], RAMP_16, GRAY_2[4:] + GRAY_2[:4]])
def test_files_that_are_written_read_back_with_pillow_and_here(palette: bytes) -> None:
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 4)[:, :3]
    planes = np.random.default_rng(0).integers(0, len(colours), (1, 4, 5), np.uint8)
    picture = Picture(planes, ColourType.PALETTE, 8, (Chunk(b"PLTE", colours.tobytes()),))
    file = io.BytesIO()
    picture.save(file, "bmp")
    for image in (Image.open(file), opened(file.getvalue()).to_pil()):
        assert np.array_equal(image.convert("RGB"), colours[planes[0]])
