"""A picture as integer planes and what they mean; its ways in and out are opened by the modules that know them."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

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
"""The most pixels a picture may have; what claims more is refused before memory is taken."""

MOST_CHUNKS = 1 << 14
"""The most pieces of metadata."""

USUAL_PIXELS = 178_956_970
"""What the command line takes unless it is told otherwise: as many as Pillow opens."""

BAND_PIXELS = 1 << 20
"""Pixels that are converted at a time: conversions hold several copies."""

CODING_ORDER = {1: [0], 2: [1, 0], 3: [1, 0, 2], 4: [3, 1, 0, 2]}
"""Channels of a picture in the order they are coded, by how many there are: what stands beside colours, then green."""


_SHOWN = 8
"""Kinds of metadata that a representation names."""


class ColourType(IntEnum):
    """What the channels of a picture mean, numbered as in PNG where PNG has such pictures."""

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
        """Samples a pixel has (a palette picture has one: the index)."""
        return (1, 4, 3, 1, 2, 4, 4, 2)[self]

    @property
    def depths(self) -> tuple[int, ...]:
        """The bits that a sample may have."""
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
        """The type in words, as messages say it."""
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
    """A piece of metadata: `kind` is four bytes of printable ASCII, `data` anything."""

    kind: bytes
    data: bytes


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """The samples of a picture, what they mean, and what the file says besides.

    `planes` is [C, H, W], uint16 if `bit_depth` is 16, else uint8; samples of fewer bits are not scaled.  It may be a
    view of interleaved samples, so is not always contiguous, and it may share its memory with the array it came from.
    `metadata` has the order of the file it came from; an empty chunk of kind `IDAT` marks where the pixels stood if
    chunks follow them.  Raises `ValueError` if the planes do not fit the colour type, or a palette is missing.
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
        """Samples of the whole picture: what rates in bits are divided by."""
        return int(self.planes.size)

    @property
    def palette(self) -> NDArray[np.uint8] | None:
        """The colours that indices stand for, uint8 [entries, 3], entries 1 to 256; None where there are none.

        A picture may have indices beyond its palette: they stand for black.
        """
        data = self.chunk(b"PLTE")
        if data is None or len(data) % 3 or not 3 <= len(data) <= 768:
            return None
        return np.frombuffer(data, np.uint8).reshape(-1, 3)

    @property
    def transparency(self) -> bytes | None:
        """The data of the `tRNS` chunk, which says what is transparent in a picture without an alpha channel."""
        held = self.colour in (ColourType.GRAY, ColourType.RGB, ColourType.PALETTE)
        return self.chunk(b"tRNS") if held else None

    def chunk(self, kind: bytes) -> bytes | None:
        """The data of the first chunk of a kind that stands before the pixels, or None."""
        for chunk in self.metadata:
            if chunk.kind == kind:
                return chunk.data
            if chunk.kind == b"IDAT":
                break
        return None

    @classmethod
    def from_numpy(cls, samples: ArrayLike) -> Picture:
        """Take an array of uint8, uint16 or bool without copying it: a picture of 8, 16 or 1 bits.

        bool is [H, W]; [H, W] and [H, W, 1] are gray, [H, W, 2] gray with alpha, [H, W, 3] RGB, [H, W, 4] RGB with
        alpha.  Raises `InputError` for every other array.
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
        """Take the current frame of a Pillow image, with the metadata in its `info`.

        Takes the modes 1, L, LA, P, PA, RGB, RGBA, RGBX, CMYK, I;16, and I if its values fit 16 bits.  Raises
        `InputError`, naming the type, for every other, and where Pillow has lost bits that the file had.  An image of a
        TIFF file that is not loaded yet is read as `open` does: exactly, and not turned by its orientation.
        """
        from ridecodec.formats import pilfiles

        return pilfiles.picture_of(image, MAX_PIXELS)

    @classmethod
    def open(
        cls, source: str | os.PathLike[str] | BinaryIO, *, max_pixels: int | None = None, pixels: bool = False
    ) -> Picture:
        """Read a picture file (all that Pillow reads, and .npy) by path or from a binary stream.

        Without `pixels`, files whose pixels alone can be had (of lossy formats, PSD and others) are refused, and a
        `LossWarning` names what of a file is not kept. With it, all are taken, without a warning.

        Raises `InputError` if it cannot be read, is damaged, has more than `max_pixels` pixels (`MAX_PIXELS` without
        it; checked before memory is taken), or is of no type that `ColourType` has.
        """
        from ridecodec.formats import opening

        found = opening.read(source, MAX_PIXELS if max_pixels is None else max_pixels, pixels)
        if found.lost and not pixels:
            name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the file"
            warnings.warn(f"{name} loses {', '.join(found.lost)}", LossWarning, stacklevel=2)
        return found.picture

    def to_numpy(self) -> Samples:
        """Return the samples, [H, W] or [H, W, C], C-contiguous; they may share memory with the picture.

        They are uint16 if the picture has 16 bits, else uint8.  A palette picture gives its indices.
        """
        return np.ascontiguousarray(self.interleaved())

    def to_pil(self) -> Image.Image:
        """Return the picture as a Pillow image, of the modes that `from_pil` takes, with its metadata in `info`.

        Gray of 2 and 4 bits is scaled to 8, as Pillow does.  Raises `OutputError` where Pillow has no mode: 16 bits
        with several channels.
        """
        from ridecodec.formats import pilimages

        return pilimages.to_pil(self)

    def checksum(self) -> int:
        """Return the CRC-32 of the type, the size and the samples, these in raster order, channels side by side.

        Before the samples come the colour type and the bits of a sample in a byte each, and width and height in four
        bytes, the low one first. A sample is one byte, or two bytes, the low one first, if it has 16 bits.
        """
        checksum = zlib.crc32(struct.pack("<BBII", self.colour, self.bit_depth, self.width, self.height))
        for band in self.bands():
            checksum = zlib.crc32(band.astype(band.dtype.newbyteorder("<"), copy=False).data, checksum)
        return checksum

    def save(self, target: str | os.PathLike[str] | BinaryIO, format: str | None = None) -> None:  # noqa: A002
        """Write the picture, losslessly, to a path (replacing what is there) or a binary stream.

        `format` is one of `FORMATS`; without it a path's extension decides.  WebP has no gray: its channels are equal.
        PNG keeps all metadata that PNG files can have; TIFF and WebP the ICC profile, EXIF, and XMP; TIFF and BMP the
        resolution.  Raises `UsageError` for an unknown format and `OutputError` if the format cannot hold the picture
        or writing fails; then no file is left behind.
        """
        from ridecodec.formats import saving

        saving.save(self, target, format)

    def plain(self) -> NDArray[np.uint8]:
        """The planes of an 8-bit gray or RGB picture, uint8 [C, H, W]; `InputError` for every other type."""
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
    """What a message on too many pixels adds where more are possible."""
    return "; use --max-pixels to allow more" if limit < MAX_PIXELS else ""


def target_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a path's extension stands for, one of `FORMATS`; raise `UsageError` if none."""
    extension = Path(path).suffix.lower().removeprefix(".")
    name = ALIASES.get(extension, extension)
    if name not in FORMATS:
        choice = ", ".join(f".{known}" for known in sorted([*FORMATS, *ALIASES]))
        raise UsageError(f"cannot write files with the extension {extension!r}; choose one of {choice}")
    return name
