"""Arrays of any shape as pictures, for libraries that store arrays in chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `InputError` for types other than uint8 and uint16."""
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise InputError(f"arrays of {dtype} are not supported, only uint8 and uint16")


def as_picture(array: NDArray[Any]) -> NDArray[Any]:
    """Return a C-contiguous array as one picture, [H, W] or [H, W, C].

    The last two axes are rows and columns, or the last three if the last one has 2 to 4 channels; pictures
    along the axes before them are stacked vertically, and axes of length one are ignored.
    """
    shape = [extent for extent in array.shape if extent != 1]
    if len(shape) < 2:
        return array.reshape(1, -1)
    if len(shape) > 2 and shape[-1] <= 4:
        return array.reshape(-1, *shape[-2:])
    return array.reshape(-1, shape[-1])
