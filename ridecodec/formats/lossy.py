"""Files of lossy formats, recognised by their first bytes: the pixels take more than they do, however well coded."""

from __future__ import annotations

import io
from typing import BinaryIO

from PIL import Image

from ridecodec.formats import pilimages
from ridecodec.picture import MAX_PIXELS

_START = 1 << 16
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
_TIFF_CODERS = ("jpeg", "tiff_jpeg", "webp")
_IRREVERSIBLE = 0


def lossy(stream: BinaryIO) -> str:
    """The lossy format of a picture file at its start, in words; "" where it has none, or is none.

    ``stream`` is at the start again afterwards.
    """
    start = stream.read(_START)
    stream.seek(-len(start), io.SEEK_CUR)
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP" and _webp_is_lossy(start):
        return "lossy WebP"
    if _wavelet(start) == _IRREVERSIBLE:
        return "lossy JPEG 2000"
    if start.startswith(TIFF_SIGNATURES):
        return "lossy TIFF" if _tiff_coder(stream) in _TIFF_CODERS else ""
    return ""


def _webp_is_lossy(start: bytes) -> bool:
    """By the first chunk of pixels."""
    at = 12
    while at + 8 <= len(start):
        kind, length = start[at : at + 4], int.from_bytes(start[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8 "
        at += 8 + length + length % 2
    return False


def _wavelet(start: bytes) -> int | None:
    """Of a JPEG 2000 codestream: 0, the irreversible one, or 1; None of another file."""
    begin = start.find(b"\xff\x4f\xff\x51")
    if begin and not start.startswith(b"\0\0\0\x0cjP  "):
        return None
    style = start.find(b"\xff\x52\0", begin)
    return start[style + 13] if begin >= 0 and 0 <= style < len(start) - 13 else None


def _tiff_coder(stream: BinaryIO) -> str:
    begin = stream.tell()
    try:
        with pilimages.quiet(MAX_PIXELS), Image.open(stream) as image:
            return str(image.info.get("compression", ""))
    except Exception:  # damage is said where the picture is read
        return ""
    finally:
        stream.seek(begin)
