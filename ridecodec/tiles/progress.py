"""Progress reports of compressing and decompressing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Pixels done, pixels in total, and bits used so far. When verification starts, `pixels_done` starts at 0 again."""

    pixels_done: int
    pixels_total: int
    bits: float
    channels: int
