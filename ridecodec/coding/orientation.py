"""The eight flips and rotations of a picture."""

from __future__ import annotations

from torch import Tensor

WAYS = 8
"""Transposed or not, times upside down or not, times mirrored or not; way 0 leaves a picture as it is."""


def transform(planes: Tensor, way: int) -> Tensor:
    """Flip or rotate [..., H, W] by one of the 8 ways."""
    if way & 4:
        planes = planes.transpose(-1, -2)
    if way & 2:
        planes = planes.flip(-2)
    return planes.flip(-1) if way & 1 else planes


def inverse(planes: Tensor, way: int) -> Tensor:
    """Undo `transform`."""
    if way & 1:
        planes = planes.flip(-1)
    if way & 2:
        planes = planes.flip(-2)
    return planes.transpose(-1, -2) if way & 4 else planes
