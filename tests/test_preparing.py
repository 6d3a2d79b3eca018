"""Picture files made ready: what is kept, what is left out on request, and which files are not taken."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from picturefiles import RGB, encoded, opened, png, png_chunk
from pictures import TYPES, same, typed
from PIL import Image

import ridecodec
from ridecodec import preparing
from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.formats import exactfile, metadata
from ridecodec.picture import Chunk, ColourType, Picture
from ridecodec.preparing import Wishes, prepare

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
        (Wishes(exact_file=True, strip=("text",)), "leave out --strip"),
        (Wishes(exact_file=True, alpha="clean"), "leave out --strip and --alpha"),
    ],
)
def test_wishes_that_contradict(wishes: Wishes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wishes.check()


def test_jpeg_is_taken_or_refused_with_a_hint() -> None:
    data = encoded(Image.fromarray(RGB), "JPEG")
    assert prepare(io.BytesIO(data), Wishes()).picture.width == RGB.shape[1]
    with pytest.raises(InputError, match=r"JPEG file.*--pixels"):
        prepare(io.BytesIO(data), Wishes(jpeg=False))


def test_limit_of_pixels() -> None:
    assert prepare(io.BytesIO(FILE), Wishes(max_pixels=2)).picture.width == 2
    with pytest.raises(InputError, match=r"2 x 1 pixels, more than the 1 pixels .* --max-pixels"):
        prepare(io.BytesIO(FILE), Wishes(max_pixels=1))


def test_the_exact_file_through_a_whole_round_trip() -> None:
    found = prepare(io.BytesIO(FILE), Wishes(exact_file=True))
    assert found.shortfall == ""
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
    with pytest.raises(OutputError, match="exact file cannot be made"):
        exactfile.original(other)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encoded(Image.fromarray(RGB), "TIFF"), "is no PNG file"),
        (
            FILE.replace(png_chunk(b"IEND", b""), png_chunk(b"IDAT", b"more") + png_chunk(b"IEND", b"")),
            "than its pixels",
        ),
    ],
)
def test_a_file_without_a_recipe_keeps_its_pixels(data: bytes, said: str) -> None:
    found = prepare(io.BytesIO(data), Wishes(exact_file=True))
    assert said in found.shortfall
    assert same(found.picture, opened(data))
    assert metadata.RECIPE not in kinds(found.picture.metadata)


def written(form: str, **options: Any) -> bytes:
    return encoded(Image.fromarray(RGB), form, **options)


GEO = {33550: (1.0, 1.0, 0.0), 305: "software"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (written("TIFF", dpi=(300, 300), compression="tiff_lzw", description="kept"), ""),
        (written("TIFF", dpi=(96.3, 96.3)), ""),
        (written("TIFF", tiffinfo=GEO), "loses its TIFF tags 33550"),
        (FILE + b"tail", "loses the bytes behind its end"),
        (b"P6\n2 1\n# 1\n255\n" + bytes(6), "loses its comments"),
        (b"P6\n2 1\n255\n" + b"######", ""),
        (written("TGA", id_section=b"mine"), "loses its TGA description"),
        (written("JPEG", comment=b"a comment"), ""),
    ],
)
def test_what_is_not_kept_is_named(data: bytes, said: str) -> None:
    assert prepare(io.BytesIO(data), Wishes()).shortfall == said
    assert prepare(io.BytesIO(data), Wishes(strip=("all",))).shortfall == ""


def test_comments_and_odd_resolutions_are_kept() -> None:
    assert Chunk(b"tEXt", b"Comment\0a comment") in opened(written("JPEG", comment=b"a comment")).metadata
    out = io.BytesIO()
    opened(written("TIFF", dpi=(96.3, 72.5))).save(out, "tiff")
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((96.3, 72.5), abs=1e-4)


def test_no_chunk_of_a_png_file_is_taken_for_a_recipe() -> None:
    with pytest.raises(InputError, match="no valid name"):
        opened(png(2, 1, 8, 2, bytes(7), png_chunk(metadata.RECIPE, b"recipe")))
