"""RIDE in integers: spatial LSTMs and the MCGSM on top, teacher-forced or front by front.

Each channel has a network of its own, which sees the channels coded before at the pixel itself. Whitening is part of
the layers; the LSTM's state is part of the front.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear, powers, whole_layer
from ridecodec.coding.order import FrontLayout, RasterLayout
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError, UsageError
from ridecodec.exact.order import Tap
from ridecodec.models.base import Backend, Rows, Stepper, refuse_side_information
from ridecodec.models.gaussian import MEAN_LIMIT, GaussianMixture, GaussianTables, check_inverses
from ridecodec.models.ride.lstm import GATES
from ridecodec.models.ride.memory import MEMORY_TOP, OUTPUT_BITS, LSTMTables, Memory, starts
from ridecodec.models.ride.network import Ride, RideConfig

INPUT_LIMIT = 255
"""Inputs are 2 v - 255; an indicator is 1 outside of the tile, where the others are 0."""
FEATURE_UNIT = 1 << 12
FEATURE_LIMIT = 1 << 20
_INITIAL = 128.0
_ZERO, _ONE = 127.5, 128.0
"""Values whose inputs are 0 and 1."""
_MODEL_FILE = (safetensors.SafetensorError, KeyError, IndexError, TypeError, ValueError, RuntimeError, UsageError)
"""What reading a damaged file may raise; UsageError: a configuration that `RideConfig` refuses."""
_PARTS = ("weight", "bias", "exponent")


class _Net:
    """The integer network of one channel."""

    def __init__(self, tensors: dict[str, Tensor], config: RideConfig, lstm: LSTMTables, device: torch.device) -> None:
        self.config = config
        self.lstm = lstm
        hidden = config.hidden
        names = [*(f"lstm.{k}" for k in range(config.layers)), "features", "gate", "means"]
        unexpected = tensors.keys() ^ {"inverse", *(f"{name}.{part}" for name in names for part in _PARTS)}
        if unexpected:
            raise ModelRefusedError(
                f"the model's tensors do not fit its {config.layers} layers: {min(unexpected)} is missing or too many"
            )

        def layer(
            name: str,
            outputs: int | None,
            limit: Tensor,
            dtype: torch.dtype | None = None,
            start: Tensor | None = None,
        ) -> ExactLinear:
            weight, bias, exponent = whole_layer(tensors, name, outputs, len(limit))
            if start is not None:
                bias = bias + start * powers(exponent)  # exact, or too large for float64's bound
            return ExactLinear(name, weight, bias, exponent, limit, dtype=dtype).to(device)

        pixels = input_limits(config)
        units = torch.full((hidden,), float(1 << OUTPUT_BITS))
        cells = torch.full((2 * hidden if config.extended else 0,), float(MEMORY_TOP))
        self.layers = []
        for k in range(config.layers):
            limit = torch.cat([units if k else pixels, units, units, cells])
            self.layers.append(layer(f"lstm.{k}", GATES * hidden, limit, start=starts(hidden)))
        state = units if config.layers else pixels
        self.inverses = check_inverses(tensors["inverse"]).to(device)  # [C, S, 1]
        components, scales = self.inverses.shape[:2]
        self.features = layer("features", None, state)
        squares = torch.full((len(self.features.weight),), float(FEATURE_LIMIT**2))
        self.gate = layer("gate", components * scales, squares, torch.float64)
        self.means = layer("means", components, torch.cat([state, pixels]) if config.layers else state)
        if self.means.reach >= 2**53:
            raise ModelRefusedError("layer means has outputs out of range; export the model again")

    def distribution(self, tables: GaussianTables, pixels: Tensor, state: Tensor | None) -> Distribution:
        """From inputs [taps, m] and the last layer's hidden units [hidden, m]."""
        seen = pixels if state is None else state
        features = self.features(seen).clamp_(-FEATURE_LIMIT, FEATURE_LIMIT).double()
        weights = tables.weights(self.gate(features.square_()))
        means = self.means(pixels if state is None else torch.cat([state, pixels.to(state.dtype)]))
        return GaussianMixture(tables, weights, means.clamp_(-MEAN_LIMIT, MEAN_LIMIT), self.inverses)


