"""What chunks of metadata mean: categories to strip, words for people, and the profile and text inside them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from ridecodec.counting import counted
from ridecodec.errors import UsageError
from ridecodec.picture import Chunk

RECIPE = b"PNG "
"""Kind of the chunk that says how the PNG file was packed (`exactfile`); no PNG file can have one of this kind."""

XMP_KEYWORD = "XML:com.adobe.xmp"
"""Keyword of the iTXt chunk that holds XMP."""

CATEGORIES = (
    "icc",
    "exif",
    "xmp",
    "text",
    "time",
    "colour",
    "resolution",
    "background",
    "suggestions",
    "other",
)
"""The categories that `strip` takes, besides `all`."""

_OF_KIND = {
    "icc": (b"iCCP", b"ICC "),
    "exif": (b"eXIf",),
    "text": (b"tEXt", b"zTXt", b"iTXt"),
    "time": (b"tIME",),
    "colour": (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"mDCV", b"mDCv", b"cLLI", b"cLLi"),
    "resolution": (b"pHYs", b"oFFs", b"sCAL"),
    "background": (b"bKGD",),
    "suggestions": (b"sPLT", b"hIST"),
}
_KINDS = {kind: category for category, kinds in _OF_KIND.items() for kind in kinds}
_NEEDED = (b"PLTE", b"tRNS", b"IDAT")
_RAW_PROFILES = {"exif": "exif", "app1": "exif", "icc": "icc", "icm": "icc", "xmp": "xmp"}
_LONGEST = 1 << 24
_PIECE = 1 << 16
_SHOWN = 60
_START = 4 * (_SHOWN + 1)
"""Bytes of a text that are enough to show it."""

Unpack: TypeAlias = Callable[[bytes], bytes]


def strip(metadata: Iterable[Chunk], kinds: Iterable[str], indexed: bool = True) -> tuple[Chunk, ...]:
    """The metadata without that of some `CATEGORIES`, or of all; what the pixels need stays.

    A palette that no pixel is an index into (``indexed``) is one of the suggestions.

    Where something goes, the very file cannot be made again, and its recipe goes too.  Raises
    `UsageError` for a category that there is not.
    """
    wanted = set(kinds)
    for unknown in sorted(wanted - {"all", *CATEGORIES}):
        raise UsageError(f"unknown metadata {unknown!r}; choose from all, {', '.join(CATEGORIES)}")
    if "all" in wanted:
        wanted = set(CATEGORIES)
    chunks = list(metadata)
    spared = indexed or "suggestions" not in wanted
    kept = [each for each in chunks if category(each) not in wanted and (spared or each.kind != b"PLTE")]
    if len(kept) < len(chunks):
        kept = [chunk for chunk in kept if chunk.kind != RECIPE]
    while kept and kept[-1].kind == b"IDAT":  # marks where the pixels stood, which only matters to chunks behind it
        kept.pop()
    return tuple(kept)


def category(chunk: Chunk) -> str | None:
    """Which of `CATEGORIES` a chunk belongs to; None for a palette, its transparency, and the place of the pixels."""
    if chunk.kind in _NEEDED:
        return None
    found = _KINDS.get(chunk.kind, "other")
    if found != "text":
        return found
    keyword = chunk.data.split(b"\0")[0].decode("latin-1")
    if chunk.kind == b"iTXt" and keyword == XMP_KEYWORD:
        return "xmp"
    profile = keyword.lower().removeprefix("raw profile type ")  # ImageMagick hides them in text
    return _RAW_PROFILES.get(profile, "text") if profile != keyword.lower() else "text"


def describe(chunk: Chunk) -> str:
    """What a chunk is, and says where that is short, in one line of printable characters."""
    if chunk.kind not in _WORDS:
        return "of unknown meaning"
    words, detail = _WORDS[chunk.kind]
    if category(chunk) == "xmp":
        return "XMP"
    try:
        said = detail(chunk.data)
    except (ValueError, IndexError, struct.error, zlib.error):
        said = "(malformed)"
    return "".join(char if char.isprintable() else " " for char in f"{words} {said}".strip())


class Budget:
    """Bytes that the chunks of a file may be inflated to, all together; failures count, so that they have an end, too.

    Chunks of some kilobytes swell to many megabytes, and a file may have thousands of them.
    """

    def __init__(self, left: int = _LONGEST) -> None:
        self._left = left

    def unpack(self, data: bytes) -> bytes:
        """Inflate a stream; ValueError where it is cut short or too long, `zlib.error` where it is damaged."""
        unpacker, pieces = zlib.decompressobj(), []
        while not unpacker.eof:
            if self._left <= 0:
                raise ValueError("too long together with the chunks before it")
            pieces.append(unpacker.decompress(data, min(_PIECE, self._left)))
            data = unpacker.unconsumed_tail
            self._left -= len(pieces[-1])
            if not pieces[-1] and not unpacker.eof:
                raise ValueError("cut short")
        return b"".join(pieces)


def text(chunk: Chunk, budget: Budget | None = None) -> tuple[str, str] | None:
    """Keyword and text of a tEXt, zTXt or iTXt chunk, XMP included; None for other chunks and malformed ones."""
    try:
        return _TEXTS[chunk.kind](chunk.data, (budget or Budget()).unpack) if chunk.kind in _TEXTS else None
    except (ValueError, IndexError, zlib.error):
        return None


def texts(metadata: Iterable[Chunk], budget: Budget | None = None) -> Iterator[tuple[Chunk, str, str]]:
    """(chunk, keyword, text) of the texts, as `text` finds them; those that are packed only within the budget."""
    budget = budget or Budget()
    for chunk in metadata:
        said = text(chunk, budget)
        if said is not None:
            yield chunk, *said


def text_chunk(keyword: str, content: str) -> Chunk | None:
    """The chunk that says a text; None where no chunk can."""
    try:
        key = keyword.encode("latin-1")
    except UnicodeEncodeError:
        return None
    if not 0 < len(key) < 80 or "\0" in keyword + content:
        return None
    try:
        return Chunk(b"tEXt", key + b"\0" + content.encode("latin-1"))
    except UnicodeEncodeError:
        return Chunk(b"iTXt", key + bytes(5) + content.encode("utf-8", "replace"))


def xmp_chunk(data: bytes) -> Chunk:
    """The chunk that holds XMP."""
    return Chunk(b"iTXt", XMP_KEYWORD.encode("ascii") + bytes(5) + data)


def xmp(metadata: Iterable[Chunk], budget: Budget | None = None) -> bytes | None:
    """The XMP, raw; None where there is none or it cannot be unpacked."""
    budget = budget or Budget()
    for chunk in metadata:
        if chunk.kind == b"iTXt" and category(chunk) == "xmp":
            try:
                found = _international(chunk.data, budget.unpack)[1]
            except (ValueError, IndexError, zlib.error):
                continue
            if found:
                return found
    return None


def profile(metadata: Iterable[Chunk], budget: Budget | None = None) -> bytes | None:
    """The ICC profile, raw; None where there is none or it cannot be unpacked."""
    for chunk in metadata:
        if chunk.kind == b"ICC ":
            return chunk.data
        if chunk.kind == b"iCCP":
            try:
                return (budget or Budget()).unpack(chunk.data.split(b"\0", 1)[1][1:])
            except (ValueError, IndexError, zlib.error):
                return None
    return None


def _beginning(data: bytes) -> bytes:
    """The first bytes of a stream, inflated."""
    return zlib.decompressobj().decompress(data, _START)


def _plain_text(data: bytes, unpack: Unpack) -> tuple[str, str]:
    keyword, content = data.split(b"\0", 1)
    return keyword.decode("latin-1"), content.decode("latin-1")


def _packed_text(data: bytes, unpack: Unpack) -> tuple[str, str]:
    keyword, content = data.split(b"\0", 1)
    return keyword.decode("latin-1"), unpack(content[1:]).decode("latin-1")


def _international(data: bytes, unpack: Unpack) -> tuple[bytes, bytes]:
    keyword, rest = data.split(b"\0", 1)
    content = rest[2:].split(b"\0", 2)[2]
    return keyword, unpack(content) if rest[0] else content


def _international_text(data: bytes, unpack: Unpack) -> tuple[str, str]:
    keyword, raw = _international(data, unpack)
    return keyword.decode("latin-1"), raw.decode(errors="ignore" if unpack is _beginning else "strict")


_TEXTS: dict[bytes, Callable[[bytes, Unpack], tuple[str, str]]] = {
    b"tEXt": _plain_text,
    b"zTXt": _packed_text,
    b"iTXt": _international_text,
}


def _said(kind: bytes) -> Callable[[bytes], str]:
    def detail(data: bytes) -> str:
        keyword, content = _TEXTS[kind](data, _beginning)
        return f"{keyword}: {content if len(content) <= _SHOWN else content[:_SHOWN] + '...'}"

    return detail


def _name(data: bytes) -> str:
    return data[: data.index(b"\0")].decode("latin-1")


def _resolution(data: bytes) -> str:
    x, y, unit = struct.unpack(">IIB", data)
    if unit != 1:
        return f"of unknown unit, {x} : {y}"
    return f"{x} x {y} pixels per metre ({x * 0.0254:.4g} x {y * 0.0254:.4g} dpi)"


def _time(data: bytes) -> str:
    year, *rest = struct.unpack(">HBBBBB", data)
    return "{}-{:02}-{:02} {:02}:{:02}:{:02}".format(year, *rest)


def _nothing(data: bytes) -> str:
    return ""


_WORDS: dict[bytes, tuple[str, Callable[[bytes], str]]] = {
    b"PLTE": ("palette", lambda data: f"of {counted(len(data) // 3, 'colour')}"),
    b"tRNS": ("transparency", _nothing),
    b"IDAT": ("place of the pixels", _nothing),
    b"gAMA": ("gamma", lambda data: f"{struct.unpack('>I', data)[0] / 100000:g}"),
    b"cHRM": ("chromaticities", _nothing),
    b"sRGB": ("sRGB,", lambda data: ("perceptual", "relative", "saturation", "absolute")[data[0]]),
    b"iCCP": ("ICC profile", _name),
    b"ICC ": ("ICC profile", _nothing),
    b"cICP": ("colour code points", lambda data: "{}/{}/{}/{}".format(*struct.unpack("4B", data))),
    b"sBIT": ("significant bits", lambda data: ", ".join(map(str, data))),
    b"bKGD": ("background", _nothing),
    b"hIST": ("histogram", lambda data: f"of {counted(len(data) // 2, 'colour')}"),
    b"pHYs": ("resolution", _resolution),
    b"sPLT": ("suggested palette", _name),
    b"oFFs": ("offset on a page", _nothing),
    b"sCAL": ("physical scale of the subject", _nothing),
    b"mDCV": ("colours of the mastering display", _nothing),
    b"mDCv": ("colours of the mastering display", _nothing),
    b"cLLI": ("light levels of the content", _nothing),
    b"cLLi": ("light levels of the content", _nothing),
    b"tIME": ("time stamp", _time),
    b"eXIf": ("EXIF", _nothing),
    b"tEXt": ("text", _said(b"tEXt")),
    b"zTXt": ("text", _said(b"zTXt")),
    b"iTXt": ("text", _said(b"iTXt")),
    RECIPE: ("how to restore the exact PNG file", _nothing),
}
