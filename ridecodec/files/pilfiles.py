"""Picture files that Pillow reads: whatever goes wrong there is one line of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ridecodec.errors import InputError
from ridecodec.files import pilimages, tgafile
from ridecodec.files.source import Source
from ridecodec.picture import MAX_PIXELS, Picture, check_pixels, more

_START = 32
_VECTOR_FORMATS = frozenset({"EPS", "WMF", "EMF"})


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a file of any format of Pillow's, which accounts for nothing but the pixels (see `Source`)."""
    why = partial(stream, max_pixels)
    stream.seek(0)
    if not why:
        return tgafile.read(stream, max_pixels)
    with opened(stream, max_pixels) as image:
        return Source(picture_of(image, max_pixels), partial=why)


def partial(stream: BinaryIO, max_pixels: int = MAX_PIXELS) -> str:
    """Why `read` gives the pixels only, as `Source` says it; "" for TGA, which Pillow knows, as it has no signature."""
    start = stream.read(_START)
    stream.seek(0)
    with opened(stream, max_pixels) as image:
        plain = image.format == "TGA" and tgafile.is_plain(start)
        return "" if plain else f"{image.format} files may hold more than ridecodec can keep"


def picture_of(image: Image.Image, max_pixels: int) -> Picture:
    """Take the current frame of a Pillow image (see `Picture.from_pil`)."""
    check_pixels(*image.size, max_pixels)
    with pilimages.quiet(max_pixels):
        return pilimages.picture_of(image)


def loaded(image: Image.Image) -> Image.Image:
    """An opened image with its pixels, as Pillow has them; `InputError` where they are damaged."""
    with pilimages.quiet():
        try:
            with pilimages.strict():
                image.load()
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a plugin raises whatever the damage makes it run into
            raise InputError(f"the {image.format} data is damaged: {pilimages.one_line(error)}") from error
    return image


@contextmanager
def opened(stream: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """Open `stream` with Pillow: one frame of pixels (not loaded yet), or `InputError`."""
    with pilimages.quiet(max_pixels):
        try:
            with pilimages.strict():
                image = Image.open(stream)
                frames = getattr(image, "n_frames", 1)
        except (InputError, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise InputError("is damaged, or not a picture in a supported format") from error
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
