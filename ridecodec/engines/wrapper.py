"""Tile codecs around another one: ensembles, labels and halves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import Draw, Settle, Tick, TileCodec


class Wrapper(TileCodec):
    """A tile codec that leaves to another one what a subclass does not do itself; `encode` is always its own."""

    def __init__(self, inner: TileCodec) -> None:
        self.inner, self.name, self.engine = inner, inner.name, inner.engine
        self.tile, self.largest_tile = inner.tile, inner.largest_tile
        self.classes, self.bounded = inner.classes, inner.bounded

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        return self.inner.decode(payloads, channels, height, width, tick)

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        return self.inner.likelihood(pixels, side)

    def draw(
        self, symbols: Draw, settle: Settle, channels: int, height: int, width: int, side: bytes, tick: Tick
    ) -> NDArray[np.uint8]:
        return self.inner.draw(symbols, settle, channels, height, width, side, tick)

    def tile_bytes(self, pixels: int) -> int:
        return self.inner.tile_bytes(pixels)

    def batch(self, height: int, width: int) -> int:
        return self.inner.batch(height, width)


def quiet(tick: Tick) -> Tick:
    """A tick that can stop the work but does not count it."""
    return lambda pixels, bits: tick(0, 0.0)
