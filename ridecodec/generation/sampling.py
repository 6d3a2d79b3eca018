"""Ancestral sampling from any exact backend, along the wavefront, with the very integers that the codec uses.

A value is drawn as the decoder would decode it: high nibble, then low, each from its table of 2^24. The random
numbers are the raw output of PCG64, so a seed gives the same picture on every machine and with every NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import TileCodec
from ridecodec.exact.tables import VALUES
from ridecodec.picture import CODING_ORDER

MARGIN = 8
"""Pixels of marginal noise above a sample and on its left and right."""
_DRAW_BITS = 24
_HALF = 1 << 62
"""Between the seeds of a sample and of what is drawn before it."""
_NOISE = (128.0, 45.0)


@dataclass(frozen=True)
class Known:
    """Pixels that are not drawn but given."""

    values: NDArray[np.uint8]
    """[C, H, W], channels in coding order."""
    mask: NDArray[np.bool_]
    """[H, W], true where the values count."""


class Numbers:
    """A stream of whole numbers that depends on nothing but its seed."""

    def __init__(self, seed: int) -> None:
        self.source = np.random.PCG64(seed)

    def below(self, limit: int, count: int) -> NDArray[np.int64]:
        """``count`` numbers of [0, limit), limit at most 2^24."""
        bits = self.source.random_raw(count) >> np.uint64(64 - _DRAW_BITS)
        scaled: NDArray[np.int64] = (bits.astype(np.int64) * limit) >> _DRAW_BITS
        return scaled


def sample(
    codec: TileCodec,
    channels: int,
    height: int,
    width: int,
    seed: int,
    known: Known | None = None,
    limits: tuple[int, int] = (0, VALUES - 1),
    tick: Callable[[int], None] | None = None,
    side: bytes = b"",
) -> NDArray[np.uint8]:
    """Draw a tile, uint8 [C, H, W], channels in coding order.

    What is drawn is clamped to ``limits``; ``tick`` is told the pixels of every front that is finished. ``side``: the
    side information; a model that fits itself to pictures takes part with its defaults where it is empty. Of a model
    that codes the tile at half its size first, that is drawn first.
    """
    numbers = Numbers(seed)
    if codec.half is not None:
        half = sample(codec.half, channels, (height + 1) // 2, (width + 1) // 2, seed ^ _HALF, None, limits)
        side, known = half.tobytes(), _among(half, height, width)

    def settle(c: int, y: NDArray[np.int64], x: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        values = values.clip(*limits)
        return values if known is None else np.where(known.mask[y, x], known.values[c, y, x], values)

    def count(pixels: int, bits: float) -> None:
        if tick is not None:
            tick(pixels)

    return codec.draw(lambda table: _draw(table, numbers), settle, channels, height, width, side, count)


def _among(half: NDArray[np.uint8], height: int, width: int) -> Known:
    """The pixels of a tile that its half has."""
    known = Known(np.zeros((len(half), height, width), np.uint8), np.zeros((height, width), np.bool_))
    known.values[:, ::2, ::2] = half
    known.mask[::2, ::2] = True
    return known


def label_side(codec: TileCodec, label: int | None, seed: int) -> bytes:
    """Side information of a label, drawn where it is None; none for models that know no labels."""
    if not codec.classes:
        return b""
    return bytes([int(Numbers(seed ^ _HALF).below(codec.classes, 1)[0]) if label is None else label])


def _draw(table: NDArray[np.float32], numbers: Numbers) -> NDArray[np.int64]:
    """One symbol of every row of ``table`` [m, 16], with the coder's probabilities ``(w + 1) / 2^24``; [m]."""
    above = (table.astype(np.int64) + 1).cumsum(1)  # [m, 16], the last column 2^24
    drawn = numbers.below(1 << _DRAW_BITS, len(table))
    return np.asarray((above <= drawn[:, None]).sum(1), np.int64)


def noise_pool(channels: int) -> NDArray[np.uint8]:
    """Values that stand for photographs' marginal: gray ones, normal around the middle. uint8 [C, 256]."""
    normal = NormalDist(*_NOISE)
    values = [min(255, max(0, round(normal.inv_cdf((i + 0.5) / VALUES)))) for i in range(VALUES)]
    return np.tile(np.array(values, np.uint8), (channels, 1))


def margin(codec: TileCodec) -> int:
    """Pixels of noise around a sample of this model: `MARGIN`, or none."""
    return 0 if codec.bounded else MARGIN


def with_margin(height: int, width: int, around: int = MARGIN) -> tuple[int, int]:
    """Height and width of what is drawn for a sample of this size."""
    return height + around, width + 2 * around


def sample_in_margin(
    codec: TileCodec,
    channels: int,
    height: int,
    width: int,
    seed: int,
    pool: NDArray[np.uint8] | None = None,
    limits: tuple[int, int] = (0, VALUES - 1),
    tick: Callable[[int], None] | None = None,
    side: bytes = b"",
) -> NDArray[np.uint8]:
    """Like `sample`, from a margin of marginal noise where the model needs one, which is cut off: uint8 [C, H, W].

    ``pool`` uint8 [C, n]: pixels that the noise is picked from, all equally likely; `noise_pool` by default.
    """
    pool = noise_pool(channels) if pool is None else pool
    around = margin(codec)
    outer = with_margin(height, width, around)
    picks = Numbers(seed ^ (1 << 63)).below(pool.shape[1], outer[0] * outer[1]).reshape(outer)
    mask = np.ones(outer, np.bool_)
    mask[around:, around : outer[1] - around] = False
    known = Known(pool[:, picks].clip(*limits), mask)
    drawn = sample(codec, channels, *outer, seed, known, limits, tick, side)
    return np.ascontiguousarray(drawn[:, around:, around : outer[1] - around])


def to_picture_order(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Channels between coding order and a picture's own, either way: [C, H, W]."""
    return planes[CODING_ORDER[len(planes)]]
