"""The linear experts of the photo model, evaluated together: those fitted to the picture and those learned.

One product with the context serves all channels; what the channels coded before add at their own pixel comes later.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear
from ridecodec.coding.order import RasterLayout
from ridecodec.models.photo.features import COEFFICIENT_BITS, EXPERT_SETS, FAN, GROUPS, Features, phase
from ridecodec.models.photo.image_experts import Coefficients

_FITTED = EXPERT_SETS * GROUPS


class LinearExperts:
    """Experts of a batch of B tiles whose pixels follow each other."""

    def __init__(self, features: Features, tiles: list[Coefficients], learned: list[ExactLinear] | None = None) -> None:
        """``learned``: one layer for each channel over the context's differences and the channels coded before."""
        device = features.table.device
        count = features.channels * len(FAN)
        self.rows = _FITTED + (len(learned[0].weight) if learned else 0)
        wide = any(layer.dtype == torch.float64 for layer in learned or [])
        dtype = torch.float64 if wide else torch.float32
        self.matrix = torch.zeros(len(tiles), features.channels * self.rows, count, dtype=dtype, device=device)
        self.extra: list[Tensor] = []  # for each channel [B, rows, channel]
        for c in range(features.channels):
            fitted = torch.from_numpy(np.stack([t[c] for t in tiles])).to(device, dtype).flatten(1, 2)  # [B, 8, n]
            fitted *= 2.0 ** (2 - COEFFICIENT_BITS)
            taps = features.expert_taps[c]
            part = self.matrix[:, c * self.rows : (c + 1) * self.rows]
            part[:, :_FITTED, taps] = fitted[:, :, : len(taps)]
            extra = fitted[:, :, len(taps) :]
            if learned:
                weight = learned[c].weight.to(dtype)
                part[:, _FITTED:] = weight[:, :count]
                extra = torch.cat([extra, weight[None, :, count:].expand(len(tiles), -1, -1)], 1)
            self.extra.append(extra)

    def begin(self, d2: Tensor) -> Tensor:
        """Context's part of all experts' sums: d2 [C * taps, m] -> [B, C * rows, m / B]."""
        tiles = len(self.matrix)
        return torch.matmul(self.matrix, d2.to(self.matrix.dtype).view(len(d2), tiles, -1).transpose(0, 1))

    def finish(self, begun: Tensor, channel: int, u: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """A channel's predictions, as offsets from its base.

        ``u`` [channel, m] the channels coded before, ``groups`` int64 [sets, m]. Returns those of the image experts
        in eighths of a pixel [sets, m], and of the learned ones in the units of their layer [learned, m].
        """
        part = begun[:, channel * self.rows : (channel + 1) * self.rows]
        if channel:
            before = u.to(part.dtype).view(channel, len(begun), -1).transpose(0, 1)
            part = torch.baddbmm(part, self.extra[channel], before)
        part = part.floor().float().transpose(0, 1).reshape(self.rows, -1)  # [rows, m]
        fitted = part[:_FITTED].view(EXPERT_SETS, GROUPS, -1)
        return fitted.gather(1, groups[:, None])[:, 0], part[_FITTED:]


def predictions(features: Features, planes: Tensor, coefficients: Coefficients, chunk: int = 8192) -> Tensor:
    """Image experts at every pixel of a tile [C, H, W] -> [C * sets, H, W], eighths of a pixel, exact integers."""
    channels, height, width = planes.shape
    layout = RasterLayout(features.hood, height, width)
    flat = layout.extend(planes, 128.0).view(-1)
    experts = LinearExperts(features, [coefficients])
    out = torch.empty(channels * EXPERT_SETS, height, width, dtype=torch.float32, device=planes.device)
    for y0, y1, y, x, taps in layout.gather(flat, [(c, o) for c in range(channels) for o in FAN], chunk):
        local = features.local(taps)
        u = 2 * planes[:, y0:y1].reshape(channels, -1) - local.b2
        groups = torch.stack([phase(y, x), local.activity])
        begun = experts.begin(local.d2)
        for c in range(channels):
            own, _ = experts.finish(begun, c, u[:c], groups)
            out[c * EXPERT_SETS : (c + 1) * EXPERT_SETS, y0:y1] = (own + 4 * local.b2[c]).view(-1, y1 - y0, width)
    return out
