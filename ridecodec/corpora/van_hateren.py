"""The raw files of van Hateren's and van der Schaaf's natural images, .iml and .imc."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError

SHAPE = (1024, 1536)
"""Rows and columns of every picture."""
SIZE = 2 * SHAPE[0] * SHAPE[1]
"""Bytes of every file."""


def load(path: str | Path) -> NDArray[np.uint16]:
    """The intensities of a picture, uint16 [1024, 1536]: linear in .iml files, nearly so in .imc files.

    The file is the samples alone, two bytes each, the higher one first, row by row. Raises InputError.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(SIZE + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) != SIZE:
        has = f"{len(data):,}" if len(data) < SIZE else f"more than {SIZE:,}"
        raise InputError(f"{path}: has {has} bytes instead of {SIZE:,}; give a complete, unpacked .iml or .imc file")
    return np.frombuffer(data, ">u2").astype(np.uint16).reshape(SHAPE)
