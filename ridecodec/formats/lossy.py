"""Files of lossy formats, recognised by their first bytes: the pixels take more than they do, however well coded."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from ridecodec.formats import pilimages
from ridecodec.picture import MAX_PIXELS

TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
_TIFF_CODERS = ("jpeg", "tiff_jpeg", "webp")
_JPEG2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""How its files begin, and its codestreams."""
_HEAD, _START = 12, 1 << 16
_IRREVERSIBLE = 0


def lossy(stream: BinaryIO) -> str:
    """The lossy format of a picture file, in words; "" where it has none, or is none.

    ``stream`` is at its start, and is there again afterwards.
    """
    head = stream.read(_HEAD)
    found = ""
    if head.startswith(b"\xff\xd8\xff"):
        found = "JPEG"
    elif head[4:] in (b"ftypavif", b"ftypavis"):
        found = "AVIF"
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        found = "lossy WebP" if _webp_is_lossy(head + stream.read(_START)) else ""
    elif head.startswith(_JPEG2000):
        found = "lossy JPEG 2000" if _wavelet_is_lossy(head + stream.read(_START)) else ""
    elif head.startswith(TIFF_SIGNATURES):
        found = "lossy TIFF" if _tiff_coder(stream) in _TIFF_CODERS else ""
    stream.seek(0)
    return found


def _webp_is_lossy(start: bytes) -> bool:
    """By the first chunk of pixels."""
    at = 12
    while at + 8 <= len(start):
        kind, length = start[at : at + 4], int.from_bytes(start[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8 "
        at += 8 + length + length % 2
    return False


def _wavelet_is_lossy(start: bytes) -> bool:
    """By what the codestream says of how it is coded."""
    begin = start.find(_JPEG2000[1])
    style = start.find(b"\xff\x52\0", begin)
    return begin >= 0 and 0 <= style < len(start) - 13 and start[style + 13] == _IRREVERSIBLE


def _tiff_coder(stream: BinaryIO) -> str:
    stream.seek(0)
    try:
        with pilimages.quiet(MAX_PIXELS), Image.open(stream) as image:
            return str(image.info.get("compression", ""))
    except Exception:  # damage is said where the picture is read
        return ""
