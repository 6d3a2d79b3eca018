"""The exact integer front end of the photo model: normalised causal context and least-squares image experts.

Training and coding share it, so the network never sees a feature that the decoder would compute differently.
Units: differences ``d2`` are half-pixels, ``x`` against the mean of the west and north neighbour of its channel;
predictions and errors of the image experts are eighths of a pixel.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.order import Neighbourhood, Offset
from ridecodec.errors import ModelRefusedError

FAN: tuple[Offset, ...] = (
    *((0, dx) for dx in range(-5, 0)),
    *((-1, dx) for dx in range(-5, 2)),
    *((-2, dx) for dx in range(-4, 4)),
    *((-3, dx) for dx in range(-3, 5)),
    *((-4, dx) for dx in range(-2, 3)),
)  # fmt: skip
WEST, NORTH = FAN.index((0, -1)), FAN.index((-1, 0))
NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1))
ERROR_TAPS: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
EXPERT_OWN: tuple[Offset, ...] = (
    (0, -1), (0, -2), (0, -3), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (-2, -2), (-2, -1), (-2, 0), (-2, 1), (-2, 2),
    (-2, 3), (-3, 0),
)  # fmt: skip
EXPERT_OTHER: tuple[Offset, ...] = ((0, -1), (0, -2), (-1, -1), (-1, 0), (-1, 1), (-2, 0))

EXPERT_SETS = 2
"""Image experts of a channel: one by the pixel's phase (row and column parity), one by its local activity."""
GROUPS = 4
"""Coefficient vectors of each image expert: four phases, four activities."""
COEFFICIENT_BITS = 9
PLACES = 72
SCALE_BINS = 32
LEVELS = 32
INPUT_UNIT = 16
"""Normalised features are integers: 16 is one local scale."""
INPUT_LIMIT = 127
_ERROR_LIMIT = 511
_RECIP_BITS = 9
_OFFSET = 10
"""Added to the activity, so that flat areas have a scale of a quarter pixel."""


@dataclass(frozen=True)
class Local:
    """What the context alone says of m pixels, all exact integers in float32 unless noted."""

    d2: Tensor  # [C * taps, m] differences, half-pixels
    b2: Tensor  # [C, m] twice the base
    recip: Tensor  # [m] INPUT_UNIT local scales in half-pixels, multiples of 2^-_RECIP_BITS
    recip_eighths: Tensor  # [m] the same for eighths of a pixel
    scale32: Tensor  # [m] local scale, 1/32 pixel
    log_scale: Tensor  # [m] 16 log2(local scale / pixel)
    scale_bin: Tensor  # int32 [m]
    level: Tensor  # int32 [m]
    activity: Tensor  # int64 [m] 0 .. GROUPS - 1
    weight: Tensor  # [m] of the pixel in the least-squares fit


class Features:
    """Front end for ``channels`` planes in coding order."""

    def __init__(self, channels: int, table: Tensor | None = None) -> None:
        """``table``: the one that a model ships (see `feature_table`); without it, it is computed."""
        self.channels = channels
        self.hood = Neighbourhood.of(FAN)
        self.near = torch.tensor([FAN.index(o) for o in NEAR])
        table = feature_table(channels).int() if table is None else table
        top = torch.tensor([2**15, 2**14, 1024, SCALE_BINS - 1, GROUPS - 1, 256])
        table = whole("features", table, (len(NEAR) * channels * 510 + 1, len(top)), -(2**15), 2**15)
        if (table.abs() > top).any() or (table[:, [0, 1, 3, 4, 5]] < 0).any():
            raise ModelRefusedError("the table of features is out of range; export the model again")
        table = table.float()
        recip = table[:, :1] * 2.0**-_RECIP_BITS
        self.table = torch.cat([recip, recip / 4, table[:, 1:]], 1)
        self.expert_taps = [self._expert_taps(c) for c in range(channels)]

    def to(self, device: torch.device) -> Features:
        """The same with its tables on ``device``."""
        moved = copy(self)
        moved.table, moved.near = self.table.to(device), self.near.to(device)
        moved.expert_taps = [t.to(device) for t in self.expert_taps]
        return moved

    def _expert_taps(self, channel: int) -> Tensor:
        taps = []
        for other in range(self.channels):
            offsets = EXPERT_OWN if other == channel else EXPERT_OTHER
            taps += [other * len(FAN) + FAN.index(o) for o in offsets]
        return torch.tensor(taps)

    def expert_size(self, channel: int) -> int:
        """Coefficients of one group of ``channel``: its taps and the channels coded before it."""
        return len(self.expert_taps[channel]) + channel

    def local(self, taps: Tensor) -> Local:
        """Pixel taps [C * len(FAN), m], channel-major, -> Local."""
        m = taps.shape[1]
        x = taps.view(self.channels, len(FAN), m)
        b2 = x[:, WEST] + x[:, NORTH]  # [C, m]
        d2 = (2 * x).sub_(b2[:, None])  # [C, taps, m]
        total = d2.index_select(1, self.near).abs_().sum((0, 1)).int()  # [m]
        row = self.table.index_select(0, total).T.contiguous()  # [7, m]
        level = (b2[0] * 2**-4).int()
        recip, eighths, scale32, log_scale, scale_bin, activity, weight = row
        return Local(
            d2.view(-1, m), b2, recip, eighths, scale32, log_scale, scale_bin.int(), level, activity.long(), weight
        )

    @staticmethod
    def normalise_pixels(local: Local, d2: Tensor) -> Tensor:
        """Half-pixel differences [n, m] -> integers in +-INPUT_LIMIT, INPUT_UNIT to the local scale."""
        return (d2 * local.recip).floor_().clamp_(-INPUT_LIMIT, INPUT_LIMIT)

    @staticmethod
    def normalise_eighths(local: Local, e8: Tensor) -> Tensor:
        """The same for eighths of a pixel; beyond 64 pixels they saturate."""
        scaled = e8.clamp(-_ERROR_LIMIT, _ERROR_LIMIT).mul_(local.recip_eighths)
        return scaled.floor_().clamp_(-INPUT_LIMIT, INPUT_LIMIT)


def feature_table(channels: int) -> Tensor:
    """Functions of the activity, made once and shipped with the model; integers, float32 [activities, 6].

    Columns: reciprocal scale, scale in 1/32 pixel, 16 log2 of it, scale bin, activity group, weight in the fit.
    """
    count = len(NEAR) * channels
    activity = torch.arange(count * 510 + 1, dtype=torch.float64)
    scale = (activity + _OFFSET) / (2 * count)  # pixels
    log2 = torch.log2(scale)
    columns = [
        torch.round(2**_RECIP_BITS * INPUT_UNIT / (2 * scale)),
        torch.round(32 * scale),
        torch.round(16 * log2),
        (torch.floor(2 * log2) + 5).clamp(0, SCALE_BINS - 1),
        torch.bucketize(scale, torch.tensor([1.5, 4.0, 9.0], dtype=torch.float64)).double(),
        torch.round(256 / (1 + scale)).clamp(min=2),
    ]
    return torch.stack(columns, 1).float()


def place(y: Tensor, x: Tensor, width: int | Tensor) -> Tensor:
    """Where in its tile a pixel stands: nearness to three borders, and phase. int64, 0 .. PLACES - 1."""
    border = y.clamp(max=2) * 6 + x.clamp(max=2) * 2 + (x == width - 1).long()
    return border * 4 + phase(y, x)


def phase(y: Tensor, x: Tensor) -> Tensor:
    """Row and column parity. int64, 0 .. 3."""
    return (y & 1) * 2 + (x & 1)
