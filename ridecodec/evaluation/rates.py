"""The three rates of a picture: what the float model promises, what the integers allow, what the file takes.

All in bits per sub-pixel. The side information of the tiles (the class of a picture, say) is part of the
model's message, so it counts in all three; the likelihood rate is otherwise the float model's discretised -log2 P, the
ideal length -log2 of the very integers that the coder uses, the achieved rate the whole file.
"""

from __future__ import annotations

import numpy as np

from ridecodec.box import Box
from ridecodec.container import rdc
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.payload import split_payload
from ridecodec.container.rdc import Container
from ridecodec.engines.tilecoder import EncodedTile
from ridecodec.evaluation.results import Rates
from ridecodec.models import registry
from ridecodec.picture import Picture
from ridecodec.tiles import autocodec
from ridecodec.tiles.codec import coding_planes, encode


def evaluate(
    picture: Picture, *, model: str, device: str, threads: int, tile: int, history: str = "auto", floats: bool = True
) -> Rates:
    """Code a picture and hold the file against its model; ``floats`` False leaves the float model out."""
    if model == AUTO:
        data = encode(picture, model=AUTO, device=device, threads=threads, tile=tile, history=history)
        held = rdc.read(data)
        if held.header.model in (AUTO, HISTORY):
            return _spread(held, data)
        model, tile = held.header.model, tile or autocodec.TILE
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
        model,
        (sum(known) + side_bits) / count if known else None,
        (float(bits_map.sum(dtype=np.float64)) + side_bits) / count,
        8 * len(data) / count,
        count,
        bits_map,
        data,
    )


def _spread(held: Container, data: bytes) -> Rates:
    """Of a file in forms, which has no rates but its own: the bits of each tile are spread over its pixels.

    Those of a source are spread over the whole picture.
    """
    header = held.header
    bits_map = np.empty((header.height, header.width), np.float32)
    if held.history:
        bits_map[...] = 8 * held.lengths.sum() / bits_map.size
    for box, length in zip(header.boxes, held.lengths.tolist(), strict=True) if not held.history else ():
        bits_map[box.y : box.y + box.height, box.x : box.x + box.width] = 8 * length / (box.width * box.height)
    return Rates(AUTO, None, None, 8 * len(data) / header.sub_pixels, header.sub_pixels, bits_map, data)
