"""Pixels that stand several times in a picture: where lines repeat, and which of several copies is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ridecodec.picture import Samples

_LINES = 64
"""Pixels of each line that are looked at."""


def crossing(planes: Samples, axis: int) -> Samples:
    """All lines along an axis of planes [C, H, W], 1 for rows, but of each only some pixels: [C, lines, pixels]."""
    length = planes.shape[3 - axis]
    at = np.unique(np.linspace(0, length - 1, min(length, _LINES)).astype(np.int64))
    return planes[:, :, at] if axis == 1 else planes[:, at].transpose(0, 2, 1)


def agreed(copies: tuple[Samples, Samples, Samples]) -> Samples:
    """Of three pictures [C, H, W], at each pixel what two of them have; the second where all differ."""
    first, second, third = copies
    trusted: NDArray[np.bool_] = (first == third).all(0)
    return np.where(trusted, first, second)
