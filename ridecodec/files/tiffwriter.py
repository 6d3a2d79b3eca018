"""TIFF files out: pictures of every type, uncompressed, with the metadata that TIFF can have."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from ridecodec.files import tiffmetadata
from ridecodec.files.pngrows import packed
from ridecodec.files.tiffdirectory import LONG, LONG8, SHORT, Directory, header, serialised
from ridecodec.picture import ColourType, Picture, Samples

_STRIP_BYTES = 1 << 16
_CLASSIC = 2**32 - 1
_MEANINGS = {
    ColourType.GRAY: (1, None),
    ColourType.GRAY_ALPHA: (1, 2),
    ColourType.RGB: (2, None),
    ColourType.RGBA: (2, 2),
    ColourType.RGBX: (2, 0),
    ColourType.PALETTE: (3, None),
    ColourType.PALETTE_ALPHA: (3, 2),
    ColourType.CMYK: (5, None),
}
"""Photometric interpretation of a colour type, and what the channel beyond it is."""


def write(stream: BinaryIO, picture: Picture) -> None:
    """Write a picture of any type; a BigTIFF where that is needed.

    ICC profile, XMP, resolution and all of EXIF are kept, and the byte order is that of the EXIF; other metadata is
    left out.
    """
    directory = tiffmetadata.directory(picture.metadata)
    row_bytes = (picture.width * picture.channels * picture.bit_depth + 7) // 8
    length = row_bytes * picture.height
    rows = min(picture.height, max(1, _STRIP_BYTES // row_bytes))
    held = sum(len(chunk.data) for chunk in picture.metadata)
    big = length + 16 * -(-picture.height // rows) + 2 * held + _STRIP_BYTES > _CLASSIC
    start = len(header("<", 0, big))
    _describe(directory, picture)
    tops = range(0, picture.height, rows)
    number = LONG8 if big else LONG
    directory.put(273, number, *(start + row_bytes * top for top in tops))
    directory.put(278, LONG, rows)
    directory.put(279, number, *(row_bytes * min(rows, picture.height - top) for top in tops))
    place = start + length + length % 2
    stream.write(header(directory.order, place, big))
    for band in picture.bands():
        stream.write(_packed(band, picture.bit_depth, directory.order))
    stream.write(bytes(length % 2) + serialised(directory, place, big))


def _describe(directory: Directory, picture: Picture) -> None:
    """Say in a directory what the samples mean."""
    photometric, further = _MEANINGS[picture.colour]
    directory.put(256, LONG, picture.width)
    directory.put(257, LONG, picture.height)
    directory.put(258, SHORT, *[picture.bit_depth] * picture.channels)
    directory.put(259, SHORT, 1)
    directory.put(262, SHORT, photometric)
    directory.put(277, SHORT, picture.channels)
    directory.put(284, SHORT, 1)
    if further is not None:
        directory.put(338, SHORT, further)
    if picture.colour.indexed:
        _put_palette(directory, picture)


def _put_palette(directory: Directory, picture: Picture) -> None:
    """The palette, of 16 bits where the EXIF has it so."""
    assert picture.palette is not None  # of every picture that is indexed
    wanted = np.zeros((2**picture.bit_depth, 3), np.uint8)
    wanted[: len(picture.palette)] = picture.palette[: len(wanted)]
    told = np.array(directory.integers(tiffmetadata.COLOUR_MAP), np.int64)
    if len(told) != wanted.size or not np.array_equal(tiffmetadata.palette_bytes(told)[0], wanted.T.reshape(-1)):
        directory.put(tiffmetadata.COLOUR_MAP, SHORT, *(257 * wanted.T.astype(np.int64).reshape(-1)).tolist())


def _packed(band: Samples, depth: int, order: str) -> bytes:
    if depth == 16:
        return band.astype(f"{order}u2", copy=False).tobytes()
    return packed(band, depth).tobytes()
