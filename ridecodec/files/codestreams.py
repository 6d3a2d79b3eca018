"""Whether a coded picture is lossy: what WebP, JPEG 2000 and LERC say of it in their first bytes."""

from __future__ import annotations

import struct

JPEG2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""How its files begin, and its codestreams."""
_IRREVERSIBLE = 0
_LERC = b"Lerc2 "
_WHOLE = 0.5
"""The largest error by which integers come out right."""


def webp_is_lossy(start: bytes) -> bool:
    """By the first chunk of pixels."""
    at = 12
    while at + 8 <= len(start):
        kind, length = start[at : at + 4], int.from_bytes(start[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8 "
        at += 8 + length + length % 2
    return False


def wavelet_is_lossy(start: bytes) -> bool:
    """By the style of coding that a JPEG 2000 codestream has."""
    begin = start.find(JPEG2000[1])
    style = start.find(b"\xff\x52\0", begin)
    return begin >= 0 and 0 <= style < len(start) - 13 and start[style + 13] == _IRREVERSIBLE


def wavelet_size(start: bytes) -> tuple[int, int, set[int]]:
    """Width and height of a JPEG 2000 codestream, and the bits of its components (negative: signed).

    Raises ValueError where it has no header.
    """
    begin = start.find(JPEG2000[1])
    head = start[begin + 4 :]
    if begin < 0 or len(head) < 38:
        raise ValueError("it is not a JPEG 2000 codestream")
    right, lower, left, upper = struct.unpack_from(">4I", head, 4)
    said = head[38 : 38 + 3 * int.from_bytes(head[36:38], "big") : 3]
    return right - left, lower - upper, {(byte & 0x7F) + 1 if byte < 0x80 else -(byte & 0x7F) - 1 for byte in said}


def lerc_is_lossy(start: bytes) -> bool:
    """By the largest error that a LERC blob of integers allows."""
    version = int.from_bytes(start[len(_LERC) : len(_LERC) + 4], "little")
    at = 38 if version == 3 else 42
    if not start.startswith(_LERC) or version not in (3, 4, 5) or len(start) < at + 8:
        return False  # which its reader says
    return bool(struct.unpack_from("<d", start, at)[0] > _WHOLE)
