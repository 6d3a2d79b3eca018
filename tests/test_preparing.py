"""Picture files made ready: what is kept, what is left out on request, and which files are not taken."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from picturefiles import RGB, encoded, opened, png, png_chunk, tiff
from pictures import TYPES, same, typed
from PIL import Image, features

import ridecodec
from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.files import exactfile, metadata, preparing
from ridecodec.files.lossy import lossy
from ridecodec.files.preparing import Wishes, prepare
from ridecodec.picture import Chunk, ColourType, Picture

WITH_ALPHA = [(colour, depth) for colour, depth in TYPES if "ALPHA" in colour.name or colour is ColourType.RGBA]
TEXT = png_chunk(b"tEXt", b"Title\0a picture")
PHYS = png_chunk(b"pHYs", bytes((0, 0, 0x0B, 0x13, 0, 0, 0x0B, 0x13, 1)))
FILE = png(2, 1, 8, 2, bytes(7), TEXT, PHYS)


def kinds(chunks: Iterable[Chunk]) -> list[bytes]:
    return [chunk.kind for chunk in chunks]


@given(typed(types=WITH_ALPHA))
def test_hidden_colours_become_0_and_nothing_else(picture: Picture) -> None:
    clean = preparing.cleaned(picture)
    alpha = picture.planes[-1]
    assert np.array_equal(clean.planes[:, alpha > 0], picture.planes[:, alpha > 0])
    assert not clean.planes[:, alpha == 0].any()
    assert (clean.colour, clean.bit_depth, clean.metadata) == (picture.colour, picture.bit_depth, picture.metadata)
    assert clean.planes.dtype == picture.planes.dtype


@given(typed(types=[kind for kind in TYPES if kind not in WITH_ALPHA]))
def test_without_an_alpha_channel_nothing_is_hidden(picture: Picture) -> None:
    assert preparing.cleaned(picture) is picture


def test_metadata_is_kept_or_stripped() -> None:
    assert kinds(prepare(io.BytesIO(FILE), Wishes()).picture.metadata) == [b"tEXt", b"pHYs"]
    assert kinds(prepare(io.BytesIO(FILE), Wishes(strip=("text",))).picture.metadata) == [b"pHYs"]
    assert kinds(prepare(io.BytesIO(FILE), Wishes(strip=("all",))).picture.metadata) == []


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        (Wishes(strip=("exif", "smell")), "unknown metadata 'smell'"),
        (Wishes(alpha="beta"), "exact or clean"),
        (Wishes(exact_file=True, strip=("text",)), "cannot be used with --strip"),
        (Wishes(exact_file=True, alpha="clean"), "cannot be used with --strip or --alpha clean"),
    ],
)
def test_wishes_that_contradict(wishes: Wishes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wishes.check()


def written(form: str, **options: Any) -> bytes:
    return encoded(Image.fromarray(RGB), form, **options)


def npy(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


LOSSY = {
    "JPEG": lambda: written("JPEG"),
    "AVIF": lambda: written("AVIF"),
    "lossy WebP": lambda: written("WEBP", quality=50),
    "lossy WebP, with a profile": lambda: written("WEBP", quality=50, icc_profile=b"profile"),
    "lossy JPEG 2000": lambda: written("JPEG2000", irreversible=True),
    "lossy JPEG 2000, a codestream": lambda: written("JPEG2000", irreversible=True, no_jp2=True),
    "TIFF (JPEG)": lambda: written("TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_formats_are_taken_or_refused_with_a_hint(name: str) -> None:
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    data = LOSSY[name]()
    assert prepare(io.BytesIO(data), Wishes(pixels=True)).lossy
    with pytest.raises(InputError, match=rf"is an? {re.escape(name.partition(', ')[0])} file.*--pixels"):
        prepare(io.BytesIO(data), Wishes())


LOSSLESS = {
    "WebP": lambda: written("WEBP", lossless=True),
    "WebP, with a profile": lambda: written("WEBP", lossless=True, icc_profile=b"profile"),
    "JPEG 2000": lambda: written("JPEG2000"),
    "JPEG 2000, a codestream": lambda: written("JPEG2000", no_jp2=True),
    "TIFF": lambda: written("TIFF", compression="tiff_lzw"),
    "PNG that begins like another": lambda: FILE,
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_are_taken(name: str) -> None:
    assert not prepare(io.BytesIO(LOSSLESS[name]()), Wishes()).lossy


def test_to_ask_a_large_tiff_is_no_reason_to_warn(recwarn: pytest.WarningsRecorder) -> None:
    large = tiff(b"\0", (8,), 1).replace(struct.pack("<HHII", 256, 3, 1, 1), struct.pack("<HHII", 256, 4, 1, 10**8))
    assert lossy(io.BytesIO(large)) == ""
    assert not recwarn.list


@given(st.binary(max_size=80), st.sampled_from(sorted({**LOSSY, **LOSSLESS})), st.integers(0, 400))
def test_damage_is_of_some_format_or_of_none(noise: bytes, name: str, at: int) -> None:
    if name == "AVIF" and not features.check("avif"):
        return
    data = {**LOSSY, **LOSSLESS}[name]()
    for each in (noise, data[:at], data[:at] + noise, data[:at] + noise + data[at + len(noise) :]):
        assert isinstance(lossy(io.BytesIO(each)), str)


def test_limit_of_pixels() -> None:
    assert prepare(io.BytesIO(FILE), Wishes(max_pixels=2)).picture.width == 2
    with pytest.raises(InputError, match=r"2 x 1 pixels, more than the 1 pixels .* --max-pixels"):
        prepare(io.BytesIO(FILE), Wishes(max_pixels=1))


def test_the_exact_file_through_a_whole_round_trip() -> None:
    found = prepare(io.BytesIO(FILE), Wishes(exact_file=True))
    assert (found.notes, found.whole) == ((), True)
    assert kinds(found.picture.metadata) == [metadata.RECIPE, b"tEXt", b"pHYs"]
    back = ridecodec.decompress(ridecodec.compress(found.picture, model="uniform"))
    assert exactfile.original(back) == FILE
    again = io.BytesIO()
    back.save(again, "png")
    assert kinds(opened(again.getvalue()).metadata) == [b"tEXt", b"pHYs"]
    assert exactfile.original(preparing.stripped(back, ["text"])) is None


def test_a_recipe_of_other_metadata_is_of_no_use() -> None:
    picture = prepare(io.BytesIO(FILE), Wishes(exact_file=True)).picture
    other = Picture(picture.planes, picture.colour, 8, picture.metadata[:-1])
    with pytest.raises(OutputError, match="exact file cannot be restored"):
        exactfile.original(other)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encoded(Image.fromarray(RGB), "TIFF"), "is not a PNG file"),
        (
            FILE.replace(png_chunk(b"IEND", b""), png_chunk(b"IDAT", b"more") + png_chunk(b"IEND", b"")),
            "than its pixels",
        ),
    ],
)
def test_a_file_without_a_recipe_keeps_its_pixels(data: bytes, said: str) -> None:
    found = prepare(io.BytesIO(data), Wishes(exact_file=True))
    assert said in found.notes[-1]
    assert not found.whole
    assert same(found.picture, opened(data))
    assert metadata.RECIPE not in kinds(found.picture.metadata)


GEO = {33550: (1.0, 1.0, 0.0), 305: "software"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (written("TIFF", dpi=(300, 300), compression="tiff_lzw", description="kept"), ""),
        (written("TIFF", dpi=(96.3, 96.3)), ""),
        (written("TIFF", tiffinfo=GEO), ""),
        (written("TIFF") + b"tail, and more than a gap", "loses 25 bytes that nothing in it points to"),
        (FILE + b"tail", "loses the bytes after its end"),
        (b"P6\n2 1\n# 1\n255\n" + bytes(6), "loses its comments"),
        (b"P6\n2 1\n255\n" + b"######", ""),
        (b"P5\n2 1\n255\n" + b"######", "loses the bytes after its end"),
        (b"P4\n9 1\n" + bytes(2), ""),
        (b"P3\n1 1\n255\n1 2 3\n", ""),
        (b"P3\n# 1\n1 1\n255\n1 2 3\n", "loses its comments"),
        (b"P1\n1 1\n1 # black\n", "loses its comments"),
        (npy(np.zeros((3, 2, 1), np.uint8)), "loses its axis of one channel"),
        (npy(np.zeros((3, 2), np.uint16)), ""),
        (written("BMP"), ""),
        (written("WEBP", lossless=True), ""),
        (written("JPEG2000"), ""),
        (written("JPEG2000", no_jp2=True), ""),
        (written("TIFF", tiffinfo={274: 1}), ""),
        (written("TIFF", tiffinfo={274: 6}), ""),
        (
            encoded(Image.fromarray(np.zeros((2, 3), np.int32)), "TIFF"),
            "loses the type of its samples (signed, 32 bits)",
        ),
    ],
)
def test_what_is_not_kept_is_named(data: bytes, said: str) -> None:
    for wishes in (Wishes(), Wishes(strip=("all",))):
        found = prepare(io.BytesIO(data), wishes)
        assert ("".join(found.notes), found.whole) == (said, not said)


def test_comments_and_odd_resolutions_are_kept() -> None:
    assert Chunk(b"tEXt", b"Comment\0a comment") in opened(written("JPEG", comment=b"a comment")).metadata
    out = io.BytesIO()
    opened(written("TIFF", dpi=(96.3, 72.5))).save(out, "tiff")
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((96.3, 72.5), abs=1e-4)


def test_no_chunk_of_a_png_file_is_taken_for_a_recipe() -> None:
    with pytest.raises(InputError, match="no valid name"):
        opened(png(2, 1, 8, 2, bytes(7), png_chunk(metadata.RECIPE, b"recipe")))
