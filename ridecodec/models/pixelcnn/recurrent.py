"""PixelRNN's layers: Row LSTM and Diagonal BiLSTM (PixelRNN paper, sections 3.1 and 3.2, equation 3).

Gates o, f, i, g, in this order: ``c = f * c_before + i * g``, ``h = o * tanh(c)``. The input's part of the gates is a
masked convolution of all positions at once; the state's part goes from row to row, or from diagonal to diagonal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask

GATES = 4


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
