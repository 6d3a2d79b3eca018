"""PixelCNN's residual block of masked convolutions (PixelRNN paper, Figure 5, left)."""

from __future__ import annotations

from torch import Tensor, nn

from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.integers import STREAM_TOP, STREAM_UNIT, Maps, columns, product
from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask, rectified
from ridecodec.models.pixelcnn.recorded import Inputs, Layer


class ResidualBlock(nn.Module):
    """2h maps -> h by 1x1, h by a masked square, 2h by 1x1, added to the 2h."""

    def __init__(self, maps: int, groups: int, reach: int) -> None:
        super().__init__()
        half = maps // 2
        self.narrow = Conv(maps, half, mask=group_mask(half, maps, groups, strict=False))
        self.square = Conv(half, half, reach, reach, reach, mask=group_mask(half, half, groups, strict=False))
        self.widen = Conv(half, maps, mask=group_mask(maps, half, groups, strict=False))

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, H, W] -> the same."""
        inner = rectified(self.square(rectified(self.narrow(rectified(x)))))
        return bounded(x + self.widen(inner))


class RecordedResidual(Layer):
    """`ResidualBlock` as operations: the maps of the stream, and the narrow ones."""

    def __init__(self, ops: Recorder, name: str, layer: ResidualBlock) -> None:
        self.ops, self.name, self.layer = ops, name, layer
        count = layer.widen.weight.shape[0]
        self.maps = Maps.declare(ops, count, STREAM_UNIT, -STREAM_TOP, STREAM_TOP)
        self.narrow = Maps.declare(ops, count // 2, STREAM_UNIT, 0, STREAM_TOP)
        self.rectified: list[Value] = []
        self.square: list[Value] = []

    def run(self, below: Inputs | Layer, channel: int) -> None:
        assert isinstance(below, Layer)
        ops, layer, name = self.ops, self.layer, self.name
        half = self.narrow.size // ops.channels
        own, wide = (slice(channel * n, (channel + 1) * n) for n in (half, 2 * half))
        stream = below.maps.own[channel]
        self.rectified.append(stream.clamp(0, STREAM_TOP))
        weight, bias = layer.narrow.numbers
        parts = [(ops.concatenate(self.rectified), weight[own, : wide.stop])]
        self.narrow.keep(ops, product(ops, f"{name}.narrow.{channel}", parts, bias[own], STREAM_UNIT))
        weight, bias = layer.square.numbers
        taps = layer.square.taps
        parts = [(self.narrow.seen(ops, taps), columns(weight[own], taps, own.stop))]
        square = product(ops, f"{name}.square.{channel}", parts, bias[own], STREAM_UNIT)
        self.square.append(square.clamp(0, STREAM_TOP))
        weight, bias = layer.widen.numbers
        parts = [(ops.concatenate(self.square), weight[wide, : own.stop])]
        self.maps.keep(ops, product(ops, f"{name}.widen.{channel}", parts, bias[wide], STREAM_UNIT) + stream)
