"""Pillow images in and out, whatever could not be kept exactly refused by name."""

from __future__ import annotations

import errno
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from ridecodec.errors import InputError, OutputError
from ridecodec.files import carriers, tiff
from ridecodec.picture import BAND_PIXELS, MAX_PIXELS, Chunk, ColourType, Picture, Samples

_COLOURS = {
    "1": ColourType.GRAY,
    "L": ColourType.GRAY,
    "I": ColourType.GRAY,
    "I;16": ColourType.GRAY,
    "I;16B": ColourType.GRAY,
    "I;16L": ColourType.GRAY,
    "I;16N": ColourType.GRAY,
    "LA": ColourType.GRAY_ALPHA,
    "P": ColourType.PALETTE,
    "PA": ColourType.PALETTE_ALPHA,
    "RGB": ColourType.RGB,
    "RGBX": ColourType.RGBX,
    "RGBA": ColourType.RGBA,
    "CMYK": ColourType.CMYK,
}
_MODES = {colour: mode for mode, colour in _COLOURS.items() if not mode.startswith("I")} | {ColourType.GRAY: "L"}
_OTHER_MODES = {
    "La": "gray with premultiplied alpha",
    "RGBa": "RGB with premultiplied alpha",
    "LAB": "CIELAB",
    "F": "floating-point gray",
}
_FEW_BITS = re.compile(r"([LP]);([124])[A-Z]*")
_DEEP_RAW_MODE = re.compile(r"(L|LA|RGB|RGBA|RGBa|RGBX|CMYK);16[A-Z]*")
_START = 1 << 20
_NO_DAMAGE = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning, Image.DecompressionBombWarning)

_lock = threading.Lock()
# Otherwise Pillow's warnings about odd files reach stderr through Python's handler of last resort.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def quiet(max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Keep Pillow silent, and let it refuse about `max_pixels` (it does above twice what it is told)."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, lenient = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = (max_pixels + 1) // 2, False
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limit, lenient


@contextmanager
def strict() -> Iterator[None]:
    """Inside of `quiet`: what Pillow warns of, or logs as a warning, is an `InputError`."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("PIL")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.removeHandler(handler)
    said += [str(each.message) for each in caught if not issubclass(each.category, _NO_DAMAGE)]
    if said:
        raise InputError(f"the picture is damaged: {flat(said[0])}")


def to_pil(picture: Picture) -> Image.Image:
    """Return a picture as a Pillow image (see `Picture.to_pil`)."""
    mode, raw_mode, scale = _mode(picture)
    image = Image.new(mode, (picture.width, picture.height))
    if picture.palette is not None and picture.colour.indexed:
        image.putpalette(picture.palette.tobytes())
    top = 0
    for band in picture.bands():
        scaled = band * np.uint8(scale) if scale > 1 else band.astype(band.dtype.newbyteorder("<"), copy=False)
        size = (picture.width, len(band))
        image.paste(Image.frombuffer(mode, size, scaled.tobytes(), "raw", raw_mode, 0, 1), (0, top))
        top += len(band)
    image.info.update(carriers.info(picture) | _transparent(picture, scale))
    return image


def picture_of(image: Image.Image) -> Picture:
    """Take the current frame of a Pillow image; raise `InputError`, naming the type, where that is not exact.

    A file's original depth is only known while its image is not loaded: Pillow turns 16-bit RGB into 8 bits silently.
    A TIFF file whose image is not loaded is read as `tiff` does, exactly.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tile and image.fp is not None:
        return tiff.read_frame(cast("BinaryIO", image.fp), image.tell(), MAX_PIXELS)
    try:
        refused = _refused(image)
        bits = _few_bits(image)
        if refused is None:
            with strict():
                image.load()
            refused = _refused_mode(image)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a plugin raises whatever the damage makes it run into
        raise InputError(f"the {image.format or 'image'} data is damaged: {one_line(error)}") from error
    if refused is not None:
        raise InputError(f"{refused} is not supported")
    if min(image.size) < 1:
        raise InputError(f"a picture of {image.width}x{image.height} has no pixels")
    colour, samples = _COLOURS[image.mode], _samples(image)
    if colour is ColourType.GRAY:
        bits = 16 if samples.dtype == np.uint16 else 1 if image.mode == "1" else bits
        samples = samples // np.uint8(255 // (2**bits - 1)) if bits in (2, 4) else samples
    chunks = carriers.colour_chunks(image) + _palette_chunks(image, 1 << bits) + carriers.other_chunks(image)
    planes = samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)
    try:
        return Picture(planes, colour, bits, tuple(chunks))
    except ValueError as error:
        raise InputError(f"the {image.format or 'image'} data is damaged: {error}") from error


def one_line(error: BaseException) -> str:
    """An error of others, as part of a line of ours."""
    if isinstance(error, OSError) and error.errno == errno.EINVAL:  # of seeking to before the start
        return "it is cut short"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return flat(text) or type(error).__name__


def flat(text: str) -> str:
    """What others say, on one line that is not too long."""
    return " ".join(text.split())[:200]


