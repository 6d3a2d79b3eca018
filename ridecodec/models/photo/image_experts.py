"""Image experts: linear predictors fitted to the picture by least squares and sent with each tile.

A learned model cannot know a picture's own correlations (film scan, interpolated chroma, sharpening); a few hundred
coefficients tell it. The fit is the encoder's, yet reproducible: covariances are sums of integers held in float64,
and the solve is a Cholesky factorisation of single IEEE-754 operations in a fixed order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ridecodec.engines.base import Planes, Runner, Squares
from ridecodec.engines.choose import engine_for
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.least_squares import Float64, solve, times
from ridecodec.models.photo.definition import (
    ACTIVITY,
    COEFFICIENT_BITS,
    COEFFICIENT_LIMIT,
    COEFFICIENT_SUM,
    EXPERT_SETS,
    FIT_WEIGHT,
    GROUPS,
    activity,
    expert_taps,
    surroundings,
)

Coefficients = list[Int64]
"""For each channel [EXPERT_SETS, GROUPS, n]: integers, 2**COEFFICIENT_BITS is 1."""

_RIDGE = 2048.0
_FIT_PIXELS = 1 << 18
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
    runner, wanted = _measure(len(planes), np.ascontiguousarray(features[:, [ACTIVITY, FIT_WEIGHT]]).tobytes())
    found, pixels = runner.squares(planes, (), replace(wanted, every=-(-planes[0].size // _FIT_PIXELS)))
    sums = []
    for each in found:
        apart = each.reshape(GROUPS, GROUPS, *each.shape[1:])  # by phase and by activity
        sums.append(np.stack([apart.sum(1), apart.sum(0)]))
    counts = pixels.reshape(GROUPS, GROUPS)
    return Covariances(sums, np.stack([counts.sum(1), counts.sum(0)]))


@lru_cache(maxsize=4)
def _measure(channels: int, features: bytes) -> tuple[Runner, Squares]:
    """What computes predictors and targets; ``features``: activity and weight in the fit, int64 [activities, 2]."""
    ops = Recorder(channels)
    base2, context = surroundings(ops)
    local = ops.lookup(activity(ops, context), np.frombuffer(features, np.int64).reshape(-1, 2))
    parities, weight = ops.place(1)[4:], local[1]
    group = ops.affine(ops.concatenate([parities, local[0]]), np.array([[2 * GROUPS, GROUPS, 1]]))
    vectors: list[Value] = []
    differences: list[Value] = []
    for c in range(channels):
        ops.output("even", {"top": parities[0]}, {})
        differences.append((ops.sample(c) << 1).in_unit(2) - base2[c])
        vectors.append(ops.concatenate([ops.take(context, expert_taps(channels, c)), *differences]))
    program = ops.program()
    numbers = tuple(vector.number for vector in vectors)
    return engine_for([program]).open(program), Squares(group.number, GROUPS**2, weight.number, numbers)


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
