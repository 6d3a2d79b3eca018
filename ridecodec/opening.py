"""Picture files and Pillow images in, 8-bit samples out; whatever could not be kept exactly is refused by name."""

from __future__ import annotations

import io
import logging
import os
import re
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ridecodec.errors import InputError

MAX_PIXELS = 2**31 - 1
"""The most pixels a picture may have; a file that claims more is refused before memory is taken."""

BAND_PIXELS = 1 << 20
"""Pixels that are handed between Pillow and NumPy at a time: Pillow's own conversion holds two more copies."""

_MODE_NAMES = {
    "1": "1-bit black and white",
    "L": "gray",
    "LA": "gray with alpha",
    "La": "gray with alpha",
    "P": "palette colour",
    "PA": "palette colour with alpha",
    "RGB": "RGB",
    "RGBA": "RGB with alpha",
    "RGBa": "RGB with alpha",
    "RGBX": "RGB with a fourth channel",
    "LAB": "CIELAB",
    "F": "floating-point gray",
    "I": "gray of more than 8 bits",
}
_DEEP_RAW_MODE = re.compile(r"(L|LA|RGB|RGBA|RGBa|RGBX);(2|4|16)[A-Z]*")
_VECTOR_FORMATS = frozenset({"EPS", "WMF", "EMF"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NPY_SIGNATURE = b"\x93NUMPY"
_DEFLATE_LIMIT = 1032
_PIECE = 1 << 20

_pillow_lock = threading.Lock()
# Otherwise Pillow's warnings about odd files reach stderr through Python's handler of last resort.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_samples(source: str | os.PathLike[str] | BinaryIO) -> NDArray[np.uint8]:
    """Return the samples of a picture file, [H, W] (gray) or [H, W, 3] (RGB), uint8.

    Takes all that Pillow reads as 8-bit gray or RGB, and .npy arrays.  Raises `InputError` for anything else: no such
    file, a damaged one, another type of picture (named), several frames, more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                return _read_stream(file)
        except IsADirectoryError as error:
            raise InputError("is a directory, not a picture") from error
        except FileNotFoundError as error:
            raise InputError("there is no such file") from error
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read: {_one_line(error)}") from error
    return _read_stream(source)


def image_samples(image: Image.Image) -> NDArray[np.uint8]:
    """Return the samples of a Pillow image, [H, W] (mode L) or [H, W, 3] (mode RGB), uint8.

    Of an image with several frames the current one is taken.  Raises `InputError` for every other type, naming it.  A
    file's original depth is only known while its image is not loaded: Pillow turns 16-bit RGB into 8 bits silently.
    """
    with _pillow():
        try:
            refused = _refused_type(image)
            if refused is None:
                image.load()
                refused = _refused_type(image)
        except Exception as error:  # a plugin raises whatever the damage makes it run into
            raise InputError(f"the {image.format or 'image'} data is damaged: {_one_line(error)}") from error
        if refused is not None:
            raise InputError(f"{refused} is not supported, only 8-bit gray and 8-bit RGB")
        width, height = image.size
        if width < 1 or height < 1:
            raise InputError(f"a picture of {width}x{height} has no pixels")
        samples = np.empty((height, width) if image.mode == "L" else (height, width, 3), np.uint8)
        rows = max(1, BAND_PIXELS // width)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            samples[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
        return samples


def _read_stream(stream: BinaryIO) -> NDArray[np.uint8]:
    try:
        if not stream.seekable():
            stream = io.BytesIO(stream.read())
        start = stream.tell()
        signature = stream.read(8)
        if not signature:
            raise InputError("is empty")
        if signature.startswith(_NPY_SIGNATURE):
            stream.seek(start)
            return _read_npy(stream)
        if signature == _PNG_SIGNATURE:
            _check_png(stream)
        stream.seek(start)
    except (OSError, MemoryError) as error:
        raise InputError(f"cannot be read: {_one_line(error)}") from error
    with _opened(stream) as image:
        return image_samples(image)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    """Open `stream` with Pillow: one frame of pixels (not loaded yet), or `InputError`."""
    with _pillow():
        try:
            image = Image.open(stream)
            frames = getattr(image, "n_frames", 1)
        except UnidentifiedImageError as error:
            raise InputError("is damaged, or no picture in a format that can be read") from error
        except Image.DecompressionBombError as error:
            raise InputError(f"claims more than {MAX_PIXELS} pixels, which is not supported") from error
        except Exception as error:  # a plugin raises whatever the damage makes it run into
            raise InputError(f"the picture is damaged: {_one_line(error)}") from error
    with image:
        if image.format in _VECTOR_FORMATS:
            raise InputError(f"vector graphics ({image.format}) are not supported, only pixels")
        if frames > 1:
            raise InputError(f"a picture of several frames ({image.format}, {frames} frames) is not supported")
        yield image


@contextmanager
def _pillow() -> Iterator[None]:
    """Keep Pillow silent, and set its limit of pixels to `MAX_PIXELS` (it refuses above twice what it is told)."""
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _refused_type(image: Image.Image) -> str | None:
    """Name the type of `image` if it is other than 8-bit gray or RGB, or was so in a file that is not loaded yet."""
    name = _MODE_NAMES.get(image.mode, "16-bit gray" if image.mode.startswith("I;16") else image.mode)
    tiles = getattr(image, "tile", None)
    if tiles:
        decoder, arguments = tiles[0][0], tiles[0][3]
        raw_mode = arguments[0] if isinstance(arguments, tuple) else arguments
        if isinstance(raw_mode, str) and (deep := _DEEP_RAW_MODE.fullmatch(raw_mode)):
            return f"{deep[2]}-bit {_MODE_NAMES[deep[1]]}"
        if image.mode in ("L", "RGB"):
            depth = _file_depth(image, decoder, arguments)
            if depth is not None:
                return f"{depth} {name}"
    if image.mode not in ("L", "RGB"):
        return name
    if "transparency" in image.info:
        return f"{name} with a transparent colour"
    return None


def _file_depth(image: Image.Image, decoder: str, arguments: object) -> str | None:
    """Describe the samples of a file of mode L or RGB if Pillow would change them, or leave some of them out."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = set(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        if bits != {8}:
            return f"{max(bits)}-bit"
        if set(image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))) != {1}:
            return "signed"
        return "multi-channel" if TiffImagePlugin.EXTRASAMPLES in image.tag_v2 else None
    if decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple) and arguments[1] != 255:
        return f"{arguments[1] + 1}-level"
    if decoder == "SGI16":
        return "16-bit"
    if image.format == "JPEG2000":
        size_marker = _file_start(image).partition(b"\xff\x4f\xff\x51")[2]
        bits_j2k = (size_marker[38] & 0x7F) + 1 if len(size_marker) > 38 else 8
        return f"{bits_j2k}-bit" if bits_j2k != 8 else None
    if image.format == "AVIF":
        configuration = _file_start(image).partition(b"av1C")[2]
        return "10- or 12-bit" if len(configuration) > 2 and configuration[2] & 0x40 else None
    return None


