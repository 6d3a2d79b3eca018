"""PixelRNN's layers: Row LSTM and Diagonal BiLSTM (PixelRNN paper, sections 3.1 and 3.2, equation 3).

Gates o, f, i, g, in this order: ``c = f * c_before + i * g``, ``h = o * tanh(c)``. The input's part of the gates is a
masked convolution of all positions at once; the state's part goes from row to row, or from diagonal to diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.exact.order import BACKWARDS
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn import integers
from ridecodec.models.pixelcnn.integers import (
    GATE_UNIT,
    GATES,
    HERE,
    MEMORY_TOP,
    PRE_UNIT,
    STREAM_TOP,
    STREAM_UNIT,
    Floats,
    Maps,
    columns,
    product,
)
from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask
from ridecodec.models.pixelcnn.recorded import Inputs, Layer

_LEFT, _UP, _RIGHT = (0, -1), (-1, 0), (0, 1)


def cell(gates: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Gates [B, 4h, n] and the memory before [B, h, n] -> hidden units and memory, [B, h, n]."""
    opened, g = gates[:, : 3 * before.shape[1]].sigmoid(), gates[:, 3 * before.shape[1] :].tanh()
    o, f, i = opened.chunk(3, 1)
    memory = bounded(f * before + i * g)
    return o * torch.tanh(memory), memory


class RowLSTM(nn.Module):
    """A row's states from the row above, three wide; its inputs from the row's left."""

    def __init__(self, maps: int, groups: int, reach: int = 1) -> None:
        super().__init__()
        mask = group_mask(GATES * maps, maps, groups, strict=False, halves=GATES)
        self.input = Conv(maps, GATES * maps, 0, reach, reach, mask=mask)
        self.state = Conv(maps, GATES * maps, 0, 1, 1, shift=True, bias=False)
        self.out = Conv(maps, maps, mask=group_mask(maps, maps, groups, strict=False))

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, H, W] -> the same, the input added."""
        inputs = self.input(x)
        hidden = memory = torch.zeros_like(x[:, :, 0])  # [B, maps, W]
        rows, kernel = [], self.state.kernel[:, :, 0]
        for y in range(x.shape[2]):
            hidden, memory = cell(inputs[:, :, y] + functional.conv1d(hidden, kernel, padding=1), memory)
            rows.append(hidden)
        return bounded(x + self.out(torch.stack(rows, 2)))


class Diagonal(nn.Module):
    """States along diagonals: each from its left and its upper neighbour's hidden units, and its left memory."""

    def __init__(self, maps: int, groups: int) -> None:
        super().__init__()
        self.input = Conv(maps, GATES * maps, mask=group_mask(GATES * maps, maps, groups, strict=False, halves=GATES))
        self.up = Conv(maps, GATES * maps, bias=False)
        self.beside = Conv(maps, GATES * maps, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, H, W] -> hidden units [B, maps, H, W]."""
        batch, maps, height, width = x.shape
        inputs = skew(self.input(x))  # [B, 4 maps, H, H + W - 1]
        hidden = memory = x.new_zeros(batch, maps, height)
        columns, kernel = [], torch.cat([self.up.kernel, self.beside.kernel], 3)[:, :, 0]
        for t in range(inputs.shape[3]):
            state = functional.conv1d(functional.pad(hidden, (1, 0)), kernel)
            hidden, memory = cell(inputs[:, :, :, t] + state, memory)
            columns.append(hidden)
        return unskew(torch.stack(columns, 3), width)


class DiagonalBiLSTM(nn.Module):
    """Two directions; the one from the right is moved a row down, so that it knows rows above only."""

    def __init__(self, maps: int, groups: int) -> None:
        super().__init__()
        self.right, self.left = Diagonal(maps, groups), Diagonal(maps, 1)
        self.out = Conv(maps, maps, mask=group_mask(maps, maps, groups, strict=False))

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, H, W] -> the same, the input added."""
        back = self.left(x.flip(3)).flip(3)
        both = self.right(x) + functional.pad(back, (0, 0, 1, 0))[:, :, :-1]
        return bounded(x + self.out(both))


def skew(x: Tensor) -> Tensor:
    """Row y moved y columns to the right: [B, n, H, W] -> [B, n, H, H + W - 1]."""
    height, width = x.shape[2:]
    wide = functional.pad(x, (0, height)).flatten(2)[:, :, : height * (width + height - 1)]
    skewed: Tensor = wide.unflatten(2, (height, width + height - 1))
    return skewed


def unskew(x: Tensor, width: int) -> Tensor:
    """The inverse of `skew`."""
    height = x.shape[2]
    wide: Tensor = functional.pad(x.flatten(2), (0, height)).unflatten(2, (height, width + height))
    return wide[:, :, :, :width]


