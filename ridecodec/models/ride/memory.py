"""The spatial LSTM in integers, one front at a time: the state of the front and its step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear, whole
from ridecodec.models.ride.lstm import GATES, MEMORY_LIMIT
from ridecodec.models.ride.network import RideConfig

PRE_UNIT = 1 << 10
"""Steps of the activation tables for each unit of their argument."""
GATE_BITS = 10
"""Gates and memory cells are in 1/2^10: the sum of three products of theirs is exact in float32."""
OUTPUT_BITS = 9
"""Hidden units are in 1/2^9."""
_RANGE = 8
_MIDDLE = _RANGE * PRE_UNIT
_ENTRIES = 2 * _MIDDLE
_TANH = slice(0, _ENTRIES)
_SIGMOID = slice(_ENTRIES, 2 * _ENTRIES)
MEMORY_TOP = int(MEMORY_LIMIT * (1 << GATE_BITS))


class LSTMTables:
    """tanh and sigmoid for the gates, and tanh for the hidden units; made once at export."""

    def __init__(self, gates: Tensor, output: Tensor) -> None:
        """``gates`` int [2 * entries], tanh before sigmoid; ``output`` int [entries]. ModelRefusedError for others."""
        top, unit = 1 << GATE_BITS, 1 << OUTPUT_BITS
        gates = whole("tables.gates", gates, (2 * _ENTRIES,), -top, top)
        whole("tables.gates", gates[_SIGMOID], (_ENTRIES,), 0, top)
        self.gates = gates.float()
        self.output = whole("tables.output", output, (_ENTRIES,), -unit, unit).float()
        self.gates[_SIGMOID] /= top  # exact, and their products then need no shift

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        argument = (torch.arange(_ENTRIES, dtype=torch.float64) - _MIDDLE + 0.5) / PRE_UNIT
        gates = torch.cat([torch.tanh(argument), torch.sigmoid(argument)]) * (1 << GATE_BITS)
        return {
            "gates": torch.round(gates).int(),
            "output": torch.round(torch.tanh(argument) * (1 << OUTPUT_BITS)).int(),
        }

    def to(self, device: torch.device) -> LSTMTables:
        """Move the tables."""
        self.gates, self.output = self.gates.to(device), self.output.to(device)
        return self


def starts(hidden: int) -> Tensor:
    """Of each gate the table's entry for argument 0, int64 [5 hidden]."""
    firsts = torch.tensor([_TANH.start] + (GATES - 1) * [_SIGMOID.start])
    return firsts.repeat_interleave(hidden) + _MIDDLE


class Memory:
    """State of a batch of equal maps along fronts ``t = x + slope * y``: what the next ``slope`` fronts still see.

    Rows that have not begun, and the row above the first, hold zeros: states off the grid are 0.
    """

    def __init__(
        self,
        layers: Sequence[ExactLinear],
        tables: LSTMTables,
        config: RideConfig,
        slope: int,
        tiles: int,
        height: int,
        device: torch.device,
    ) -> None:
        """``layers``: with `starts` in their biases."""
        self.layers, self.tables, self.hidden, self.extended = layers, tables, config.hidden, config.extended
        self.slope = slope
        # of each layer the hidden units, then the memory cells
        self.ring = torch.zeros(slope, len(layers), 2 * config.hidden, tiles, height + 1, device=device)
        self.half, self.middle = torch.tensor(0.5, device=device), torch.tensor(float(_MIDDLE), device=device)

    def step(self, t: int, y0: int, y1: int, inputs: Tensor) -> Tensor:
        """Front ``t``, rows [y0, y1) of every tile: inputs [n, m] -> the last layer's hidden units [hidden, m]."""
        slot, hidden = self.ring[t % self.slope], self.hidden
        before = self.ring[(t - 1) % self.slope]
        left, up = before[..., y0 + 1 : y1 + 1].flatten(2), slot[..., y0:y1].flatten(2)  # [layers, 2 hidden, m]
        below = inputs
        for k, layer in enumerate(self.layers):
            seen = [below, left[k, :hidden], up[k, :hidden]]
            if self.extended:
                seen += [left[k, hidden:], up[k, hidden:]]
            argument = layer.sums(torch.cat(seen))
            argument[:hidden].clamp_(_TANH.start, _TANH.stop - 1)
            argument[hidden:].clamp_(_SIGMOID.start, _SIGMOID.stop - 1)
            gates = self.tables.gates.index_select(0, argument.int().view(-1)).view(argument.shape)
            g, o, i, above, beside = gates.split(hidden)
            c = torch.addcmul(self.half, g, i).addcmul_(left[k, hidden:], beside).addcmul_(up[k, hidden:], above)
            c = c.floor_().clamp_(-MEMORY_TOP, MEMORY_TOP)
            argument = torch.addcmul(self.middle, c, o).int()
            below = self.tables.output.index_select(0, argument.view(-1)).view(argument.shape)
            for first, values in ((0, below), (hidden, c)):
                own = slot[k, first : first + hidden, :, y0 + 1 : y1 + 1]  # [hidden, tiles, rows]
                own.copy_(values.view(own.shape))
        return below
