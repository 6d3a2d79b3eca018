"""Float RIDE networks on rectangles of pixels: what their values cost, and ancestral draws of missing ones.

``nets`` are one network a channel, in coding order. ``planes`` float32 integers [B, C, H + top, W + 2 side] hold
rectangles [H, W] and what their pixels' neighbourhoods reach; a spatial LSTM starts from zero at the rectangle's
upper and left border. Value v owns [v, v + 1), and neighbours count as the middles of their bins, as in `Ride.bits`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ridecodec.errors import UsageError
from ridecodec.exact.order import Neighbourhood
from ridecodec.models.ride.lstm import MEMORY_LIMIT, SpatialLSTM
from ridecodec.models.ride.mcgsm import MCGSM
from ridecodec.models.ride.network import Ride

Limits = tuple[int, int]
"""Least and greatest value; they take what the density has below and above."""
_CHUNK = 2048
_LEAST = 1e-30


def neighbourhood(nets: Sequence[Ride]) -> Neighbourhood:
    """The one that all networks share; raises UsageError where they do not fit together."""
    configs = [net.config for net in nets]
    fit = [c.channel for c in configs] == list(range(len(configs))) and all(c.channels == len(nets) for c in configs)
    if not fit or len({c.hood for c in configs}) != 1:
        raise UsageError("the model needs one network per channel, in coding order and with the same neighbourhood")
    if any(c.indicators for c in configs):
        raise UsageError(
            "networks with indicators cannot fill parts of pictures; choose a model trained without --indicators"
        )
    return configs[0].hood


def reach(hood: Neighbourhood) -> tuple[int, int]:
    """(top, side): rows above a rectangle, and columns on either side, that its pixels' neighbourhoods see."""
    return hood.top, max(hood.left, hood.right)


def code_lengths(nets: Sequence[Ride], planes: Tensor, limits: Limits, first: int = 0) -> Tensor:
    """Bits of every pixel, all channels together, from row ``first`` on: [B, H - first, W]."""
    total: Tensor | float = 0.0
    for net in nets:
        x, y = net.gather(planes + 0.5)
        state, expected = net.states(x)
        state = state.view(*y.shape, -1)[first:].reshape(-1, state.shape[-1])
        y, expected = y[first:], expected[first:]
        low = torch.where(y < limits[0] + 1, -math.inf, y - 0.5)
        high = torch.where(y > limits[1], math.inf, y + 0.5)
        low, high = (((edge - expected) / net.whitening.deviation).reshape(-1) for edge in (low, high))
        parts = zip(state.split(_CHUNK), low.split(_CHUNK), high.split(_CHUNK), strict=True)
        total = total - torch.cat([_log2_mass(net.mcgsm, *part) for part in parts]).view(y.shape)
    assert isinstance(total, Tensor)
    return total.permute(2, 0, 1)


def _log2_mass(mcgsm: MCGSM, state: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """log2 p(low < y < high | state), [m]: several times faster than `MCGSM.log_mass`, and never below log2 1e-30."""
    gate, means, deviations = mcgsm.joint(state)
    below, above = ((edge[:, None] - means)[:, :, None] / deviations for edge in (low, high))
    flip = below + above > 0  # to the side of the mean where the tail keeps its precision
    below, above = torch.where(flip, -above, below), torch.where(flip, -below, above)
    masses = torch.special.ndtr(above) - torch.special.ndtr(below)
    mass: Tensor = (gate.flatten(1).softmax(1) * masses.flatten(1)).sum(1)
    return mass.clamp(min=_LEAST).log2()


class _LayerWalk:
    """States of a spatial LSTM front by front: h and c of the last fronts, row 0 standing for what is off the grid."""

    def __init__(self, layer: SpatialLSTM, batch: int, height: int, slope: int) -> None:
        self.layer, self.slope = layer, slope
        self.fronts = layer.recurrent.new_zeros(slope + 1, batch, height + 1, 2 * layer.hidden)

    def step(self, t: int, y0: int, y1: int, inputs: Tensor) -> Tensor:
        """Inputs [B, y1 - y0, inputs] of front ``t`` -> h [B, y1 - y0, hidden]."""
        layer, hidden, count = self.layer, self.layer.hidden, self.slope + 1
        left = self.fronts[(t - 1) % count, :, y0 + 1 : y1 + 1]
        up = self.fronts[(t - self.slope) % count, :, y0:y1]
        past = [left[..., :hidden], up[..., :hidden]]
        if layer.extended:
            past += [left[..., hidden:], up[..., hidden:]]
        gates = layer.input(inputs) + torch.cat(past, -1) @ layer.recurrent
        g = gates[..., :hidden].tanh()
        o, i, from_up, from_left = gates[..., hidden:].sigmoid().chunk(4, -1)
        c = g * i + left[..., hidden:] * from_left + up[..., hidden:] * from_up
        c = c.clamp(-MEMORY_LIMIT, MEMORY_LIMIT)
        h = torch.tanh(c * o)
        self.fronts[t % count, :, y0 + 1 : y1 + 1] = torch.cat([h, c], -1)
        return h


def draw(nets: Sequence[Ride], planes: Tensor, missing: Tensor, limits: Limits, generator: torch.Generator) -> Tensor:
    """The planes with their missing pixels drawn, each given the pixels before it. ``missing``: bool [B, H, W]."""
    hood = neighbourhood(nets)
    top, side = reach(hood)
    (batch, channels), (_, height, width) = planes.shape[:2], missing.shape
    stride = width + 2 * side
    plane = (height + top) * stride
    flat = (planes + 0.5).reshape(batch, channels * plane)
    shifts = [torch.tensor([c * plane + dy * stride + dx for c, (dy, dx) in net.config.taps]) for net in nets]
    walks = [[_LayerWalk(layer, batch, height, hood.slope) for layer in net.layers] for net in nets]  # type: ignore[arg-type]
    for t in range(hood.fronts(height, width)):
        y0, y1 = hood.rows(t, height, width)
        rows = torch.arange(y0, y1)
        columns = t - hood.slope * rows
        wanted = missing[:, rows, columns]  # [B, rows]
        some = bool(wanted.any())
        if y0 >= y1 or not (some or any(walks)):
            continue
        place = (rows + top) * stride + columns + side
        for c, net in enumerate(nets):
            taps = flat[:, (place[:, None] + shifts[c]).view(-1)].view(batch, len(place), -1)
            state, expected = net.whitening(taps)
            for walk in walks[c]:
                state = walk.step(t, y0, y1, state)
            if some:
                drawn = expected[wanted] + net.whitening.deviation * _draw(net.mcgsm, state[wanted], generator)
                front = flat[:, c * plane + place]
                front[wanted] = drawn.floor().clamp(*limits) + 0.5
                flat[:, c * plane + place] = front
    return (flat - 0.5).view(planes.shape)


def _draw(mcgsm: MCGSM, state: Tensor, generator: torch.Generator) -> Tensor:
    """A value of p(y | state) for every row [m]."""
    gate, means, deviations = mcgsm.joint(state)
    chosen = torch.multinomial(gate.flatten(1).softmax(1), 1, generator=generator)[:, 0]
    noise = torch.randn(len(chosen), generator=generator)
    component = chosen.div(gate.shape[2], rounding_mode="floor")
    return means.gather(1, component[:, None])[:, 0] + deviations.view(-1)[chosen] * noise
