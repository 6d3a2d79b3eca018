"""What a TIFF directory says besides its pixels, to chunks of metadata and back, byte for byte."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError
from ridecodec.files import metadata, tiffdirectory
from ridecodec.files.tiffdirectory import BYTE, RATIONAL, SHORT, UNDEFINED, Directory, narrowed
from ridecodec.picture import Chunk

COLOUR_MAP = 320
_XMP, _PROFILE, _ORIENTATION = 700, 34675, 274
_X, _Y, _UNIT = 282, 283, 296
_NO_UNIT, _INCH, _CENTIMETRE = 1, 2, 3
_PER_INCH, _PER_CENTIMETRE = Fraction(10000, 254), Fraction(100)
"""What makes dots a metre of dots an inch, and of dots a centimetre."""
_STORAGE = frozenset(
    {*range(256, 260), 262, 266, 273, *range(277, 280), 284, 288, 289, 292, 293, 317, *range(322, 326), 338, 339, 347}
    | {*range(512, 522), tiffdirectory.SUB_IMAGES, 32997, 32998}
)
"""Tags that say how the pixels are stored."""
_OF_YCBCR = (529, 530, 531, 532)
_OF_INVERTED = (280, 281, 290, 291, 301, 340, 341)
"""Tags that speak of the values of samples: no longer true where white is stored as 0 and becomes the largest."""
_USUAL = {254: 0, 255: 1, _ORIENTATION: 1}
"""What is so without the tag, too."""


def chunks(directory: Directory, lost: list[str], *, inverted: bool = False, converted: bool = False) -> list[Chunk]:
    """The chunks of metadata that say what a directory does besides how its pixels are stored.

    ``lost`` gets what they cannot say. `inverted`: the samples are no more what the file has, but the largest minus it;
    `converted`: they were YCbCr.  All for which PNG has no chunk of its own is EXIF, with the very bytes of its values.
    """
    held = narrowed(_described(directory), lost)
    lost += [f"the directory of its TIFF tag {tag}" for tag in directory.branches if tag in _STORAGE]
    fields = dict(held.fields)
    for tag in (*(_OF_INVERTED if inverted else ()), *(_OF_YCBCR if converted else ())):
        if fields.pop(tag, None) and inverted:
            lost.append(f"its TIFF tag {tag}")
    fields = {tag: each for tag, each in fields.items() if held.integers(tag) != (_USUAL.get(tag, -1),)}
    found = []
    if profile := fields.pop(_PROFILE, None):
        found.append(Chunk(b"ICC ", profile.data))
    if resolution := _resolution(held):
        found.append(resolution)
        for tag in (_X, _Y, _UNIT):
            fields.pop(tag, None)
    packet = fields.pop(_XMP, None)
    if fields or held.branches:
        found.append(Chunk(b"eXIf", tiffdirectory.exif(Directory(held.order, fields, held.branches))))
    if packet:
        found.append(metadata.xmp_chunk(packet.data))
    return found


def directory(held: Sequence[Chunk]) -> Directory:
    """A directory that says what chunks of metadata do, without that of the pixels; nothing of damaged ones."""
    found = Directory()
    if exif := next((chunk.data for chunk in held if chunk.kind == b"eXIf"), b""):
        with contextlib.suppress(InputError):
            found = narrowed(_described(tiffdirectory.read_exif(exif)), [])
    budget = metadata.Budget()
    if profile := metadata.profile(held, budget):
        found.fields[_PROFILE] = tiffdirectory.Field(UNDEFINED, len(profile), profile)
    if packet := metadata.xmp(held, budget):
        found.fields[_XMP] = tiffdirectory.Field(BYTE, len(packet), packet)
    resolution = next((chunk.data for chunk in held if chunk.kind == b"pHYs"), b"")
    if len(resolution) == 9:
        _put_resolution(found, *struct.unpack(">IIB", resolution))
    return found


def palette_bytes(entries: NDArray[np.int64]) -> tuple[NDArray[np.uint8], bool]:
    """A TIFF's palette of 16 bits in 8 bits, and whether that is all it says: old writers do not scale it."""
    for scale in (257, 256, 1):
        if not (entries % scale).any() and entries.max() <= 255 * scale:
            return (entries // scale).astype(np.uint8), True
    return (entries >> 8).astype(np.uint8), False


def _described(directory: Directory) -> Directory:
    """A directory without the tags of the pixels."""
    fields = {tag: value for tag, value in directory.fields.items() if tag not in _STORAGE}
    branches = {tag: held for tag, held in directory.branches.items() if tag not in _STORAGE}
    return Directory(directory.order, fields, branches)


def _resolution(held: Directory) -> Chunk | None:
    """A pHYs chunk where `_put_resolution` makes the same numbers of it."""
    (unit, *_), x, y = held.integers(_UNIT) or (_INCH,), held.integers(_X), held.integers(_Y)
    if len(x) != 2 or len(y) != 2 or not all((*x, *y)) or unit not in (_NO_UNIT, _INCH, _CENTIMETRE):
        return None
    factor = {_NO_UNIT: Fraction(1), _INCH: _PER_INCH, _CENTIMETRE: _PER_CENTIMETRE}[unit]
    across, down = (round(Fraction(*each) * factor) for each in (x, y))
    if not (0 < across < 2**31 and 0 < down < 2**31):
        return None
    made = Directory()
    _put_resolution(made, across, down, int(unit != _NO_UNIT))
    for tag, told in ((_X, x), (_Y, y)):
        if made.integers(_UNIT) != (unit,) or Fraction(*made.integers(tag)) != Fraction(*told):
            return None
    return Chunk(b"pHYs", struct.pack(">IIB", across, down, int(unit != _NO_UNIT)))


def _put_resolution(found: Directory, x: int, y: int, unit: int) -> None:
    """Dots a metre (unit 1), in inches where whole ones were meant, or a ratio."""
    if not x or not y or max(x, y) >= 2**31 or unit > 1:
        return
    if unit == 0:
        numbers, kind = [(x, 1), (y, 1)], _NO_UNIT
    else:
        inches = [round(each / _PER_INCH) for each in (x, y)]
        whole = all(each and round(each * _PER_INCH) == dots for each, dots in zip(inches, (x, y), strict=True))
        numbers = [(each, 1) for each in inches] if whole else [(each, 100) for each in (x, y)]
        kind = _INCH if whole else _CENTIMETRE
    for tag, number in zip((_X, _Y), numbers, strict=True):
        found.put(tag, RATIONAL, *number)
    found.put(_UNIT, SHORT, kind)
