"""A picture as integer planes, and its ways in from and out to NumPy, Pillow and picture files."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.opening import BAND_PIXELS, MAX_PIXELS, image_samples, read_samples

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "ppm": ("PPM", {}),
    "pgm": ("PPM", {}),
    "pnm": ("PPM", {}),
    "tiff": ("TIFF", {}),
    "bmp": ("BMP", {}),
    "webp": ("WEBP", {"lossless": True, "exact": True}),
}
FORMATS = (*_FORMATS, "npy")
"""The formats that `Picture.save` writes, all of them lossless."""

_WEBP_SIDE = 16383


CODING_ORDER = {1: [0], 3: [1, 0, 2]}
"""Channels of a picture in the order they are coded, green first, by how many there are; this order undoes itself."""


class ColourType(IntEnum):
    """What the channels of a picture mean, numbered as in PNG."""

    GRAY = 0
    RGB = 2
    PALETTE = 3
    GRAY_ALPHA = 4
    RGBA = 6

    @property
    def channels(self) -> int:
        """Samples a pixel has (a palette picture has one: the index)."""
        return {ColourType.RGB: 3, ColourType.GRAY_ALPHA: 2, ColourType.RGBA: 4}.get(self, 1)


@dataclass(frozen=True)
class Chunk:
    """A piece of metadata: `kind` is four bytes of printable ASCII, `data` anything."""

    kind: bytes
    data: bytes


@dataclass(frozen=True, eq=False)
class Picture:
    """The samples of a picture and what they mean.

    `planes` is uint8 [C, H, W].  It may be a view of interleaved samples, so is not always contiguous, and it may share
    its memory with the array it came from.  `palette` is uint8 [entries, 3] in palette pictures, else None.
    Raises `ValueError` if the planes do not fit the colour type.
    """

    planes: NDArray[np.uint8]
    colour: ColourType
    bit_depth: int = 8
    palette: NDArray[np.uint8] | None = None
    metadata: tuple[Chunk, ...] = ()

    def __post_init__(self) -> None:
        shape = self.planes.shape
        if self.planes.dtype != np.uint8 or len(shape) != 3 or shape[0] != self.colour.channels or 0 in shape:
            raise ValueError(f"planes of {self.planes.dtype} {shape} cannot hold a {self.colour.name} picture")

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.planes.shape[2])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.planes.shape[1])

    @property
    def channels(self) -> int:
        """Samples of each pixel."""
        return int(self.planes.shape[0])

    @property
    def sub_pixels(self) -> int:
        """Samples of the whole picture: what rates in bits are divided by."""
        return int(self.planes.size)

    @classmethod
    def from_numpy(cls, samples: ArrayLike) -> Picture:
        """Take an array uint8 [H, W] (gray) or [H, W, 3] (RGB) without copying it; else raise `InputError`."""
        if isinstance(samples, np.ma.MaskedArray):
            raise InputError("masked arrays are not supported: the mask would be lost")
        array = np.asarray(samples)
        if array.dtype != np.uint8:
            raise InputError(f"arrays of {array.dtype} are not supported, only uint8")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise InputError(f"an array of shape {array.shape} is not supported, only HxW (gray) and HxWx3 (RGB)")
        if not array.size:
            raise InputError(f"an array of shape {array.shape} has no pixels")
        if array.shape[0] * array.shape[1] > MAX_PIXELS:
            raise InputError(f"an array of shape {array.shape} is not supported: it has over {MAX_PIXELS} pixels")
        if array.ndim == 2:
            return cls(array[None], ColourType.GRAY)
        return cls(array.transpose(2, 0, 1), ColourType.RGB)

    @classmethod
    def from_pil(cls, image: Image.Image) -> Picture:
        """Take the current frame of a Pillow image of mode L or RGB; raise `InputError` naming any other type."""
        return cls.from_numpy(image_samples(image))

    @classmethod
    def open(cls, source: str | os.PathLike[str] | BinaryIO) -> Picture:
        """Read a picture file (all that Pillow reads, and .npy) by path or from a binary stream.

        Raises `InputError` if it cannot be read, is damaged, or is no single 8-bit gray or RGB picture.
        """
        return cls.from_numpy(read_samples(source))

    def to_numpy(self) -> NDArray[np.uint8]:
        """Return the samples as uint8 [H, W] or [H, W, C], C-contiguous; they may share memory with the picture."""
        return np.ascontiguousarray(self._interleaved())

    def to_pil(self) -> Image.Image:
        """Return the picture as a Pillow image of mode L or RGB."""
        image = Image.new("L" if self.colour is ColourType.GRAY else "RGB", (self.width, self.height))
        top = 0
        for band in self._bands():
            image.paste(Image.fromarray(band), (0, top))
            top += len(band)
        return image

    def checksum(self) -> int:
        """Return the CRC-32 of the samples in raster order, the channels of a pixel side by side."""
        checksum = 0
        for band in self._bands():
            checksum = zlib.crc32(band.data, checksum)
        return checksum

    def save(self, target: str | os.PathLike[str] | BinaryIO, format: str | None = None) -> None:  # noqa: A002
        """Write the picture, losslessly, to a path (replacing what is there) or a binary stream.

        `format` is one of `FORMATS`; without it a path's extension decides.  WebP has no gray: its channels are equal.
        Raises `UsageError` for an unknown format and `OutputError` if the format cannot hold the picture or writing
        fails; then no file is left behind.
        """
        if format:
            name = format
        elif isinstance(target, (str, os.PathLike)):
            name = target_format(target)
        else:
            raise UsageError(f"a stream needs a format: one of {', '.join(FORMATS)}")
        self._check_fits(name)
        try:
            if isinstance(target, (str, os.PathLike)):
                self._write_file(Path(target), name)
            else:
                self._write(target, name)
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}") from error
        except (ValueError, struct.error) as error:  # Pillow, where the format ends
            raise OutputError(f"cannot be written as {name}: {error}") from error

    def _check_fits(self, name: str) -> None:
        if name not in FORMATS:
            raise UsageError(f"unknown picture format {name!r}; choose one of {', '.join(FORMATS)}")
        if name == "pgm" and self.colour is not ColourType.GRAY:
            raise OutputError("PGM holds gray pictures only and this one is RGB; write .ppm or .png")
        if name == "ppm" and self.colour is ColourType.GRAY:
            raise OutputError("PPM holds RGB pictures only and this one is gray; write .pgm or .png")
        if name == "webp" and max(self.width, self.height) > _WEBP_SIDE:
            raise OutputError(f"WebP holds at most {_WEBP_SIDE} pixels a side; write .png or .tiff")

    def _write_file(self, path: Path, name: str) -> None:
        file = path.open("wb")
        try:
            with file:
                self._write(file, name)
        except BaseException:
            if path.is_file():  # and no device
                path.unlink()
            raise

    def _write(self, stream: BinaryIO, name: str) -> None:
        if not stream.seekable():
            buffer = io.BytesIO()
            self._write(buffer, name)
            stream.write(buffer.getbuffer())
        elif name == "npy":
            np.save(stream, self._interleaved(), allow_pickle=False)
        else:
            pillow_format, options = _FORMATS[name]
            self.to_pil().save(stream, pillow_format, **options)

    def _interleaved(self) -> NDArray[np.uint8]:
        samples: NDArray[np.uint8] = self.planes[0] if self.channels == 1 else self.planes.transpose(1, 2, 0)
        return samples

    def _bands(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the samples from top to bottom, some rows at a time and contiguous, so that no full copy is made."""
        samples = self._interleaved()
        rows = max(1, BAND_PIXELS // self.width)
        for top in range(0, self.height, rows):
            yield np.ascontiguousarray(samples[top : top + rows])


def target_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a path's extension stands for, one of `FORMATS`; raise `UsageError` if none."""
    extension = Path(path).suffix.lower().removeprefix(".")
    name = "tiff" if extension == "tif" else extension
    if name not in FORMATS:
        choice = ", ".join(f".{known}" for known in FORMATS)
        raise UsageError(f"the extension {extension!r} is not known to write; choose one of {choice}")
    return name
