"""RIDE (https://arxiv.org/abs/1506.03478): conditional whitening, spatial LSTMs, and a factorised MCGSM on the last
one's hidden units; in floating point, to train it, and as a program, to code by it.

Without layers it is the MCGSM of the whitened neighbourhood. One network predicts one channel; it sees the causal
neighbourhood in all channels and, at the pixel itself, the channels that are coded before. With indicators it knows
nothing outside of a map: what a neighbourhood lacks is padded, and one more plane says where (the paper's patches).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.errors import UsageError
from ridecodec.exact.families import Gaussians
from ridecodec.exact.order import Neighbourhood, Offset, Tap
from ridecodec.exact.parts import CONSTANT
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.ride.lstm import SpatialLSTM, packing
from ridecodec.models.ride.mcgsm import MCGSM
from ridecodec.models.ride.whitening import Whitening

MIDDLE = 128.0
"""What neighbours outside of a map count as."""
_HALVES, _MARK = 2, 255
"""In programs pixels are in halves around `MIDDLE`, 2 v - 255 for the middle of a bin, and indicators in 1/255: all
weights then fit 16 bits."""
_MOST = Gaussians.MAX_COMPONENTS
_BOUNDS = {
    "layers": (0, 8),
    "hidden": (1, 4096),
    "width": (3, 63),
    "height": (1, 63),
    "components": (1, _MOST),
    "scales": (1, _MOST),
    "features": (1, 4096),
}


def causal(width: int, height: int) -> list[Offset]:
    """The paper's neighbourhood: ``height`` rows of ``width`` pixels, the last one only its left half."""
    if width < 3 or width % 2 == 0 or height < 1:
        raise UsageError(
            f"a neighbourhood of {width}x{height} pixels; its width must be odd and at least 3, its height at least 1"
        )
    half = width // 2
    return [(dy, dx) for dy in range(1 - height, 1) for dx in range(-half, half + 1) if dy < 0 or dx < 0]


