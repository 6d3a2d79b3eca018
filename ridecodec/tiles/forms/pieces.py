"""Pieces of a large part that stand for the whole: they lie where a code is likely to be spent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ridecodec.tiles.forms.part import Samples

_SIDE = 56
_LEAST, _SHARE = 3, 24
"""Pieces of a part at least, and pixels of the part for each that a piece has."""
_FLAT = 0.05
"""What a pixel that is as its neighbours weighs; one that differs from them by 1 weighs 1."""


class Pieces:
    """Where they are, and how much of the part's code they stand for."""

    def __init__(self, part: Samples) -> None:
        weights = _weights(part)
        height, width = weights.shape
        rows = _cuts(height, max(1, round(height / _SIDE)))
        columns = _cuts(width, max(1, round(width * rows[1] / _SIDE**2)))
        sums = np.add.reduceat(np.add.reduceat(weights, rows[:-1], 0), columns[:-1], 1)
        count = max(_LEAST, weights.size // (_SHARE * _SIDE**2))
        upto = np.cumsum(sums.reshape(-1))
        chosen = np.unique(np.searchsorted(upto, (np.arange(count) + 0.5) / count * upto[-1]))
        self.places = [
            (slice(rows[y], rows[y + 1]), slice(columns[x], columns[x + 1]))
            for y, x in (divmod(int(block), len(columns) - 1) for block in chosen)
        ]
        self._share = float(self.sum(weights) / upto[-1])

    def sum(self, per_pixel: NDArray[np.float32]) -> float:
        """Of a map [H, W]: what the pieces have of it."""
        return float(sum(per_pixel[place].sum(dtype=np.float64) for place in self.places))

    def whole(self, of_pieces: float) -> float:
        """What the part is likely to take where the pieces take so much."""
        return of_pieces / self._share


def _cuts(length: int, parts: int) -> NDArray[np.int64]:
    return np.linspace(0, length, min(parts, length) + 1).astype(np.int64)


def _weights(part: Samples) -> NDArray[np.float32]:
    """About the bits of each pixel [H, W], up to a factor."""
    found = np.full(part.shape[1:], _FLAT, np.float32)
    for plane in part:
        found += np.log2(1 + differences(plane), dtype=np.float32)
    return found


def differences(plane: NDArray[np.uint16]) -> NDArray[np.int32]:
    """How far each sample of a plane [H, W] is from the nearer one of those to the left and above."""
    values = plane.astype(np.int32)
    left, up = (np.full(plane.shape, 1 << 16, np.int32) for _ in range(2))
    left[:, 1:] = np.abs(values[:, 1:] - values[:, :-1])
    up[1:] = np.abs(values[1:] - values[:-1])
    nearer = np.minimum(left, up)
    nearer[0, 0] = 0
    return nearer
