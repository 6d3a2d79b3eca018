"""The photo model: a small causal network that mixes linear experts, in float; the research side.

Discretised logistic mixture a channel, green first. The experts' means are linear in the pixel differences, as in
the MCGSM (RIDE paper, section 2.1); gates, scales and small corrections of the means come from a network of two
layers that sees the context divided by its local scale (`features`). Two experts of each channel are fitted to
the picture (`image_experts`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ridecodec.models.photo.features import (
    ERROR_TAPS,
    EXPERT_SETS,
    FAN,
    INPUT_UNIT,
    LEVELS,
    PLACES,
    SCALE_BINS,
    Features,
    Local,
)

ACTIVATION_LIMIT = 8.0
_FLOOR = 2.0**-22
_FAR = 1e5


@dataclass(frozen=True)
class PhotoConfig:
    """Sizes of a photo model."""

    channels: int = 3
    width: int = 128
    head: int = 64
    learned: int = 3
    """Learned linear experts a channel, beside the image experts."""

    @property
    def experts(self) -> int:
        return self.learned + EXPERT_SETS

    def coded_features(self, channel: int) -> int:
        """Inputs of a channel's head beside the trunk: its own image experts, and those of the channels before."""
        return EXPERT_SETS + channel * (1 + 2 * EXPERT_SETS)


@dataclass(frozen=True)
class Inputs:
    """Everything the network sees of m pixels, from the exact front end."""

    local: Local
    normalised: Tensor  # [m, inputs] context and errors of the image experts, INPUT_UNIT is one local scale
    places: Tensor  # int64 [m]
    coded: list[Tensor]  # for each channel [m, coded_features]
    predictions: Tensor  # [C, EXPERT_SETS, m] eighths of a pixel
    u: Tensor  # [C, m] the pixel itself, as difference in half-pixels


def assemble(
    features: Features, taps: Tensor, errors: Tensor, places: Tensor, values: Tensor, predicted: Tensor
) -> Inputs:
    """Inputs of the network where the pixels themselves are known (training, float rates).

    ``taps`` [C * taps, m], ``errors`` [C * sets * taps, m], ``values`` [C, m], ``predicted`` [C * sets, m].
    """
    local = features.local(taps.contiguous())
    u = 2 * values - local.b2
    context = torch.cat([features.normalise_pixels(local, local.d2), features.normalise_eighths(local, errors)])
    coded: list[Tensor] = []
    before: list[Tensor] = []
    for c, own in enumerate(predicted.split(EXPERT_SETS)):
        coded.append(torch.cat([features.normalise_eighths(local, own - 4 * local.b2[c]), *before]).T)
        miss = features.normalise_eighths(local, 8 * values[c] - own)
        before += [features.normalise_pixels(local, u[c : c + 1]), miss, miss.abs()]
    return Inputs(local, context.T, places, coded, predicted.view(features.channels, EXPERT_SETS, -1), u)


class PhotoNet(nn.Module):
    """Gates, scales and means of the mixture of every channel."""

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__()
        self.config = config
        c, w, h = config.channels, config.width, config.head
        inputs = c * len(FAN) + c * EXPERT_SETS * len(ERROR_TAPS)
        self.first = nn.Linear(inputs, w)
        self.scale_bias = nn.Embedding(SCALE_BINS, w)
        self.level_bias = nn.Embedding(LEVELS, w)
        self.place_bias = nn.Embedding(PLACES, w)
        self.second = nn.Linear(w, w)
        self.heads = nn.ModuleList(nn.Linear(w + config.coded_features(k), h) for k in range(c))
        self.outputs = nn.ModuleList(nn.Linear(h, 3 * config.experts) for _ in range(c))
        self.linear = nn.ParameterList(nn.Parameter(torch.zeros(config.learned, c * len(FAN) + k)) for k in range(c))
        for embedding in (self.scale_bias, self.level_bias, self.place_bias):
            nn.init.normal_(embedding.weight, std=0.05)
        for k, output in enumerate(self.outputs):
            assert isinstance(output, nn.Linear)
            nn.init.normal_(output.weight, std=0.05)
            nn.init.zeros_(output.bias)
            nn.init.normal_(self.linear[k], std=0.01)

    def trunk(self, inputs: Inputs) -> Tensor:
        """[m, width]."""
        pre = self.first(inputs.normalised / INPUT_UNIT)
        pre = (
            pre
            + self.scale_bias(inputs.local.scale_bin)
            + self.level_bias(inputs.local.level)
            + self.place_bias(inputs.places)
        )
        hidden = pre.clamp(0, ACTIVATION_LIMIT)
        out: Tensor = self.second(hidden) + hidden
        return out.clamp(0, ACTIVATION_LIMIT)

    def mixture(self, trunk: Tensor, inputs: Inputs, channel: int) -> tuple[Tensor, Tensor, Tensor]:
        """Gate logits, means (pixels) and natural log scales of one channel, each [m, experts]."""
        head = self.heads[channel](torch.cat([trunk, inputs.coded[channel] / INPUT_UNIT], 1))
        with torch.autocast(head.device.type, enabled=False):  # the means want more digits than bfloat16 has
            out = self.outputs[channel](head.float().clamp(0, ACTIVATION_LIMIT))
            linear = nn.functional.linear(torch.cat([inputs.local.d2, inputs.u[:channel]]).T, self.linear[channel])
        logits, widths, shifts = out.chunk(3, 1)
        local = inputs.local
        base = local.b2[channel, :, None] / 2
        means = torch.cat([base + linear / 2, inputs.predictions[channel].T / 8], 1)
        means = means + local.scale32[:, None] / 32 * shifts
        return logits, means, local.log_scale[:, None] * (math.log(2) / 16) + widths

    def bits(self, inputs: Inputs, values: Tensor) -> Tensor:
        """Discretised code length of ``values`` [m, C] given the context. float [m, C], bits."""
        trunk = self.trunk(inputs)
        lengths = [mixture_bits(*self.mixture(trunk, inputs, c), values[:, c]) for c in range(self.config.channels)]
        return torch.stack(lengths, 1)


def mixture_bits(logits: Tensor, means: Tensor, log_scales: Tensor, values: Tensor) -> Tensor:
    """``-log2 P(value)`` under a mixture of logistics on bins [v - 1/2, v + 1/2); 0 and 255 take the tails. [m]."""
    inverse = torch.exp(-log_scales.clamp(-3.5, 6.0))
    offset = values[:, None] - means
    upper = (offset + 0.5 + _FAR * (values == 255)[:, None]) * inverse
    lower = (offset - 0.5 - _FAR * (values == 0)[:, None]) * inverse
    side = torch.copysign(offset.new_ones(()), -offset)  # both ends on the small tail: no cancellation
    mass = (torch.sigmoid(side * upper) - torch.sigmoid(side * lower)).abs()
    total: Tensor = (torch.softmax(logits, 1) * mass).sum(1)
    return -torch.log2(total + _FLOOR)
