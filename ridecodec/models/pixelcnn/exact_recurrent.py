"""PixelRNN's layers in integers: Row LSTM and Diagonal BiLSTM, position by position like the convolutions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear
from ridecodec.models.pixelcnn.board import Board, Places, Taps
from ridecodec.models.pixelcnn.exact import Layer, State
from ridecodec.models.pixelcnn.integers import (
    GATE_BITS,
    GATE_TOP,
    PRE_BITS,
    STREAM_BITS,
    STREAM_TOP,
    GateTables,
)
from ridecodec.models.pixelcnn.network import PixelNetwork
from ridecodec.models.pixelcnn.recurrent import GATES, DiagonalBiLSTM, RowLSTM
from ridecodec.models.pixelcnn.rounding import Part, product

_LEFT, _UP, _RIGHT = (0, -1), (-1, 0), (0, 1)


class _Cell:
    """An LSTM of some of the maps: where its units and its memory come from, and how it goes on."""

    def __init__(self, name: str, parts: list[Part], own: Tensor, maps: int, tables: GateTables) -> None:
        quarters = torch.cat([own + gate * maps for gate in range(GATES)])
        self.product: ExactLinear = product(name, parts, PRE_BITS, quarters)
        self.tables, self.own = tables, slice(int(own[0]), int(own[-1]) + 1)

    def __call__(self, places: Places, taps: Tensor, hidden: Tensor, memory: Tensor, before: Taps) -> Tensor:
        """Step at ``places`` from the product's inputs ``taps`` and the memory at the tap ``before``; gives the new
        units [n, m], which are written to ``hidden`` like the memory to ``memory``, [positions, maps]."""
        units, kept = self.tables.cell(self.product(taps), places.gather(memory[:, self.own], before))
        places.write(hidden, self.own.start, units)
        places.write(memory, self.own.start, kept)
        return units


class Rows(Layer):
    """`ridecodec.models.pixelcnn.recurrent.RowLSTM`: maps are the stream, hidden units and memory."""

    def __init__(self, layer: RowLSTM, name: str, net: PixelNetwork, tables: GateTables) -> None:
        self.maps, self.size = net.config.maps, net.config.maps // net.config.channels
        self.taps, self.above = tuple(layer.input.taps), tuple(layer.state.taps)
        parts = [Part(layer.input, STREAM_BITS, STREAM_TOP), Part(layer.state, GATE_BITS, GATE_TOP)]
        self.cells, self.out = [], []
        for c in range(net.config.channels):
            own = torch.arange(c * self.size, (c + 1) * self.size)
            self.cells.append(_Cell(name, parts, own, self.maps, tables))
            part = Part(layer.out, GATE_BITS, GATE_TOP, (c + 1) * self.size)
            self.out.append(product(f"{name}.out", [part], STREAM_BITS, own))

    def open(self, board: Board, below: State) -> State:
        return State(board, [board.blank(self.maps) for _ in range(3)])

    def walk(self, state: State, below: State, channels: int) -> None:
        for y in range(state.board.height):
            places = state.board.rows(y, y + 1)
            for c in range(channels):
                self.run(state, below, places, c)

    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        stream, hidden, memory = state.maps
        taps = torch.cat([places.gather(below.maps[0], self.taps), places.gather(hidden, self.above)])
        del state.turn[channel:]
        state.turn.append(self.cells[channel](places, taps, hidden, memory, (_UP,)))
        _add(self.out[channel], torch.cat(state.turn), stream, below, places, channel * self.size)


class Diagonals(Layer):
    """`ridecodec.models.pixelcnn.recurrent.DiagonalBiLSTM`: maps are the stream, and each direction's units and memory.

    The direction from the right needs the whole of the row above: `finish` computes it.
    """

    def __init__(self, layer: DiagonalBiLSTM, name: str, net: PixelNetwork, tables: GateTables) -> None:
        self.maps, self.size = net.config.maps, net.config.maps // net.config.channels
        right, left = (
            [
                Part(way.input, STREAM_BITS, STREAM_TOP),
                Part(way.up, GATE_BITS, GATE_TOP),
                Part(way.beside, GATE_BITS, GATE_TOP),
            ]
            for way in (layer.right, layer.left)
        )
        self.back = _Cell(name, left, torch.arange(self.maps), self.maps, tables)
        self.cells, self.out = [], []
        for c in range(net.config.channels):
            own = torch.arange(c * self.size, (c + 1) * self.size)
            self.cells.append(_Cell(name, right, own, self.maps, tables))
            part = Part(layer.out, GATE_BITS, 2 * GATE_TOP, (c + 1) * self.size)
            self.out.append(product(f"{name}.out", [part], STREAM_BITS, own))

    def open(self, board: Board, below: State) -> State:
        return State(board, [board.blank(self.maps) for _ in range(5)])

    def walk(self, state: State, below: State, channels: int) -> None:
        self._back(state, below, state.board.fronts(1, mirrored=True))
        for places in state.board.fronts(1):
            for c in range(channels):
                self.run(state, below, places, c)

    def finish(self, state: State, below: State, y: int) -> None:
        columns = torch.arange(state.board.width - 1, -1, -1, device=state.board.device)
        row = torch.full((1,), y, device=state.board.device)
        self._back(state, below, (state.board.places(row, x) for x in columns.split(1)))

    def _back(self, state: State, below: State, walk: Iterable[Places]) -> None:
        _, _, _, hidden, memory = state.maps
        for places in walk:
            taps = torch.cat([places.read(below.maps[0]), places.gather(hidden, (_UP, _RIGHT))])
            self.back(places, taps, hidden, memory, (_RIGHT,))

    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        stream, hidden, memory, back, _ = state.maps
        taps = torch.cat([places.read(below.maps[0]), places.gather(hidden, (_UP, _LEFT))])
        own = slice(channel * self.size, (channel + 1) * self.size)
        del state.turn[channel:]
        units = self.cells[channel](places, taps, hidden, memory, (_LEFT,))
        state.turn.append(units + places.gather(back[:, own], (_UP,)))
        _add(self.out[channel], torch.cat(state.turn), stream, below, places, own.start)


def _add(out: ExactLinear, units: Tensor, stream: Tensor, below: State, places: Places, first: int) -> None:
    """Write the stream below plus what ``out`` makes of hidden units."""
    found = out(units)
    found += places.read(below.maps[0][:, first : first + len(found)])
    places.write(stream, first, found.clamp_(-STREAM_TOP, STREAM_TOP))
