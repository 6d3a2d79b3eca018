"""Samples of 16 bits as planes of their bytes, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def parted(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The bytes [2 C, H, W] of samples [C, H, W], the high ones first."""
    parts = np.stack([samples >> 8, samples & 255], 1).astype(np.uint8)
    return np.ascontiguousarray(parts.reshape(-1, *samples.shape[1:]))


def parted_samples(planes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Samples [C, H, W] of their bytes [2 C, H, W]."""
    found: NDArray[np.uint16] = (planes[::2].astype(np.uint16) << np.uint16(8)) | planes[1::2]
    return found
