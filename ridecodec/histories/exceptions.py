"""Pixels that a history does not give: where they are, and by how much they differ.

In a square of a picture they are two parts: a plane of 0 and 1, and, for the pixels that have 1, row by row, the
differences to what the history gives, as a picture one pixel high. A difference is taken modulo 2^8, or 2^16 for 16
bits, and numbered by size: 0, -1, 1, -2, 2, and so on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.picture import Samples


def places(difference: Samples) -> NDArray[np.bool_]:
    """Where a difference [C, H, W] is not zero, [H, W]."""
    found: NDArray[np.bool_] = (difference != 0).any(0)
    return found


def folded(difference: Samples, where: NDArray[np.bool_]) -> Samples:
    """The numbers of the differences of some pixels, [C, 1, n]."""
    signed: NDArray[Any] = difference[:, where].view(np.int16 if difference.dtype == np.uint16 else np.int8)
    numbers: Samples = np.where(signed < 0, -2 * (signed + 1) + 1, 2 * signed).astype(difference.dtype)
    return numbers[:, None]


def put(difference: Samples, where: NDArray[np.bool_], numbers: Samples) -> None:
    """Set the differences of some pixels, of their numbers [C, 1, n]."""
    half = numbers[:, 0] >> 1
    difference[:, where] = np.where(numbers[:, 0] & 1, ~half, half)
