"""A picture as integer planes and what they mean.

Nothing here knows a format: the package registers what reads and writes files (`ridecodec.files.ways`).
"""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ridecodec.counting import counted
from ridecodec.errors import InputError, LossWarning, UsageError

if TYPE_CHECKING:
    from PIL import Image

Samples: TypeAlias = NDArray[np.uint8 | np.uint16]

FORMATS = ("png", "ppm", "pgm", "pnm", "pbm", "tiff", "bmp", "webp", "npy")
"""The formats that `Picture.save` writes, all of them lossless."""

ALIASES = {"tif": "tiff"}
"""Other extensions of these formats."""

MAX_PIXELS = 2**31 - 1
"""Maximum number of pixels of a picture; larger pictures are refused before memory is allocated."""

MOST_CHUNKS = 1 << 14
"""Maximum number of chunks of metadata."""

USUAL_PIXELS = 178_956_970
"""Default pixel limit of the command line, the same as that of Pillow."""

BAND_PIXELS = 1 << 20
"""Pixels that are converted at a time: conversions hold several copies."""

CODING_ORDER = {1: [0], 2: [1, 0], 3: [1, 0, 2], 4: [3, 1, 0, 2]}
"""Channels of a picture in coding order, by their number: alpha or a fourth channel, then green."""


_SHOWN = 8
"""Kinds of metadata that a representation names."""


class ColourType(IntEnum):
    """Meaning of the channels of a picture; the numbers are those of PNG for the types that PNG has."""

    GRAY = 0
    RGBX = 1
    RGB = 2
    PALETTE = 3
    GRAY_ALPHA = 4
    CMYK = 5
    RGBA = 6
    PALETTE_ALPHA = 7

    @property
    def channels(self) -> int:
        """Number of samples per pixel (one for a palette picture: the index)."""
        return (1, 4, 3, 1, 2, 4, 4, 2)[self]

    @property
    def depths(self) -> tuple[int, ...]:
        """The supported bits per sample."""
        if self is ColourType.GRAY:
            return (1, 2, 4, 8, 16)
        if self is ColourType.PALETTE:
            return (1, 2, 4, 8)
        return (8, 16) if self in (ColourType.RGB, ColourType.GRAY_ALPHA, ColourType.RGBA) else (8,)

    @property
    def indexed(self) -> bool:
        """Whether the first channel is an index into a palette."""
        return self in (ColourType.PALETTE, ColourType.PALETTE_ALPHA)

    @property
    def words(self) -> str:
        """The type in words, as used in messages."""
        return (
            "gray",
            "RGB with a fourth channel",
            "RGB",
            "palette",
            "gray with alpha",
            "CMYK",
            "RGB with alpha",
            "palette with alpha",
        )[self]


