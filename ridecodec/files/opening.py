"""Picture files in: by their first bytes to the module that reads them, and one line for whatever is wrong."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.files import (
    bmpfile,
    giffile,
    icofile,
    jp2file,
    npyfile,
    pcxfile,
    pilfiles,
    pilimages,
    pngfile,
    pnmfile,
    qoifile,
    tiff,
    webpfile,
)
from ridecodec.files.lossy import lossy
from ridecodec.files.source import Reader, Source
from ridecodec.picture import MAX_PIXELS

_OWN_SIGNATURES = (b"\x92RD", b"\x92RA")
_START = 32
_ONLY_PIXELS = "everything but its pixels and usual metadata"
_READERS: tuple[tuple[Callable[[bytes], bool], Reader], ...] = (
    (npyfile.is_npy, npyfile.read),
    (pngfile.is_png, pngfile.read),
    (pnmfile.is_pnm, pnmfile.read),
    (tiff.is_tiff, tiff.read),
    (bmpfile.is_bmp, bmpfile.read),
    (giffile.is_gif, giffile.read),
    (webpfile.is_webp, webpfile.read),
    (icofile.is_ico, icofile.read),
    (jp2file.is_jp2, jp2file.read),
    (qoifile.is_qoi, qoifile.read),
    (pcxfile.is_pcx, pcxfile.read),
)
"""By the first bytes of a file, what reads it; Pillow reads all others."""


def read(source: str | os.PathLike[str] | BinaryIO, max_pixels: int, pixels: bool = False) -> Source:
    """Read a picture file; ``pixels`` takes those, too, of which only the pixels are kept.

    Raises what `Picture.open` does.
    """
    max_pixels = min(max_pixels, MAX_PIXELS)
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                return _read_stream(file, max_pixels, pixels)
        except IsADirectoryError as error:
            raise InputError("is a directory, not a picture") from error
        except FileNotFoundError as error:
            raise InputError("no such file") from error
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read: {pilimages.one_line(error)}") from error
    return _read_stream(source, max_pixels, pixels)


def check(stream: BinaryIO) -> None:
    """Raise `InputError` for a file that is taken for its pixels only, where that is told without unpacking these.

    ``stream`` is at its start, and is there again afterwards.
    """
    _check_lossy(stream)
    start = stream.read(_START)
    stream.seek(0)
    if start and not start.startswith(_OWN_SIGNATURES) and _reader(start) is pilfiles.read:
        if partial := pilfiles.partial(stream):
            raise _only_pixels(partial)
        stream.seek(0)


def _check_lossy(stream: BinaryIO) -> None:
    if found := lossy(stream):
        article = "an" if found == "AVIF" else "a"
        raise InputError(
            f"is {article} {found} file, which is smaller than its pixels compressed without loss; "
            "use --pixels to compress the pixels anyway"
        )


def _read_stream(stream: BinaryIO, max_pixels: int, pixels: bool) -> Source:
    try:
        if not stream.seekable() or stream.tell():
            stream = io.BytesIO(stream.read())
        start = stream.read(_START)
        stream.seek(0)
        if not start:
            raise InputError("is empty")
        if start.startswith(_OWN_SIGNATURES):
            raise InputError("is already compressed by ridecodec; decompress it")
        if not pixels:
            _check_lossy(stream)
        found = _reader(start)(stream, max_pixels)
    except OSError as error:
        raise InputError(f"cannot be read: {pilimages.one_line(error)}") from error
    if not found.partial:
        return found
    if not pixels:
        raise _only_pixels(found.partial)
    return replace(found, lost=(*found.lost, _ONLY_PIXELS))


def _reader(start: bytes) -> Reader:
    return next((read for begins, read in _READERS if begins(start)), pilfiles.read)


def _only_pixels(partial: str) -> InputError:
    return InputError(f"{partial}; use --pixels to keep only the pixels")
