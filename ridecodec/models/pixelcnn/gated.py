"""Gated PixelCNN: two stacks without a blind spot (Conditional PixelCNN paper, sections 2.2 to 2.4, Figure 2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn import integers
from ridecodec.models.pixelcnn.integers import (
    GATE_UNIT,
    HERE,
    PRE_TOP,
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

GAIN = 2.0
"""Gates weaken what goes through; without it the upper vertical layers begin next to dead."""


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the maps times sigmoid of the second: [B, 2p, ...] -> [B, p, ...] (equation 2)."""
    features, gates = x.chunk(2, 1)
    return torch.tanh(features) * torch.sigmoid(gates)


class GatedLayer(nn.Module):
    """A layer of both stacks: ``vertical`` sees the rows above, ``horizontal`` the row to the left as well.

    The vertical stack knows nothing of the pixel's own row, so that its maps need no groups. ``first``: the inputs are
    the picture's channels; there is no residual then. ``context``: maps that condition both gates (equation 4; equation
    5 where they are spatial).
    """

    def __init__(
        self, maps: int, groups: int, reach: int, first: bool = False, inputs: int | None = None, context: int = 0
    ) -> None:
        super().__init__()
        self.first = first
        inputs = maps if inputs is None else inputs
        above = reach - 1 if first else reach
        mask = group_mask(2 * maps, groups if first else maps, groups, strict=first, halves=2)
        if first:  # the last input says where the picture is: no channel
            mask = torch.cat([mask, torch.ones(2 * maps, inputs - groups, dtype=torch.bool)], 1)
        self.vertical = Conv(inputs, 2 * maps, above, reach, reach, shift=first, gain=GAIN)
        self.down = Conv(2 * maps, 2 * maps, bias=False)
        self.horizontal = Conv(inputs, 2 * maps, 0, reach, 0, mask=mask, gain=GAIN)
        self.out = Conv(maps, maps, mask=group_mask(maps, maps, groups, strict=False))
        self.context = Conv(context, 4 * maps, bias=False) if context else None

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Maps of both stacks [B, maps, H, W] -> the same; ``context`` [B, context, H or 1, W or 1]."""
        rows = bounded(self.vertical(vertical))
        row = self.horizontal(horizontal) + self.down(rows)
        if self.context is not None:
            up, beside = self.context(context).chunk(2, 1)
            rows, row = rows + up, row + beside
        found = self.out(gate(row))
        return gate(rows), bounded(found if self.first else found + horizontal)

    def recorded(self, ops: Recorder, name: str, lead: int, told: Told | None) -> RecordedGated:
        """The layer in a recording; its vertical stack runs ``lead`` fronts ahead."""
        return RecordedGated(ops, name, self, lead, told)


class Told:
    """What a recorded network is told of the picture, pixel by pixel: maps, or the index of a row of weights."""

    def __init__(self, maps: Callable[[], Value] | None = None, index: Callable[[], Value] | None = None) -> None:
        """What gives the value in the pass at hand."""
        self.maps, self.index = maps, index


class RecordedGated(Layer):
    """`GatedLayer` as operations: maps of the horizontal stack, of the vertical one, and of that before its gate."""

    def __init__(self, ops: Recorder, name: str, layer: GatedLayer, lead: int, told: Told | None) -> None:
        self.ops, self.name, self.layer, self.lead, self.told = ops, name, layer, lead, told
        count = layer.out.weight.shape[0]
        self.maps = Maps.declare(ops, count, STREAM_UNIT, -STREAM_TOP, STREAM_TOP)
        with ops.ahead(lead):
            self.vertical = Maps.declare(ops, count, GATE_UNIT, -GATE_UNIT, GATE_UNIT)
            self.rows = Maps.declare(ops, 2 * count, PRE_UNIT, -PRE_TOP, PRE_TOP)
        self.gated: list[Value] = []

    def prepare(self, below: Inputs | Layer) -> None:
        ops, layer = self.ops, self.layer
        weight, bias = layer.vertical.numbers
        with ops.ahead(self.lead):
            if isinstance(below, RecordedGated):
                parts = [(below.vertical.tap(ops, layer.vertical.taps), weight)]
            else:
                assert isinstance(below, Inputs)
                parts = [below.seen(layer.vertical.taps, weight)]
            found = product(ops, f"{self.name}.vertical", parts, bias, PRE_UNIT)
            self.rows.keep(ops, found)
            inner = self.rows.own[0]
            context = self._context(slice(0, len(found)))
            self.vertical.keep(ops, integers.gate(ops, inner if context is None else inner + context))

    def _context(self, rows: slice) -> Value | None:
        """What the gates' arguments are told, apart from what else they sum up."""
        if self.told is None:
            return None
        weight = self._weight()[rows]
        if self.told.index is not None:
            table = weight.T * PRE_UNIT
            return self.ops.record(
                "lookup",
                [self.told.index()],
                {"table": np.rint(table).astype(np.int64)},
                unit=PRE_UNIT,
                name=f"{self.name}.told",
                real={"table": table.astype(np.float32)},
            )
        assert self.told.maps is not None
        return product(self.ops, f"{self.name}.context", [(self.told.maps(), weight)], None, PRE_UNIT)

    def _weight(self) -> Floats:
        assert self.layer.context is not None
        return self.layer.context.numbers[0]

    def run(self, below: Inputs | Layer, channel: int) -> None:
        ops, layer, taps = self.ops, self.layer, self.layer.horizontal.taps
        count, size = self.maps.size, self.maps.size // ops.channels
        chosen = np.arange(channel * size, (channel + 1) * size)
        own = np.concatenate([chosen, chosen + count])
        weight, bias = layer.horizontal.numbers
        if isinstance(below, Inputs):
            first = below.seen(taps, weight[own])
        else:
            seen = below.maps.seen(ops, taps)
            first = seen, columns(weight[own], taps, sum(map(len, below.maps.own)))
        inner = self.rows.own[0] if self.lead == 0 else self.rows.tap(ops, [HERE])
        parts = [first, (inner, layer.down.numbers[0][own])]
        told = None
        if self.told is not None and self.told.index is not None:
            told = self.told.index(), self._weight()[2 * count + own].T
        elif self.told is not None and self.told.maps is not None:
            parts.append((self.told.maps(), self._weight()[2 * count + own]))
        row = product(ops, f"{self.name}.horizontal.{channel}", parts, bias[own], PRE_UNIT, told)
        self.gated.append(integers.gate(ops, row))
        weight, bias = layer.out.numbers
        inputs = [(ops.concatenate(self.gated), weight[chosen, : (channel + 1) * size])]
        found = product(ops, f"{self.name}.out.{channel}", inputs, bias[chosen], STREAM_UNIT)
        self.maps.keep(ops, found if isinstance(below, Inputs) else found + below.maps.own[channel])
