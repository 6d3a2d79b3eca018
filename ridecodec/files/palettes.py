"""Palettes that mean gray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def is_ramp(palette: NDArray[np.uint8], bits: int) -> bool:
    """Whether a palette, uint8 [entries, 3], has all grays of so many bits in their order."""
    count = 1 << bits
    values = np.arange(count) * (255 // (count - 1))
    return palette.shape == (count, 3) and bool((palette == values[:, None]).all())