@dataclass(frozen=True)
class RideConfig:
    """What a network is made of; UsageError where no network can be."""

    channels: int = 1
    channel: int = 0
    """Which of the channels it predicts, in coding order."""
    layers: int = 0
    hidden: int = 64
    extended: bool = False
    width: int = 5
    """Of the neighbourhood; odd."""
    height: int | None = None
    """Of the neighbourhood; None: (width + 1) / 2."""
    components: int = 32
    scales: int = 4
    features: int | None = 32
    """None: a full MCGSM."""
    indicators: bool = False
    """Nothing outside of a map is known, and inputs say which neighbours are there."""

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is None and name in ("height", "features"):
                continue
            if not _is_whole(value) or not least <= value <= most:
                raise UsageError(f"{name} is {value!r}; it must be a whole number from {least} to {most}")
        if not _is_whole(self.channel) or self.channels not in (1, 3) or not 0 <= self.channel < self.channels:
            raise UsageError(
                f"channel {self.channel!r} of {self.channels!r}; there are 1 or 3 channels, counted from 0"
            )
        if self.components * self.scales > _MOST:
            raise UsageError(f"{self.components} components of {self.scales} scales are more than {_MOST} Gaussians")
        for name in ("extended", "indicators"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} is {getattr(self, name)!r}; it must be true or false")
        _ = self.offsets  # refuses an even width

    @property
    def offsets(self) -> list[Offset]:
        return causal(self.width, (self.width + 1) // 2 if self.height is None else self.height)

    @property
    def taps(self) -> list[Tap]:
        """(plane, offset) of the inputs, those at the pixel itself last; plane ``channels`` holds the indicators."""
        planes = self.channels + self.indicators
        around = [(c, offset) for c in range(planes) for offset in self.offsets]
        return around + [(c, (0, 0)) for c in range(self.channel)]

    @property
    def marks(self) -> list[bool]:
        """Which of the taps are indicators."""
        return [plane == self.channels for plane, _ in self.taps]

    @property
    def hood(self) -> Neighbourhood:
        return Neighbourhood.of(self.offsets)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Ride(nn.Module):
    """One channel's density. Pixels are real numbers: value v owns [v, v + 1).

    ``planes`` [B, C, h, w] are a map [H, W] and what its neighbourhoods reach, ``h = H + top`` and ``w = W + 2 side``;
    with indicators they are the map itself. ``padding``: what its neighbours outside count as then.
    """

    def __init__(self, config: RideConfig, padding: float = MIDDLE) -> None:
        super().__init__()
        self.config, self.padding = config, padding
        taps = len(config.taps)
        self.whitening = Whitening(taps)
        inputs = [taps] + [config.hidden] * config.layers
        self.layers = nn.ModuleList(
            SpatialLSTM(size, config.hidden, config.extended) for size in inputs[: config.layers]
        )
        self.mcgsm = MCGSM(inputs[-1], config.components, config.scales, config.features)

    def _layers(self) -> list[SpatialLSTM]:
        return [layer for layer in self.layers if isinstance(layer, SpatialLSTM)]

    def gather(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbourhoods and pixels of the map: x [H, W, B, taps], y [H, W, B]."""
        hood = self.config.hood
        top, side = hood.top, max(hood.left, hood.right)
        if self.config.indicators:
            around = (side, side, top, 0)
            outside = functional.pad(torch.zeros_like(planes[:, :1]), around, value=1.0)
            planes = torch.cat([functional.pad(planes, around, value=self.padding), outside], 1)
        height, width = planes.shape[2] - top, planes.shape[3] - 2 * side
        parts = planes.permute(2, 3, 0, 1)  # [H + top, W + 2 side, B, planes]
        views = [
            parts[top + dy : top + dy + height, side + dx : side + dx + width, :, c] for c, (dy, dx) in self.config.taps
        ]
        return torch.stack(views, 3), parts[top:, side : side + width, :, self.config.channel]

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From x [H, W, B, taps]: what the MCGSM sees [H * W * B, inputs], and each pixel's expectation [H, W, B]."""
        height, width, batch, taps = x.shape
        state, expected = self.whitening(x.reshape(-1, taps))
        if len(self.layers):
            order, back = (index.to(x.device) for index in packing(height, width))
            state = state.view(height * width, batch, -1)[order].flatten(0, 1)
            for layer in self.layers:
                state = layer(state, height, width)
            state = state.view(height * width, batch, -1)[back].flatten(0, 1)
        return state, expected.view(height, width, batch)

    def log_density(self, planes: Tensor) -> Tensor:
        """Natural logarithm of the density of every pixel of the map; [H, W, B]."""
        x, y = self.gather(planes)
        state, expected = self.states(x)
        rest = ((y - expected) / self.whitening.deviation).reshape(-1)
        density: Tensor = self.mcgsm.log_density(state, rest) - self.whitening.deviation.log()
        return density.view(y.shape)

    def density_rate(self, planes: Tensor) -> Tensor:
        """Rate as the paper prints it, bit/px of values divided by 256 with noise in [0, 1) added; [H, W, B]."""
        return 8 + self.log_density(planes) / math.log(2)

    def bits(self, planes: Tensor) -> Tensor:
        """Code length of integer pixels, bits [H, W, B]; neighbours count as the middles of their bins."""
        x, y = self.gather(planes + 0.5)
        state, expected = self.states(x)
        low = torch.where(y < 1, -math.inf, y - 0.5)
        high = torch.where(y > 255, math.inf, y + 0.5)
        edges = (((edge - expected) / self.whitening.deviation).reshape(-1) for edge in (low, high))
        masses: Tensor = self.mcgsm.log_mass(state, *edges)
        return masses.view(y.shape) / -math.log(2)

    def limits(self) -> list[tuple[int, int]]:
        """Of the planes that the network keeps in a program: those of its layers."""
        return [limit for layer in self._layers() for limit in layer.limits()]

    def record(
        self, ops: Recorder, pixels: Value, first: int
    ) -> tuple[dict[str, Value], dict[str, Int64], list[Value]]:
        """The network in a program: parts and tables of its `Gaussians`, and what is kept from plane ``first`` on.

        ``pixels``: the taps, those of pixels around `MIDDLE`.
        """
        name = str(self.config.channel)
        middle = torch.tensor([0.0 if mark else MIDDLE for mark in self.config.marks])
        weight, bias, predictor, expected = self.whitening.around(middle)
        state, kept = pixels, []
        for k, layer in enumerate(self._layers()):
            own, start = layer.input.weight.double(), layer.input.bias.double()
            planes = first + 2 * k * layer.hidden
            state, memory = layer.record(ops, f"{name}.{k}", state, own @ weight, own @ bias + start, planes)
            kept += [state, memory]
            weight, bias = torch.eye(layer.hidden).double(), torch.zeros(layer.hidden).double()
        deviation = self.whitening.deviation.double()
        short_cut = pixels, predictor, expected
        return *self.mcgsm.record(ops, name, state, weight, bias, short_cut, deviation), kept


@torch.no_grad()
def define(nets: Sequence[Ride]) -> Program:
    """The program of one network a channel, in coding order; ModelRefusedError where its sums cannot be proven.

    With indicators, planes are kept that hold 0 outside of the tile, and one that holds `_MARK` there.
    """
    config = nets[0].config
    channels = len(nets)
    marked = [(-_MARK, _MARK)] * channels + [(0, _MARK)] if config.indicators else []
    ops = Recorder(channels, kept=[*marked, *(limit for net in nets for limit in net.limits())])
    around = [tap for tap in config.taps if tap[1] != (0, 0)]
    if config.indicators:
        pixels = [(channels + plane, offset) for plane, offset in around if plane < channels]
        marks = [(2 * channels, offset) for plane, offset in around if plane == channels]
        seen = ops.concatenate([ops.tap(pixels, unit=_HALVES), ops.tap(marks, unit=_MARK)])
    else:
        seen = _centred(ops, ops.tap(around))
    first = channels + len(marked)
    own: list[Value] = []
    kept: list[Value] = []
    for channel, net in enumerate(nets):
        parts, tables, states = net.record(ops, ops.concatenate([seen, *own]) if own else seen, first)
        ops.output("gaussians", parts, tables)
        own.append(_centred(ops, ops.sample(channel)))
        kept += states
        first += len(net.limits())
    if config.indicators:
        for value in own:
            ops.keep(value, CONSTANT)
        ops.keep(ops.constant(0), CONSTANT, _MARK)
    for value in kept:
        ops.keep(value, CONSTANT)
    return ops.program()


def _centred(ops: Recorder, values: Value) -> Value:
    """Pixels of integer values, as the middles of their bins around `MIDDLE`."""
    return ((values << 1) - ops.constant(2 * int(MIDDLE) - 1)).in_unit(_HALVES)
