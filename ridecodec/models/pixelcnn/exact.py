"""PixelCNN and Gated PixelCNN in integers: every layer computes the positions it is told, and reads those before.

Teacher-forced, a layer is told all positions; stepwise, one front. The maps of group c are computed when channel c is
asked for, so a front takes as many turns as there are channels. Nothing is computed twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear
from ridecodec.models.pixelcnn.board import Board, Places
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import CODE_BITS, CODE_TOP
from ridecodec.models.pixelcnn.gated import GatedLayer
from ridecodec.models.pixelcnn.integers import (
    GATE_BITS,
    GATE_TOP,
    INPUT_BITS,
    INPUT_TOP,
    PRE_BITS,
    PRE_TOP,
    STREAM_BITS,
    STREAM_TOP,
    GateTables,
)
from ridecodec.models.pixelcnn.masked import Conv
from ridecodec.models.pixelcnn.network import INPUT_LIMIT, PixelNetwork
from ridecodec.models.pixelcnn.residual import ResidualBlock
from ridecodec.models.pixelcnn.rounding import Part, product

_CHUNK = 4096
"""Positions that are computed at once when all are known."""


@dataclass
class State:
    """What a layer knows of a board."""

    board: Board
    maps: list[Tensor]
    """What it keeps for later positions, [positions, n] each; the first is the stream that the next layer reads."""
    context: Context | None = None
    told: Tensor | None = None
    """What the context adds to the layer's sums, integers [n, tiles], where it is the same all over a tile."""
    turn: list[Tensor] = field(default_factory=list)
    """What it keeps from channel to channel of the positions at hand, [n, m] each."""


@dataclass(frozen=True)
class Context:
    """What the network is told of each tile: integers [n, tiles], or maps [positions, n] of a board."""

    values: Tensor
    spatial: bool


def told(config: PixelConfig) -> tuple[int, int]:
    """Bits behind the point and largest integer of what conditions a network."""
    if config.vector and not config.painted:
        return CODE_BITS, CODE_TOP
    return (0, 1) if config.classes else (STREAM_BITS, STREAM_TOP)


class Layer(ABC):
    """One layer. ``below``: the state of the layer it reads."""

    lead: int = 0
    """Columns that `prepare` is ahead of `run`."""

    @abstractmethod
    def open(self, board: Board, below: State) -> State:
        """Nothing computed yet."""

    def prepare(self, state: State, below: State, places: Places) -> None:  # noqa: B027
        """Compute what depends on rows above only."""

    def enter(self, state: State, places: Places) -> None:  # noqa: B027
        """Come to positions that `run` is asked for next, channel by channel."""

    def finish(self, state: State, below: State, y: int) -> None:  # noqa: B027
        """Compute what depends on the whole of row ``y``, which is known."""

    @abstractmethod
    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        """Compute the maps of group ``channel``; those of the groups before are known."""

    def walk(self, state: State, below: State, channels: int) -> None:
        """Compute all, where everything below is known."""
        for places in chunks(state.board):
            self.prepare(state, below, places)
            self.enter(state, places)
            for c in range(channels):
                self.run(state, below, places, c)


