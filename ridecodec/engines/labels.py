"""Labels: a tile is of one of some classes, which its side information names; the encoder takes the cheapest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import split_payload
from ridecodec.engines.tilecoder import Draw, EncodedTile, Settle, Tick, TileCodec


class Labels(TileCodec):
    """A tile codec that tries all labels, where none is given."""

    def __init__(self, inner: TileCodec, classes: int) -> None:
        self.inner, self.classes = inner, classes
        self.name, self.engine = inner.name, inner.engine
        self.tile, self.largest_tile, self.bounded = inner.tile, inner.largest_tile, inner.bounded

    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        if label is not None:
            return self.inner.encode(pixels, tick, label)
        found = [self.inner.encode(pixels, lambda pixels, bits: tick(0, 0.0), label) for label in range(self.classes)]
        bits = [float(each.bits.sum(dtype=np.float64)) for each in found]
        least = int(np.argmin(bits))
        tick(pixels[0].size, bits[least])
        return found[least]

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        return self.inner.decode(payloads, channels, height, width, tick)

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        return self.inner.likelihood(pixels, side)

    def side_information(self, pixels: NDArray[np.uint8], label: int | None = None) -> bytes:
        return split_payload(self.encode(pixels, lambda pixels, bits: None, label).payload)[0]

    def draw(
        self, symbols: Draw, settle: Settle, channels: int, height: int, width: int, side: bytes, tick: Tick
    ) -> NDArray[np.uint8]:
        return self.inner.draw(symbols, settle, channels, height, width, side, tick)

    def tile_bytes(self, pixels: int) -> int:
        return self.inner.tile_bytes(pixels)

    def batch(self, height: int, width: int) -> int:
        return self.inner.batch(height, width)
