"""The three rates of a picture: what the float model promises, what the integers allow, what the file takes.

All in bits per sub-pixel. The side information of the tiles (coefficients fitted to the picture, say) is part of the
model's message, so it counts in all three; the likelihood rate is otherwise the float model's discretised -log2 P, the
ideal length -log2 of the very integers that the coder uses, the achieved rate the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.codec import coding_planes, encode
from ridecodec.container import Box
from ridecodec.models import registry
from ridecodec.payload import split_payload
from ridecodec.picture import Picture
from ridecodec.tilecoder import EncodedTile


@dataclass(frozen=True)
class Rates:
    """Rates of one picture under one model."""

    likelihood: float | None
    """None for a model that has no float form."""
    ideal: float
    achieved: float
    sub_pixels: int
    bits_map: NDArray[np.float32]
    """[H, W] ideal bits of every pixel, all channels together."""
    data: bytes
    """The file."""


def evaluate(picture: Picture, *, model: str, device: str, threads: int, tile: int, floats: bool = True) -> Rates:
    """Code a picture and hold the file against the model; ``floats`` False leaves the float model out."""
    backend = registry.load(registry.current(model), registry.pick_device(device))
    bits_map = np.empty((picture.height, picture.width), np.float32)
    sides: list[float] = []
    promised: list[float | None] = []

    def look(box: Box, coded: EncodedTile) -> None:
        bits_map[box.y : box.y + box.height, box.x : box.x + box.width] = coded.bits
        side, _ = split_payload(coded.payload)
        sides.append(0.0 if backend.half is not None else 8.0 * len(side))  # a half's bits are in the map
        if floats:
            found = backend.likelihood(coding_planes(picture, box), side)
            promised.append(None if found is None else float(found.sum()))

    data = encode(picture, model=model, device=device, threads=threads, tile=tile, look=look)
    side_bits = sum(sides)
    known = [bits for bits in promised if bits is not None]
    count = picture.sub_pixels
    return Rates(
        (sum(known) + side_bits) / count if known else None,
        (float(bits_map.sum(dtype=np.float64)) + side_bits) / count,
        8 * len(data) / count,
        count,
        bits_map,
        data,
    )
