"""TIFF files in: their samples exactly, and every tag kept or named."""

from __future__ import annotations

import math
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError
from ridecodec.files import tiffmetadata, tiffpixels
from ridecodec.files.source import Source
from ridecodec.files.tiffdirectory import SUB_IMAGES, Directory, TiffFile, damaged
from ridecodec.files.tifflayout import JPEG, Layout
from ridecodec.picture import Chunk, ColourType, Picture, Samples

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_OTHERS = {4: "transparency masks", _YCBCR: "YCbCr", 8: "CIELAB", 9: "CIELAB (ICC)", 10: "CIELAB (ITU)"}
_OTHERS |= {32803: "a colour filter array", 32844: "LogL", 32845: "LogLuv", 34892: "linear raw samples"}
_UNSPECIFIED, _PREMULTIPLIED, _ALPHA = 0, 1, 2
_UNSIGNED, _SIGNED = 1, 2
_FORMATS = {3: "floating-point", 5: "complex", 6: "complex"}
_SIXTEEN = 65535
_DESCRIPTION, _PLANES = 270, 33629
_IMAGEJ = re.compile(rb"ImageJ=.*^images=(\d{1,9})\s", re.DOTALL | re.MULTILINE)
_SHAPED = re.compile(rb"\{\"shape\": \[(\d{1,9}(?:, \d{1,9})*)\]")


