"""How far work is, as those who do it tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far the work is: pixels of all, and the bits that they took. Verifying begins with no pixels done again."""

    pixels_done: int
    pixels_total: int
    bits: float
    channels: int
