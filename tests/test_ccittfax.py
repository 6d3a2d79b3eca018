"""Fax codings of TIFF: all that libtiff codes is decoded, and damage is noticed."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from picturefiles import encoded, refused
from PIL import Image

from ridecodec.files import ccittfax

CODINGS = [
    ("tiff_ccitt", ccittfax.RLE, 0),
    ("group3", ccittfax.T4, 0),
    ("group3", ccittfax.T4, 1),
    ("group3", ccittfax.T4, 5),
    ("group4", ccittfax.T6, 0),
]
"""Pillow's names, TIFF's, and T4Options."""


def file(bits: NDArray[np.bool_], name: str, options: int) -> bytes:
    return encoded(Image.fromarray(bits), "TIFF", compression=name, tiffinfo={278: len(bits), 292: options})


def strip(bits: NDArray[np.bool_], name: str, options: int) -> bytes:
    """The coded bits as libtiff makes them, in one strip."""
    data = file(bits, name, options)
    with tifffile.TiffFile(io.BytesIO(data)) as held:
        page = held.pages.first
        return data[page.dataoffsets[0] :][: page.databytecounts[0]]


def drawing(shape: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    """Runs of all lengths, and rows that are alike."""
    rng = np.random.default_rng(seed)
    bits = np.logical_xor.accumulate(rng.random(shape) < (0.5, 0.05, 0.004, 0)[seed % 4], axis=1)
    return np.logical_xor.accumulate(bits & (rng.random(shape) < 0.2), axis=0) if seed % 2 else bits


@given(st.integers(1, 9), st.one_of(st.integers(1, 70), st.integers(1, 3000)), st.integers(0, 2**16))
def test_what_libtiff_codes_is_decoded(height: int, width: int, seed: int) -> None:
    bits = drawing((height, width), seed)
    for name, coding, options in CODINGS:
        found = ccittfax.decode(strip(bits, name, options), height, width, coding, bool(options & 1))
        assert np.array_equal(found, bits)


@pytest.mark.parametrize(("name", "coding", "options"), CODINGS)
def test_every_length_of_a_run(name: str, coding: int, options: int) -> None:
    """All codes of the tables: each run once white and once black."""
    lengths = [*range(1, 130), *range(130, 2700, 64), 2560, 2561, 5200]
    bits = np.zeros((2 * len(lengths), 5300), bool)
    for row, length in enumerate(lengths):
        bits[2 * row, length:] = True
        bits[2 * row + 1, :length] = True
    found = ccittfax.decode(strip(bits, name, options), *bits.shape, coding, bool(options & 1))
    assert np.array_equal(found, bits)


@pytest.mark.parametrize(("name", "coding", "options"), CODINGS)
def test_damage_is_noticed(name: str, coding: int, options: int) -> None:
    """Of most flipped bits, and of every cut: libtiff goes on, and only writes to stderr."""
    bits = drawing((20, 60), 1)
    data = strip(bits, name, options)
    kept = 0
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        try:
            ccittfax.decode(bytes(flipped), *bits.shape, coding, bool(options & 1))
        except ValueError:
            continue
        kept += 1
    assert kept < len(data) / 4
    for end in range(0, len(data) - 24, 7):
        with pytest.raises(ValueError, match=r"cut short|does not exist|begin with its code|longer"):
            ccittfax.decode(data[:end], *bits.shape, coding, bool(options & 1))


def test_a_damaged_fax_is_refused() -> None:
    data = bytearray(file(drawing((60, 80), 1), "group4", 0))
    data[40:44] = b"\xff\x00\x12\x34"
    refused(bytes(data), "the TIFF data is damaged: a strip or tile cannot be unpacked")
    with pytest.raises(ValueError, match="after its last row"):
        ccittfax.decode(strip(drawing((60, 80), 1), "group4", 0), 50, 80, ccittfax.T6)
