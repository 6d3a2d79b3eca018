"""What an encoder tells a decoder of a tile: a label, an auto-encoder's code, or the picture at half its size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Parameters, Planes
from ridecodec.engines.codec import Side
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.exact.program import Program
from ridecodec.models.pixelcnn.integers import Floats
from ridecodec.models.pixelcnn.recorded import INPUT_LIMIT, INPUT_UNIT

CODE_TOP = 127
CODE_UNIT = 128
"""A number of a code is an integer within +-127, in 1/128."""
CELLS = 8
"""Rows and columns of what a code is painted to."""
GRID = 4
LEAST = 8
"""Rows and columns that the encoder's last maps are averaged to, and that its picture has at least."""
MARGIN = 4
"""Of the picture at half its size, in pixels of the whole one."""


class Label(Side):
    """A byte: which of the classes it is. The encoder that wraps this one (`engines.labels`) chooses it."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        if len(program.parameters) != 1 or program.parameters[0].size != 1:
            raise ModelRefusedError("the model has labels but takes none; export the model again")
        self.classes = program.parameters[0].hi + 1
        if not 1 <= self.classes <= 1 << 8:
            raise ModelRefusedError("the model has too many labels; export the model again")

    def write(self, planes: Planes, label: int | None) -> bytes:
        return bytes([label or 0])

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        if len(data) != 1 or data[0] >= self.classes:
            raise DamagedError("the pixel data is damaged: it has no label that the model knows")
        return [np.array([data[0]], np.int32)]


class Code(Side):
    """Numbers that an encoder makes of the picture, int8 each; only encoders compute them, so they are floats there."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        """``arrays``: the encoder's weights and biases."""
        if len(program.parameters) != 1 or len(program.given) > 1:
            raise ModelRefusedError("the model has a code but takes none; export the model again")
        self.code, self.painted = program.parameters[0].size, bool(program.given)
        held = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.convs = [(held[f"convs.{k}.weight"], held[f"convs.{k}.bias"]) for k in range(3)]
        self.last = held["last.weight"], held["last.bias"]
        inputs = program.channels + 1
        for weight, bias in self.convs:
            if weight.shape != (len(bias), inputs, 4, 4) or not np.isfinite(weight).all():
                raise ModelRefusedError("the model's encoder has the wrong shape; export the model again")
            inputs = len(bias)
        if self.last[0].shape != (self.code, inputs * GRID**2) or self.last[1].shape != (self.code,):
            raise ModelRefusedError("the model's encoder has the wrong shape; export the model again")

    def write(self, planes: Planes, label: int | None) -> bytes:
        _, height, width = planes.shape
        scaled = (2 * planes.astype(np.float64) - INPUT_LIMIT) / INPUT_UNIT
        maps = np.concatenate([scaled, np.ones_like(scaled[:1])])
        maps = np.pad(maps, ((0, 0), (0, max(0, LEAST - height)), (0, max(0, LEAST - width))))
        for weight, bias in self.convs:
            maps = np.maximum(_halving(maps, weight) + bias[:, None, None], 0)
        code = np.rint(np.tanh(self.last[0] @ _averages(maps).ravel() + self.last[1]) * CODE_TOP)
        return bytes(code.astype(np.int8))

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        if len(data) != self.code or 0x80 in data:
            raise DamagedError("the pixel data is damaged: it has no code of the model's length")
        code = np.frombuffer(data, np.int8).astype(np.int32)
        if not self.painted:
            return [code]
        rows, columns = (np.arange(size, dtype=np.int32) * CELLS // size for size in (height, width))
        return [code, CELLS * rows[:, None] + columns]


def _halving(maps: Floats, weight: Floats) -> Floats:
    """A convolution of 4x4 with zeros around, at every second row and column."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (1, 2))[:, ::2, ::2]
    found: Floats = np.tensordot(weight, seen, ((1, 2, 3), (0, 3, 4)))
    return found


def _averages(maps: Floats) -> Floats:
    """Averages over `GRID` rows and columns of cells, which overlap where the sizes are no multiples."""

    def cells(x: Floats, axis: int) -> Floats:
        size = x.shape[axis]
        ends = [(k * size // GRID, -(-(k + 1) * size // GRID)) for k in range(GRID)]
        return np.stack([x.take(range(*end), axis).mean(axis) for end in ends], axis)

    return cells(cells(maps, 1), 2)


class Half(Side):
    """The picture at half its size, raw: every second sample of every second row. What codes it wraps this one
    (`engines.halves`)."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.channels = program.channels
        if not program.halved or [p.margin for p in program.given] != [MARGIN] * (self.channels + 1):
            raise ModelRefusedError("the model does not take a picture at half its size; export the model again")

    def write(self, planes: Planes, label: int | None) -> bytes:
        return np.ascontiguousarray(planes[:, ::2, ::2]).tobytes()

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        rows, columns = (np.arange(-MARGIN, size + MARGIN) // 2 for size in (height, width))
        small = np.frombuffer(data, np.uint8).reshape(self.channels, (height + 1) // 2, (width + 1) // 2)
        inside = np.ones((1, *small.shape[1:]), np.int32)
        maps = np.concatenate([small.astype(np.int32), inside])
        known = ((rows >= 0) & (rows < small.shape[1]))[:, None] & (columns >= 0) & (columns < small.shape[2])
        near = maps[:, rows.clip(0, small.shape[1] - 1)][:, :, columns.clip(0, small.shape[2] - 1)]
        return list(near * known)