def _mode(picture: Picture) -> tuple[str, str, int]:
    """Mode and raw mode of a picture, and what its samples are multiplied with."""
    depth, words = picture.bit_depth, picture.colour.words
    if picture.colour is not ColourType.GRAY:
        if depth == 16:
            raise OutputError(f"Pillow has no 16-bit {words} images; take the samples as a NumPy array, or write .png")
        return _MODES[picture.colour], _MODES[picture.colour], 1
    if depth == 16:
        return "I;16", "I;16", 1
    return ("1", "1;8", 1) if depth == 1 else ("L", "L", 255 // (2**depth - 1))


def _samples(image: Image.Image) -> Samples:
    """The samples, [H, W] or [H, W, C]; Pillow's own conversion to an array would hold two more copies."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // width)
    bands = (np.asarray(image.crop((0, top, width, min(top + rows, height)))) for top in range(0, height, rows))
    deep = image.mode.startswith("I")
    channels = () if len(image.getbands()) == 1 else (len(image.getbands()),)
    samples: Samples = np.empty((height, width, *channels), np.uint16 if deep else np.uint8)
    for number, band in enumerate(bands):
        if image.mode == "I" and (band.min() < 0 or band.max() > 65535):
            raise InputError("gray of values outside of 0 to 65535 is not supported")
        samples[number * rows : number * rows + len(band)] = band
    return samples


def _palette_chunks(image: Image.Image, most: int) -> list[Chunk]:
    """The palette, of as many entries as indices reach, and what is transparent in a picture without alpha."""
    transparency = image.info.get("transparency")
    if image.mode not in ("P", "PA"):
        return _transparent_colour(image.mode, transparency)
    palette = _palette(image)[:most]
    if not len(palette):  # one that Pillow was never given a colour for: all is black
        palette = np.array([[0, 0, 0, 255]], np.uint8)
    chunks = [Chunk(b"PLTE", palette[:, :3].tobytes())]
    if isinstance(transparency, int):
        transparency = b"\xff" * min(transparency, len(palette)) + b"\0"
    elif not isinstance(transparency, bytes) and (palette[:, 3] < 255).any():
        transparency = palette[:, 3].tobytes()
    if isinstance(transparency, bytes) and image.mode == "P":
        chunks.append(Chunk(b"tRNS", transparency[: len(palette)]))
    return chunks


def _transparent_colour(mode: str, transparency: object) -> list[Chunk]:
    values = transparency if isinstance(transparency, tuple) else (transparency,)
    channels = {"RGB": 3, "1": 1, "L": 1, "I;16": 1, "I": 1}.get(mode, 0)
    if len(values) != channels or not all(isinstance(value, int) and 0 <= value < 65536 for value in values):
        return []
    most = 1 if mode == "1" else 65535  # Pillow says 255 for white
    return [Chunk(b"tRNS", b"".join(min(value, most).to_bytes(2, "big") for value in values))]


def _palette(image: Image.Image) -> NDArray[np.uint8]:
    """Red, green, blue and alpha of the palette's colours, uint8 [entries, 4]."""
    opaque = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if image.palette is None or image.palette.mode != "RGBA":
        return np.insert(opaque, 3, 255, axis=1)
    return np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)


def _transparent(picture: Picture, scale: int) -> dict[str, Any]:
    """The transparency as Pillow's `info` says it."""
    data = picture.transparency
    if data is None:
        return {}
    if picture.colour is ColourType.PALETTE:
        return {"transparency": data}
    values = np.frombuffer(data[: len(data) // 2 * 2], ">u2").tolist()
    if len(values) != picture.channels:
        return {}
    if picture.bit_depth == 1:
        return {"transparency": 255 * values[0]}
    return {"transparency": tuple(values) if len(values) > 1 else values[0] * scale}


def _raw_mode(image: Image.Image) -> str | None:
    """How a file that is not loaded yet stores its samples."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return None
    raw_mode = tiles[0][3][0] if isinstance(tiles[0][3], tuple) else tiles[0][3]
    return raw_mode if isinstance(raw_mode, str) else None


def _few_bits(image: Image.Image) -> int:
    """Bits of the samples that Pillow scales or widens to 8."""
    found = _FEW_BITS.fullmatch(_raw_mode(image) or "")
    return int(found[2]) if found and found[1] == image.mode else 8


def _refused_mode(image: Image.Image) -> str | None:
    return None if image.mode in _COLOURS else _OTHER_MODES.get(image.mode, image.mode)


def _refused(image: Image.Image) -> str | None:
    """Name the type of `image` if it is refused, or was so in a file that is not loaded yet."""
    if (refused := _refused_mode(image)) or not getattr(image, "tile", None):
        return refused
    name, raw_mode = _COLOURS[image.mode].words, _raw_mode(image) or ""
    if deep := _DEEP_RAW_MODE.fullmatch(raw_mode):
        return f"16-bit {_COLOURS[deep[1].upper()].words} of {image.format} files"
    if raw_mode.startswith(("La", "RGBa")):
        return f"{name} with premultiplied alpha"
    depth = _file_depth(image)
    return f"{depth} {name}" if depth else None


def _file_depth(image: Image.Image) -> str | None:
    """Describe the samples of a file if Pillow would change them, or leave some of them out."""
    decoder, arguments = image.tile[0][0], image.tile[0][3]  # type: ignore[attr-defined]
    if decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple) and arguments[1] not in (255, 65535):
        return f"{arguments[1] + 1}-level"
    if decoder in ("ppm", "ppm_plain") and arguments[1] == 65535 and image.mode != "I":
        return "65536-level"
    if decoder == "SGI16":
        return "16-bit"
    if image.format == "JPEG2000":
        size_marker = _file_start(image).partition(b"\xff\x4f\xff\x51")[2]
        kept = 16 if image.mode == "I;16" else 8
        bits = (size_marker[38] & 0x7F) + 1 if len(size_marker) > 38 else kept
        return f"{bits}-bit" if bits != kept else None
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
    start = stream.read(_START)
    stream.seek(position)
    return start
