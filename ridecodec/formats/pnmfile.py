"""PBM, PGM and PPM files, the binary ones of 1, 2, 4, 8 and 16 bits: Pillow reads those of 16 bits as 8."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from ridecodec.errors import InputError
from ridecodec.formats import pilfiles
from ridecodec.formats.pngrows import bands, packed, unpacked
from ridecodec.formats.source import Source, behind
from ridecodec.picture import ColourType, Picture, check_pixels

_KINDS = {b"P4": (ColourType.GRAY, "PBM"), b"P5": (ColourType.GRAY, "PGM"), b"P6": (ColourType.RGB, "PPM")}
_PLAIN = (b"P1", b"P2", b"P3")
_LONGEST_NUMBER = 10
_PIECE = 1 << 20


def is_pnm(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start[:2] in (*_KINDS, *_PLAIN) and start[2:3].isspace()


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a file (see `Source`)."""
    magic = stream.read(2)
    stream.seek(0)
    return _read_plain(stream, max_pixels) if magic in _PLAIN else _read_binary(stream, max_pixels)


def _read_plain(stream: BinaryIO, max_pixels: int) -> Source:
    with pilfiles.opened(stream, max_pixels) as image:
        picture = pilfiles.picture_of(image, max_pixels)
    stream.seek(0)
    comments = any(b"#" in piece for piece in iter(lambda: stream.read(_PIECE), b""))
    return Source(picture, ("its comments",) if comments else ())


def _read_binary(stream: BinaryIO, max_pixels: int) -> Source:
    magic, width, height, levels = _header(stream)
    begin = stream.tell()
    colour, name = _KINDS[magic]
    depth = levels.bit_length() - 1
    if levels != 1 << depth or depth not in colour.depths:
        raise InputError(f"{levels}-level {colour.words} is not supported, only that of {_levels(colour)} levels")
    if not width or not height:
        raise InputError(f"a picture of {width}x{height} has no pixels")
    check_pixels(width, height, max_pixels)
    stored = _stored(magic, depth)
    row_bytes = _row_bytes(width, colour, stored)
    _check_left(stream, height * row_bytes, name)
    samples = np.empty((height, width, colour.channels), np.uint16 if depth == 16 else np.uint8)
    for band in bands(height, row_bytes):
        data = stream.read((band.stop - band.start) * row_bytes)
        if len(data) < (band.stop - band.start) * row_bytes:
            raise InputError(f"the {name} data is damaged: it is cut short")
        rows = np.frombuffer(data, np.uint8).reshape(-1, row_bytes)
        samples[band] = unpacked(rows, samples[band].shape, stored)
    if stream.read(2) in _KINDS:
        raise InputError(f"a file of several pictures ({name}) is not supported")
    if magic == b"P4":
        samples = 1 - samples
    try:
        picture = Picture(samples.transpose(2, 0, 1), colour, depth)
    except ValueError as error:
        raise InputError(f"the {name} data is damaged: {error}") from error
    stream.seek(0)
    comments = ("its comments",) if b"#" in stream.read(begin) else ()
    return Source(picture, comments + behind(stream, begin + height * row_bytes))


def write(stream: BinaryIO, picture: Picture, bitmap: bool) -> None:
    """Write a gray or RGB picture; 1-bit gray as a bitmap (PBM) if wanted, where black is 1."""
    magic = b"P4" if bitmap else b"P6" if picture.colour is ColourType.RGB else b"P5"
    levels = b"" if bitmap else b"%d\n" % (2**picture.bit_depth - 1)
    stream.write(b"%s\n%d %d\n%s" % (magic, picture.width, picture.height, levels))
    for band in picture.bands():
        stream.write(packed(1 - band if bitmap else band, _stored(magic, picture.bit_depth)).tobytes())


def _header(stream: BinaryIO) -> tuple[bytes, int, int, int]:
    """Magic number, width, height and levels."""
    magic = stream.read(2)
    name = _KINDS[magic][1]
    width, height = _number(stream, name), _number(stream, name)
    return magic, width, height, 2 if magic == b"P4" else _number(stream, name) + 1


def _row_bytes(width: int, colour: ColourType, stored: int) -> int:
    return (width * colour.channels * stored + 7) // 8


def _stored(magic: bytes, depth: int) -> int:
    """Bits that a sample takes in the file."""
    return 1 if magic == b"P4" else 16 if depth == 16 else 8


def _levels(colour: ColourType) -> str:
    return ", ".join(str(2**depth) for depth in colour.depths)


def _check_left(stream: BinaryIO, needed: int, name: str) -> None:
    """Hold a claim against the file before memory is taken."""
    position = stream.tell()
    left = stream.seek(0, 2) - position
    stream.seek(position)
    if left < needed:
        raise InputError(f"the {name} data is damaged: it is cut short")


def _number(stream: BinaryIO, name: str) -> int:
    """The next number of the header, and one whitespace character behind it; comments run from # to the line's end."""
    digits = b""
    while len(digits) <= _LONGEST_NUMBER:
        char = stream.read(1)
        if char == b"#":
            while char not in (b"\n", b"\r", b""):
                char = stream.read(1)
        if char.isdigit():
            digits += char
        elif not char.isspace() or not char:
            break
        elif digits:
            return int(digits)
    raise InputError(f"the {name} data is damaged: its header makes no sense")