class RideBackend(Backend):
    """Backend of the family `ride`: RIDE and, without layers, the MCGSM."""

    chunk = 1024
    """Pixels whose mixtures are evaluated at once."""

    def __init__(self, data: bytes, device: torch.device, name: str = "ride") -> None:
        """``data``: a model file written by `ridecodec.models.ride.export`."""
        self.name, self.device, self._data = name, device, data
        try:
            tensors = safetensors.torch.load(data)
            configs = [RideConfig(**c) for c in json.loads(bytes(tensors["configs"].numpy()))]
            if not configs or any((c.channels, c.channel) != (len(configs), i) for i, c in enumerate(configs)):
                raise ModelRefusedError(f"the model file of {name!r} does not have one network per channel")
            if any((c.offsets, c.indicators) != (configs[0].offsets, configs[0].indicators) for c in configs):
                raise ModelRefusedError(f"the networks of {name!r} have different neighbourhoods")
            self.tables = GaussianTables(tensors["tables.normal"], tensors["tables.exponential"]).to(device)
            lstm = LSTMTables(tensors["tables.gates"], tensors["tables.output"]).to(device)
            self.nets = [_Net(_below(tensors, str(c)), config, lstm, device) for c, config in enumerate(configs)]
        except _MODEL_FILE as error:
            raise ModelRefusedError(f"the model file of {name!r} is damaged ({error})") from error
        self.hood = configs[0].hood
        self.around = [tap for tap in configs[0].taps if tap[1] != (0, 0)]
        self.bounded = configs[0].indicators
        outside = torch.tensor([_ZERO] * len(configs) + [_ONE], device=device)
        self.outside = outside if self.bounded else None

    def rows(self, planes: Tensor, side: bytes) -> Iterator[Rows]:
        refuse_side_information([side])
        height, width = planes.shape[1:]
        layout = RasterLayout(self.hood, height, width)
        if self.outside is None:
            flat = layout.extend(planes, _INITIAL).view(-1)
        else:
            flat = layout.surround(self.marked(planes), self.outside).view(-1)
        states = [self._states(net, layout, flat) for net in self.nets]
        taps = self._taps(self.nets[-1])
        for y0, y1, _, _, values in layout.gather(flat, taps, self.chunk):
            pixels = _inputs(values)
            chosen = slice(y0 * width, y1 * width)
            found = []
            for net, state in zip(self.nets, states, strict=True):
                own = None if state is None else state[chosen].T.float()
                found.append(net.distribution(self.tables, pixels[: len(net.config.taps)], own))
            yield Rows(y0, y1, found)

    def marked(self, planes: Tensor) -> Tensor:
        """Values [C, ...] in the tile; where the model has indicators, their plane behind them."""
        return torch.cat([planes, torch.full_like(planes[:1], _ZERO)]) if self.bounded else planes

    def _taps(self, net: _Net) -> list[Tap]:
        return self.around + [(c, (0, 0)) for c in range(net.config.channel)]

    def _states(self, net: _Net, layout: RasterLayout, flat: Tensor) -> Tensor | None:
        """Hidden units of the last layer for all pixels, int16 [H * W, hidden], by anti-diagonals."""
        if not net.layers:
            return None
        height, width = layout.height, layout.width
        out = torch.empty(height * width, net.config.hidden, dtype=torch.int16, device=self.device)
        memory = Memory(net.layers, net.lstm, net.config, 1, 1, height, self.device)
        shifts = layout.shifts(self._taps(net)).to(self.device)
        first = layout.positions(0, 1)[0] + torch.arange(height) * (layout.stride - 1)  # of each row, without its t
        step = width - 1  # from a front's pixel to its next, in raster order
        for t in range(height + width - 1):
            y0, y1 = max(0, t - width + 1), min(height, t + 1)
            taps = flat.take(shifts[:, None] + (first[y0:y1] + t).to(self.device))
            state = memory.step(t, y0, y1, _inputs(taps))
            out[t + y0 * step :: step or 1][: y1 - y0] = state.T
        return out

    def stepper(self, channels: int, height: int, width: int, sides: list[bytes]) -> Stepper:
        refuse_side_information(sides)
        return _RideStepper(self, height, width, len(sides))

    def networks(self) -> list[Ride]:
        """The float networks behind this export, one a channel."""
        from ridecodec.models.ride.floats import networks

        return networks(self._data)

    def likelihood(self, planes: Tensor, side: bytes) -> Tensor | None:
        """Float code length of every pixel, bits [H, W]."""
        if self.bounded:
            return torch.stack([net.bits(planes[None].cpu())[:, :, 0] for net in self.networks()]).sum(0)
        layout = RasterLayout(self.hood, *planes.shape[1:])
        hood, lead = self.hood, layout.left
        reach = max(hood.left, hood.right)
        extended = layout.extend(planes, _INITIAL).view(len(planes), -1, layout.stride)
        extended = torch.cat([extended, extended[:, :, -1:].expand(-1, -1, reach - hood.right)], 2)
        seen = extended[:, :, lead - reach :][None].cpu()
        return torch.stack([net.bits(seen)[:, :, 0] for net in self.networks()]).sum(0)


class _RideStepper(Stepper):
    def __init__(self, model: RideBackend, height: int, width: int, tiles: int) -> None:
        self.model, self.height, self.width = model, height, width
        self.layout = FrontLayout(model.hood, height, width, tiles, model.outside)
        initial = [_INITIAL] * len(model.nets) if model.outside is None else model.outside.tolist()
        self.buffer = self.layout.blank(initial, model.device)
        shifts = self.layout.shifts(model.around)
        self.index = (shifts[:, None, None] + self.layout.positions()).to(model.device)  # [taps, tiles, H]
        self.memories = [
            Memory(net.layers, net.lstm, net.config, model.hood.slope, tiles, height, model.device)
            for net in model.nets
        ]
        self.t = self.y0 = self.y1 = 0
        self.pixels = torch.empty(0)
        self.values: list[Tensor] = []

    def begin(self, t: int) -> None:
        self.t, self.values = t, []
        self.y0, self.y1 = self.model.hood.rows(t, self.height, self.width)
        flat = self.buffer.view(-1)[self.layout.enter(self.buffer, t) :]
        self.pixels = _inputs(flat.take(self.index[:, :, self.y0 : self.y1]).flatten(1))

    def distribution(self, channel: int) -> Distribution:
        net = self.model.nets[channel]
        state = self.memories[channel].step(self.t, self.y0, self.y1, self.pixels) if net.layers else None
        return net.distribution(self.model.tables, self.pixels, state)

    def observe(self, channel: int, values: Tensor) -> None:
        self.values.append(values)
        if channel + 1 < len(self.model.nets):
            self.pixels = torch.cat([self.pixels, _inputs(values[None])])
        else:
            front = self.model.marked(torch.stack(self.values))
            self.layout.write(self.buffer, self.t, front.view(len(front), self.layout.tiles, -1))


def input_limits(config: RideConfig) -> Tensor:
    """Bounds of a network's inputs, float64 [taps]."""
    return torch.tensor([1.0 if mark else INPUT_LIMIT for mark in config.marks], dtype=torch.float64)


def _inputs(values: Tensor) -> Tensor:
    """Inputs of the networks from pixels, integers in float32."""
    return 2 * values - INPUT_LIMIT


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
