"""Picture files in: by their first bytes to the module that reads them, and one line for whatever is wrong."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ridecodec.errors import InputError
from ridecodec.formats import besides, carriers, npyfile, pilimages, pngfile, pnmfile
from ridecodec.formats.lossy import TIFF_SIGNATURES
from ridecodec.picture import MAX_PIXELS, Picture, check_pixels, more

_VECTOR_FORMATS = frozenset({"EPS", "WMF", "EMF"})
_OWN_SIGNATURES = (b"\x92RD", b"\x92RA")
_START = 32


def read(source: str | os.PathLike[str] | BinaryIO, max_pixels: int) -> Picture:
    """Read a picture file (see `Picture.open`)."""
    max_pixels = min(max_pixels, MAX_PIXELS)
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                return _read_stream(file, max_pixels)
        except IsADirectoryError as error:
            raise InputError("is a directory, not a picture") from error
        except FileNotFoundError as error:
            raise InputError("there is no such file") from error
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read: {pilimages.one_line(error)}") from error
    return _read_stream(source, max_pixels)


def image_picture(image: Image.Image, max_pixels: int) -> Picture:
    """Take the current frame of a Pillow image (see `Picture.from_pil`)."""
    check_pixels(*image.size, max_pixels)
    with pilimages.quiet(max_pixels):
        return pilimages.picture_of(image)


def unkept(stream: BinaryIO, max_pixels: int) -> list[str]:
    """What the picture file that ``stream`` holds, and `read` can read, says besides what is kept of it, in words."""
    stream.seek(0)
    start = stream.read(_START)
    stream.seek(0)
    if start.startswith(npyfile.SIGNATURE):
        return besides.of_npy(stream)
    if start[:2] in besides.PLAIN_PNM or pnmfile.is_pnm(start):
        return besides.of_pnm(stream)
    if start.startswith(pngfile.SIGNATURE):
        return besides.behind(stream, pngfile.scan(stream, max_pixels).end)
    found = besides.of_container(stream)
    with opened(stream, max_pixels) as image:
        return found + carriers.unkept(image)


def _read_stream(stream: BinaryIO, max_pixels: int) -> Picture:
    try:
        if not stream.seekable():
            stream = io.BytesIO(stream.read())
        begin = stream.tell()
        start = stream.read(_START)
        stream.seek(begin)
        if not start:
            raise InputError("is empty")
        if start.startswith(_OWN_SIGNATURES):
            raise InputError("is compressed by ridecodec already; decompress it")
        if start.startswith(npyfile.SIGNATURE):
            return npyfile.read(stream, max_pixels)
        if start.startswith(pngfile.SIGNATURE) or b"IHDR" in start[8:20]:
            return pngfile.read(stream, max_pixels)
        if pnmfile.is_pnm(start):
            return pnmfile.read(stream, max_pixels)
    except (OSError, MemoryError) as error:
        raise InputError(f"cannot be read: {pilimages.one_line(error)}") from error
    with opened(stream, max_pixels) as image:
        return image_picture(image, max_pixels)


@contextmanager
def opened(stream: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """Open `stream` with Pillow: one frame of pixels (not loaded yet), or `InputError`."""
    begin = stream.tell()
    with pilimages.quiet(max_pixels):
        try:
            image = Image.open(stream)
            frames = getattr(image, "n_frames", 1)
        except UnidentifiedImageError as error:
            stream.seek(begin)
            tiff = stream.read(4) in TIFF_SIGNATURES
            what = "a TIFF file of a type that is not supported" if tiff else "no picture in a format that can be read"
            raise InputError(f"is damaged, or {what}") from error
        except Image.DecompressionBombError as error:
            raise InputError(f"claims more than the {max_pixels} pixels that are allowed{more(max_pixels)}") from error
        except Exception as error:  # a plugin raises whatever the damage makes it run into
            raise InputError(f"the picture is damaged: {pilimages.one_line(error)}") from error
    with image:
        if image.format in _VECTOR_FORMATS:
            raise InputError(f"vector graphics ({image.format}) are not supported, only pixels")
        sizes = image.info.get("sizes") or ()  # of icons
        if len(sizes) > 1:
            raise InputError(f"a picture in several sizes ({image.format}, {len(sizes)} of them) is not supported")
        if frames > 1:
            raise InputError(f"a picture of several frames ({image.format}, {frames} frames) is not supported")
        yield image
