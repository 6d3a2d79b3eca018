"""The headers of BMP files, of all their versions, taken apart and checked; icons have them, too."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.picture import Chunk

RGB, RLE8, RLE4, BITFIELDS, ALPHA_BITFIELDS = 0, 1, 2, 3, 6
"""How pixels are stored."""

_CORE, _INFO, _OS2_SHORT, _OS2, _V4, _V5 = 12, 40, 16, 64, 108, 124
SIZES = (_CORE, _OS2_SHORT, _INFO, 52, 56, _OS2, _V4, _V5)
_DEPTHS = {RGB: (1, 2, 4, 8, 16, 24, 32), RLE8: (8,), RLE4: (4,), BITFIELDS: (16, 24, 32), ALPHA_BITFIELDS: (16, 32)}
_USUAL_MASKS = {
    16: (0x7C00, 0x3E0, 0x1F, 0),
    24: (0xFF0000, 0xFF00, 0xFF, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}
_MOST_ENTRIES = 1 << 16
_EMBEDDED, _LINKED, _SRGB, _WINDOWS, _CALIBRATED = b"DEBM", b"KNIL", b"BGRs", b" niW", bytes(4)
INTENTS = {4: 0, 2: 1, 1: 2, 8: 3}
"""Rendering intents: what BMP says, and what PNG says."""


@dataclass(frozen=True)
class Header:
    """What the headers of a BMP file say; `masks` are those of red, green, blue and alpha, 0 where there is none."""

    width: int
    height: int
    bits: int
    compression: int = RGB
    top_down: bool = False
    masks: tuple[int, int, int, int] = (0, 0, 0, 0)
    entries: int = 0
    """How many colours the palette has."""
    entry_bytes: int = 4
    end: int = 0
    """Where the header and its masks end, and the palette begins."""
    profile: tuple[int, int] = (0, 0)
    """Where an ICC profile begins in the file, and how long it is."""
    intent: int | None = None
    """The rendering intent that stands beside a profile, numbered as in profiles."""
    chunks: tuple[Chunk, ...] = ()
    """Resolution and colour space."""
    lost: tuple[str, ...] = ()
    """What the header says and no chunk holds, in words."""

    @property
    def stride(self) -> int:
        """Bytes of a row that is not run-length coded."""
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def palette_end(self) -> int:
        """Where the palette ends."""
        return self.end + self.entries * self.entry_bytes


def damaged(what: str) -> InputError:
    """The error for a BMP file that is damaged."""
    return InputError(f"the BMP data is damaged: {what}")


def parse(stream: BinaryIO, start: int) -> Header:
    """The header that begins at ``start``, behind the one of the file; raises `InputError`."""
    stream.seek(start)
    size = int.from_bytes(_exactly(stream, 4), "little")
    if size not in SIZES:
        raise damaged(f"it has a header of {size} bytes, which does not exist")
    data = size.to_bytes(4, "little") + _exactly(stream, size - 4)
    if size == _CORE:
        width, height, planes, bits = struct.unpack_from("<4H", data, 4)
        return _checked(Header(width, height, bits, entries=_entries(0, bits), entry_bytes=3, end=start + size), planes)
    width, height, planes, bits, compression, _, *resolution, used, important = struct.unpack_from(
        "<iiHHIIiiII", data.ljust(_INFO, b"\0"), 4
    )
    if size in (_OS2_SHORT, _OS2) and compression > RLE4:
        raise InputError("OS/2 bitmaps of this compression are not supported")
    lost = []
    if size == _OS2 and any(data[_INFO:]):
        lost.append("the OS/2 fields of its header")
    if important not in (0, used, 1 << min(bits, 8)):
        lost.append("its number of important colours")
    masks, end = _masks(stream, data, compression, bits)
    chunks, more, profile = _colour_space(data) if size >= _V4 else ((), (), (0, 0))
    lost += more
    if min(resolution) > 0:
        chunks = (*chunks, Chunk(b"pHYs", struct.pack(">IIB", *resolution, 1)))
    elif any(resolution):
        lost.append("its resolution")
    header = Header(
        width,
        abs(height),
        bits,
        BITFIELDS if compression == ALPHA_BITFIELDS else compression,
        height < 0,
        masks,
        _entries(used, bits),
        end=start + end,
        profile=(profile[0] + start if profile[1] else 0, profile[1]),
        intent=INTENTS.get(int.from_bytes(data[_V4 : _V4 + 4], "little")),
        chunks=chunks,
        lost=tuple(lost),
    )
    return _checked(header, planes)


def _checked(header: Header, planes: int) -> Header:
    if header.width < 1 or header.height < 1:
        raise damaged(f"it claims {header.width} x {header.height} pixels")
    if header.bits not in _DEPTHS.get(header.compression, ()):
        raise InputError(f"BMP of {header.bits} bits and compression {header.compression} is not supported")
    if planes != 1:
        raise damaged(f"it claims {planes} planes")
    if header.top_down and header.compression in (RLE4, RLE8):
        raise damaged("it is run-length coded from top to bottom")
    if header.entries > _MOST_ENTRIES:
        raise damaged(f"it claims a palette of {header.entries} colours")
    return header


def _entries(used: int, bits: int) -> int:
    return used or (1 << bits if bits <= 8 else 0)


def _masks(stream: BinaryIO, data: bytes, compression: int, bits: int) -> tuple[tuple[int, int, int, int], int]:
    """The masks, and where they or the header end; ``stream`` is behind the header."""
    end = len(data)
    usual = _USUAL_MASKS.get(bits, (0, 0, 0, 0))
    if compression not in (BITFIELDS, ALPHA_BITFIELDS):
        return usual, end
    held = data[_INFO:]
    if end == _INFO:
        held = _exactly(stream, 12 if compression == BITFIELDS else 16)
        end += len(held)
    red, green, blue, alpha = struct.unpack("<4I", held[:16].ljust(16, b"\0"))
    found = (red, green, blue, alpha)
    if not any(found):
        return usual, end
    seen = 0
    for mask in found:
        low = mask & -mask
        if mask >> bits or mask & seen or (mask and (mask + low) & mask):
            raise damaged("the masks of its channels are not valid")
        seen |= mask
    if not (red and green and blue):
        raise damaged("a mask of its channels is missing")
    if max(mask.bit_count() for mask in found) > 16:
        raise InputError("BMP channels of more than 16 bits are not supported")
    if bits == 24 and found != usual:
        raise InputError("BMP of 24 bits in another order is not supported")
    return found, end


def _colour_space(data: bytes) -> tuple[tuple[Chunk, ...], tuple[str, ...], tuple[int, int]]:
    """What versions 4 and 5 say of colours: chunks, what is lost, and where the profile stands behind the start."""
    kind, calibration = data[56:60], any(data[60:_V4])
    intent, at, length, reserved = struct.unpack("<4I", data[_V4:_V5].ljust(16, b"\0"))
    lost = ["its colour calibration"] if calibration else []
    profile, chunks = (0, 0), tuple[Chunk, ...]()
    if kind == _EMBEDDED:
        profile = (at, length)
    elif kind == _SRGB and intent in (0, *INTENTS):
        chunks, intent = (Chunk(b"sRGB", bytes([INTENTS.get(intent, 0)])),), 0
    elif kind == _LINKED:
        lost.append("the name of its colour profile")
    elif kind not in (_SRGB, _WINDOWS, _CALIBRATED):
        lost.append("its colour space")
    if intent and kind not in (_CALIBRATED, _EMBEDDED):
        lost.append("its rendering intent")
    if reserved:
        lost.append("a reserved field of its header")
    return chunks, tuple(lost), profile


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise damaged("its header is cut short")
    return data
