"""The networks in floating point: what is common to them, and PixelCNN and Gated PixelCNN.

Pictures are integers [B, C, H, W], channels in coding order (green, red, blue). Every network turns them into
distributions of each sub-pixel's 256 values, given all sub-pixels before it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ridecodec.exact.order import Neighbourhood
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.gated import GatedLayer
from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask, rectified
from ridecodec.models.pixelcnn.outputs import mixture_bits, softmax_bits
from ridecodec.models.pixelcnn.recurrent import DiagonalBiLSTM, RowLSTM
from ridecodec.models.pixelcnn.residual import ResidualBlock

INPUT_LIMIT = 255
"""Inputs are 2 v - 255."""


def neighbourhood(config: PixelConfig) -> Neighbourhood:
    """What the order of coding must leave known: of a vertical stack all that its top layer sees."""
    ahead = config.reach * (config.layers - 1) if config.kind == "gated" else 0
    slope = max(ahead + config.first, config.reach) + 1
    return Neighbourhood(config.first, config.first, config.first, slope, config.kind == "diagonal-lstm")


def picture_maps(x: Tensor) -> Tensor:
    """Integers [B, C, H, W] -> inputs [B, C + 1, H, W]: the last map is 1 wherever the picture is."""
    x = x if x.is_floating_point() else x.float()
    scaled = (2 * x - INPUT_LIMIT) / 256  # a power of two, for the integers' sake
    return torch.cat([scaled, torch.ones_like(scaled[:, :1])], 1)


class PixelNetwork(nn.Module):
    """Masked layers, two 1x1 layers, and what they say of every sub-pixel."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config
        maps, groups, inputs = config.maps, config.channels, config.channels + 1
        self.layers = nn.ModuleList()
        if config.kind == "gated":
            for k in range(config.layers):
                reach = config.reach if k else config.first
                self.layers.append(GatedLayer(maps, groups, reach, not k, None if k else inputs, config.context))
        else:
            mask = group_mask(maps, groups, groups, strict=True)
            mask = torch.cat([mask, torch.ones(maps, 1, dtype=torch.bool)], 1)
            first = config.first
            self.layers.append(Conv(inputs, maps, first, first, first, mask=mask))
            for _ in range(config.layers):
                self.layers.append(
                    ResidualBlock(maps, groups, config.reach)
                    if config.kind == "pixelcnn"
                    else RowLSTM(maps, groups, config.reach)
                    if config.kind == "row-lstm"
                    else DiagonalBiLSTM(maps, groups)
                )
        self.hidden = Conv(maps, config.head, mask=group_mask(config.head, maps, groups, strict=False))
        outputs = groups * config.outputs
        self.last = Conv(config.head, outputs, mask=group_mask(outputs, config.head, groups, strict=False))
        if config.mixtures:
            _spread(self.last, groups, config.mixtures)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Pictures [B, C, H, W] of integers, ``context`` [B, context, 1 or H, 1 or W] -> [B, C, outputs, H, W]."""
        return self.numbers(picture_maps(x), context)

    def numbers(self, inputs: Tensor, context: Tensor | None = None) -> Tensor:
        """The same from inputs as `picture_maps` makes them."""
        if self.config.kind == "gated":
            vertical, horizontal = inputs, inputs
            for layer in self.layers:
                vertical, horizontal = layer(vertical, horizontal, context)
        else:
            horizontal = inputs
            for layer in self.layers:
                horizontal = bounded(layer(horizontal))
        hidden = rectified(self.hidden(rectified(horizontal)))
        with torch.autocast(inputs.device.type, enabled=False):  # bfloat16 is too coarse for what is exponentiated
            found: Tensor = self.last(hidden.to(self.last.weight))
        numbers: Tensor = found.unflatten(1, (self.config.channels, -1))
        return numbers

    def bits(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Code length of every pixel, all channels together, bits [B, H, W]."""
        return self.each(x, context).sum(1)

    def each(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Code length of every sub-pixel, bits [B, C, H, W]."""
        numbers = self(x, context)
        return mixture_bits(numbers, x) if self.config.mixtures else softmax_bits(numbers, x)


def _spread(last: Conv, groups: int, mixtures: int) -> None:
    """Let the mixtures begin all over the values, and wide."""
    assert last.bias is not None
    with torch.no_grad():
        last.weight.mul_(0.1)
        gate, means, scales = last.bias.view(groups, 3, mixtures).unbind(1)
        gate.zero_()
        means.copy_(torch.linspace(-0.8, 0.8, mixtures).expand(groups, -1))
        scales.fill_(4.0)
