"""PBM, PGM and PPM files, binary and plain, of 1, 2, 4, 8 and 16 bits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from ridecodec.errors import InputError
from ridecodec.files.pngrows import Bytes, bands, packed, unpacked
from ridecodec.files.source import Source, behind
from ridecodec.picture import ColourType, Picture, Samples, check_pixels

_KINDS = {b"P4": (ColourType.GRAY, "PBM"), b"P5": (ColourType.GRAY, "PGM"), b"P6": (ColourType.RGB, "PPM")}
_PLAIN = {b"P1": b"P4", b"P2": b"P5", b"P3": b"P6"}
"""Kinds whose samples are written as numbers, and those of the same meaning."""
_LONGEST_NUMBER = 10
_PIECE = _LONGEST = 1 << 20
_SPACES = b" \t\n\r\v\f"
_COMMENTS = "its comments"
_COMMENT = re.compile(rb"#[^\r\n]*")
_ANOTHER = re.compile(rb"\s*P[1-6]\s")


def is_pnm(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start[:2] in (*_KINDS, *_PLAIN) and start[2:3].isspace()


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a file (see `Source`), of a number of levels that is a power of two."""
    told, width, height, levels = _header(stream)
    magic = _PLAIN.get(told, told)
    begin = stream.tell()
    colour, name = _KINDS[magic]
    depth = levels.bit_length() - 1
    if levels != 1 << depth or depth not in colour.depths:
        raise InputError(f"{levels}-level {colour.words} is not supported, only that of {_levels(colour)} levels")
    if not width or not height:
        raise InputError(f"a picture of {width}x{height} has no pixels")
    check_pixels(width, height, max_pixels)
    least = width * colour.channels if told in _PLAIN else _row_bytes(width, colour, _stored(magic, depth))
    _check_left(stream, height * least, name)
    samples = np.empty((height, width, colour.channels), np.uint16 if depth == 16 else np.uint8)
    stream.seek(0)
    lost = [_COMMENTS] if b"#" in stream.read(begin) else []
    if told in _PLAIN:
        lost += _read_numbers(stream, samples, levels, magic, name)
    else:
        lost += _read_rows(stream, samples, _stored(magic, depth), name)
    if magic == b"P4":
        samples = 1 - samples
    try:
        picture = Picture(samples.transpose(2, 0, 1), colour, depth)
    except ValueError as error:
        raise InputError(f"the {name} data is damaged: {error}") from error
    return Source(picture, tuple(dict.fromkeys(lost)))


def write(stream: BinaryIO, picture: Picture, bitmap: bool) -> None:
    """Write a gray or RGB picture; 1-bit gray as a bitmap (PBM) if wanted, where black is 1."""
    magic = b"P4" if bitmap else b"P6" if picture.colour is ColourType.RGB else b"P5"
    levels = b"" if bitmap else b"%d\n" % (2**picture.bit_depth - 1)
    stream.write(b"%s\n%d %d\n%s" % (magic, picture.width, picture.height, levels))
    for band in picture.bands():
        stream.write(packed(1 - band if bitmap else band, _stored(magic, picture.bit_depth)).tobytes())


def _read_rows(stream: BinaryIO, samples: Samples, stored: int, name: str) -> list[str]:
    """Fill ``samples`` with those of a binary file, and name what else there is."""
    height, width, channels = samples.shape
    row_bytes = (width * channels * stored + 7) // 8
    spare, padded = 8 * row_bytes - width * channels * stored, False
    for band in bands(height, row_bytes):
        data = stream.read((band.stop - band.start) * row_bytes)
        if len(data) < (band.stop - band.start) * row_bytes:
            raise InputError(f"the {name} data is damaged: it is cut short")
        rows: Bytes = np.frombuffer(data, np.uint8).reshape(-1, row_bytes)
        padded = padded or bool((rows[:, -1] & ((1 << spare) - 1)).any())
        samples[band] = unpacked(rows, samples[band].shape, stored)
    end = stream.tell()
    _check_alone(stream.read(_PIECE), name)
    return (["the bits after the last pixel of its rows"] if padded else []) + list(behind(stream, end))


def _read_numbers(stream: BinaryIO, samples: Samples, levels: int, magic: bytes, name: str) -> list[str]:
    """The same of a plain file, whose numbers are behind one another; digits of a bitmap need nothing between them."""
    flat, filled, lost = samples.reshape(-1), 0, []
    for text, comments in _texts(stream, apart=magic != b"P4"):
        lost += [_COMMENTS] if comments else []
        found = text.split() if magic != b"P4" else [bytes([byte]) for byte in text.translate(None, _SPACES)]
        wanted, rest = found[: flat.size - filled], b" ".join(found[flat.size - filled :])
        if rest:
            _check_alone(rest + b" " + stream.read(_PIECE), name)
            lost.append("the bytes after its end")
        if not all(number.isdigit() and len(number) <= _LONGEST_NUMBER for number in wanted):
            raise InputError(f"the {name} data is damaged: it has a sample that is not a number")
        numbers = np.array(wanted, "S").astype(np.int64) if wanted else np.zeros(0, np.int64)
        if numbers.size and numbers.max() >= levels:
            raise InputError(f"the {name} data is damaged: it has a sample of {numbers.max()}, beyond {levels - 1}")
        flat[filled : filled + numbers.size] = numbers
        filled += numbers.size
        if rest:
            break
    if filled < flat.size:
        raise InputError(f"the {name} data is damaged: it is cut short")
    return lost


def _texts(stream: BinaryIO, apart: bool) -> Iterator[tuple[bytes, bool]]:
    """What is left of a plain file without its comments, in pieces, and whether there were any.

    A piece ends where a number does, if they stand ``apart``.
    """
    held = b""
    while piece := stream.read(_PIECE):
        held += piece
        comment = held.rfind(b"#")
        if comment > max(held.rfind(b"\n"), held.rfind(b"\r")):
            end = comment
        else:
            end = max(held.rfind(space) for space in _SPACES) + 1 if apart else len(held)
        if held:
            yield _COMMENT.sub(b"", held[:end]), b"#" in held[:end]
        held = held[end:][:1] if comment == end else held[end:]  # what a comment says is of no use
        if len(held) > _LONGEST:
            raise InputError("the picture is damaged: it has a number of a million digits")
    yield _COMMENT.sub(b"", held), b"#" in held


def _check_alone(rest: bytes, name: str) -> None:
    if _ANOTHER.match(rest):
        raise InputError(f"a file of several pictures ({name}) is not supported")


def _header(stream: BinaryIO) -> tuple[bytes, int, int, int]:
    """Magic number, width, height and levels."""
    magic = stream.read(2)
    name = _KINDS[_PLAIN.get(magic, magic)][1]
    width, height = _number(stream, name), _number(stream, name)
    return magic, width, height, 2 if magic in (b"P1", b"P4") else _number(stream, name) + 1


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
    raise InputError(f"the {name} data is damaged: its header is not valid")
