"""Colours that were YCbCr, as those of photographs out of JPEG files and of frames of video are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ridecodec.box import Box
from ridecodec.errors import DamagedError
from ridecodec.histories import chroma, ycbcrtraces
from ridecodec.histories.base import Frame, History
from ridecodec.histories.conversions import WORDS, conversion
from ridecodec.histories.lattice import find, fitting
from ridecodec.histories.sampling import SAMPLINGS
from ridecodec.picture import ColourType, Picture, Samples


@dataclass(frozen=True)
class YCbCr(History):
    """8-bit RGB, with or without alpha, that was made of Y, and of Cb and Cr of fewer samples.

    The source's pictures are Cb, Cr and Y, and alpha if there is one, all of them gray.
    """

    number: ClassVar[int] = 2
    name: ClassVar[str] = "ycbcr"

    conversion: int
    sampling: int

    @classmethod
    def detect(cls, picture: Picture) -> YCbCr | None:
        """Judged by how many colours the conversions give, and by how chroma repeats in some blocks."""
        if picture.colour not in (ColourType.RGB, ColourType.RGBA) or picture.bit_depth != 8:
            return None
        found = ycbcrtraces.traces(picture.planes[:3].view(np.uint8))
        return None if found is None else cls(found[0], found[1])

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> YCbCr:
        """Two bytes: the numbers of the conversion and of the sampling."""
        if len(parameters) != 2 or parameters[0] >= len(WORDS) or parameters[1] >= len(SAMPLINGS):
            raise DamagedError("the history is damaged: it has a conversion of YCbCr that does not exist")
        if frame.colour not in (ColourType.RGB, ColourType.RGBA) or frame.bit_depth != 8:
            raise DamagedError("the history is damaged: it has a conversion of YCbCr, but no 8-bit colours")
        return cls(parameters[0], parameters[1])

    def write(self) -> bytes:
        """The numbers of the conversion and of the sampling."""
        return bytes([self.conversion, self.sampling])

    @property
    def words(self) -> str:
        """Such as `YCbCr 4:2:0, JFIF`."""
        return f"YCbCr {SAMPLINGS[self.sampling].words}, {WORDS[self.conversion]}"

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """Cb, Cr, Y and alpha."""
        rows, columns = SAMPLINGS[self.sampling].size(frame.height, frame.width)
        plane = Frame(columns, rows, ColourType.GRAY, 8)
        whole = Frame(frame.width, frame.height, ColourType.GRAY, 8)
        return plane, plane, *(whole,) * (frame.channels - 2)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """Chroma so that most pixels come out right, and then the Y of each pixel that fits it."""
        sampling, conversion_ = SAMPLINGS[self.sampling], conversion(self.conversion)
        colours = np.ascontiguousarray(picture.planes[:3].view(np.uint8))
        found = find(conversion_, colours)
        planes = chroma.recover(sampling, conversion_, colours, found)
        spread = (sampling.whole(plane, picture.height, picture.width).reshape(-1) for plane in planes)
        cb, cr = spread
        y = np.clip(found.y.reshape(-1), 0, 255)
        open_ = np.flatnonzero(~found.known.reshape(-1) | (cb != found.cb.reshape(-1)) | (cr != found.cr.reshape(-1)))
        first, last, missed = fitting(conversion_, colours.reshape(3, -1)[:, open_], cb[open_], cr[open_])
        y[open_] = np.where(missed > 0, y[open_], np.clip(y[open_], first, last))
        alpha = (np.ascontiguousarray(each[None]) for each in picture.planes[3:])
        return planes[:1], planes[1:], y.astype(np.uint8).reshape(1, picture.height, picture.width), *alpha

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The chroma samples that the pixels depend on."""
        plane = SAMPLINGS[self.sampling].needs(box, frame.height, frame.width)
        return plane, plane, *(box,) * (frame.channels - 2)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """Spread the chroma, and convert."""
        sampling = SAMPLINGS[self.sampling]
        cb, cr = (sampling.spread(each[0].view(np.uint8), box, frame.height, frame.width) for each in source[:2])
        colours = conversion(self.conversion).rgb(source[2][0].view(np.uint8), cb, cr)
        return np.concatenate([colours, *source[3:]])
