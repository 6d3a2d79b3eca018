"""What every backend must do, whatever it predicts. All tests of models go through these functions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

import ridecodec
from ridecodec.container import rdc
from ridecodec.engines.tilecoder import TileCodec
from ridecodec.models import registry

EITHER = ("uniform", "gradient", "photo")
"""The models that code gray and RGB alike."""
_KINDS = ("pixelcnn", "gated", "conditional", "autoencoder", "pixelrnn", "multiscale", "mixture", "ride")
CIFAR = tuple(f"{kind}-cifar" for kind in _KINDS)
"""The models for small pictures."""
QUICK = 16
"""Sides of their pictures where many are made."""
MODELS = (*EITHER, "mcgsm-gray", "eomcgsm-gray", "ride-gray", "eoride-gray", "ride-rgb", *CIFAR)
CPU = torch.device("cpu")


def codec(name: str) -> TileCodec:
    """What codes tiles by the current model of this name, on the CPU."""
    return registry.load(registry.current(name), "cpu")


def fit(model: str, array: NDArray[np.uint8], most: int = 32) -> NDArray[np.uint8]:
    """A picture [H, W] or [H, W, 3] as the model codes it: its green, or thrice its gray; a corner of large ones."""
    if model in CIFAR:
        array = array[:most, :most]
    channels = registry.current(model).channels
    if (1 if array.ndim == 2 else 3) in channels:
        return array
    return np.ascontiguousarray(array[:, :, 1]) if 1 in channels else np.repeat(array[:, :, None], 3, 2)


def side(model: str, tile: int) -> int:
    """A tile size that the model can have, ``tile`` or one more: some halve their tiles."""
    return tile + (codec(model).half is not None and tile % 2)


def label(model: str) -> int | None:
    """One of the model's, if it has some; without one an encoder tries them all."""
    return 3 if codec(model).classes else None


def coding_planes(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [H, W] or [H, W, 3] as a tile in coding order [C, H, W]: green first."""
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)[[1, 0, 2]]


def check_round_trip(array: NDArray[np.uint8], model: str, tile: int = 0) -> bytes:
    """Compress and decompress a picture [H, W] or [H, W, 3], in colours that the model codes; gives the file."""
    array = fit(model, array)
    data = ridecodec.compress(array, model=model, tile=side(model, tile), label=label(model), verify=False)
    again = ridecodec.decompress(data).to_numpy()
    assert again.dtype == np.uint8
    assert np.array_equal(again, array)
    held = rdc.read(data)
    assert (held.header.width, held.header.height) == (array.shape[1], array.shape[0])
    assert held.header.model_hash.hex() == registry.current(model).hash
    return data
