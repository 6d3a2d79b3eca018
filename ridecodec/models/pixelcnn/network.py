"""The networks in floating point: what is common to them, and PixelCNN and Gated PixelCNN.

Pictures are integers [B, C, H, W], channels in coding order (green, red, blue). Every network turns them into
distributions of each sub-pixel's 256 values, given all sub-pixels before it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.gated import GatedLayer, RecordedGated, Told
from ridecodec.models.pixelcnn.integers import STREAM_TOP, STREAM_UNIT, Maps, product
from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask, rectified
from ridecodec.models.pixelcnn.outputs import mixture_bits, record_output, softmax_bits
from ridecodec.models.pixelcnn.recorded import INPUT_LIMIT, INPUT_UNIT, Inputs, Layer
from ridecodec.models.pixelcnn.recurrent import DiagonalBiLSTM, RecordedDiagonals, RecordedRows, RowLSTM
from ridecodec.models.pixelcnn.residual import RecordedResidual, ResidualBlock


def picture_maps(x: Tensor) -> Tensor:
    """Integers [B, C, H, W] -> inputs [B, C + 1, H, W]: the last map is 1 wherever the picture is."""
    x = x if x.is_floating_point() else x.float()
    scaled = (2 * x - INPUT_LIMIT) / INPUT_UNIT
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

    @property
    def lead(self) -> int:
        """Fronts that the first layer's vertical stack runs ahead, so that the last one's need not: it sees its own row
        to the right."""
        return self.config.reach * (self.config.layers - 1) if self.config.kind == "gated" else 0

    def record(self, ops: Recorder, told: Told | None = None) -> None:
        """Write the network down, with the distributions of all channels; ``told``: what conditions it."""
        inputs = Inputs(ops)
        layers = [self._layer(ops, k, layer, told) for k, layer in enumerate(self.layers)]
        below: list[Inputs | Layer] = [inputs, *layers[:-1]]
        for layer, under in zip(layers, below, strict=True):
            layer.prepare(under)
        hidden: list[Value] = []
        for channel in range(ops.channels):
            for layer, under in zip(layers, below, strict=True):
                layer.run(under, channel)
            self._head(ops, layers[-1], hidden, channel)
            inputs.observe()

    def _layer(self, ops: Recorder, k: int, layer: nn.Module, told: Told | None) -> Layer:
        name = f"layers.{k}"
        if isinstance(layer, GatedLayer):
            return RecordedGated(ops, name, layer, self.lead - self.config.reach * k, told)
        if isinstance(layer, ResidualBlock):
            return RecordedResidual(ops, name, layer)
        if isinstance(layer, RowLSTM):
            return RecordedRows(ops, name, layer)
        if isinstance(layer, DiagonalBiLSTM):
            return RecordedDiagonals(ops, name, layer)
        assert isinstance(layer, Conv)
        return _RecordedFirst(ops, name, layer)

    def _head(self, ops: Recorder, top: Layer, hidden: list[Value], channel: int) -> None:
        """The two layers behind the stream; ``hidden``: of the channels before."""
        config = self.config
        size, head = config.maps // config.channels, config.head // config.channels
        own = slice(channel * head, (channel + 1) * head)
        stream = ops.concatenate(top.maps.own).clamp(0, STREAM_TOP)
        weight, bias = self.hidden.numbers
        parts = [(stream, weight[own, : (channel + 1) * size])]
        inner = product(ops, f"hidden.{channel}", parts, bias[own], STREAM_UNIT).clamp(0, STREAM_TOP)
        hidden.append(inner)
        rows = slice(channel * config.outputs, (channel + 1) * config.outputs)
        weight, bias = self.last.numbers
        x = ops.concatenate(hidden)
        record_output(ops, f"last.{channel}", x, weight[rows, : own.stop], bias[rows], config.mixtures)


class _RecordedFirst(Layer):
    """The first layer of those that are not gated, as operations."""

    def __init__(self, ops: Recorder, name: str, layer: Conv) -> None:
        self.ops, self.name, self.layer = ops, name, layer
        self.maps = Maps.declare(ops, layer.weight.shape[0], STREAM_UNIT, -STREAM_TOP, STREAM_TOP)

    def run(self, below: Inputs | Layer, channel: int) -> None:
        assert isinstance(below, Inputs)
        size = self.maps.size // self.ops.channels
        own = slice(channel * size, (channel + 1) * size)
        weight, bias = self.layer.numbers
        parts = [below.seen(self.layer.taps, weight[own])]
        self.maps.keep(self.ops, product(self.ops, f"{self.name}.{channel}", parts, bias[own], STREAM_UNIT))


def _spread(last: Conv, groups: int, mixtures: int) -> None:
    """Let the mixtures begin all over the values, and wide."""
    assert last.bias is not None
    with torch.no_grad():
        last.weight.mul_(0.1)
        gate, means, scales = last.bias.view(groups, 3, mixtures).unbind(1)
        gate.zero_()
        means.copy_(torch.linspace(-0.8, 0.8, mixtures).expand(groups, -1))
        scales.fill_(4.0)
