"""What a conditional PixelCNN is told: an auto-encoder's code, or maps made from the picture at half its size."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.models.pixelcnn.masked import Conv, rectified
from ridecodec.models.pixelcnn.network import picture_maps

CODE_TOP = 127
CODE_BITS = 7
"""A number of a code is an integer within +-127, in 1/2^7."""
CELLS = 8
"""Rows and columns of what a code is painted to."""
_GRID = 4
_LEAST = 8
_REACH = 2


class Encoder(nn.Module):
    """A picture of any size -> its code (Conditional PixelCNN paper, section 2.4)."""

    def __init__(self, channels: int, maps: int, size: int) -> None:
        super().__init__()
        widths = (channels + 1, maps, 2 * maps, 2 * maps)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )
        self.last = nn.Linear(2 * maps * _GRID**2, size)

    def forward(self, x: Tensor) -> Tensor:
        """Integers [B, C, H, W] -> multiples of 1/2^CODE_BITS [B, size]; gradients pass the rounding unchanged."""
        height, width = x.shape[2:]
        maps = functional.pad(picture_maps(x), (0, max(0, _LEAST - width), 0, max(0, _LEAST - height)))
        for conv in self.convs:
            maps = functional.relu(conv(maps))
        grid = functional.adaptive_avg_pool2d(maps, _GRID).flatten(1)
        with torch.autocast(x.device.type, enabled=False):
            code = torch.tanh(self.last(grid.to(self.last.weight))) * CODE_TOP
            rounded: Tensor = code + (code.round() - code).detach()
        return rounded / (1 << CODE_BITS)


class Square(nn.Conv2d):
    """A convolution that sees all around the pixel, zeros outside of the picture."""

    @property
    def matrix(self) -> Tensor:
        """[outputs, inputs * taps], as `torch.nn.functional.unfold` orders them."""
        return self.weight.flatten(1)


class Enlarger(nn.Module):
    """The picture at half its size -> maps at its size: a deconvolution of 2x2 over what a square convolution sees
    (Conditional PixelCNN paper, equation 5)."""

    reach = _REACH

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.look = Square(channels + 1, 2 * maps, 2 * _REACH + 1, padding=_REACH)
        self.deconvolve = Conv(2 * maps, 4 * maps)

    def forward(self, half: Tensor, height: int, width: int) -> Tensor:
        """Integers [B, C, ceil(H / 2), ceil(W / 2)] -> [B, maps, H, W]."""
        inner = rectified(self.deconvolve(rectified(self.look(picture_maps(half)))))
        return functional.pixel_shuffle(inner, 2)[:, :, :height, :width]


class Painter(nn.Module):
    """A code -> maps of any size: a deconvolution of 8x8 cells, each as large as the picture has it be (Conditional
    PixelCNN paper, equation 5)."""

    def __init__(self, vector: int, maps: int) -> None:
        super().__init__()
        self.deconvolve = Conv(vector, maps * CELLS**2)

    def forward(self, code: Tensor, height: int, width: int) -> Tensor:
        """[B, vector, 1, 1] -> [B, maps, H, W]."""
        return spread(rectified(self.deconvolve(code)), height, width)


def spread(cells: Tensor, height: int, width: int) -> Tensor:
    """Maps [B, maps * CELLS^2, 1, 1] of cells, each cell as many pixels as fall into it: [B, maps, H, W]."""
    rows, columns = (torch.arange(size, device=cells.device) * CELLS // size for size in (height, width))
    return functional.pixel_shuffle(cells, CELLS)[:, :, rows][:, :, :, columns]


def halved(x: Tensor) -> Tensor:
    """Every second pixel of every second row, from the first: [..., H, W] -> [..., ceil(H / 2), ceil(W / 2)]."""
    return x[..., ::2, ::2]
