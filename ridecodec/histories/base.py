"""The contract of a history: something that was done to a picture, as an exact integer map from a source to it.

The source is one or more pictures of their own sizes, types and depths: planes of 8 or 16 bits, or whole pictures. A
history only states the map (`redo`) and finds a source (`undo`). What the map does not give, the exceptions, is up to
the stage alone, which compares `redo(undo(picture))` with the picture and stores the differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ridecodec.box import Box
from ridecodec.picture import ColourType, Picture, Samples

MOST_PARAMETERS = 1 << 18
"""Bytes of parameters that a history may have."""


@dataclass(frozen=True)
class Frame:
    """A picture without its samples: size, type and bits per sample.

    A frame of an indexed type shares the palette of the picture in the file.
    """

    width: int
    height: int
    colour: ColourType
    bit_depth: int

    @classmethod
    def of(cls, picture: Picture) -> Frame:
        """The frame of a picture."""
        return cls(picture.width, picture.height, picture.colour, picture.bit_depth)

    @property
    def channels(self) -> int:
        """Samples of each pixel."""
        return self.colour.channels

    @property
    def samples(self) -> int:
        """Samples of all pixels."""
        return self.width * self.height * self.channels

    @property
    def box(self) -> Box:
        """All of it."""
        return Box(0, 0, self.width, self.height)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of the samples: uint16 for 16 bits, else uint8."""
        return np.uint16 if self.bit_depth == 16 else np.uint8


class History(ABC):
    """One thing that was done to a picture, with its parameters, which are the attributes of the object.

    Histories are frozen dataclasses, so that equal parameters make equal histories. All arithmetic of `redo` is of
    exact integers, which docs/format.md states; the number and the version name these formulas for ever.

    Arrays of samples are [C, H, W], channels in the order of the colour type, of the frame's dtype.
    """

    number: ClassVar[int]
    """In files, 1 to 255; unique, and never reused."""
    version: ClassVar[int] = 1
    """Of the formulas; a file of another version needs another ridecodec."""
    name: ClassVar[str]
    """On the command line, such as `photo-cd`."""

    @classmethod
    @abstractmethod
    def detect(cls, picture: Picture) -> History | None:
        """The history that a picture seems to have, judged by a sample of its pixels; None where it has not.

        It takes every picture (all types, depths and sizes from 1 x 1), and has to be cheap: a few milliseconds per
        megapixel. What it finds may be wrong: the stage checks that it pays.
        """

    @classmethod
    @abstractmethod
    def read(cls, parameters: bytes, frame: Frame) -> History:
        """The history that `write` wrote, of a picture with this frame.

        Raises `DamagedError` for parameters that `write` does not give, that leave bytes over, or that do not fit the
        frame. No memory is taken for more than the parameters or the frame hold.
        """

    @abstractmethod
    def write(self) -> bytes:
        """The parameters, at most `MOST_PARAMETERS` bytes; integers as varints (`ridecodec.varint`) where they vary."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What was done, for people: `Photo CD 4:2:0`, `each pixel 2 x 2 times`."""

    @abstractmethod
    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """The frames of the source's pictures, in the order in which they are coded; at least one.

        They have at least one pixel each, and in total no more than twice the samples of the picture and 4096 more.
        """

    @abstractmethod
    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """The samples of the source, one array for each of `sources`.

        Where several sources give the same picture, it gives one that is easily coded: smooth where nothing says
        otherwise. It need not be right everywhere.
        """

    @abstractmethod
    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """What of each of the source's pictures the pixels in `box` depend on: not empty, and inside of the picture."""

    @abstractmethod
    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """The samples of the pixels in `box`, [C, box.height, box.width].

        `source` has the samples of the boxes that `needs(frame, box)` gives. Any samples are taken, as files may hold
        any; where a value would be out of range, the map is defined all the same (clipped, or modulo 2^bits).
        """
