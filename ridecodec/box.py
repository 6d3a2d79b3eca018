"""Rectangles of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.picture import Samples


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture, in pixels; `x`, `y` is its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, samples: Samples, within: Box) -> Samples:
        """The samples [C, H, W] of this box, a view of those of `within`."""
        top, left = self.y - within.y, self.x - within.x
        return samples[:, top : top + self.height, left : left + self.width]

    def shared(self, other: Box) -> Box:
        """The pixels that are in both; there are some."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, bottom - y)
