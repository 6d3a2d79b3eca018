"""What every backend must do, whatever it predicts. All tests of models go through these functions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import ridecodec
from ridecodec.coding.exact import exact_arithmetic
from ridecodec.coding.tables import Distribution, high_table, intervals, low_table
from ridecodec.container import rdc
from ridecodec.container.payload import split_payload
from ridecodec.engines.tilecoder import TileCodec
from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.tables import SYMBOLS, TABLE_TOTAL
from ridecodec.models import registry
from ridecodec.models.base import Backend

EITHER = ("uniform", "gradient", "photo")
"""The models that code gray and RGB alike."""
_KINDS = ("pixelcnn", "gated", "conditional", "autoencoder", "pixelrnn", "multiscale", "mixture", "ride")
CIFAR = tuple(f"{kind}-cifar" for kind in _KINDS)
"""The models for small pictures."""
QUICK = 16
"""Sides of their pictures where many are made."""
MODELS = (*EITHER, "mcgsm-gray", "eomcgsm-gray", "ride-gray", "eoride-gray", "ride-rgb", *CIFAR)
TORCH = tuple(name for name in CIFAR if name != "ride-cifar")
"""Those that are backends of torch, not programs."""
CPU = torch.device("cpu")


def codec(name: str) -> TileCodec:
    """What codes tiles by the current model of this name, on the CPU."""
    return registry.load(registry.current(name), "cpu")


def backend(name: str) -> Backend:
    """The torch backend of one of `TORCH`, on the CPU."""
    return registry.backend(registry.current(name), "cpu")


def fit(model: str, array: NDArray[np.uint8], most: int = 32) -> NDArray[np.uint8]:
    """A picture [H, W] or [H, W, 3] as the model codes it: its green, or thrice its gray; a corner of large ones."""
    if model in CIFAR:
        array = array[:most, :most]
    channels = registry.current(model).channels
    if (1 if array.ndim == 2 else 3) in channels:
        return array
    return np.ascontiguousarray(array[:, :, 1]) if 1 in channels else np.repeat(array[:, :, None], 3, 2)


def side(model: str, tile: int) -> int:
    """A tile size that the model can have, ``tile`` or one more: some halve their tiles."""
    return tile + (codec(model).half is not None and tile % 2)


def coding_planes(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [H, W] or [H, W, 3] as a tile in coding order [C, H, W]: green first."""
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)[[1, 0, 2]]


def check_tables(tables: Tensor) -> None:
    """``tables`` float32 [m, 16]: integers that the coder takes as they are."""
    assert tables.dtype == torch.float32
    assert tables.shape[1] == SYMBOLS
    assert tables.is_contiguous()
    whole = tables.double()
    assert (whole == whole.round()).all()
    assert (whole >= 0).all()
    assert (whole.sum(1) == TABLE_TOTAL).all()


def both_tables(distribution: Distribution, values: Tensor) -> tuple[Tensor, Tensor]:
    """The tables that code ``values`` int64 [m]: of the high and of the low nibble, checked. float32 [m, 16] each."""
    high = high_table(distribution, values.device)
    low = low_table(distribution, values >> 4)
    for table in (high, low):
        check_tables(table)
        assert len(table) == len(values)
    return high, low


def check_intervals(distribution: Distribution, values: Tensor, tables: tuple[Tensor, Tensor]) -> None:
    """What codes known values is what the decoder finds in its tables."""
    found = intervals(distribution, values.int())
    assert (found.width > 0).all()
    for step, (table, symbols) in enumerate(zip(tables, (values >> 4, values & 15), strict=True)):
        mass = table.long() + 1
        above = mass.cumsum(1).gather(1, symbols[:, None])[:, 0]
        own = mass.gather(1, symbols[:, None])[:, 0]
        assert torch.equal(found.start[step], above - own)
        assert torch.equal(found.width[step], own)
    ideal = sum(24 - torch.log2(w.double()) for w in found.width)
    assert torch.allclose(found.bits(), ideal, atol=1e-9)


def check_backend(model: Backend, tiles: list[NDArray[np.uint8]]) -> None:
    """Stepwise tables of a batch of equal tiles [C, H, W] are the teacher-forced ones, integer for integer."""
    channels, height, width = tiles[0].shape
    with exact_arithmetic():
        planes = [torch.from_numpy(np.ascontiguousarray(tile)).to(model.device).float() for tile in tiles]
        if model.half is None:
            sides = [model.side_information(p) for p in planes]
        else:
            halves = [np.ascontiguousarray(tile[:, ::2, ::2]) for tile in tiles]
            check_backend(model.half, halves)
            sides = [half.tobytes() for half in halves]
        forced = [_teacher_forced(model, p, side) for p, side in zip(planes, sides, strict=True)]
        stepper = model.stepper(channels, height, width, sides)
        done = 0
        for t in range(model.hood.fronts(height, width)):
            y, x = _front(model.hood, t, height, width)
            if not len(y):
                continue
            stepper.begin(t)
            for c in range(channels):
                values = torch.cat([p[c, y, x] for p in planes])
                tables = both_tables(stepper.distribution(c), values.long())
                for step, table in enumerate(tables):
                    wanted = torch.cat([f[c, step, y, x] for f in forced])
                    assert torch.equal(table, wanted), f"front {t}, channel {c}, step {step}"
                stepper.observe(c, values)
            done += len(y)
        assert done == height * width


def _teacher_forced(model: Backend, planes: Tensor, side: bytes) -> Tensor:
    """Tables of all sub-pixels of a tile, float32 [C, 2, H, W, 16]."""
    channels, height, width = planes.shape
    out = planes.new_full((channels, 2, height, width, SYMBOLS), -1)
    bottom = 0
    for rows in model.rows(planes, side):
        assert rows.y0 == bottom
        bottom = rows.y1
        for c, distribution in enumerate(rows.channels):
            values = planes[c, rows.y0 : rows.y1].reshape(-1).long()
            tables = both_tables(distribution, values)
            check_intervals(distribution, values, tables)
            out[c, :, rows.y0 : rows.y1] = torch.stack(tables).view(2, -1, width, SYMBOLS)
    assert bottom == height
    return out


def _front(hood: Neighbourhood, t: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of a front's pixels, from its definition."""
    slope = width if hood.raster else hood.slope
    y = torch.tensor([y for y in range(height) if 0 <= t - slope * y < width], dtype=torch.int64)
    return y, t - slope * y


def check_experts(payload: bytes) -> None:
    """The tile has image experts of its own, so what is tested with it is tested with them."""
    assert split_payload(payload)[0]


def check_round_trip(array: NDArray[np.uint8], model: str, tile: int = 0) -> bytes:
    """Compress and decompress a picture [H, W] or [H, W, 3], in colours that the model codes; gives the file."""
    array = fit(model, array)
    data = ridecodec.compress(array, model=model, tile=side(model, tile), verify=False)
    again = ridecodec.decompress(data).to_numpy()
    assert again.dtype == np.uint8
    assert np.array_equal(again, array)
    held = rdc.read(data)
    assert (held.header.width, held.header.height) == (array.shape[1], array.shape[0])
    assert held.header.model_hash.hex() == registry.current(model).hash
    return data
