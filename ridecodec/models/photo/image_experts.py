"""Image experts: linear predictors fitted to the picture by least squares and sent with each tile.

A learned model cannot know a picture's own correlations (film scan, interpolated chroma, sharpening); a few hundred
coefficients tell it. The fit is the encoder's, yet reproducible: covariances are sums of integers held in float64,
and the solve is a Cholesky factorisation of single IEEE-754 operations in a fixed order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.coding.order import RasterLayout
from ridecodec.models.least_squares import Float64, solve, times
from ridecodec.models.photo.features import (
    COEFFICIENT_BITS,
    EXPERT_SETS,
    FAN,
    GROUPS,
    Features,
    phase,
)

Int64 = NDArray[np.int64]
Coefficients = list[Int64]
"""For each channel [EXPERT_SETS, GROUPS, n]: integers, 2**COEFFICIENT_BITS is 1."""

_RIDGE = 2048.0
_FIT_PIXELS = 1 << 18
LIMIT = 4095
"""Largest absolute coefficient."""
MAX_SUM = 1 << 15
"""Bound on a vector's sum of absolute coefficients: keeps a prediction below 2^24 in float32."""
_BITS_A_COEFFICIENT = 9.0
_BITS_A_DOUBLING = 0.18
"""What a pixel saves when its residuals' energy halves: less than a Gaussian's half bit."""


@dataclass(frozen=True)
class Covariances:
    """Weighted covariances of predictors and target (last), by expert set and group; all entries exact integers."""

    sums: list[Float64]  # for each channel [EXPERT_SETS, GROUPS, n + 1, n + 1]
    pixels: Float64  # [EXPERT_SETS, GROUPS]


def covariances(features: Features, planes: Tensor) -> Covariances:
    """Covariances over a tile: integers in float32 [C, H, W], coding order."""
    channels, height, width = planes.shape
    layout = RasterLayout(features.hood, height, width)
    flat = layout.extend(planes, 128.0).reshape(-1)
    shifts = layout.shifts((c, o) for c in range(channels) for o in FAN)
    own = torch.arange(channels)[:, None] * layout.plane
    sums = [np.zeros((EXPERT_SETS, GROUPS, n + 1, n + 1)) for n in map(features.expert_size, range(channels))]
    pixels = np.zeros((EXPERT_SETS, GROUPS))
    pairs = -(-height * width // _FIT_PIXELS)  # of every so many pairs of rows one is used
    rows = [y for y in range(height) if (y // 2) % pairs == 0]
    step = 2 * max(1, 8192 // width)
    for start in range(0, len(rows), step):
        y = torch.tensor(rows[start : start + step]).repeat_interleave(width)
        x = torch.arange(width).repeat(len(y) // width)
        position = (y + features.hood.top) * layout.stride + x + layout.left
        local = features.local(flat.take(shifts[:, None] + position))
        u = 2 * flat.take(own + position) - local.b2
        members = [[(g == k).nonzero()[:, 0] for k in range(GROUPS)] for g in (phase(y, x), local.activity)]
        pixels += [[len(m) for m in group] for group in members]
        for c in range(channels):
            data = torch.cat([local.d2.index_select(0, features.expert_taps[c]), u[: c + 1], local.weight[None]])
            data = data.T.contiguous()  # [m, n + 2]: rows are what the groups pick
            for s, g in np.ndindex(EXPERT_SETS, GROUPS):
                chosen = data.index_select(0, members[s][g]).double()
                sums[c][s, g] += ((chosen[:, :-1] * chosen[:, -1:]).T @ chosen[:, :-1]).numpy()
    return Covariances(sums, pixels)


def fit(data: Covariances, default: Coefficients, levels: list[list[int]] | None = None) -> Coefficients:
    """Coefficients for the picture whose covariances are given; default ones where a fit does not pay.

    ``levels`` forces the choice, [channel][set]: 0 default, 1 one fit for all groups, 2 a fit for each group.
    """
    result = []
    for c, cov in enumerate(data.sums):
        chosen = default[c].copy()
        for s in range(EXPERT_SETS):
            pooled = np.broadcast_to(_fit_one(cov[s].sum(0), default[c][s].sum(0) // GROUPS), default[c][s].shape)
            apart = np.stack([_fit_one(cov[s, g], pooled[g]) for g in range(GROUPS)])
            candidates = [default[c][s], pooled, apart]
            if levels is not None:
                chosen[s] = candidates[levels[c][s]]
                continue
            counts = [0, chosen.shape[-1], GROUPS * chosen.shape[-1]]
            costs = [
                n * _BITS_A_COEFFICIENT + sum(_bits(cov[s, g], data.pixels[s, g], a[g]) for g in range(GROUPS))
                for n, a in zip(counts, candidates, strict=True)
            ]
            chosen[s] = candidates[costs.index(min(costs))]
        result.append(chosen)
    return result


def _fit_one(cov: Float64, towards: Float64 | Int64) -> Int64:
    one = 1 << COEFFICIENT_BITS
    start = towards / one
    n = len(start)
    matrix = cov[:n, :n] + _RIDGE * np.eye(n)
    right = cov[:n, n] - times(cov[:n, :n], start)
    found = np.rint((start + solve(matrix, right)) * one).clip(-LIMIT, LIMIT).astype(np.int64)
    return found if np.abs(found).sum() < MAX_SUM else np.asarray(np.rint(towards), dtype=np.int64)


def _bits(cov: Float64, pixels: float, coefficients: Int64) -> float:
    """Rough code length of a group's residuals, up to a constant."""
    a = np.append(-coefficients / (1 << COEFFICIENT_BITS), 1.0)
    energy = float(times(a[None, :], times(cov, a))[0])
    return _BITS_A_DOUBLING * pixels * math.log2(max(energy, 0.0) + 1.0)
