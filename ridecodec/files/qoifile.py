"""QOI files: the codes are walked here, so that nothing behind them goes unseen; Pillow unpacks the pixels."""

from __future__ import annotations

from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.files import pilfiles
from ridecodec.files.source import Source, behind
from ridecodec.picture import check_pixels

_END = bytes(7) + b"\1"
_RGB, _RGBA, _RUN, _LUMA = 0xFE, 0xFF, 0xC0, 0x80
_LONGEST_RUN = 62


def is_qoi(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(b"qoif")


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a QOI file (see `Source`)."""
    head = stream.read(14)
    data = stream.read()
    if len(head) < 14 or head[12] not in (3, 4) or head[13] > 1:
        raise _damaged("its header is not valid")
    width, height = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    check_pixels(width, height, max_pixels)
    end = _end(data, width * height)
    if data[end : end + 8] != _END:
        raise _damaged("its end is missing")
    stream.seek(0)
    with pilfiles.opened(stream, max_pixels) as image:
        picture = pilfiles.picture_of(image, max_pixels)
    lost = ("that its samples are linear",) if head[13] else ()
    return Source(picture, lost + behind(stream, 14 + end + 8))


def _end(data: bytes, pixels: int) -> int:
    """Where the codes of so many pixels end."""
    if pixels > _LONGEST_RUN * len(data):
        raise _damaged("it claims more pixels than its bytes can hold")
    at = done = 0
    while done < pixels:
        if at >= len(data):
            raise _damaged("its pixels are cut short")
        code = data[at]
        if code in (_RGB, _RGBA):
            at += code - _RGB + 4
            done += 1
        elif code >= _RUN:
            at += 1
            done += (code & 63) + 1
        else:
            at += 1 + (code >= _LUMA)
            done += 1
    if done > pixels:
        raise _damaged("a run of its pixels leaves the picture")
    return at


def _damaged(what: str) -> InputError:
    return InputError(f"the QOI data is damaged: {what}")
