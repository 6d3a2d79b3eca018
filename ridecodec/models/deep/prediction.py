"""The prediction of 16-bit samples that an encoder fits to each tile: the fit, and its coefficients as bytes."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Planes
from ridecodec.engines.board import Board
from ridecodec.errors import DamagedError
from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.parts import BORDER
from ridecodec.exact.ranges import Int64
from ridecodec.models.deep.definition import ACROSS, COEFFICIENT_BITS, COEFFICIENT_LIMIT, NEAR, count
from ridecodec.models.deep.parting import parted_samples
from ridecodec.models.least_squares import solve

Float64 = NDArray[np.float64]
Coefficients = list[Int64]
"""For each channel [`count`]."""

_ROUNDS = 4
_FIT_PIXELS, _LARGEST, _WEIGHT = 1 << 18, (1 << 13) - 1, 1 << 9
"""The most pixels, and of each: a difference and a weight. The sums of their products stay below 2^53."""
_USUAL_BITS = 8
"""Of a difference."""
_SMALL = 2
"""Part of the mean's that an error must have to count half."""
_RIDGE_BITS = 24
_DEFAULT = (0.75, -0.5, 0.2, -0.05, -0.1, 0.0)
_OUTSIDE = 128 << 8 | 128
"""What stands left of the first row: of both bytes 128."""


def default(channels: int) -> Coefficients:
    """Where nothing is sent: a plane through the neighbours."""
    whole = np.rint(np.array(_DEFAULT) * (1 << COEFFICIENT_BITS)).astype(np.int64)
    return [np.append(whole, np.zeros(ACROSS * c, np.int64)) for c in range(channels)]


def sampled(planes: Planes) -> tuple[Float64, Float64]:
    """The pixels of a tile that a fit uses, all of a small one: neighbours [C, `NEAR`, m] and samples [C, m]."""
    samples = parted_samples(planes)
    channels, height, width = samples.shape
    board = Board(Neighbourhood.of(NEAR), height, width, [(BORDER, _OUTSIDE)] * channels, np.int64)
    board.fill(0, samples)
    at = np.arange(0, height * width, -(-height * width // _FIT_PIXELS) | 1)
    dy, dx = np.array(NEAR * channels).T
    shifts = board.shifts(np.arange(channels).repeat(len(NEAR)), dy, dx)
    near = board.values.reshape(-1)[shifts[:, None] + board.positions(*np.divmod(at, width))]
    return near.reshape(channels, len(NEAR), -1).astype(np.float64), samples.reshape(channels, -1)[:, at].astype(
        np.float64
    )


def fit(near: Float64, values: Float64) -> Coefficients:
    """Least absolute errors, by reweighting, over pixels: ``near`` [C, NEAR, m], ``values`` [C, m].

    The sums are of integers below 2^53, so every machine finds the same.
    """
    found = default(len(values))
    for c, truth in enumerate(values):
        across = (values[:c, None] - near[:c, :ACROSS]).reshape(ACROSS * c, len(truth))
        x = np.concatenate([near[c, 1:] - near[c, :1], across])  # [n, m]
        target = truth - near[c, 0]
        usual = int(np.abs(x).sum()) // x.size
        coarse = 2.0 ** max(0, usual.bit_length() - _USUAL_BITS)
        part, aim = (np.floor(each / coarse).clip(-_LARGEST, _LARGEST) for each in (x, target))
        solution, least = found[c].astype(np.float64), np.inf
        for _ in range(_ROUNDS + 1):
            error = np.abs(target - np.floor(solution @ x / (1 << COEFFICIENT_BITS)))
            if (digits := int(np.frexp(error)[1].sum())) < least:
                least, found[c] = digits, solution.astype(np.int64)
            small = max(1, int(error.sum()) // (_SMALL * len(error)))
            weighted = part * np.floor(_WEIGHT * small / (small + error))
            square = weighted @ part.T
            ridge = np.floor(np.trace(square) / (len(x) << _RIDGE_BITS)) + 1
            solution = np.rint(solve(square + ridge * np.eye(len(x)), weighted @ aim) * (1 << COEFFICIENT_BITS))
            solution = solution.clip(-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT - 1)
    return found


def pack(coefficients: Coefficients) -> bytes:
    """Side information."""
    whole = np.concatenate(coefficients).tolist()
    return struct.pack(f"<{len(whole)}h", *whole)


def unpack(side: bytes, channels: int) -> Coefficients:
    """What `pack` made, or nothing; DamagedError for another length."""
    if not side:
        return default(channels)
    ends = np.cumsum([count(c) for c in range(channels)])
    if len(side) != 2 * ends[-1]:
        raise DamagedError("the pixel data is damaged: its prediction has other coefficients")
    return np.split(np.frombuffer(side, "<i2").astype(np.int64), ends[:-1])
