"""Planes with gaps, filled smoothly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32]


def filled(plane: Integers, known: NDArray[np.bool_]) -> Integers:
    """A plane [H, W] whose unknown values are means of known ones nearby: of halves of halves, enlarged again."""
    if known.all():
        return plane
    if plane.size == 1:
        return np.zeros_like(plane)
    height, width = plane.shape
    odd = ((0, height % 2), (0, width % 2))
    count = _quarters(np.pad(known.astype(np.int32), odd))
    total = _quarters(np.pad(np.where(known, plane, 0).astype(np.int32), odd))
    mean = (total + count // 2) // np.maximum(count, 1)
    coarse = filled(mean, count > 0)
    return np.where(known, plane, _enlarged(coarse)[:height, :width])


def _quarters(plane: Integers) -> Integers:
    rows = plane[::2] + plane[1::2]
    total: Integers = rows[:, ::2] + rows[:, 1::2]
    return total


def _enlarged(plane: Integers) -> Integers:
    """Twice as high and wide: of the four nearest, the nearer ones three times."""
    for axis in (0, 1):
        ends = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], "edge")
        before, after = np.take(ends, range(plane.shape[axis]), axis), ends.take(range(2, plane.shape[axis] + 2), axis)
        plane = np.stack([3 * plane + before + 2 >> 2, 3 * plane + after + 2 >> 2], axis + 1)
        plane = plane.reshape([-1 if a == axis else plane.shape[a if a < axis else a + 1] for a in (0, 1)])
    return plane
