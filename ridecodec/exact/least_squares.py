"""Linear predictions whose weights are fitted to what was coded before, as a tile is coded.

For each pixel the weights minimise the sum of ``w (target - weights . x)^2 + ridge weights^2`` over earlier pixels,
whose share falls with their distance. Pixels are taken together in blocks of a row: the weights are the same in all of
a block. In front order a row is ``lag`` blocks behind the one above it. With S the sum of ``w x (x, target)^T`` over a
block, the matrices of block j are, in single precision, operation by operation as they stand here:

    all_j   = kept(down * above_j + left_j)           above_j: `below_j` of the row above, 0 for the first row
    left_j+1 = kept(along * (left_j + S_j))           left_0 = 0
    below_j = all_j + S_j, then + along S_j+1, + (along * along) S_j+2, ... of ``lag - 1`` blocks

where kept(v) is 0 for magnitudes below `LEAST_SUM` and else v. The weights are solved from all_j by LDL^T. Parameters
of a kind of operations are integers: ``along`` and ``down`` in 1 / `ONE`.

Each row of a tile has matrices of its own, so that all rows of a front are computed side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.ranges import Int64

MOST_INPUTS = 32
MOST_SLOPE = 64
ONE = 1 << 16
"""What an integer of 1.0 is, for the forgetting."""
LEAST_SUM = 1.0
"""Sums of smaller magnitude are taken as 0."""
MOST_SUM = 2.0**96
"""What sums of squares must stay below, so that single precision holds what is made of them."""
MOST_VALUE = 1 << 22
"""Inputs, targets and predictions are below it in magnitude: single precision holds and rounds them exactly."""

Single = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How a system forgets: see the head of this module."""

    inputs: int
    block: int
    along: int
    down: int
    ridge: int
    lo: int
    hi: int

    def largest_sum(self, value: int, weight: int, lag: int) -> float:
        """A bound of all sums over values up to ``value`` with weights up to ``weight``."""
        block = float(value) ** 2 * weight * self.block
        return 2 * lag * block / (1 - self.along / ONE) / (1 - self.down / ONE)


def system_bytes(settings: Settings, slope: int, height: int) -> int:
    """Bytes of the matrices of a tile of so many rows, about."""
    n = settings.inputs
    return 4 * ((3 + slope // settings.block) * (n * (n + 3) // 2) + n) * (height + 128)


class LeastSquares:
    """The systems of one tile, one for each row, empty at first."""

    def __init__(self, settings: Settings, height: int, width: int, slope: int) -> None:
        self.settings, self.height, self.width, self.slope = settings, height, width, slope
        self.lag = slope // settings.block
        n = settings.inputs
        shape = (n, n + 1, height + 1)  # the last row stands above the first
        self._sums, self._left, self._all = (np.zeros(shape, np.float32) for _ in range(3))
        self._below = np.zeros((self.lag, *shape), np.float32)
        self._weights, self._inputs = np.zeros((2, n, height), np.float32)
        self._begun = 0

    def predict(self, x: Int64, y: Int64, front: int) -> Int64:
        """Predictions [1, m] from inputs x [n, m] at rows y [m] of a front."""
        while self._begun * self.settings.block <= front:
            self._adapt(self._begun)
            self._begun += 1
        self._inputs[:, y] = x
        with np.errstate(all="ignore"):
            found = np.zeros(len(y), np.float32)
            for weight, own in zip(self._weights[:, y], self._inputs[:, y], strict=True):
                found = found + weight * own
            lo, hi = np.float32(self.settings.lo), np.float32(self.settings.hi)
            found = np.where(found > lo, found, lo)
            found = np.where(found < hi, found, hi)
        return np.rint(found)[None].astype(np.int64)

    def learn(self, target: Int64, weight: Int64, y: Int64) -> None:
        """Take in the targets [m] and weights [m] of the pixels at rows y [m] of the front that was predicted last."""
        own = self._inputs[:, y]
        known = np.concatenate([own, target[None].astype(np.float32)])
        self._sums[:, :, y] += (weight.astype(np.float32) * own)[:, None] * known

    def _adapt(self, time: int) -> None:
        """End the blocks before ``time``, and begin those at it, in the rows that have pixels in them."""
        settings, slope = self.settings, self.slope
        first = max(0, -(-((time - 1) * settings.block - self.width + 1) // slope))
        rows = np.arange(first, min(self.height - 1, time * settings.block // slope) + 1)
        along, down = (np.float32(share) / np.float32(ONE) for share in (settings.along, settings.down))
        sums, left = self._sums[:, :, rows], self._left[:, :, rows]
        self._below[(time - 1) % self.lag][:, :, rows] = self._all[:, :, rows] + sums
        share = along
        for back in range(2, self.lag + 1):
            self._below[(time - back) % self.lag][:, :, rows] += share * sums
            share = share * along
        left = _kept(along * (left + sums))
        self._left[:, :, rows], self._sums[:, :, rows] = left, 0
        found = _kept(down * self._below[time % self.lag][:, :, rows - 1] + left)
        self._all[:, :, rows] = found
        self._weights[:, rows] = solve(found, np.float32(settings.ridge))


def _kept(sums: Single) -> Single:
    small = (sums < np.float32(LEAST_SUM)) & (sums > np.float32(-LEAST_SUM))
    return np.where(small, np.float32(0), sums)


def solve(sums: Single, ridge: np.float32) -> Single:
    """Weights [n, m] of systems [n, n + 1, m], of which the upper triangle is used: single operations in this order."""
    n = len(sums)
    matrix = sums.copy()
    matrix[np.arange(n), np.arange(n)] += ridge
    weights, inverse = np.zeros((2, n, sums.shape[2]), np.float32)
    least = ridge * np.float32(0.5)
    with np.errstate(all="ignore"):
        for k in range(n):
            pivot = matrix[k, k]
            inverse[k] = np.where(pivot > least, np.float32(1) / pivot, np.float32(0))
            factor = matrix[k, k + 1 : n] * inverse[k]
            matrix[k + 1 :] -= factor[:, None] * matrix[k]
        for k in reversed(range(n)):
            rest = matrix[k, n]
            for other in range(k + 1, n):
                rest = rest - matrix[k, other] * weights[other]
            weights[k] = rest * inverse[k]
    return weights
