"""Ensembles over the eight flips and rotations of a tile (RIDE paper, https://arxiv.org/abs/1506.03478, section 3.1).

A tile is coded in the best of its orientations: the side information begins with a byte that says which. The mixture
over the orientations is never above the best of them, so the code is at most log2 8 = 3 bits longer than the mixture's
own, beside the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import join_payload, split_payload
from ridecodec.engines.tilecoder import EncodedTile, Tick
from ridecodec.engines.wrapper import Wrapper, quiet
from ridecodec.errors import DamagedError

T = TypeVar("T", bound=np.generic)
WAYS = 8
"""Transposed or not, times upside down or not, times mirrored or not; way 0 leaves a picture as it is."""
_TRANSPOSED, _UPSIDE_DOWN, _MIRRORED = 4, 2, 1


def transform(planes: NDArray[T], way: int) -> NDArray[T]:
    """Flip or rotate [..., H, W] by one of the 8 ways."""
    if way & _TRANSPOSED:
        planes = planes.swapaxes(-1, -2)
    if way & _UPSIDE_DOWN:
        planes = planes[..., ::-1, :]
    return planes[..., ::-1] if way & _MIRRORED else planes


def inverse(planes: NDArray[T], way: int) -> NDArray[T]:
    """Undo `transform`."""
    if way & _MIRRORED:
        planes = planes[..., ::-1]
    if way & _UPSIDE_DOWN:
        planes = planes[..., ::-1, :]
    return planes.swapaxes(-1, -2) if way & _TRANSPOSED else planes


class Orientations(Wrapper):
    """A tile codec that tries all orientations."""

    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        best, chosen, least = None, 0, 0.0
        for way in range(WAYS):
            turned = transform(pixels, way).copy()
            found = self.inner.encode(turned, quiet(tick), label)
            bits = float(found.bits.sum(dtype=np.float64))
            if best is None or bits < least:
                best, chosen, least = found, way, bits
        assert best is not None
        tick(pixels[0].size, least)
        side, code = split_payload(best.payload)
        turned_back = inverse(best.bits, chosen).copy()
        return EncodedTile(join_payload(bytes([chosen]) + side, code), turned_back)

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        parts = [split_payload(payload) for payload in payloads]
        ways = [_way(side) for side, _ in parts]
        out = np.empty((len(parts), channels, height, width), np.uint8)
        for turned in (False, True):
            chosen = [i for i, way in enumerate(ways) if bool(way & _TRANSPOSED) is turned]
            if chosen:
                inner = [join_payload(parts[i][0][1:], parts[i][1]) for i in chosen]
                size = (width, height) if turned else (height, width)
                for i, planes in zip(chosen, self.inner.decode(inner, channels, *size, tick), strict=True):
                    out[i] = inverse(planes, ways[i])
        return out

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        turned = transform(pixels, side[0]).copy()
        found = self.inner.likelihood(turned, side[1:])
        return None if found is None else inverse(found, side[0])


def _way(side: bytes) -> int:
    if not side or side[0] >= WAYS:
        raise DamagedError("the pixel data is damaged: the orientation of its tile is missing or not valid")
    return side[0]