def _rows(own: slice, maps: int) -> NDArray[np.int64]:
    """Rows of the gates of some of the maps."""
    return np.concatenate([np.arange(own.start, own.stop) + gate * maps for gate in range(GATES)])


class _Recurrent(Layer):
    """An LSTM as operations: the maps of the stream, hidden units, and memory."""

    def __init__(self, ops: Recorder, name: str, out: Conv) -> None:
        self.ops, self.name, self.out = ops, name, out
        count = out.weight.shape[0]
        self.maps = Maps.declare(ops, count, STREAM_UNIT, -STREAM_TOP, STREAM_TOP)
        self.hidden, self.memory = self.states(count)
        self.units: list[Value] = []

    def states(self, count: int) -> tuple[Maps, Maps]:
        """Hidden units and memory."""
        hidden = Maps.declare(self.ops, count, GATE_UNIT, -GATE_UNIT, GATE_UNIT)
        return hidden, Maps.declare(self.ops, count, GATE_UNIT, -MEMORY_TOP, MEMORY_TOP)

    def own(self, channel: int) -> slice:
        """The maps of a group."""
        size = self.maps.size // self.ops.channels
        return slice(channel * size, (channel + 1) * size)

    def step(self, parts: Sequence[tuple[Value, Floats]], bias: Floats, before: Value, channel: int) -> Value:
        """The group's units, kept like its memory; the weights are of its rows."""
        gates = product(self.ops, f"{self.name}.{channel}", parts, bias, PRE_UNIT)
        units, memory = integers.cell(self.ops, gates, before)
        self.hidden.keep(self.ops, units)
        self.memory.keep(self.ops, memory)
        return self.hidden.own[-1]

    def add(self, below: Layer, units: Value, channel: int) -> None:
        """The stream of a group, whose units are these."""
        self.units.append(units)
        own = self.own(channel)
        weight, bias = self.out.numbers
        parts = [(self.ops.concatenate(self.units), weight[own, : own.stop])]
        found = product(self.ops, f"{self.name}.out.{channel}", parts, bias[own], STREAM_UNIT)
        self.maps.keep(self.ops, found + below.maps.own[channel])


class RecordedRows(_Recurrent):
    """`RowLSTM` as operations."""

    def __init__(self, ops: Recorder, name: str, layer: RowLSTM) -> None:
        super().__init__(ops, name, layer.out)
        self.layer = layer

    def run(self, below: Inputs | Layer, channel: int) -> None:
        assert isinstance(below, Layer)
        ops, layer, own = self.ops, self.layer, self.own(channel)
        rows = _rows(own, self.maps.size)
        weight, bias = layer.input.numbers
        taps, above = layer.input.taps, layer.state.taps
        parts = [
            (below.maps.seen(ops, taps), columns(weight[rows], taps, own.stop)),
            (self.hidden.tap(ops, above), layer.state.numbers[0][rows]),
        ]
        self.add(below, self.step(parts, bias[rows], self.memory.tap(ops, [_UP], own), channel), channel)


class RecordedDiagonals(_Recurrent):
    """`DiagonalBiLSTM` as operations: the direction from the right runs backwards over rows that are complete."""

    def __init__(self, ops: Recorder, name: str, layer: DiagonalBiLSTM) -> None:
        super().__init__(ops, name, layer.out)
        self.layer = layer
        with ops.ahead(BACKWARDS):
            self.back = self.states(self.maps.size)

    def prepare(self, below: Inputs | Layer) -> None:
        assert isinstance(below, Layer)
        ops, way = self.ops, self.layer.left
        hidden, memory = self.back
        with ops.ahead(BACKWARDS):
            parts = [(below.maps.tap(ops, [HERE]), way.input.numbers[0])]
            parts += [
                (hidden.tap(ops, [offset]), conv.numbers[0]) for offset, conv in ((_UP, way.up), (_RIGHT, way.beside))
            ]
            gates = product(ops, f"{self.name}.left", parts, way.input.numbers[1], PRE_UNIT)
            units, kept = integers.cell(ops, gates, memory.tap(ops, [_RIGHT]))
            hidden.keep(ops, units)
            memory.keep(ops, kept)

    def run(self, below: Inputs | Layer, channel: int) -> None:
        assert isinstance(below, Layer)
        ops, way, own = self.ops, self.layer.right, self.own(channel)
        rows = _rows(own, self.maps.size)
        weight, bias = way.input.numbers
        parts = [(below.maps.seen(ops, [HERE]), weight[rows, : own.stop])]
        parts += [
            (self.hidden.tap(ops, [offset]), conv.numbers[0][rows])
            for offset, conv in ((_UP, way.up), (_LEFT, way.beside))
        ]
        units = self.step(parts, bias[rows], self.memory.tap(ops, [_LEFT], own), channel)
        self.add(below, units + self.back[0].tap(ops, [_UP], own), channel)
