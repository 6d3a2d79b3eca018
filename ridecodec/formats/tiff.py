"""TIFF files."""

from __future__ import annotations

from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.formats import carriers, pilfiles
from ridecodec.formats.source import Source

SIGNATURES = (b"II*\0", b"MM\0*")


def is_tiff(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(SIGNATURES)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a TIFF file of one picture (see `Source`)."""
    try:
        with pilfiles.opened(stream, max_pixels) as image:
            lost = tuple(carriers.unkept(image))
            return Source(pilfiles.picture_of(image, max_pixels), lost)
    except InputError as error:
        if "no picture" in str(error):
            raise InputError("is damaged, or a TIFF file of a type that is not supported") from error
        raise