@dataclass(frozen=True)
class Chunk:
    """A piece of metadata: `kind` is four bytes of printable ASCII, `data` is any bytes."""

    kind: bytes
    data: bytes


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """The samples of a picture with their colour type, bit depth and metadata.

    `planes` is [C, H, W], uint16 if `bit_depth` is 16, else uint8; samples of fewer than 8 bits are not scaled. It may
    be a view of interleaved samples, so it is not always contiguous, and it may share memory with the array it was
    made from. `metadata` has the order of the file; an empty chunk of kind `IDAT` marks the position of the pixels if
    chunks follow them. Raises `ValueError` if the planes do not fit the colour type, or if a palette is missing.
    """

    planes: Samples
    colour: ColourType
    bit_depth: int = 8
    metadata: tuple[Chunk, ...] = ()

    def __post_init__(self) -> None:
        if self.bit_depth not in self.colour.depths:
            raise ValueError(f"there is no {self.bit_depth}-bit {self.colour.name} picture")
        shape, dtype = self.planes.shape, np.uint16 if self.bit_depth == 16 else np.uint8
        if self.planes.dtype != dtype or len(shape) != 3 or shape[0] != self.colour.channels or 0 in shape:
            kind = f"a {self.bit_depth}-bit {self.colour.name} picture"
            raise ValueError(f"planes of {self.planes.dtype} {shape} cannot hold {kind}")
        if self.bit_depth < 8 and self.planes.max() >> self.bit_depth:
            raise ValueError(f"a sample of {self.planes.max()} has more than {self.bit_depth} bits")
        if self.colour.indexed and self.palette is None:
            raise ValueError("a palette picture has no palette of 1 to 256 entries before its pixels")

    def __repr__(self) -> str:
        kinds = [chunk.kind.decode("ascii", "replace").strip() for chunk in self.metadata]
        shown = [*kinds[:_SHOWN], *(["..."] if len(kinds) > _SHOWN else [])]
        with_metadata = f", metadata {' '.join(shown)}" if kinds else ""
        bits = counted(self.bit_depth, "bit")
        return f"<Picture {self.width}x{self.height} {self.colour.name}, {bits}{with_metadata}>"

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
        """Number of samples of the whole picture."""
        return int(self.planes.size)

    @property
    def palette(self) -> NDArray[np.uint8] | None:
        """The colours of the indices, uint8 [entries, 3] with 1 to 256 entries; None without a palette.

        A picture may have indices beyond its palette: they mean black.
        """
        data = self.chunk(b"PLTE")
        if data is None or len(data) % 3 or not 3 <= len(data) <= 768:
            return None
        return np.frombuffer(data, np.uint8).reshape(-1, 3)

    @property
    def transparency(self) -> bytes | None:
        """The data of the `tRNS` chunk, the transparency of a picture without an alpha channel."""
        held = self.colour in (ColourType.GRAY, ColourType.RGB, ColourType.PALETTE)
        return self.chunk(b"tRNS") if held else None

    def chunk(self, kind: bytes) -> bytes | None:
        """The data of the first chunk of a kind before the pixels, or None."""
        for chunk in self.metadata:
            if chunk.kind == kind:
                return chunk.data
            if chunk.kind == b"IDAT":
                break
        return None

    @classmethod
    def from_numpy(cls, samples: ArrayLike) -> Picture:
        """Make a picture of 8, 16 or 1 bits from an array of uint8, uint16 or bool, without copying it.

        bool is [H, W]; [H, W] and [H, W, 1] are gray, [H, W, 2] gray with alpha, [H, W, 3] RGB, [H, W, 4] RGB with
        alpha. Raises `InputError` for all other arrays.
        """
        if isinstance(samples, np.ma.MaskedArray):
            raise InputError("masked arrays are not supported: the mask would be lost")
        array = np.asarray(samples)
        if array.dtype == np.bool_ and array.ndim == 2 and array.size:
            check_pixels(array.shape[1], array.shape[0], MAX_PIXELS)
            return cls(array[None].view(np.uint8), ColourType.GRAY, 1)
        if array.dtype.kind != "u" or array.itemsize > 2:
            raise InputError(f"arrays of {array.dtype} are not supported, only uint8 and uint16")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (2,), (3,), (4,)):
            raise InputError(
                f"an array of shape {array.shape} is not supported, only HxW and HxWxC with 1 to 4 channels"
            )
        if not array.size:
            raise InputError(f"an array of shape {array.shape} has no pixels")
        check_pixels(array.shape[1], array.shape[0], MAX_PIXELS)
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        colours = (ColourType.GRAY, ColourType.GRAY_ALPHA, ColourType.RGB, ColourType.RGBA)
        return cls(planes, colours[len(planes) - 1], 8 * array.itemsize)

    @classmethod
    def from_pil(cls, image: Image.Image) -> Picture:
        """Make a picture from the current frame of a Pillow image, with the metadata in its `info`.

        Supports the modes 1, L, LA, P, PA, RGB, RGBA, RGBX, CMYK, I;16, and I if its values fit 16 bits. Raises
        `InputError`, naming the type, for all other modes, and if Pillow has lost bits of the file. An image of a TIFF
        file that is not loaded yet is read as by `open`: exactly, and not rotated by its orientation.
        """
        return _Files.ways.from_pil(image, MAX_PIXELS)

    @classmethod
    def open(
        cls, source: str | os.PathLike[str] | BinaryIO, *, max_pixels: int | None = None, pixels: bool = False
    ) -> Picture:
        """Read a picture file (the formats of Pillow, and .npy) from a path or a binary stream.

        Without `pixels`, files of which only the pixels can be kept (lossy formats, PSD and others) are refused, and a
        `LossWarning` names the parts of a file that are not kept. With it, all are accepted, without a warning.

        Raises `InputError` if the file cannot be read, is damaged, has more than `max_pixels` pixels (default:
        `MAX_PIXELS`; checked before memory is allocated), or is of a type that `ColourType` does not have.
        """
        picture, lost = _Files.ways.open(source, MAX_PIXELS if max_pixels is None else max_pixels, pixels)
        if lost and not pixels:
            name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the file"
            warnings.warn(f"{name} loses {', '.join(lost)}", LossWarning, stacklevel=2)
        return picture

    def to_numpy(self) -> Samples:
        """Return the samples, [H, W] or [H, W, C], C-contiguous; they may share memory with the picture.

        They are uint16 if the picture has 16 bits, else uint8. For a palette picture, they are the indices.
        """
        return np.ascontiguousarray(self.interleaved())

    def to_pil(self) -> Image.Image:
        """Return the picture as a Pillow image, in one of the modes of `from_pil`, with its metadata in `info`.

        Gray of 2 and 4 bits is scaled to 8 bits, as in Pillow. Raises `OutputError` if Pillow has no mode: 16 bits with
        several channels.
        """
        return _Files.ways.to_pil(self)

    def checksum(self) -> int:
        """Return the CRC-32 of the type, the size and the samples, in raster order with interleaved channels.

        The samples follow the colour type and the bits per sample in one byte each, and width and height in four bytes
        each, little-endian. A sample is one byte, or two bytes, little-endian, if it has 16 bits.
        """
        checksum = zlib.crc32(struct.pack("<BBII", self.colour, self.bit_depth, self.width, self.height))
        for band in self.bands():
            checksum = zlib.crc32(band.astype(band.dtype.newbyteorder("<"), copy=False).data, checksum)
        return checksum

    def save(self, target: str | os.PathLike[str] | BinaryIO, format: str | None = None) -> None:  # noqa: A002
        """Write the picture without loss to a path (replacing an existing file) or a binary stream.

        `format` is one of `FORMATS`; the default is the extension of the path. WebP has no gray, so gray becomes RGB.
        PNG holds all metadata; TIFF and WebP hold the ICC profile, EXIF and XMP; TIFF and BMP hold the resolution.
        Raises `UsageError` for an unknown format, and `OutputError` if the format cannot hold the picture or writing
        fails; then no partial file remains.
        """
        _Files.ways.save(self, target, format)

    def plain(self) -> NDArray[np.uint8]:
        """The planes of an 8-bit gray or RGB picture, uint8 [C, H, W]; `InputError` for all other types."""
        if self.colour not in (ColourType.GRAY, ColourType.RGB) or self.bit_depth != 8:
            kind = f"{self.bit_depth}-bit {self.colour.words}"
        elif self.transparency is not None:
            kind = f"{self.colour.words} with a transparent colour"
        else:
            return self.planes.view(np.uint8)
        raise InputError(f"{kind} is not supported here, only 8-bit gray and 8-bit RGB")

    def interleaved(self) -> Samples:
        """The samples as [H, W] (one channel) or [H, W, C], a view of `planes`."""
        samples: Samples = self.planes[0] if self.channels == 1 else self.planes.transpose(1, 2, 0)
        return samples

    def bands(self) -> Iterator[Samples]:
        """Yield the samples from top to bottom, some rows at a time and contiguous, so that no full copy is made."""
        samples = self.interleaved()
        rows = max(1, BAND_PIXELS // self.width)
        for top in range(0, self.height, rows):
            yield np.ascontiguousarray(samples[top : top + rows])


class Ways(Protocol):
    """What reads and writes pictures; each raises what the method of `Picture` that calls it does."""

    def open(
        self, source: str | os.PathLike[str] | BinaryIO, max_pixels: int, pixels: bool, /
    ) -> tuple[Picture, tuple[str, ...]]:
        """A picture file, and the parts of it that are not kept."""

    def save(self, picture: Picture, target: str | os.PathLike[str] | BinaryIO, kind: str | None, /) -> None:
        """Write a picture file."""

    def from_pil(self, image: Image.Image, max_pixels: int, /) -> Picture:
        """A Pillow image as a picture."""

    def to_pil(self, picture: Picture, /) -> Image.Image:
        """A picture as a Pillow image."""


class _Files:
    """What is registered."""

    ways: Ways


def register(ways: Ways) -> None:
    """Make `Picture.open`, `save`, `from_pil` and `to_pil` work; done when the package is imported."""
    _Files.ways = ways


def check_pixels(width: int, height: int, limit: int) -> None:
    """Raise `InputError` for a picture of more than `limit` pixels."""
    if width * height > limit:
        raise InputError(
            f"claims {width} x {height} pixels, more than the {limit} pixels that are allowed{more(limit)}"
        )


def check_total(pixels: int, limit: int) -> None:
    """Raise `InputError` for pictures of more than `limit` pixels in total; `MAX_PIXELS` is of each picture only."""
    if pixels > limit and limit < MAX_PIXELS:
        raise InputError(
            f"the pictures have {pixels} pixels in total, more than the {limit} that are allowed{more(limit)}"
        )


def more(limit: int) -> str:
    """The hint in a message about too many pixels, if the limit can be raised."""
    return "; use --max-pixels to allow more" if limit < MAX_PIXELS else ""


def target_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a path's extension, one of `FORMATS`; raise `UsageError` for unknown extensions."""
    extension = Path(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(extension, extension)
    if name not in FORMATS:
        choice = ", ".join(f".{known}" for known in sorted([*FORMATS, *ALIASES]))
        raise UsageError(f"cannot write files with the extension {extension!r}; choose one of {choice}")
    return name
