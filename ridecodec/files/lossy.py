"""Files of lossy formats, recognised by their first bytes: the pixels take more than they do, however well coded."""

from __future__ import annotations

from typing import BinaryIO

from ridecodec.files import tiff
from ridecodec.files.codestreams import JPEG2000, wavelet_is_lossy, webp_is_lossy

_HEAD, _START = 12, 1 << 16


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
        found = "lossy WebP" if webp_is_lossy(head + stream.read(_START)) else ""
    elif head.startswith(JPEG2000):
        found = "lossy JPEG 2000" if wavelet_is_lossy(head + stream.read(_START)) else ""
    elif tiff.is_tiff(head):
        coded = tiff.lossy(stream)
        found = f"TIFF ({coded})" if coded else ""
    stream.seek(0)
    return found
