"""A part of a tile: a stack of planes of samples, and how it is asked of a model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint16]
"""[C, H, W], channels in coding order: alpha and black first, then green, red, blue."""


@dataclass(frozen=True)
class Shape:
    """What a reader knows of a part: its samples are below ``values``, 1 to 65536."""

    channels: int
    height: int
    width: int
    values: int
    colours: NDArray[np.uint8] | None = None
    """Of a part of indices into the picture's palette: the palette, [entries, 3]."""
    share: float = 1.0
    """What of the tile it stands for."""

    @property
    def pixels(self) -> int:
        """Samples of a plane."""
        return self.height * self.width

    def of(self, channels: int, values: int) -> Shape:
        """A part that stands for this one, or for some channels of it."""
        share = self.share * min(1.0, channels / self.channels)
        return replace(self, channels=channels, values=values, colours=None, share=share)


@dataclass(frozen=True)
class Request:
    """Planes wanted of a model, uint8 [channels, H, W]."""

    member: int
    payload: bytes
    channels: int
    height: int
    width: int
    share: float
    """What of the tile they stand for."""


Decoding = Generator[Request, NDArray[np.uint8], Samples]
"""Asks for planes until it has its samples."""
