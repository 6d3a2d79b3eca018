"""One tile and its payload, whatever model and engine code it: the contract that all above the models knows.

A payload is the side information's length (varint), the side information, and the code. Sub-pixels are coded front by
front; in a front channel by channel, first all high nibbles, then all low ones, pixels by row. Where distributions
learn, all decisions of a pixel come one after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import split_payload

Tick = Callable[[int, float], None]
"""Called with the pixels and bits that were finished since the last call; may raise to stop the work."""


Draw = Callable[[NDArray[np.float32]], NDArray[np.int64]]
"""One symbol for every row of a table [m, K] of integers that sum to 2^24 - K; K is 16, or 2 for decisions."""
Settle = Callable[[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
"""The values [m] of a channel at rows and columns, given those that were drawn there."""


@dataclass(frozen=True)
class EncodedTile:
    """A payload and the ideal code length of every pixel in it."""

    payload: bytes
    bits: NDArray[np.float32]  # [H, W], all channels together


class TileCodec(ABC):
    """Codes tiles by one model on one engine. Samples are uint8 [C, H, W], channels in coding order."""

    name: str
    engine: str
    """What runs the model, in words."""
    tile: int = 1024
    """Default side of a tile."""
    largest_tile: int = 1 << 11
    """Largest side of a tile: bounds the memory that a file can make a decoder take, and what an encoder needs."""
    classes: int = 0
    """How many labels the model knows; a tile's is part of its side information then."""
    code: int = 0
    """How many bytes of a tile's side information an encoder makes: what an auto-encoder draws from."""
    bounded: bool = False
    """Whether the model learnt what pictures look like at their borders, so that a sample needs no margin of noise."""
    half: TileCodec | None = None
    """Codes every tile at half its size first."""

    @abstractmethod
    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        """Code a tile; ``label``: its class, for models that know some."""

    def encode_batch(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> list[EncodedTile]:
        """Code equal tiles, uint8 [B, C, H, W]."""
        return [self.encode(each, tick, label) for each in pixels]

    @abstractmethod
    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        """Decode a batch of equal tiles -> uint8 [B, C, H, W]; raises DamagedError."""

    @abstractmethod
    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        """Float code length of every pixel of a tile, bits [H, W], given its payload's side information; or None."""

    def side_information(self, pixels: NDArray[np.uint8], label: int | None = None) -> bytes:
        """What the encoder tells the decoder about a tile beforehand."""
        return b""

    @abstractmethod
    def draw(
        self, symbols: Draw, settle: Settle, channels: int, height: int, width: int, side: bytes, tick: Tick
    ) -> NDArray[np.uint8]:
        """A tile [C, H, W] as a decoder would walk it, its symbols from elsewhere: ancestral sampling."""

    @abstractmethod
    def tile_bytes(self, pixels: int) -> int:
        """Bytes of memory that a tile of so many pixels takes, about."""

    def batch(self, height: int, width: int) -> int:
        """How many tiles of this size are best coded together."""
        return 1


def encode_tile(codec: TileCodec, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
    """Code a tile (see `TileCodec.encode`)."""
    return codec.encode(pixels, tick, label)


def decode_tiles(
    codec: TileCodec, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    """Decode a batch of equal tiles (see `TileCodec.decode`)."""
    return codec.decode(payloads, channels, height, width, tick)


def decode_halves(
    codec: TileCodec, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    """Decode only the tiles at half their size, of a model that has them: uint8 [B, C, ceil(H / 2), ceil(W / 2)]."""
    assert codec.half is not None
    halves = [split_payload(payload)[0] for payload in payloads]
    return codec.half.decode(halves, channels, (height + 1) // 2, (width + 1) // 2, tick)