def chunks(board: Board) -> Iterator[Places]:
    """All positions, some rows at a time."""
    step = max(1, _CHUNK // (board.width * board.tiles))
    for y in range(0, board.height, step):
        yield board.rows(y, min(board.height, y + step))


class Inputs:
    """The picture: its channels, and a map of ones."""

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def open(self, board: Board, context: Context | None) -> State:
        """Nothing observed yet."""
        maps = board.blank(self.channels + 1)
        maps[board.rows(0, board.height).index, -1] = INPUT_TOP
        return State(board, [maps, maps], context)

    def observe(self, state: State, places: Places, channel: int, values: Tensor) -> None:
        """Take in true values, integers [m] in a float tensor."""
        places.write(state.maps[0], channel, 2 * values[None] - INPUT_LIMIT)


class Gated(Layer):
    """`ridecodec.models.pixelcnn.gated.GatedLayer`: maps are the horizontal and the vertical stack's."""

    def __init__(self, layer: GatedLayer, name: str, net: PixelNetwork, index: int, tables: GateTables) -> None:
        config = net.config
        self.tables, self.first = tables, layer.first
        self.maps, self.groups = config.maps, config.channels
        self.size = config.maps // config.channels
        self.lead = config.reach * (config.layers - 1 - index)
        self.above, self.beside = tuple(layer.vertical.taps), tuple(layer.horizontal.taps)
        below = (INPUT_BITS, INPUT_TOP) if layer.first else (GATE_BITS, GATE_TOP)
        stream = (INPUT_BITS, INPUT_TOP) if layer.first else (STREAM_BITS, STREAM_TOP)
        self.vertical = product(f"{name}.vertical", [Part(layer.vertical, *below)], PRE_BITS)
        self.context: ExactLinear | None = None
        if layer.context is not None:
            self.context = product(f"{name}.context", [Part(layer.context, *told(config))], PRE_BITS)
        told_most = 0.0 if self.context is None else self.context.reach
        parts = [Part(layer.horizontal, *stream), Part(layer.down, PRE_BITS, PRE_TOP)]
        self.horizontal, self.out = [], []
        down, bias = [], []
        for c in range(config.channels):
            own = torch.arange(c * self.size, (c + 1) * self.size)
            whole = product(f"{name}.horizontal", parts, PRE_BITS, torch.cat([own, own + self.maps]), told_most)
            taken = len(self.beside) * (config.channels + 1 if layer.first else self.maps)
            self.horizontal.append(whole.weight[:, :taken].clone())
            down.append(whole.weight[:, taken:])
            bias.append(whole.bias)
            part = Part(layer.out, GATE_BITS, GATE_TOP, (c + 1) * self.size)
            self.out.append(product(f"{name}.out", [part], STREAM_BITS, own))
        # of a sum that was proven exact as a whole, the vertical stack's part: the same for all groups' turns
        self.down, self.bias = torch.cat(down), torch.cat(bias)

    def open(self, board: Board, below: State) -> State:
        sizes = (self.maps, self.maps, 2 * self.maps)  # horizontal, vertical, and the vertical before its gate
        context, told = below.context, None
        if self.context is not None and context is not None and not context.spatial:
            told = self.context(context.values)
        return State(board, [board.blank(size) for size in sizes], context, told)

    def prepare(self, state: State, below: State, places: Places) -> None:
        rows = self.vertical(places.gather(below.maps[1], self.above)).clamp_(-PRE_TOP, PRE_TOP)
        places.write(state.maps[2], 0, rows)
        if self.context is not None:
            rows += self._context(state, places)[: 2 * self.maps]
        places.write(state.maps[1], 0, self.tables.gate(rows))

    def _context(self, state: State, places: Places) -> Tensor:
        """Of both stacks, [4 * maps, m]."""
        if state.told is not None:
            return places.spread(state.told)
        assert self.context is not None
        assert state.context is not None
        return self.context(places.read(state.context.values))

    def enter(self, state: State, places: Places) -> None:
        rows = places.read(state.maps[2]).double()
        sums = torch.addmm(self.bias, self.down, rows)  # group by group, a gate's two halves side by side
        if self.context is not None:
            told = self._context(state, places)[2 * self.maps :].view(2, self.groups, self.size, -1)
            sums += told.transpose(0, 1).reshape(sums.shape)
        state.turn = [sums, torch.empty(self.maps, len(places), dtype=sums.dtype, device=sums.device)]

    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        sums, gated = state.turn
        own = slice(channel * self.size, (channel + 1) * self.size)
        taps = places.gather(below.maps[0], self.beside).double()
        row = torch.addmm(sums[2 * own.start : 2 * own.stop], self.horizontal[channel], taps).floor_()
        gated[own] = self.tables.gate(row)
        found = self.out[channel](gated[: own.stop])
        if not self.first:
            found += places.read(below.maps[0][:, own])
        places.write(state.maps[0], own.start, found.clamp_(-STREAM_TOP, STREAM_TOP))


class Masked(Layer):
    """PixelCNN's first layer: a masked square."""

    def __init__(self, layer: Conv, name: str, net: PixelNetwork) -> None:
        self.maps, self.size = net.config.maps, net.config.maps // net.config.channels
        self.taps = tuple(layer.taps)
        part = Part(layer, INPUT_BITS, INPUT_TOP)
        groups = torch.arange(self.maps).split(self.size)
        self.groups = [product(name, [part], STREAM_BITS, own) for own in groups]

    def open(self, board: Board, below: State) -> State:
        return State(board, [board.blank(self.maps)])

    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        found = self.groups[channel](places.gather(below.maps[0], self.taps))
        places.write(state.maps[0], channel * self.size, found.clamp_(-STREAM_TOP, STREAM_TOP))


class Residual(Layer):
    """`ridecodec.models.pixelcnn.residual.ResidualBlock`: maps are the stream, and the narrow ones."""

    def __init__(self, layer: ResidualBlock, name: str, net: PixelNetwork) -> None:
        self.maps, self.size = net.config.maps, net.config.maps // net.config.channels
        self.half = self.size // 2
        self.taps = tuple(layer.square.taps)
        self.narrow: list[ExactLinear] = []
        self.square: list[ExactLinear] = []
        self.widen: list[ExactLinear] = []
        for c in range(net.config.channels):
            own = torch.arange(c * self.half, (c + 1) * self.half)
            wide = torch.arange(c * self.size, (c + 1) * self.size)
            for convs, conv, rows, columns in (
                (self.narrow, layer.narrow, own, (c + 1) * self.size),
                (self.square, layer.square, own, None),
                (self.widen, layer.widen, wide, (c + 1) * self.half),
            ):
                part = Part(conv, STREAM_BITS, STREAM_TOP, columns)
                convs.append(product(name, [part], STREAM_BITS, rows))

    def open(self, board: Board, below: State) -> State:
        return State(board, [board.blank(self.maps), board.blank(self.maps // 2)])

    def walk(self, state: State, below: State, channels: int) -> None:
        for places in chunks(state.board):
            for c in range(channels):
                self._narrow(state, below, places, c)
        for places in chunks(state.board):
            for c in range(channels):
                self._widen(state, below, places, c)

    def run(self, state: State, below: State, places: Places, channel: int) -> None:
        self._narrow(state, below, places, channel)
        self._widen(state, below, places, channel)

    def _narrow(self, state: State, below: State, places: Places, channel: int) -> None:
        stream = places.read(below.maps[0][:, : (channel + 1) * self.size]).clamp(min=0)
        places.write(state.maps[1], channel * self.half, self.narrow[channel](stream).clamp_(0, STREAM_TOP))

    def _widen(self, state: State, below: State, places: Places, channel: int) -> None:
        square = self.square[channel](places.gather(state.maps[1], self.taps)).clamp_(0, STREAM_TOP)
        del state.turn[channel:]
        state.turn.append(square)
        found = self.widen[channel](torch.cat(state.turn))
        own = slice(channel * self.size, (channel + 1) * self.size)
        found += places.read(below.maps[0][:, own])
        places.write(state.maps[0], own.start, found.clamp_(-STREAM_TOP, STREAM_TOP))


class Head:
    """Two 1x1 layers behind the stream: integers of a channel's distribution in 1/2^``bits``."""

    def __init__(self, net: PixelNetwork, bits: int) -> None:
        config = net.config
        self.size, size = config.maps // config.channels, config.head // config.channels
        outputs = net.last.out_channels // config.channels
        self.hidden, self.last = [], []
        for c in range(config.channels):
            rows = torch.arange(c * size, (c + 1) * size)
            part = Part(net.hidden, STREAM_BITS, STREAM_TOP, (c + 1) * self.size)
            self.hidden.append(product("hidden", [part], STREAM_BITS, rows))
            rows = torch.arange(c * outputs, (c + 1) * outputs)
            part = Part(net.last, STREAM_BITS, STREAM_TOP, (c + 1) * size)
            self.last.append(product("last", [part], bits, rows))

    def __call__(self, below: State, turn: list[Tensor], places: Places, channel: int) -> Tensor:
        """[outputs, m]; ``turn`` keeps what the next channels need."""
        stream = places.read(below.maps[0][:, : (channel + 1) * self.size])
        del turn[channel:]
        turn.append(self.hidden[channel](stream.clamp(min=0)).clamp_(0, STREAM_TOP))
        return self.last[channel](torch.cat(turn))
