"""The rows of PNGs: filters as the specification says them, samples packed and unpacked, interlacing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import typed

from ridecodec.files.pngrows import filtered_rows, packed, passes, unfiltered, unpacked
from ridecodec.picture import Picture


def paeth(a: int, b: int, c: int) -> int:
    """As the specification of PNG says it."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(row: list[int], above: list[int], bpp: int, kind: int) -> list[int]:
    """One row filtered as the specification of PNG says it."""
    out = []
    for x, value in enumerate(row):
        a, c = (row[x - bpp], above[x - bpp]) if x >= bpp else (0, 0)
        b = above[x]
        out.append((value - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256)
    return out


@st.composite
def rows(draw: st.DrawFn) -> tuple[NDArray[np.uint8], int, NDArray[np.uint8] | None]:
    """Rows of bytes, the bytes of a pixel, and perhaps the row above."""
    bpp = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    spread = draw(st.sampled_from([3, 256]))
    made = np.cumsum(rng.integers(0, spread, (height + 1, width * bpp)), axis=1).astype(np.uint8)
    return made[1:], bpp, made[0] if draw(st.booleans()) else None


@given(rows(), st.integers(0, 4))
def test_filters_are_those_of_the_specification(
    drawn: tuple[NDArray[np.uint8], int, NDArray[np.uint8] | None], kind: int
) -> None:
    raw, bpp, above = drawn
    before = [[0] * raw.shape[1] if above is None else above.tolist(), *raw.tolist()]
    each = [[filtered(row, up, bpp, k) for k in range(5)] for row, up in zip(raw.tolist(), before, strict=False)]
    types, out = filtered_rows(raw, bpp, kind, above)
    assert types.tolist() == [kind] * len(raw)
    assert out.tolist() == [ways[kind] for ways in each]

    types, out = filtered_rows(raw, bpp, above=above)
    sums = [[sum(min(v, 256 - v) for v in way) for way in ways] for ways in each]
    assert types.tolist() == [own.index(min(own)) for own in sums]
    assert out.tolist() == [ways[k] for ways, k in zip(each, types.tolist(), strict=True)]


@given(rows(), st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_filters_are_undone(drawn: tuple[NDArray[np.uint8], int, NDArray[np.uint8] | None], kinds: list[int]) -> None:
    raw, bpp, above = drawn
    wanted = np.array(kinds[: len(raw)], np.uint8)
    types, out = filtered_rows(np.asfortranarray(raw), bpp, wanted, above)
    assert np.array_equal(types, wanted)
    assert np.array_equal(unfiltered(types, np.asfortranarray(out), bpp, above), raw)


def test_there_are_five_filters() -> None:
    raw = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match="the filter type 5, which does not exist"):
        filtered_rows(raw, 1, 5)
    with pytest.raises(ValueError, match="the filter type 9, which does not exist"):
        unfiltered(np.array([0, 9], np.uint8), raw, 1)


@given(typed())
def test_packed_samples_are_unpacked(picture: Picture) -> None:
    samples = picture.interleaved()
    packed_rows = packed(samples, picture.bit_depth)
    bits = picture.width * picture.channels * picture.bit_depth
    assert packed_rows.shape == (picture.height, -(-bits // 8))
    assert np.array_equal(unpacked(packed_rows, samples.shape, picture.bit_depth), samples)


@given(st.integers(1, 40), st.integers(1, 40))
def test_passes_have_every_pixel_once(width: int, height: int) -> None:
    seen = np.zeros((height, width), np.uint8)
    for part in passes(width, height, 1, interlaced=True):
        assert part.of(seen).shape == (part.height, part.width)
        part.of(seen)[:] += 1
    assert (seen == 1).all()
