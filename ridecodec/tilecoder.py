"""One tile and its payload: drives model, tables and coder in both directions.

A payload is the side information's length (varint), the side information, and the code. Sub-pixels are coded front by
front; in a front channel by channel, first all high nibbles, then all low ones, pixels by row.

A backend of two scales codes the tile at half its size first (every second pixel of every second row): the payload of
that stands in the place of the side information, and its pixels are not coded again.

An ensemble (RIDE paper, section 3.1) codes a tile in the best of its eight orientations: the side information begins
with a byte that says which. As the mixture over the orientations is never above the best of them, the code is at most
log2 8 = 3 bits longer than the mixture's own, and what is left of the byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.coding.entropy import Decoder, Encoder
from ridecodec.coding.exact import exact_arithmetic
from ridecodec.coding.order import wavefront_order
from ridecodec.coding.orientation import WAYS, inverse, transform
from ridecodec.coding.tables import SYMBOLS, high_table, intervals, low_table
from ridecodec.errors import DamagedError
from ridecodec.models.base import Backend
from ridecodec.payload import join_payload, split_payload

Tick = Callable[[int, float], None]
"""Called with the pixels and bits that were finished since the last call; may raise to stop the work."""

_STEPS = 2
_BATCH = 1 << 18


@dataclass(frozen=True)
class EncodedTile:
    """A payload and the ideal code length of every pixel in it."""

    payload: bytes
    bits: NDArray[np.float32]  # [H, W], all channels together


@dataclass(frozen=True)
class _Coded:
    """A tile's intervals in raster order, before they go to the coder."""

    side: bytes  # as the payload has it
    start: NDArray[np.int32]  # [C * steps, H * W]
    size: NDArray[np.int32]
    bits: NDArray[np.float32]  # [H, W]


def encode_tile(backend: Backend, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
    """Code a tile [C, H, W], channels in coding order; ``label``: its class, for models that know some."""
    with exact_arithmetic():
        planes = torch.from_numpy(pixels).to(backend.device).float()
        coded = _intervals(backend, planes, tick if not backend.ensemble else _quiet(tick), label)
        way = 0
        if backend.ensemble:
            for other in range(1, WAYS):
                found = _intervals(backend, transform(planes, other).contiguous(), _quiet(tick), label)
                if found.bits.sum(dtype=np.float64) < coded.bits.sum(dtype=np.float64):
                    coded, way = found, other
            tick(planes[0].numel(), float(coded.bits.sum(dtype=np.float64)))
    height, width = coded.bits.shape
    order = _coding_order(len(coded.start), height, width, backend.hood.pace(width))
    if backend.half is not None:
        order = order[~_known(height, width).reshape(-1)[order % (height * width)]]
    encoder = Encoder()
    start, size = coded.start.reshape(-1), coded.size.reshape(-1)
    for first in range(0, len(order), _BATCH):
        chosen = order[first : first + _BATCH]
        encoder.encode(start[chosen].astype(np.int64), size[chosen].astype(np.int64))
    side = bytes([way]) + coded.side if backend.ensemble else coded.side
    bits = np.ascontiguousarray(inverse(torch.from_numpy(coded.bits), way).numpy())
    return EncodedTile(join_payload(side, encoder.finish()), bits)


def _known(height: int, width: int) -> NDArray[np.bool_]:
    """Pixels of a tile that its half has."""
    known = np.zeros((height, width), np.bool_)
    known[::2, ::2] = True
    return known


def _quiet(tick: Tick) -> Tick:
    """A tick that can stop the work but does not count it."""
    return lambda pixels, bits: tick(0, 0.0)


def _intervals(backend: Backend, planes: Tensor, tick: Tick, label: int | None) -> _Coded:
    channels, height, width = planes.shape
    if backend.half is None:
        side = told = backend.side_information(planes, label)
    else:
        small = planes[:, ::2, ::2].contiguous().to(torch.uint8).cpu().numpy()
        half = encode_tile(backend.half, small, _quiet(tick))
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
        if backend.half is not None:
            bits[rows.y0 + rows.y0 % 2 : rows.y1 : 2, ::2] = half.bits[(rows.y0 + 1) // 2 : (rows.y1 + 1) // 2]
        tick((rows.y1 - rows.y0) * width, float(bits[rows.y0 : rows.y1].sum(dtype=np.float64)))
    return _Coded(side, start, size, bits)


def likelihood(backend: Backend, planes: Tensor, side: bytes) -> Tensor | None:
    """Float code length of every pixel of a tile [C, H, W], bits [H, W], given its payload's side information."""
    if not backend.ensemble:
        return backend.likelihood(planes, side)
    found = backend.likelihood(transform(planes, side[0]).contiguous(), side[1:])
    return None if found is None else inverse(found, side[0])


@lru_cache(maxsize=2)  # of a tile, and of its half
def _coding_order(steps: int, height: int, width: int, slope: int) -> NDArray[np.int32]:
    """Indices into [steps, height * width] in coding order. int32 [steps * height * width]."""
    raster = wavefront_order(height, width, slope).numpy()
    front = (raster % width) + slope * (raster // width)
    counts = np.bincount(front)
    counts = counts[counts > 0]  # a narrow tile has fronts without a pixel
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.arange(len(raster)) - starts
    order = np.empty(steps * len(raster), np.int32)
    for k in range(steps):
        order[starts * steps + k * np.repeat(counts, counts) + rank] = raster + k * len(raster)
    return order


def decode_tiles(
    backend: Backend, payloads: list[bytes], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    """Decode a batch of equal tiles -> uint8 [B, C, H, W], channels in coding order."""
    parts = [split_payload(p) for p in payloads]
    if not backend.ensemble:
        return _decode_tiles(backend, parts, channels, height, width, tick)
    out = np.empty((len(parts), channels, height, width), np.uint8)
    ways = [_way(side) for side, _ in parts]
    for turned in (False, True):
        chosen = [i for i, way in enumerate(ways) if bool(way & 4) is turned]
        if chosen:
            inner = [(parts[i][0][1:], parts[i][1]) for i in chosen]
            size = (width, height) if turned else (height, width)
            for i, planes in zip(chosen, _decode_tiles(backend, inner, channels, *size, tick), strict=True):
                out[i] = inverse(torch.from_numpy(planes), ways[i]).numpy()
    return out


def _way(side: bytes) -> int:
    if not side or side[0] >= WAYS:
        raise DamagedError("the pixel data is damaged: it does not say how its tile is turned")
    return side[0]


def decode_halves(
    backend: Backend, payloads: list[bytes], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    """Decode only the tiles at half their size, of a backend that has them: uint8 [B, C, ceil(H / 2), ceil(W / 2)]."""
    assert backend.half is not None
    halves = [split_payload(payload)[0] for payload in payloads]
    return decode_tiles(backend.half, halves, channels, (height + 1) // 2, (width + 1) // 2, tick)


def _decode_tiles(
    backend: Backend, parts: list[tuple[bytes, bytes]], channels: int, height: int, width: int, tick: Tick
) -> NDArray[np.uint8]:
    out = np.zeros((len(parts), channels, height, width), np.uint8)
    sides = [side for side, _ in parts]
    known = None
    if backend.half is not None:
        small = decode_tiles(backend.half, sides, channels, (height + 1) // 2, (width + 1) // 2, _quiet(tick))
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
