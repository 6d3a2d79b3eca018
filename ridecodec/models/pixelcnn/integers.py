"""Units of the integer networks, and their gates by table."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.models.pixelcnn.masked import LIMIT

INPUT_BITS = 8
INPUT_TOP = 1 << INPUT_BITS
"""Inputs are 2 v - 255, in 1/2^8, and 1 where the picture is."""
PRE_BITS = 10
"""Arguments of gates are in 1/2^10."""
STREAM_BITS = 11
"""What goes on from layer to layer is in 1/2^11."""
GATE_BITS = 12
"""Gated units and hidden units are in 1/2^12."""
PRE_TOP, STREAM_TOP, GATE_TOP = (int(LIMIT) << PRE_BITS), (int(LIMIT) << STREAM_BITS), 1 << GATE_BITS
MEMORY_TOP = int(LIMIT) << GATE_BITS
"""Memories of LSTMs are in 1/2^GATE_BITS."""
_RANGE = 8
_MIDDLE = _RANGE << PRE_BITS
_ENTRIES = 2 * _MIDDLE


class GateTables:
    """tanh and sigmoid, made once at export and shipped with the model."""

    def __init__(self, tanh: Tensor, sigmoid: Tensor) -> None:
        """int [entries] each, in 1/2^GATE_BITS; ModelRefusedError for others."""
        tanh = whole("tables.tanh", tanh, (_ENTRIES,), -GATE_TOP, GATE_TOP)
        sigmoid = whole("tables.sigmoid", sigmoid, (_ENTRIES,), 0, GATE_TOP)
        self.tanh, self.sigmoid = tanh.float(), sigmoid.float() / GATE_TOP

    @staticmethod
    def make() -> dict[str, Tensor]:
        """The tables as int32 tensors."""
        argument = (torch.arange(_ENTRIES, dtype=torch.float64) - _MIDDLE + 0.5) / (1 << PRE_BITS)
        return {
            "tanh": torch.round(torch.tanh(argument) * GATE_TOP).int(),
            "sigmoid": torch.round(torch.sigmoid(argument) * GATE_TOP).int(),
        }

    def to(self, device: torch.device) -> GateTables:
        """Move the tables."""
        self.tanh, self.sigmoid = self.tanh.to(device), self.sigmoid.to(device)
        return self

    def gate(self, x: Tensor) -> Tensor:
        """Integers [2p, m] in 1/2^PRE_BITS -> tanh of the first half times sigmoid of the second, [p, m]."""
        index = x.add(_MIDDLE).clamp_(0, _ENTRIES - 1).int()
        features, gates = index.view(2, -1)
        found = self.tanh.index_select(0, features).mul_(self.sigmoid.index_select(0, gates)).floor_()
        return found.view(len(x) // 2, -1)

    def cell(self, gates: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """An LSTM's gates o, f, i, g [4n, m] in 1/2^PRE_BITS and memory before [n, m] -> hidden units and memory."""
        count = before.numel()
        index = gates.add(_MIDDLE).clamp_(0, _ENTRIES - 1).int().view(-1)
        o, f, i = self.sigmoid.index_select(0, index[: 3 * count]).view(3, *before.shape)
        g = self.tanh.index_select(0, index[3 * count :]).view(before.shape)
        # in float64: 17 bits of memory times 12 of a gate
        memory = torch.addcmul(i.double() * g, f.double(), before).floor_().clamp_(-MEMORY_TOP, MEMORY_TOP)
        index = memory.mul(2.0 ** (PRE_BITS - GATE_BITS)).floor_().add_(_MIDDLE).clamp_(0, _ENTRIES - 1).int().view(-1)
        hidden = self.tanh.index_select(0, index).view(before.shape).mul_(o).floor_()
        return hidden, memory.to(before.dtype)
