"""Image experts: linear predictors fitted to the picture by least squares and sent with each tile.

A learned model cannot know a picture's own correlations (film scan, interpolated chroma, sharpening); a few hundred
coefficients tell it. The fit is the encoder's, yet reproducible: covariances are sums of integers held in float64,
and the solve is a Cholesky factorisation of single IEEE-754 operations in a fixed order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ridecodec.engines.base import Planes
from ridecodec.engines.board import Board
from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.program import BORDER
from ridecodec.exact.ranges import Int64
from ridecodec.models.least_squares import Float64, solve, times
from ridecodec.models.photo.definition import (
    ACTIVITY,
    COEFFICIENT_BITS,
    COEFFICIENT_LIMIT,
    COEFFICIENT_SUM,
    EXPERT_SETS,
    FAN,
    FIT_WEIGHT,
    GROUPS,
    NEAR,
    NORTH,
    WEST,
    expert_taps,
)

Coefficients = list[Int64]
"""For each channel [EXPERT_SETS, GROUPS, n]: integers, 2**COEFFICIENT_BITS is 1."""

_RIDGE = 2048.0
_FIT_PIXELS = 1 << 18
_CHUNK = 1 << 13
"""Pixels that are gathered at once."""
_BLOCK = 128
"""Pixels of one product: so few that no BLAS wakes threads for it, which hold each other up where cores are busy."""
_BITS_A_COEFFICIENT = 9.0
_BITS_A_DOUBLING = 0.18
"""What a pixel saves when its residuals' energy halves: less than a Gaussian's half bit."""


@dataclass(frozen=True)
class Covariances:
    """Weighted covariances of predictors and target (last), by expert set and group; all entries exact integers."""

    sums: list[Float64]  # for each channel [EXPERT_SETS, GROUPS, n + 1, n + 1]
    pixels: Float64  # [EXPERT_SETS, GROUPS]


def covariances(planes: Planes, features: Int64) -> Covariances:
    """Covariances over a tile [C, H, W] in coding order; ``features``: the model's table of them."""
    channels, height, width = planes.shape
    board = Board(Neighbourhood.of(FAN), height, width, [(BORDER, 128)] * channels, np.int64)
    board.fill(0, planes)
    dy, dx = np.array(FAN * channels).T
    shifts = board.shifts(np.arange(channels).repeat(len(FAN)), dy, dx)
    near = [c * len(FAN) + FAN.index(offset) for c in range(channels) for offset in NEAR]
    taps = [expert_taps(channels, c) for c in range(channels)]
    sums = [np.zeros((EXPERT_SETS, GROUPS, n + 1, n + 1)) for n in (len(t) + c for c, t in enumerate(taps))]
    pixels = np.zeros((EXPERT_SETS, GROUPS))
    flat = board.values.reshape(-1)
    pairs = -(-height * width // _FIT_PIXELS)  # of every so many pairs of rows one is used
    rows = np.array([y for y in range(height) if (y // 2) % pairs == 0])
    for some in np.array_split(rows, -(-len(rows) * width // _CHUNK)):
        y, x = some.repeat(width), np.tile(np.arange(width), len(some))
        taken = flat[shifts[:, None] + board.positions(y, x)].reshape(channels, len(FAN), -1)
        base = taken[:, WEST] + taken[:, NORTH]
        context = (2 * taken - base[:, None]).reshape(channels * len(FAN), -1)
        own = 2 * planes[:, y, x].astype(np.int64) - base
        local = features[np.abs(context[near]).sum(0)]
        members = [[np.flatnonzero(g == k) for k in range(GROUPS)] for g in (2 * (y & 1) + (x & 1), local[:, ACTIVITY])]
        pixels += [[len(m) for m in group] for group in members]
        weight = np.append(local[:, FIT_WEIGHT], 0).astype(np.float64)
        for c in range(channels):
            rows = np.concatenate([context[taps[c]], own[: c + 1]]).T
            data = np.zeros((len(rows) + 1, rows.shape[1]))  # [m + 1, n + 1], the last row of no weight
            data[:-1] = rows
            for s, g in np.ndindex(EXPERT_SETS, GROUPS):
                sums[c][s, g] += _products(data, weight, members[s][g])
    return Covariances(sums, pixels)


def _products(data: Float64, weight: Float64, members: Int64) -> Float64:
    """Weighted sum of the outer products of some rows of ``data`` with themselves; its last row fills blocks up."""
    blocks = np.full((-(-len(members) // _BLOCK), _BLOCK), len(data) - 1)
    blocks.reshape(-1)[: len(members)] = members
    chosen = data[blocks]  # [blocks, rows, n + 1]
    found: Float64 = ((chosen * weight[blocks][:, :, None]).swapaxes(1, 2) @ chosen).sum(0)
    return found


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
    found = np.rint((start + solve(matrix, right)) * one).clip(-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT).astype(np.int64)
    return found if np.abs(found).sum() <= COEFFICIENT_SUM else np.asarray(np.rint(towards), dtype=np.int64)


def _bits(cov: Float64, pixels: float, coefficients: Int64) -> float:
    """Rough code length of a group's residuals, up to a constant."""
    a = np.append(-coefficients / (1 << COEFFICIENT_BITS), 1.0)
    energy = float(times(a[None, :], times(cov, a))[0])
    return _BITS_A_DOUBLING * pixels * math.log2(max(energy, 0.0) + 1.0)