def _file_start(image: Image.Image) -> bytes:
    stream: BinaryIO | None = getattr(image, "fp", None)
    if stream is None:
        return b""
    position = stream.tell()
    stream.seek(0)
    start = stream.read(_PIECE)
    stream.seek(position)
    return start


def _read_npy(stream: BinaryIO) -> NDArray[np.uint8]:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read_header(stream)
    except Exception as error:  # the header is Python source, so nearly anything can be wrong with it
        raise InputError(f"the .npy header is damaged: {_one_line(error)}") from error
    if dtype != np.uint8 or len(shape) not in (2, 3):
        raise InputError(f".npy arrays of {dtype} and shape {shape} are not supported, only uint8 HxW and HxWx3")
    if min(shape) < 0:
        raise InputError(f"the .npy header is damaged: the shape {shape} is negative")
    size = 1
    for extent in shape:
        size *= extent
    position = stream.tell()
    if size != stream.seek(0, io.SEEK_END) - position:
        raise InputError(f"the .npy data is damaged: its size does not match the shape {shape}")
    stream.seek(position)
    samples = np.empty(size, np.uint8)
    read = 0
    while read < size:
        piece = stream.read(min(size - read, _PIECE))
        if not piece:
            raise InputError("the .npy data is cut short")
        samples[read : read + len(piece)] = np.frombuffer(piece, np.uint8)
        read += len(piece)
    return samples.reshape(shape, order="F" if fortran_order else "C")


def _check_png(stream: BinaryIO) -> None:
    """Check the chunks of a PNG file, as Pillow ignores the checksums of the pixel data; `stream` is at the first.

    Raises `InputError` where a chunk is damaged or missing, or where more pixels are claimed than deflate could give.
    """
    raster_bytes = pixel_bytes = 0
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        name = kind.decode("ascii", "replace")
        if len(head) < 8:
            raise InputError("the PNG data is damaged: it is cut short")
        if not kind.isalpha():
            raise InputError("the PNG data is damaged: a chunk has no valid name")
        checksum, left, data = zlib.crc32(kind), length, b""
        while left:
            data = stream.read(min(left, _PIECE))
            if not data:
                raise InputError(f"the PNG data is damaged: it is cut short in the chunk {name}")
            checksum = zlib.crc32(data, checksum)
            left -= len(data)
        if stream.read(4) != checksum.to_bytes(4, "big"):
            raise InputError(f"the PNG data is damaged: the checksum of the chunk {name} is wrong")
        if kind == b"IHDR" and length == 13:
            width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
            bits = data[8] * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(data[9], 1)
            raster_bytes = height * ((width * bits + 7) // 8)
        elif kind == b"IDAT":
            pixel_bytes += length
    if not raster_bytes:
        raise InputError("the PNG data is damaged: its header is missing or wrong")
    if raster_bytes > _DEFLATE_LIMIT * pixel_bytes:
        raise InputError("the PNG data is damaged: it claims more pixels than its bytes can hold")


def _one_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
