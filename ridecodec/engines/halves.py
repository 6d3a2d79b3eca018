"""Two scales: a tile is coded at half its size first (every second pixel of every second row), then its other pixels,
by a model that is told the half (PixelRNN paper, https://arxiv.org/abs/1601.06759, section 3.4).

The payload of the half stands in the place of the side information.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import join_payload, split_payload
from ridecodec.engines.tilecoder import EncodedTile, Tick, TileCodec
from ridecodec.engines.wrapper import Wrapper, quiet


class Halves(Wrapper):
    """A tile codec of the whole, whose side information is the half, raw; and one of the half."""

    half: TileCodec

    def __init__(self, whole: TileCodec, half: TileCodec) -> None:
        super().__init__(whole)
        self.half = half

    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        half = self.half.encode(np.ascontiguousarray(pixels[:, ::2, ::2]), quiet(tick))
        found = self.inner.encode(pixels, quiet(tick))
        _, code = split_payload(found.payload)
        bits = found.bits.copy()
        bits[::2, ::2] = half.bits
        tick(bits.size, float(bits.sum(dtype=np.float64)))
        return EncodedTile(join_payload(half.payload, code), bits)

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        parts = [split_payload(payload) for payload in payloads]
        size = (height + 1) // 2, (width + 1) // 2
        small = self.half.decode([half for half, _ in parts], channels, *size, quiet(tick))
        whole = [join_payload(half.tobytes(), code) for half, (_, code) in zip(small, parts, strict=True)]
        return self.inner.decode(whole, channels, height, width, tick)

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        small = np.ascontiguousarray(pixels[:, ::2, ::2])
        found = self.inner.likelihood(pixels, small.tobytes())
        half = self.half.likelihood(small, b"")
        if found is None or half is None:
            return None
        both: NDArray[np.float64] = found.copy()
        both[::2, ::2] = half
        return both
