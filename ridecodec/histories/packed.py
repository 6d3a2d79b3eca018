"""Numbers of 24 bits in the three channels of a colour, as elevation in Terrain-RGB and Terrarium tiles has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame, History
from ridecodec.picture import ColourType, Picture, Samples

_ROWS = 64
"""Rows that are looked at."""
_BITS = 24
_CARRIES, _SHARE = 32, 1 / 512
"""Pairs of pixels, and share of all, between which a byte overflows while the number changes by less than half."""
_SMOOTH, _STEP = 0.9, 1 << 13
"""Share of pairs whose numbers are no further apart than a step."""
_FIT = 0.98
"""Share of the numbers that 16 bits hold, if no byte is split off."""

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Packed(History):
    """8-bit RGB: red, green and blue are the bytes of a number, high to low, which is ``base`` more than the source's.

    The source is 16-bit gray; if ``split``, of the number without its low byte, which is a second picture, 8-bit gray.
    """

    number: ClassVar[int] = 7
    name: ClassVar[str] = "packed"

    base: int
    split: bool

    @classmethod
    def detect(cls, picture: Picture) -> Packed | None:
        """Judged by some rows: numbers change little where bytes overflow."""
        if picture.colour is not ColourType.RGB or picture.bit_depth != 8 or picture.width < 2:
            return None
        some = _numbers(picture.planes[:, :: -(-picture.height // _ROWS)])
        steps = np.abs(np.diff(some))
        carried = sum(int(((np.diff(some >> bits) != 0) & (steps < 1 << bits - 1)).sum()) for bits in (8, 16))
        if carried < max(_CARRIES, _SHARE * steps.size) or (steps < _STEP).mean() < _SMOOTH:
            return None
        base, held = _window(_numbers(picture.planes))
        return cls(base, False) if held >= _FIT else cls(0, True)

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> Packed:
        """One byte, 1 if a byte is split off, and three of the base, high to low."""
        if len(parameters) != 4 or parameters[0] > 1 or frame.colour is not ColourType.RGB or frame.bit_depth != 8:
            raise DamagedError("the history is damaged: its parameters are not those of packed numbers")
        return cls(int.from_bytes(parameters[1:], "big"), bool(parameters[0]))

    def write(self) -> bytes:
        """Four bytes."""
        return bytes([self.split]) + self.base.to_bytes(3, "big")

    @property
    def words(self) -> str:
        """What was done, for people."""
        return "numbers of 24 bits" if self.split else "numbers of 16 bits in RGB"

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """The numbers, and the low byte if it is split off."""
        high = Frame(frame.width, frame.height, ColourType.GRAY, 16)
        return (high, Frame(frame.width, frame.height, ColourType.GRAY, 8)) if self.split else (high,)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """The numbers; those that do not fit are the nearest ones that do."""
        above = (_numbers(picture.planes) - self.base)[None]
        if self.split:
            above &= (1 << _BITS) - 1
            return (above >> 8).astype(np.uint16), (above & 255).astype(np.uint8)
        return (np.clip(above, 0, 65535).astype(np.uint16),)

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The same pixels."""
        return (box, box) if self.split else (box,)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """The bytes of the numbers, which are modulo 2^24."""
        number = source[0][0].astype(np.int32)
        if self.split:
            number = number << 8 | source[1][0]
        number += self.base
        return np.stack([number >> shift & 255 for shift in (16, 8, 0)]).astype(np.uint8)


def _numbers(planes: Samples) -> Numbers:
    red, green, blue = planes.astype(np.int32)
    found: Numbers = red << 16 | green << 8 | blue
    return found


def _window(numbers: Numbers) -> tuple[int, float]:
    """The base from which on 16 bits hold most numbers, and what share they hold."""
    values, counts = np.unique(numbers, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    held = before[np.searchsorted(values, values + 65536)] - before[:-1]
    best = int(held.argmax())
    return int(values[best]), float(held[best] / numbers.size)