def is_tiff(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(SIGNATURES)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a TIFF file of one picture (see `Source`), its pixels as they are stored, whatever its orientation.

    What no chunk of PNG can say is EXIF, with the very bytes of the file.
    """
    file = TiffFile(stream)
    directories = file.directories()
    first = next(directories, None)
    if first is None:
        raise damaged("it has no directory")
    if SUB_IMAGES in first.fields or next(directories, None) is not None:
        raise InputError("a picture of several frames (TIFF) is not supported")
    picture, lost = _picture(file, first, max_pixels)
    if unused := file.unused():
        lost.append(f"{unused:,} bytes that nothing in it points to")
    return Source(picture, (*file.lost, *lost))


def read_frame(stream: BinaryIO, frame: int, max_pixels: int) -> Picture:
    """One of the pictures of a file, counted from 0; raises `InputError` as `read` does."""
    file = TiffFile(stream)
    for number, directory in enumerate(file.directories()):
        if number == frame:
            return _picture(file, directory, max_pixels)[0]
    raise damaged(f"it has no frame {frame}")


def lossy(stream: BinaryIO) -> str:
    """The lossy coding of the samples of a file, in words, "" where it has none or is damaged."""
    try:
        file = TiffFile(stream)
        return next((tiffpixels.lossy(file, each) for each in file.directories()), "")
    except InputError:
        return ""


def _picture(file: TiffFile, directory: Directory, max_pixels: int) -> tuple[Picture, list[str]]:
    """The picture of a directory, and what of it is not kept."""
    lost: list[str] = []
    layout = Layout.of(directory, max_pixels)
    _check_stack(directory, layout)
    photometric = (*directory.integers(262), None)[0]
    converted = layout.compression == JPEG and photometric == _YCBCR
    colour = _colour(directory, layout, _RGB if converted else photometric)
    kind = _kind(directory, layout, colour)
    inverted = photometric == _WHITE_IS_ZERO
    if kind and inverted:
        raise InputError(f"white-is-zero gray of {layout.bits} bits ({kind}) is not supported")
    samples, more = tiffpixels.read(file, layout)
    lost += ["the data after the rows of its strips"] if more else []
    depth = layout.bits
    if kind:
        samples, depth = _sixteen(samples, layout.bits, signed=kind == "signed"), 16
        lost.append(f"the type of its samples ({kind}, {layout.bits} bits)")
    if inverted:
        samples[..., 0] ^= samples.dtype.type(2**depth - 1)
    palette = [_palette(directory, depth)] if colour.indexed else []
    chunks = tiffmetadata.chunks(directory, lost, inverted=inverted, converted=converted)
    before = [chunk for chunk in chunks if chunk.kind == b"ICC "]
    behind = [chunk for chunk in chunks if chunk.kind != b"ICC "]
    planes: Samples = samples.transpose(2, 0, 1)
    return Picture(planes, colour, depth, (*before, *palette, *behind)), lost


def _check_stack(directory: Directory, layout: Layout) -> None:
    """Refuse a directory that stands for more pictures, which lie behind its own and which no tag points to."""
    text = directory.fields[_DESCRIPTION].data if _DESCRIPTION in directory.fields else b""
    planes = directory.fields[_PLANES].count if _PLANES in directory.fields else 1
    stack = "a MetaMorph stack" if planes > 1 else ""
    if (images := _IMAGEJ.match(text)) and int(images[1]) > 1:
        stack = "an ImageJ stack"
    elif shape := _SHAPED.match(text):
        pixels = math.prod(int(side) for side in shape[1].split(b","))
        stack = "a tifffile stack" if pixels > layout.width * layout.height * layout.channels else ""
    if stack:
        raise InputError(f"a picture of several frames ({stack}) is not supported")


def _colour(directory: Directory, layout: Layout, photometric: int | None) -> ColourType:
    """What the channels mean; `InputError`, naming the type, where there is no such picture."""
    if photometric is None:
        raise damaged("it does not say what its samples mean (photometric interpretation)")
    if photometric in _OTHERS:
        raise InputError(f"a TIFF file of {_OTHERS[photometric]} is not supported")
    if photometric == _CMYK and directory.integers(332) not in ((), (1,)):
        raise InputError("a TIFF file of inks other than CMYK is not supported")
    extra = directory.integers(338)
    usual = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _PALETTE: 1, _RGB: 3, _CMYK: 4}.get(photometric)
    if usual is None:
        raise InputError(f"a TIFF file of photometric interpretation {photometric} is not supported")
    if layout.channels < usual:
        raise damaged(f"it has {layout.channels} channels, and {usual} are needed")
    base = {1: ColourType.GRAY, 3: ColourType.RGB, 4: ColourType.CMYK}[usual]
    base = ColourType.PALETTE if photometric == _PALETTE else base
    further = layout.channels - usual
    if further and _PREMULTIPLIED in extra:
        raise InputError(f"{base.words} with premultiplied alpha is not supported")
    means = extra[-1] if len(extra) == further == 1 else _UNSPECIFIED
    with_alpha = {
        ColourType.GRAY: ColourType.GRAY_ALPHA,
        ColourType.RGB: ColourType.RGBA,
        ColourType.PALETTE: ColourType.PALETTE_ALPHA,
    }
    if not further:
        colour: ColourType | None = base
    elif further == 1 and means == _ALPHA:
        colour = with_alpha.get(base)
    else:
        colour = ColourType.RGBX if base is ColourType.RGB and further == 1 else None
    if colour is None:
        raise InputError(f"multi-channel {base.words} ({layout.channels} channels) is not supported")
    return colour


def _kind(directory: Directory, layout: Layout, colour: ColourType) -> str:
    """What is said of samples that are no unsigned ones of a depth that pictures have, and may yet fit; else ""."""
    formats = set(directory.integers(339)) or {_UNSIGNED}
    depths = set(directory.integers(258)) or {1}
    if len(formats) > 1 or len(depths) > 1:
        raise InputError(f"{colour.words} of channels of several types is not supported")
    form = formats.pop()
    if form in _FORMATS:
        raise InputError(f"{_FORMATS[form]} {colour.words} is not supported")
    signed = form == _SIGNED
    if colour is ColourType.GRAY and layout.bits in ((8, 16, 32) if signed else (32,)):
        return "signed" if signed else "unsigned"
    if signed:
        raise InputError(f"signed {colour.words} is not supported")
    if layout.bits not in colour.depths:
        raise InputError(f"{layout.bits}-bit {colour.words} is not supported")
    return ""


def _sixteen(samples: NDArray[Any], bits: int, signed: bool) -> NDArray[np.uint16]:
    """The samples in 16 bits, where they fit."""
    if signed and int(samples.max()) >> (bits - 1):
        raise InputError("signed gray of values below 0 is not supported")
    if samples.max() > _SIXTEEN:
        raise InputError("gray of values outside of 0 to 65535 is not supported")
    return samples.astype(np.uint16)


def _palette(directory: Directory, depth: int) -> Chunk:
    """The palette in 8 bits; the tag stays in the directory, and so in the EXIF, where that does not say all of it."""
    entries = np.array(directory.integers(tiffmetadata.COLOUR_MAP), np.int64)
    if len(entries) != 3 * 2**depth:
        raise damaged("it has no palette of its depth")
    short, whole = tiffmetadata.palette_bytes(entries)
    if whole:
        del directory.fields[tiffmetadata.COLOUR_MAP]
    return Chunk(b"PLTE", short.reshape(3, -1).T.tobytes())
