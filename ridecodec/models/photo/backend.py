"""The photo model on the coded path: the network of `photo`, in integers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import LARGEST, ExactLinear, whole, whole_layer
from ridecodec.coding.order import Neighbourhood, RasterLayout, Tap
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.models.base import ContextModel
from ridecodec.models.logistic import MAX_COMPONENTS, MEAN_LIMIT, MEAN_UNIT, SCALE_ZERO, LogisticMixture, LogisticTables
from ridecodec.models.photo.coefficients import pack, unpack
from ridecodec.models.photo.features import (
    ERROR_TAPS,
    EXPERT_SETS,
    FAN,
    GROUPS,
    INPUT_LIMIT,
    LEVELS,
    PLACES,
    SCALE_BINS,
    Features,
    Local,
    phase,
    place,
)
from ridecodec.models.photo.image_experts import LIMIT, MAX_SUM, Coefficients, covariances, fit
from ridecodec.models.photo.linear_experts import LinearExperts, predictions
from ridecodec.models.photo.network import PhotoConfig, PhotoNet, assemble

ACTIVATION_UNIT = 64
ACTIVATION_TOP = 511
SHIFT_UNIT = 64
SHIFT_LIMIT = 1023
DIFFERENCE_LIMIT = 510
_FIT_FROM = 4096
"""Pixels of a tile from which on a fit of its own can pay for itself."""


@dataclass
class _State:
    """What is known of a front's (or a chunk's) pixels; grows with every channel observed."""

    local: Local
    groups: Tensor  # int64 [sets, m]
    heads: Tensor  # [C * head, m] the trunk's part of all heads' sums
    experts: LinearExperts
    begun: Tensor  # the experts' sums over the context
    differences: Tensor  # [C, m] u of the channels observed, else unset
    coded: list[Tensor] = field(default_factory=list)
    eighths: Tensor | None = None  # [sets, m] predictions of the channel begun last
    errors: list[Tensor] = field(default_factory=list)


class _Net:
    """The integer network for one number of channels."""

    def __init__(self, tensors: dict[str, Tensor], channels: int, device: torch.device, dtype: torch.dtype | None):
        self.channels = channels
        self.features = Features(channels, tensors["features"]).to(device)
        sizes = [self.features.expert_size(c) for c in range(channels)]
        self.default: Coefficients = [
            whole(f"experts.{c}", tensors[f"experts.{c}"], (EXPERT_SETS, GROUPS, size), -LIMIT, LIMIT).numpy()
            for c, size in enumerate(sizes)
        ]
        if any(np.abs(d).sum(-1).max() >= MAX_SUM for d in self.default):
            raise ModelRefusedError("the coefficients of the experts are out of range; export the model again")
        bins = SCALE_BINS * LEVELS
        scale_level = whole("scale_level", tensors["scale_level"], (bins, None), -LARGEST, LARGEST).double()
        width = scale_level.shape[1]
        places = whole("place", tensors["place"], (PLACES, width), -LARGEST, LARGEST).double()
        embedded = scale_level.abs().amax(0) + places.abs().amax(0)

        def layer(
            name: str, outputs: int | None, inputs: int, limit: Tensor | float, plus: Tensor | float = 0.0
        ) -> ExactLinear:
            return ExactLinear(name, *whole_layer(tensors, name, outputs, inputs), limit, plus, dtype).to(device)

        around = channels * len(FAN)
        self.first = layer("first", width, around + channels * EXPERT_SETS * len(ERROR_TAPS), INPUT_LIMIT, embedded)
        scale_level, places = (x.to(device, self.first.dtype) for x in (scale_level, places))
        self.scale_level = scale_level * self.first.scale.T  # [SCALE_BINS * LEVELS, width]
        self.place = places * self.first.scale.T  # [PLACES, width]
        self.second = layer("second", width, width, ACTIVATION_TOP)
        self.heads, self.outputs, self.linear = [], [], []
        head: int | None = None  # the same for all channels
        for c in range(channels):
            limit = torch.full((width + EXPERT_SETS + c * (1 + 2 * EXPERT_SETS),), float(INPUT_LIMIT))
            limit[:width] = ACTIVATION_TOP
            self.heads.append(layer(f"heads.{c}", head, len(limit), limit))
            head = len(self.heads[0].weight)
            self.linear.append(layer(f"linear.{c}", None, around + c, DIFFERENCE_LIMIT))
            components = EXPERT_SETS + len(self.linear[c].weight)
            if components > MAX_COMPONENTS:
                raise ModelRefusedError(f"layer linear.{c} has too many experts; the most are {MAX_COMPONENTS}")
            self.outputs.append(layer(f"outputs.{c}", 3 * components, head, ACTIVATION_TOP))
            for last in (self.outputs[c], self.linear[c]):
                if last.reach >= 2**23:  # what follows is float32
                    raise ModelRefusedError(f"layer {last.name} has outputs out of range; export the model again")
        # the heads' sums are split: what they take from the trunk is one product for all channels
        self.from_trunk = torch.cat([h.weight[:, :width] for h in self.heads])
        self.from_coded = [h.weight[:, width:].to(self.from_trunk.dtype) for h in self.heads]
        self.head_bias = torch.cat([h.bias for h in self.heads])

    def trunk(self, local: Local, inputs: Tensor, places: Tensor) -> Tensor:
        """The trunk's part of all heads' sums [C * head, m]."""
        bins = local.scale_bin * LEVELS + local.level
        embedded = self.scale_level.index_select(0, bins) + self.place.index_select(0, places)  # [m, width]
        hidden = self.first(inputs, plus=embedded.T).clamp_(0, ACTIVATION_TOP)
        trunk = self.second(hidden).clamp_(0, ACTIVATION_TOP)
        return torch.addmm(self.head_bias, self.from_trunk, trunk.to(self.from_trunk.dtype))

    def head(self, begun: Tensor, coded: list[Tensor], channel: int) -> Tensor:
        weight = self.from_coded[channel]
        part = begun[channel * len(weight) : (channel + 1) * len(weight)]
        out = torch.addmm(part, weight, torch.cat(coded).to(weight.dtype))
        return out.floor_().clamp_(0, ACTIVATION_TOP)


class Photo(ContextModel):
    """Backend `photo` for gray and RGB."""

    name = "photo"
    hood = Neighbourhood.of(FAN)

    def __init__(self, data: bytes, device: torch.device, dtype: torch.dtype | None = None) -> None:
        """``data``: a model file written by `export`; ``dtype`` asks for float32 or float64 throughout."""
        self.device = device
        try:
            self._tensors = safetensors.torch.load(data)
            tensors = self._tensors
            names = ("logistic", "inverse", "exponential")
            self.tables = LogisticTables(*(tensors[f"tables.{n}"] for n in names)).to(device)
            self.nets = {c: _Net(_below(tensors, f"{c}"), c, device, dtype) for c in (1, 3)}
        except (safetensors.SafetensorError, KeyError, IndexError, RuntimeError) as error:
            raise ModelRefusedError(f"the model file of {self.name!r} is damaged ({error})") from error

    def side_information(self, planes: Tensor, label: int | None = None) -> bytes:
        net = self.nets[len(planes)]
        if planes[0].numel() < _FIT_FROM:
            return b""
        planes, features = planes.cpu(), net.features.to(torch.device("cpu"))
        return pack(fit(covariances(features, planes), net.default), net.default)

    def taps(self, channels: int) -> list[Tap]:
        pixels = [(c, o) for c in range(channels) for o in FAN]
        return pixels + [(channels + p, o) for p in range(channels * EXPERT_SETS) for o in ERROR_TAPS]

    def derived(self, channels: int) -> int:
        return channels * EXPERT_SETS

    def derived_planes(self, planes: Tensor, side: bytes) -> Tensor:
        net = self.nets[len(planes)]
        predicted = predictions(net.features, planes, unpack(side, net.default))
        return (8 * planes).repeat_interleave(EXPERT_SETS, 0) - predicted

    def open(self, channels: int, sides: list[bytes], pixels: int) -> tuple[_Net, LinearExperts]:
        net = self.nets[channels]
        return net, LinearExperts(net.features, [unpack(s, net.default) for s in sides], net.linear)

    def locate(self, y: Tensor, x: Tensor, width: int) -> Tensor:
        return torch.stack([place(y, x, width), phase(y, x)])

    def context(self, opened: tuple[_Net, LinearExperts], taps: Tensor, located: Tensor) -> _State:
        net, experts = opened
        features = net.features
        count = net.channels * len(FAN)
        local = features.local(taps[:count])
        inputs = torch.cat(
            [features.normalise_pixels(local, local.d2), features.normalise_eighths(local, taps[count:])]
        )
        groups = torch.stack([located[1], local.activity])
        heads = net.trunk(local, inputs, located[0])
        differences = taps.new_empty(net.channels, taps.shape[1])
        return _State(local, groups, heads, experts, experts.begin(local.d2), differences)

    def distribution(self, state: _State, channel: int) -> Distribution:
        net = self.nets[len(state.differences)]
        local = state.local
        fitted, learned = state.experts.finish(state.begun, channel, state.differences[:channel], state.groups)
        state.eighths = fitted + 4 * local.b2[channel]
        head = net.head(state.heads, [net.features.normalise_eighths(local, fitted), *state.coded], channel)
        logits, widths, shifts = net.outputs[channel](head).float().chunk(3)
        means = torch.cat([learned, (MEAN_UNIT // 8) * fitted]).add_(MEAN_UNIT // 2 * local.b2[channel])
        shifts = shifts.clamp_(-SHIFT_LIMIT, SHIFT_LIMIT).mul(local.scale32).mul_(1 / SHIFT_UNIT).floor_()
        means = means.add_(shifts).clamp_(-MEAN_LIMIT, MEAN_LIMIT)
        scales = widths + (local.log_scale + SCALE_ZERO)
        return LogisticMixture(self.tables, self.tables.weights(logits), means, scales)

    def observe(self, state: _State, channel: int, values: Tensor) -> None:
        assert state.eighths is not None
        features, local = self.nets[len(state.differences)].features, state.local
        state.differences[channel] = 2 * values - local.b2[channel]
        errors = 8 * values - state.eighths
        state.errors.append(errors)
        if channel + 1 < len(state.differences):
            miss = features.normalise_eighths(local, errors)
            difference = features.normalise_pixels(local, state.differences[channel : channel + 1])
            state.coded += [difference, miss, miss.abs()]

    def derive(self, state: _State) -> Tensor:
        return torch.cat(state.errors)

    def likelihood(self, planes: Tensor, side: bytes) -> Tensor | None:
        """Float code length of the network this was exported from, bits [H, W]."""
        channels, height, width = planes.shape
        net = self.nets[channels]
        tensors = _below(self._tensors, f"float.{channels}")
        head, trunk = tensors["heads.0.weight"].shape[0], tensors["second.weight"].shape[0]
        model = PhotoNet(PhotoConfig(channels, trunk, head, tensors["linear.0"].shape[0])).float()
        model.load_state_dict({k: v.float() for k, v in tensors.items()})
        features = net.features.to(torch.device("cpu"))
        planes = planes.cpu()
        predicted = predictions(features, planes, unpack(side, net.default))
        errors = (8 * planes).repeat_interleave(EXPERT_SETS, 0) - predicted
        layout = RasterLayout(features.hood, height, width)
        flat = torch.cat([layout.extend(planes, 128.0), layout.extend(errors, 0.0)]).view(-1)
        bits = []
        for y0, y1, y, x, taps in layout.gather(flat, self.taps(channels), self.chunk):
            pixels, around = taps.split([channels * len(FAN), len(taps) - channels * len(FAN)])
            values = planes[:, y0:y1].reshape(channels, -1)
            own = predicted[:, y0:y1].reshape(channels * EXPERT_SETS, -1)
            inputs = assemble(features, pixels, around, place(y, x, width), values, own)
            bits.append(model.bits(inputs, values.T).sum(1))
        return torch.cat(bits).view(height, width)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}
