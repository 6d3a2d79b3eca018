"""Pictures out to files, without loss: what a format cannot hold is refused, and one that can is named."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ridecodec.errors import OutputError, UsageError
from ridecodec.picture import FORMATS, ColourType, Picture, target_format

_GRAY = frozenset((ColourType.GRAY, depth) for depth in ColourType.GRAY.depths)
_RGB = frozenset(((ColourType.RGB, 8), (ColourType.RGB, 16)))
_ARRAYS = (ColourType.GRAY, ColourType.GRAY_ALPHA, ColourType.RGB, ColourType.RGBA)
_HELD = {
    "png": frozenset((colour, depth) for colour in (*_ARRAYS, ColourType.PALETTE) for depth in colour.depths),
    "ppm": _RGB,
    "pgm": _GRAY,
    "pnm": _GRAY | _RGB,
    "pbm": frozenset([(ColourType.GRAY, 1)]),
    "tiff": frozenset((colour, depth) for colour in ColourType for depth in colour.depths),
    "bmp": frozenset([(ColourType.GRAY, 1), (ColourType.GRAY, 8), (ColourType.RGB, 8), (ColourType.PALETTE, 8)]),
    "webp": frozenset((colour, 8) for colour in _ARRAYS),
    "npy": frozenset((colour, depth) for colour in _ARRAYS for depth in (8, 16)) | {(ColourType.GRAY, 1)},
}
_PILLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "bmp": ("BMP", {}),
    "webp": ("WEBP", {"lossless": True, "exact": True}),
}
_WEBP_SIDE = 16383


def save(picture: Picture, target: str | os.PathLike[str] | BinaryIO, name: str | None) -> None:
    """Write a picture to a path or a stream in the format `name` (see `Picture.save`)."""
    if not name:
        if not isinstance(target, (str, os.PathLike)):
            raise UsageError(f"a stream needs a format: one of {', '.join(FORMATS)}")
        name = target_format(target)
    _check_fits(picture, name)
    try:
        if isinstance(target, (str, os.PathLike)):
            _write_file(picture, Path(target), name)
        else:
            _write(picture, target, name)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}") from error
    except (ValueError, OverflowError, struct.error) as error:  # Pillow, where the format ends
        raise OutputError(f"cannot be written as {name}: {error}") from error


def holds(name: str, colour: ColourType, bit_depth: int) -> bool:
    """Whether a format has pictures of this type."""
    return (colour, bit_depth) in _HELD[name]


def _check_fits(picture: Picture, name: str) -> None:
    if name not in FORMATS:
        raise UsageError(f"unknown picture format {name!r}; choose one of {', '.join(FORMATS)}")
    if not holds(name, picture.colour, picture.bit_depth):
        other = "png" if holds("png", picture.colour, picture.bit_depth) else "tiff"
        words = f"{picture.bit_depth}-bit {picture.colour.words}"
        raise OutputError(f"{name.upper()} cannot hold {words} pictures; write .{other}")
    if picture.transparency is not None and name != "png":
        raise OutputError(f"{name.upper()} cannot hold the transparent colours of this picture; write .png")
    if name == "webp" and max(picture.width, picture.height) > _WEBP_SIDE:
        raise OutputError(f"WebP holds at most {_WEBP_SIDE} pixels per side; write .png or .tiff")


def _write_file(picture: Picture, path: Path, name: str) -> None:
    file = path.open("wb")
    try:
        with file:
            _write(picture, file, name)
    except BaseException:
        if path.is_file():  # and no device
            path.unlink()
        raise


def _write(picture: Picture, stream: BinaryIO, name: str) -> None:
    if not stream.seekable():
        buffer = io.BytesIO()
        _write(picture, buffer, name)
        stream.write(buffer.getbuffer())
    elif name == "npy":
        samples = picture.interleaved()
        np.save(stream, samples.view(np.bool_) if picture.bit_depth == 1 else samples, allow_pickle=False)
    elif name == "png":
        from ridecodec.files import pngfile

        pngfile.write(stream, picture)
    elif name == "tiff":
        from ridecodec.files import tiffwriter

        tiffwriter.write(stream, picture)
    elif name in _PILLOW:
        from ridecodec.files import carriers, pilimages

        pillow_format, fixed = _PILLOW[name]
        with pilimages.quiet():
            image = pilimages.to_pil(picture)
            if name == "bmp" and picture.palette is not None:  # Pillow takes black and white alone for bits
                image.putpalette(picture.palette.tobytes().ljust(9, b"\0"))
            image.info.clear()  # writers take more from it than is meant for them
            image.save(stream, pillow_format, **fixed, **carriers.options(picture.metadata))
    else:
        from ridecodec.files import pnmfile

        bitmap = name == "pbm" or (name == "pnm" and picture.bit_depth == 1)
        pnmfile.write(stream, picture, bitmap)
