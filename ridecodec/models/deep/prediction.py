"""Linear prediction of 16-bit samples from their neighbours, fitted to each tile by its encoder."""

from __future__ import annotations

import struct

import numpy as np
import torch
from torch import Tensor

from ridecodec.coding.order import Offset
from ridecodec.errors import DamagedError
from ridecodec.models.least_squares import solve

NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1))
ACROSS = 4
"""Neighbours whose differences between channels count, from the first."""
UNIT_BITS = 12
"""Coefficients are in 1/2^12."""
_COEFFICIENT = 1 << 15
_FIT_FROM = 1024
"""Pixels of a tile from which on a fit of its own can pay for itself."""
_ROUNDS = 4
_FIT_PIXELS, _LARGEST, _WEIGHT = 1 << 18, (1 << 13) - 1, 1 << 9
"""The most pixels, and of each: a difference and a weight. The sums of their products stay below 2^53."""
_USUAL_BITS = 8
"""Of a difference."""
_SMALL = 2
"""Part of the mean's that an error must have to count half."""
_RIDGE_BITS = 24
_DEFAULT = (0.75, -0.5, 0.2, -0.05, -0.1, 0.0)

Coefficients = list[Tensor]
"""For each channel: integers in float64 [`count`]."""


def count(channel: int) -> int:
    """Coefficients of a channel."""
    return len(NEAR) - 1 + ACROSS * channel


def features(near: Tensor, now: Tensor, channel: int) -> Tensor:
    """What is weighted: differences of the channel's neighbours [C, `NEAR`, m] to the west one, and of the channels
    ``now`` [channel, m], known already, to theirs. [count, m]"""
    own = near[channel, 1:] - near[channel, :1]
    before = now[:, None] - near[:channel, :ACROSS]  # [channel, ACROSS, m]
    return torch.cat([own, before.flatten(0, 1)])


def predict(near: Tensor, now: Tensor, channel: int, coefficients: Tensor, unit: int, top: int) -> Tensor:
    """The prediction in 1/``unit``, integers in float64 [m]; ``coefficients`` [count] or, of each pixel, [count, m]."""
    weights = coefficients if coefficients.ndim == 2 else coefficients[:, None]
    sums = (features(near, now, channel) * weights).sum(0)
    found = near[channel, 0] * unit + (sums * (unit / (1 << UNIT_BITS))).floor_()
    return found.clamp_(0, top * unit)


def default(channels: int) -> Coefficients:
    """Where nothing is sent: a plane through the neighbours."""
    whole = torch.tensor(_DEFAULT, dtype=torch.float64) * (1 << UNIT_BITS)
    return [torch.cat([whole.round(), torch.zeros(ACROSS * c, dtype=torch.float64)]) for c in range(channels)]


def fit(near: Tensor, values: Tensor) -> Coefficients:
    """Least absolute errors, by reweighting, over a tile's pixels: ``near`` [C, NEAR, m], ``values`` [C, m].

    The sums are of integers below 2^53, so every machine finds the same.
    """
    found = default(len(values))
    for c, truth in enumerate(values):
        step = -(-len(truth) // _FIT_PIXELS) | 1
        x = features(near, values[:c], c)[:, ::step].numpy()  # [n, m]
        target = (truth - near[c, 0])[::step].numpy()
        usual = int(np.abs(x).sum()) // x.size
        coarse = 2.0 ** max(0, usual.bit_length() - _USUAL_BITS)
        part, aim = (np.floor(each / coarse).clip(-_LARGEST, _LARGEST) for each in (x, target))
        solution, least = found[c].numpy(), np.inf
        for _ in range(_ROUNDS + 1):
            error = np.abs(target - np.floor(solution @ x / (1 << UNIT_BITS)))
            if (digits := int(np.frexp(error)[1].sum())) < least:
                least, found[c] = digits, torch.from_numpy(solution)
            small = max(1, int(error.sum()) // (_SMALL * len(error)))
            weighted = part * np.floor(_WEIGHT * small / (small + error))
            square = weighted @ part.T
            ridge = np.floor(np.trace(square) / (len(x) << _RIDGE_BITS)) + 1
            solution = np.rint(solve(square + ridge * np.eye(len(x)), weighted @ aim) * (1 << UNIT_BITS))
            solution = solution.clip(-_COEFFICIENT, _COEFFICIENT - 1)
    return found


def pack(coefficients: Coefficients) -> bytes:
    """Side information."""
    whole = torch.cat(coefficients).long().tolist()
    return struct.pack(f"<{len(whole)}h", *whole)


def unpack(side: bytes, channels: int) -> Coefficients:
    """What `pack` made, or nothing; DamagedError for another length."""
    if not side:
        return default(channels)
    counts = [count(c) for c in range(channels)]
    if len(side) != 2 * sum(counts):
        raise DamagedError("the pixel data is damaged: its prediction has other coefficients")
    whole = torch.tensor(struct.unpack(f"<{sum(counts)}h", side), dtype=torch.float64)
    return list(whole.split(counts))


def worth_a_fit(pixels: int) -> bool:
    """Whether a tile of so many pixels gets coefficients of its own."""
    return pixels >= _FIT_FROM
