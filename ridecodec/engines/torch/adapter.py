"""Tiles coded by a torch backend: drives model, tables and coder in both directions, and batches of equal tiles.

A backend of two scales codes the tile at half its size first (every second pixel of every second row): the payload of
that stands in the place of the side information, and its pixels are not coded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.coding.entropy import Decoder, Encoder
from ridecodec.coding.exact import exact_arithmetic
from ridecodec.coding.tables import high_table, intervals, low_table
from ridecodec.container.payload import join_payload, split_payload
from ridecodec.engines.tilecoder import Draw, EncodedTile, Settle, Tick, TileCodec
from ridecodec.exact.order import front_order
from ridecodec.exact.tables import SYMBOLS
from ridecodec.models.base import Backend

_STEPS = 2
_BATCH = 1 << 18


@dataclass(frozen=True)
class _Coded:
    """A tile's intervals in raster order, before they go to the coder."""

    side: bytes  # as the payload has it
    start: NDArray[np.int32]  # [C * steps, H * W]
    size: NDArray[np.int32]
    bits: NDArray[np.float32]  # [H, W]


class TorchCodec(TileCodec):
    """A torch backend as what codes tiles."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.name, self.engine = backend.name, f"torch ({backend.device.type})"
        self.tile, self.largest_tile = backend.tile, backend.largest_tile
        self.classes, self.code, self.bounded = backend.classes, backend.code, backend.bounded
        self.half = None if backend.half is None else TorchCodec(backend.half)

    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        backend = self.backend
        with exact_arithmetic():
            planes = torch.from_numpy(pixels).to(backend.device).float()
            coded = self._intervals(planes, tick, label)
        height, width = coded.bits.shape
        order = _coding_order(len(coded.start), height, width, backend.hood.pace(width))
        if backend.half is not None:
            order = order[~_known(height, width).reshape(-1)[order % (height * width)]]
        encoder = Encoder()
        start, size = coded.start.reshape(-1), coded.size.reshape(-1)
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            encoder.encode(start[chosen].astype(np.int64), size[chosen].astype(np.int64))
        return EncodedTile(join_payload(coded.side, encoder.finish()), coded.bits)

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        return _decode_tiles(self, [split_payload(p) for p in payloads], channels, height, width, tick)

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64] | None:
        with exact_arithmetic():  # not for exactness: the caller's autocast and the like would change the rate
            found = self.backend.likelihood(torch.from_numpy(np.ascontiguousarray(pixels)).float(), side)
        return None if found is None else found.double().numpy()

    def side_information(self, pixels: NDArray[np.uint8], label: int | None = None) -> bytes:
        with exact_arithmetic():
            planes = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.backend.device).float()
            return self.backend.side_information(planes, label)

    def draw(
        self, symbols: Draw, settle: Settle, channels: int, height: int, width: int, side: bytes, tick: Tick
    ) -> NDArray[np.uint8]:
        out = np.empty((channels, height, width), np.uint8)
        hood, device = self.backend.hood, self.backend.device
        with exact_arithmetic():
            stepper = self.backend.stepper(channels, height, width, [side])
            for t in range(hood.fronts(height, width)):
                y = np.arange(*hood.rows(t, height, width))
                if not len(y):
                    continue
                x = t - hood.pace(width) * y
                stepper.begin(t)
                for c in range(channels):
                    distribution = stepper.distribution(c)
                    high = symbols(high_table(distribution, device).cpu().numpy())
                    low = symbols(low_table(distribution, torch.from_numpy(high).to(device)).cpu().numpy())
                    out[c, y, x] = settle(c, y, x, SYMBOLS * high + low)
                    stepper.observe(c, torch.from_numpy(out[c, y, x]).to(device).float())
                tick(len(y), 0.0)
        return out

    def tile_bytes(self, pixels: int) -> int:
        return self.backend.tile_bytes(pixels)

    def batch(self, height: int, width: int) -> int:
        return self.backend.batch(height, width)

    def _intervals(self, planes: Tensor, tick: Tick, label: int | None) -> _Coded:
        backend = self.backend
        channels, height, width = planes.shape
        if self.half is None:
            side = told = backend.side_information(planes, label)
        else:
            small = planes[:, ::2, ::2].contiguous().to(torch.uint8).cpu().numpy()
            half = self.half.encode(small, _quiet(tick))
            side, told = half.payload, small.tobytes()
        start = np.empty((channels * _STEPS, height * width), np.int32)
        size = np.empty_like(start)
        bits = np.zeros((height, width), np.float32)
        for rows in backend.rows(planes, told):
            part = slice(rows.y0 * width, rows.y1 * width)
            for c, distribution in enumerate(rows.channels):
                values = planes[c, rows.y0 : rows.y1].reshape(-1).int()
                found = intervals(distribution, values)
                start[c * _STEPS : (c + 1) * _STEPS, part] = found.start.cpu().numpy()
                size[c * _STEPS : (c + 1) * _STEPS, part] = found.width.cpu().numpy()
                bits[rows.y0 : rows.y1] += found.bits().view(-1, width).float().cpu().numpy()
            if self.half is not None:
                bits[rows.y0 + rows.y0 % 2 : rows.y1 : 2, ::2] = half.bits[(rows.y0 + 1) // 2 : (rows.y1 + 1) // 2]
            tick((rows.y1 - rows.y0) * width, float(bits[rows.y0 : rows.y1].sum(dtype=np.float64)))
        return _Coded(side, start, size, bits)


def _known(height: int, width: int) -> NDArray[np.bool_]:
    """Pixels of a tile that its half has."""
    known = np.zeros((height, width), np.bool_)
    known[::2, ::2] = True
    return known


def _quiet(tick: Tick) -> Tick:
    """A tick that can stop the work but does not count it."""
    return lambda pixels, bits: tick(0, 0.0)


@lru_cache(maxsize=2)  # of a tile, and of its half
def _coding_order(steps: int, height: int, width: int, slope: int) -> NDArray[np.int32]:
    """Indices into [steps, height * width] in coding order. int32 [steps * height * width]."""
    raster = front_order(height, width, slope)
    front = (raster % width) + slope * (raster // width)
    counts = np.bincount(front)
    counts = counts[counts > 0]  # a narrow tile has fronts without a pixel
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.arange(len(raster)) - starts
    order = np.empty(steps * len(raster), np.int32)
    for k in range(steps):
        order[starts * steps + k * np.repeat(counts, counts) + rank] = raster + k * len(raster)
    return order


def _decode_tiles(
    codec: TorchCodec, parts: list[tuple[bytes, bytes]], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    backend = codec.backend
    out = np.zeros((len(parts), channels, height, width), np.uint8)
    sides = [side for side, _ in parts]
    known = None
    if codec.half is not None:
        small = codec.half.decode(sides, channels, (height + 1) // 2, (width + 1) // 2, _quiet(tick))
        out[:, :, ::2, ::2] = small
        sides, known = [each.tobytes() for each in small], _known(height, width)
    coders = [Decoder(code) for _, code in parts]
    share = 8 * sum(len(code) for _, code in parts) / (height * width * len(parts))
    hood = backend.hood
    with exact_arithmetic():
        stepper = backend.stepper(channels, height, width, sides)
        for t in range(hood.fronts(height, width)):
            y0, y1 = hood.rows(t, height, width)
            if y0 >= y1:
                continue
            rows = np.arange(y0, y1)
            columns = t - hood.pace(width) * rows
            count = len(rows) * len(parts)
            wanted = None if known is None else torch.from_numpy(~np.tile(known[rows, columns], len(parts)))
            stepper.begin(t)
            for c in range(channels):
                distribution = stepper.distribution(c)
                given = None if known is None else torch.from_numpy(out[:, c, rows, columns].reshape(-1)).long()
                high = _decode(coders, high_table(distribution, backend.device), wanted, given, 4)
                low = _decode(coders, low_table(distribution, high.to(backend.device)), wanted, given)
                symbols = high.mul_(SYMBOLS).add_(low)
                stepper.observe(c, symbols.to(backend.device).float())
                out[:, c, rows, columns] = symbols.view(len(parts), -1).numpy()
            tick(count, share * count)
    return out


def _decode(
    coders: list[Decoder], table: Tensor, wanted: Tensor | None = None, given: Tensor | None = None, shift: int = 0
) -> Tensor:
    """One symbol of every row of ``table`` [tiles * rows, 16], each tile with its own coder. int64, on the CPU.

    ``wanted``: bool [tiles * rows], which of them are coded, as many of every tile; the others are a nibble of the
    values ``given``.
    """
    if wanted is not None and given is not None:
        symbols = given >> shift & (SYMBOLS - 1)
        if wanted.any():
            symbols[wanted] = _decode(coders, table[wanted.to(table.device)])
        return symbols
    if len(coders) == 1:
        return torch.from_numpy(coders[0].decode(table.cpu().numpy())).long()
    rows = table.cpu().numpy().reshape(len(coders), -1, SYMBOLS)
    parts = [coder.decode(part) for coder, part in zip(coders, rows, strict=True)]
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))
