"""What a picture file holds besides its picture and metadata: comments, bytes behind its end, boxes of others."""

from __future__ import annotations

import io
from typing import BinaryIO

from ridecodec.formats import npyfile, pnmfile

PLAIN_PNM = (b"P1", b"P2", b"P3")
_HEAD = 16
_PIECE = 1 << 20
_BOXES = {b"jP  ", b"ftyp", b"jp2h", b"jp2c"}
"""Of JPEG 2000, those that say what the pixels are."""


def behind(stream: BinaryIO, end: int) -> list[str]:
    """Bytes behind where the picture ends, in words."""
    return ["the bytes behind its end"] if stream.seek(0, io.SEEK_END) > end else []


def of_npy(stream: BinaryIO) -> list[str]:
    """Of an array."""
    shape, _, _ = npyfile.header(stream)
    return ["its axis of one channel"] if len(shape) == 3 and shape[2] == 1 else []


def of_pnm(stream: BinaryIO) -> list[str]:
    """Of a PBM, PGM or PPM file; among the digits of a plain one all that is no digit is a comment."""
    if stream.read(2) in PLAIN_PNM:
        return ["its comments"] if any(b"#" in piece for piece in iter(lambda: stream.read(_PIECE), b"")) else []
    stream.seek(0)
    header, end = pnmfile.header(stream)
    return (["its comments"] if b"#" in header else []) + behind(stream, end)


def of_container(stream: BinaryIO) -> list[str]:
    """Of a file that says how long it is, or what it consists of: BMP, WebP, JPEG 2000."""
    head = stream.read(_HEAD)
    found: list[str] = []
    if head[:2] == b"BM":
        found = behind(stream, int.from_bytes(head[2:6], "little") or stream.seek(0, io.SEEK_END))
    elif head[:4] == b"RIFF":
        length = int.from_bytes(head[4:8], "little")
        found = behind(stream, 8 + length + length % 2)
    elif head[4:8] == b"jP  ":
        found = ["its further boxes"] if _kinds_of_boxes(stream) - _BOXES else []
    stream.seek(0)
    return found


def _kinds_of_boxes(stream: BinaryIO) -> set[bytes]:
    """Of a JPEG 2000 file."""
    end, at, kinds = stream.seek(0, io.SEEK_END), 0, set[bytes]()
    while at + 8 <= end:
        stream.seek(at)
        head = stream.read(_HEAD)
        length = int.from_bytes(head[:4], "big")
        kinds.add(head[4:8])
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8:  # 0: to the end
            break
        at += length
    return kinds
