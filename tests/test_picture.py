"""Pictures as arrays: which there are, what they must fit, and their checksum."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from picturefiles import RGB
from pictures import same, typed

from ridecodec.errors import InputError
from ridecodec.picture import BAND_PIXELS, MAX_PIXELS, Chunk, ColourType, Picture, Samples

SIDES = st.integers(1, 20)
SHAPES = st.tuples(SIDES, SIDES, st.sampled_from([(), (1,), (2,), (3,), (4,)])).map(lambda s: (*s[:2], *s[2]))
ARRAYS = st.one_of(*(SHAPES.flatmap(lambda s, d=dtype: hnp.arrays(d, s)) for dtype in (np.uint8, np.uint16)))
PALETTE = Chunk(b"PLTE", bytes(range(9)))


@given(ARRAYS)
def test_arrays_round_trip(samples: Samples) -> None:
    picture = Picture.from_numpy(samples)
    channels = samples.shape[2] if samples.ndim == 3 else 1
    assert picture.colour.name == ("GRAY", "GRAY_ALPHA", "RGB", "RGBA")[channels - 1]
    assert picture.bit_depth == 8 * samples.itemsize
    assert picture.sub_pixels == samples.size
    assert (picture.height, picture.width) == samples.shape[:2]
    assert picture.channels == picture.colour.channels == channels
    back = picture.to_numpy()
    assert back.dtype == samples.dtype
    assert back.flags.c_contiguous
    assert np.array_equal(back.reshape(samples.shape), samples)


@given(ARRAYS)
def test_the_byte_order_of_an_array_does_not_matter(samples: Samples) -> None:
    swapped = samples.astype(samples.dtype.newbyteorder())
    assert same(Picture.from_numpy(swapped), Picture.from_numpy(samples))


def checksum(picture: Picture, samples: bytes) -> int:
    """As docs/format.md has it."""
    size = picture.width.to_bytes(4, "little") + picture.height.to_bytes(4, "little")
    return zlib.crc32(bytes([picture.colour, picture.bit_depth]) + size + samples)


@given(typed())
def test_checksum(picture: Picture) -> None:
    size = 2 if picture.bit_depth == 16 else 1
    pixels = picture.planes.reshape(picture.channels, -1).T.reshape(-1).tolist()
    assert picture.checksum() == checksum(picture, b"".join(sample.to_bytes(size, "little") for sample in pixels))


@pytest.mark.parametrize("shape", [(1, BAND_PIXELS + 5), (5, BAND_PIXELS // 2 - 1), (BAND_PIXELS + 5, 1, 3)])
def test_bands_are_put_together_in_order(shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    picture = Picture.from_numpy(samples)
    assert picture.checksum() == checksum(picture, samples.tobytes())
    assert np.array_equal(Picture.from_pil(picture.to_pil()).to_numpy(), samples)


def test_planes_of_any_layout_give_the_same_picture() -> None:
    separate = Picture(np.ascontiguousarray(RGB.transpose(2, 0, 1)), ColourType.RGB)
    turned = Picture.from_numpy(np.asfortranarray(RGB)[::-1][::-1])
    for picture in (separate, turned):
        assert np.array_equal(picture.to_numpy(), RGB)
        assert picture.to_numpy().flags.c_contiguous
        assert picture.checksum() == checksum(picture, RGB.tobytes())


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), "float64"),
        (np.zeros((2, 3, 3), bool), "bool"),
        (np.zeros((2, 3), np.int8), "int8"),
        (np.zeros((2, 3, 3), np.uint32), "uint32"),
        (np.zeros(3, np.uint8), "shape"),
        (np.zeros((2, 3, 0), np.uint8), "shape"),
        (np.zeros((2, 3, 5), np.uint8), "shape"),
        (np.zeros((1, 2, 3, 3), np.uint8), "shape"),
        (np.zeros((0, 3), np.uint8), "no pixels"),
        (np.zeros((3, 0, 3), np.uint8), "no pixels"),
        (np.broadcast_to(np.uint8(0), (2, MAX_PIXELS)), "more than the 2147483647 pixels"),
        (np.ma.masked_equal(np.zeros((2, 3), np.uint8), 0), "masked"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Picture.from_numpy(array)


@pytest.mark.parametrize(
    ("planes", "colour", "depth", "message"),
    [
        (np.zeros((3, 2, 2), np.uint8), ColourType.GRAY, 8, "cannot hold a 8-bit GRAY picture"),
        (np.zeros((1, 0, 2), np.uint8), ColourType.GRAY, 8, "cannot hold"),
        (np.zeros((2, 2), np.uint8), ColourType.GRAY, 8, "cannot hold"),
        (np.zeros((1, 2, 2), np.uint16), ColourType.GRAY, 8, "cannot hold"),
        (np.zeros((1, 2, 2), np.uint8), ColourType.GRAY, 16, "cannot hold"),
        (np.zeros((3, 2, 2), np.dtype(np.uint16).newbyteorder()), ColourType.RGB, 16, "cannot hold"),
        (np.zeros((3, 2, 2), np.uint8), ColourType.RGB, 4, "no 4-bit RGB picture"),
        (np.zeros((4, 2, 2), np.uint16), ColourType.CMYK, 16, "no 16-bit CMYK picture"),
        (np.full((1, 2, 2), 4, np.uint8), ColourType.GRAY, 2, "4 has more than 2 bits"),
        (np.zeros((1, 2, 2), np.uint8), ColourType.PALETTE, 8, "no palette"),
        (np.zeros((2, 2, 2), np.uint8), ColourType.PALETTE_ALPHA, 8, "no palette"),
    ],
)
def test_planes_must_fit_the_colour_type(planes: Samples, colour: ColourType, depth: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Picture(planes, colour, depth)


def test_the_palette_is_the_first_one_before_the_pixels() -> None:
    index, mark = np.zeros((1, 2, 2), np.uint8), Chunk(b"IDAT", b"")
    picture = Picture(index, ColourType.PALETTE, 2, (Chunk(b"tEXt", b"a\0b"), PALETTE, mark, Chunk(b"PLTE", bytes(3))))
    assert picture.palette is not None
    assert picture.palette.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert Picture(index, ColourType.GRAY).palette is None
    for wrong in ([mark, PALETTE], [Chunk(b"PLTE", b"")], [Chunk(b"PLTE", bytes(4))], [Chunk(b"PLTE", bytes(771))]):
        with pytest.raises(ValueError, match="no palette of 1 to 256 entries"):
            Picture(index, ColourType.PALETTE, 2, tuple(wrong))


@given(typed())
def test_only_plain_pictures_are_plain(picture: Picture) -> None:
    gray_or_rgb = picture.colour in (ColourType.GRAY, ColourType.RGB) and picture.bit_depth == 8
    if gray_or_rgb and not any(chunk.kind == b"tRNS" for chunk in picture.metadata):
        assert np.array_equal(picture.plain(), picture.planes)
    else:
        with pytest.raises(InputError, match="is not supported here, only 8-bit gray and 8-bit RGB"):
            picture.plain()


def test_arrays_are_not_copied() -> None:
    for samples in (np.zeros((4, 5, 3), np.uint16), RGB):
        picture = Picture.from_numpy(samples)
        assert np.shares_memory(picture.planes, samples)
        assert np.shares_memory(picture.to_numpy(), samples)
