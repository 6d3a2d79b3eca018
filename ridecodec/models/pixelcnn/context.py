"""What a conditional PixelCNN is told: an auto-encoder's code, or maps made from the picture at half its size."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.integers import STREAM_TOP, STREAM_UNIT, product
from ridecodec.models.pixelcnn.masked import Conv, rectified
from ridecodec.models.pixelcnn.network import picture_maps
from ridecodec.models.pixelcnn.recorded import WHOLE, of_samples
from ridecodec.models.pixelcnn.sides import CELLS, CODE_TOP, CODE_UNIT, GRID, LEAST, MARGIN

_REACH = MARGIN // 2


class Encoder(nn.Module):
    """A picture of any size -> its code (Conditional PixelCNN paper, section 2.4)."""

    def __init__(self, channels: int, maps: int, size: int) -> None:
        super().__init__()
        widths = (channels + 1, maps, 2 * maps, 2 * maps)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )
        self.last = nn.Linear(2 * maps * GRID**2, size)

    def forward(self, x: Tensor) -> Tensor:
        """Integers [B, C, H, W] -> multiples of 1/CODE_UNIT [B, size]; gradients pass the rounding unchanged."""
        height, width = x.shape[2:]
        maps = functional.pad(picture_maps(x), (0, max(0, LEAST - width), 0, max(0, LEAST - height)))
        for conv in self.convs:
            maps = functional.relu(conv(maps))
        grid = functional.adaptive_avg_pool2d(maps, GRID).flatten(1)
        with torch.autocast(x.device.type, enabled=False):
            code = torch.tanh(self.last(grid.to(self.last.weight))) * CODE_TOP
            rounded: Tensor = code + (code.round() - code).detach()
        return rounded / CODE_UNIT


class Enlarger(nn.Module):
    """The picture at half its size -> maps at its size: a deconvolution of 2x2 over what a square convolution sees
    (Conditional PixelCNN paper, equation 5)."""

    reach = _REACH

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(channels + 1, 2 * maps, 2 * _REACH + 1, padding=_REACH)
        self.deconvolve = Conv(2 * maps, 4 * maps)

    def forward(self, half: Tensor, height: int, width: int) -> Tensor:
        """Integers [B, C, ceil(H / 2), ceil(W / 2)] -> [B, maps, H, W]."""
        inner = rectified(self.deconvolve(rectified(self.look(picture_maps(half)))))
        return functional.pixel_shuffle(inner, 2)[:, :, :height, :width]

    def record(self, ops: Recorder) -> Value:
        """Maps at the pixel, from given planes: the picture at half its size, and where it is, each value twice as wide
        and as high."""
        planes = [*(ops.give(f"half.{c}", 0, ops.top, MARGIN) for c in range(ops.channels))]
        planes.append(ops.give("inside", 0, 1, MARGIN))
        reach = range(-self.reach, self.reach + 1)
        offsets = [(2 * dy, 2 * dx) for dy in reach for dx in reach]
        *samples, inside = (ops.given((plane, offset) for offset in offsets) for plane in planes)
        maps = [of_samples(ops, each, inside) for each in samples]
        x = ops.concatenate([*maps, (inside * ops.constant(WHOLE)).in_unit(WHOLE)])
        assert self.look.bias is not None
        weight, bias = (part.detach().double().cpu().numpy() for part in (self.look.weight, self.look.bias))
        look = product(ops, "enlarger.look", [(x, weight.reshape(len(weight), -1))], bias, STREAM_UNIT)
        phase = ops.affine(ops.place(1)[4:], np.array([[2, 1]]))
        return _chosen(ops, "enlarger.deconvolve", self.deconvolve, look.clamp(0, STREAM_TOP), phase, 4)


def _chosen(ops: Recorder, name: str, conv: Conv, x: Value, index: Value, count: int) -> Value:
    """Of ``count`` outputs that a deconvolution has for each of its maps, the one of the pixel."""
    rows = np.arange(len(conv.weight)).reshape(-1, count).T.ravel()
    weight, bias = conv.numbers
    return ops.select(index, product(ops, name, [(x, weight[rows])], bias[rows], STREAM_UNIT), count).clamp(
        0, STREAM_TOP
    )


class Painter(nn.Module):
    """A code -> maps of any size: a deconvolution of 8x8 cells, each as large as the picture has it be (Conditional
    PixelCNN paper, equation 5)."""

    def __init__(self, vector: int, maps: int) -> None:
        super().__init__()
        self.deconvolve = Conv(vector, maps * CELLS**2)

    def forward(self, code: Tensor, height: int, width: int) -> Tensor:
        """[B, vector, 1, 1] -> [B, maps, H, W]."""
        return spread(rectified(self.deconvolve(code)), height, width)

    def record(self, ops: Recorder, code: Value) -> Value:
        """Maps at the pixel, from a given plane of the numbers of its cells."""
        cell = ops.given([(ops.give("cell", 0, CELLS**2 - 1, 0), (0, 0))])
        return _chosen(ops, "painter.deconvolve", self.deconvolve, code, cell, CELLS**2)


def spread(cells: Tensor, height: int, width: int) -> Tensor:
    """Maps [B, maps * CELLS^2, 1, 1] of cells, each cell as many pixels as fall into it: [B, maps, H, W]."""
    rows, columns = (torch.arange(size, device=cells.device) * CELLS // size for size in (height, width))
    return functional.pixel_shuffle(cells, CELLS)[:, :, rows][:, :, :, columns]


def halved(x: Tensor) -> Tensor:
    """Every second pixel of every second row, from the first: [..., H, W] -> [..., ceil(H / 2), ceil(W / 2)]."""
    return x[..., ::2, ::2]
