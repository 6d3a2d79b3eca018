"""Metadata as Pillow carries it, in an image's `info` and in the options of its writers, to chunks and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from ridecodec.errors import UsageError
from ridecodec.files import metadata
from ridecodec.picture import Chunk, Picture

_INCH = 0.0254
_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION = 274
_RESOLUTION_TAGS = (282, 283, 296)
# Of a TIFF directory only these say nothing of how its pixels are stored: description, make, model, orientation,
# software, time, artist, copyright, and the directories of EXIF and GPS.
_TIFF_TAGS = (270, 271, 272, _ORIENTATION, 305, 306, 315, 33432, 0x8769, 0x8825)
_DIRECTORIES = (0x8769, 0x8825)
_KEYWORDS = (
    "Title",
    "Author",
    "Description",
    "Copyright",
    "Creation Time",
    "Software",
    "Disclaimer",
    "Warning",
    "Source",
    "Comment",
)
_CATEGORIES = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp", "dpi": "resolution"}
_OWN_KEYS = ("icc_profile", "exif", "xmp", "dpi", "transparency", "gamma")


def colour_chunks(image: Image.Image) -> list[Chunk]:
    """The chunks that stand before a palette: profile and gamma."""
    chunks = []
    if isinstance(profile := image.info.get("icc_profile"), bytes) and profile:
        chunks.append(Chunk(b"ICC ", profile))
    gamma = image.info.get("gamma")
    if isinstance(gamma, (int, float)) and 0 < gamma * 100000 < 2**31:
        chunks.append(Chunk(b"gAMA", round(gamma * 100000).to_bytes(4, "big")))
    return chunks


def other_chunks(image: Image.Image) -> list[Chunk]:
    """The chunks that stand behind a palette: resolution, EXIF, XMP, texts."""
    chunks = []
    if "resolution" not in image.info and (resolution := _resolution(image.info.get("dpi"))):
        chunks.append(resolution)
    if exif := _exif(image):
        chunks.append(Chunk(b"eXIf", exif))
    if isinstance(xmp := image.info.get("xmp"), bytes) and xmp:
        chunks.append(metadata.xmp_chunk(xmp))
    texts = getattr(image, "text", None)  # PNG files alone have it
    if not isinstance(texts, dict):
        texts = {key: image.info[key] for key in _KEYWORDS if key in image.info}
        comment = image.info.get("comment")  # of GIF and JPEG
        texts |= {"Comment": comment.decode("latin-1")} if isinstance(comment, bytes) and comment else {}
    for keyword, content in texts.items():
        if isinstance(content, str) and keyword != metadata.XMP_KEYWORD:
            chunk = metadata.text_chunk(keyword, content)
            chunks += [chunk] if chunk else []
    return chunks


def info(picture: Picture) -> dict[Any, Any]:
    """What an image's `info` says of the metadata; the transparency is not in it."""
    budget = metadata.Budget()
    found: dict[Any, Any] = {}
    told = options(picture.metadata, budget)
    for chunk, keyword, content in metadata.texts(picture.metadata, budget):
        if metadata.category(chunk) != "xmp" and keyword not in _OWN_KEYS:
            found[keyword] = content
    gamma = _first(picture.metadata, b"gAMA")
    if gamma is not None and len(gamma) == 4:
        found["gamma"] = int.from_bytes(gamma, "big") / 100000
    return found | told


def options(chunks: Sequence[Chunk], budget: metadata.Budget | None = None) -> dict[str, Any]:
    """Profile, EXIF, XMP and resolution under the names that Pillow's writers take."""
    found: dict[str, Any] = {
        "icc_profile": metadata.profile(chunks, budget),
        "xmp": metadata.xmp(chunks, budget),
        "dpi": _dpi(chunks),
    }
    exif = _first(chunks, b"eXIf")
    found["exif"] = _EXIF_PREFIX + exif if exif else None
    return {key: value for key, value in found.items() if value}


def updated(chunks: Sequence[Chunk], options: dict[str, Any]) -> tuple[Chunk, ...]:
    """The metadata with what a writer of Pillow is told in its place: icc_profile, exif, xmp, dpi; None: without it.

    Resolutions are rounded to dots a metre.  Raises `UsageError` for what cannot be one of them.
    """
    told = {key: options[key] for key in _CATEGORIES if key in options}
    said = Image.new("L", (1, 1))
    said.info.update({key: _as_told(key, value) for key, value in told.items()})
    kept = metadata.strip(chunks, [_CATEGORIES[key] for key in told])
    return (*colour_chunks(said), *kept, *other_chunks(said))


def _as_told(key: str, value: Any) -> Any:
    if isinstance(value, Image.Exif):
        return value.tobytes()
    if isinstance(value, str) and key == "xmp":
        return value.encode()
    if key == "dpi" and value is not None:
        try:
            x, y = (round(float(each) / _INCH) for each in value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"dpi is {value!r}; it must be two numbers") from error
        return _inches(x), _inches(y)
    if value is not None and not isinstance(value, bytes):
        raise UsageError(f"{key} is of type {type(value).__name__}; it must be bytes")
    return value


def _exif(image: Image.Image) -> bytes:
    """The TIFF structure of EXIF; of a TIFF file, whose directory describes the pixels too, what surely does not."""
    exif = image.info.get("exif")
    if image.format == "TIFF":
        exif = _descriptive(image)
    return exif.removeprefix(_EXIF_PREFIX) if isinstance(exif, bytes) else b""


def _descriptive(image: Image.Image) -> bytes:
    """EXIF of a TIFF image that is loaded; nothing where it is damaged."""
    try:
        held, made = image.getexif(), Image.Exif()
        wanted = _TIFF_TAGS if _resolution(image.info.get("dpi")) else (*_TIFF_TAGS, *_RESOLUTION_TAGS)
        kept = [tag for tag in wanted if tag in held and (tag != _ORIENTATION or held[tag] != 1)]
        for tag in kept:
            if tag in _DIRECTORIES:
                made.get_ifd(tag).update(held.get_ifd(tag))
            else:
                made[tag] = held[tag]
        return made.tobytes() if kept else b""
    except Exception:  # damage shows as whatever Pillow runs into
        return b""


def _resolution(dpi: object) -> Chunk | None:
    """A pHYs chunk where it gives the very number back: whole dots an inch, or whole dots a metre."""
    try:
        values = [float(value) for value in dpi]  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if len(values) != 2 or not all(math.isfinite(value) and value > 0 for value in values):
        return None
    metric = [round(value / _INCH) for value in values]
    for value, dots in zip(values, metric, strict=True):
        if not 0 < dots < 2**31 or (abs(value - round(value)) > 1e-4 and abs(value / _INCH - dots) > 0.02):
            return None
    return Chunk(b"pHYs", struct.pack(">IIB", *metric, 1))


def _dpi(chunks: Iterable[Chunk]) -> tuple[float, float] | None:
    """Dots an inch, whole where whole ones are meant."""
    data = _first(chunks, b"pHYs") or b""
    if len(data) != 9 or data[8] != 1:
        return None
    x, y, _ = struct.unpack(">IIB", data)
    return _inches(x), _inches(y)


def _inches(dots: int) -> float:
    whole = round(dots * _INCH)
    return whole if round(whole / _INCH) == dots else dots * _INCH


def _first(chunks: Iterable[Chunk], kind: bytes) -> bytes | None:
    return next((chunk.data for chunk in chunks if chunk.kind == kind), None)
