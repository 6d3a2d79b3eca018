"""Least squares for the second decoder, written from docs/format.md alone: a row at a time, in single precision."""

from __future__ import annotations

from typing import Any

import numpy as np

F = np.float32


class Row:
    """The sums of one row: S of its block, what its blocks to the left left, and what it says to the row below."""

    def __init__(self, inputs: int) -> None:
        self.empty = np.zeros((inputs, inputs + 1), F)
        self.block = -1
        self.sums = self.left = self.all = self.empty
        self.below: dict[int, np.ndarray] = {}
        self.weights = np.zeros(inputs, F)
        self.inputs = np.zeros(inputs, F)

    def end(self, a: dict[str, Any], lag: int) -> None:
        """The end of the block."""
        along = F(a["along"]) / F(65536)
        self.below[self.block] = self.all + self.sums
        share = along
        for before in range(self.block - 1, self.block - lag, -1):
            if before >= 0:
                self.below[before] = self.below[before] + share * self.sums
            share = share * along
        self.left = kept(along * (self.left + self.sums))
        self.sums = self.empty
        self.block += 1

    def begin(self, a: dict[str, Any], above: Row | None) -> None:
        """Weights from the row above and the blocks to the left."""
        upper = self.empty if above is None else above.below[self.block]
        self.all = kept(F(a["down"]) / F(65536) * upper + self.left)
        self.weights = solve(self.all, F(a["ridge"]))


def kept(sums: np.ndarray) -> np.ndarray:
    """Without what is small."""
    return np.where(np.abs(sums) < F(1), F(0), sums)


def solve(sums: np.ndarray, ridge: np.float32) -> np.ndarray:
    """Weights of the upper triangle, by elimination and back substitution."""
    m, n = sums.copy(), len(sums)
    inverse = np.zeros(n, F)
    for k in range(n):
        m[k, k] = m[k, k] + ridge
    for k in range(n):
        if m[k, k] > ridge * F(0.5):
            inverse[k] = F(1) / m[k, k]
        for row in range(k + 1, n):
            factor = m[k, row] * inverse[k]
            m[row, row:] = m[row, row:] - factor * m[k, row:]
    weights = np.zeros(n, F)
    for k in reversed(range(n)):
        rest = m[k, n]
        for other in range(k + 1, n):
            rest = rest - m[k, other] * weights[other]
        weights[k] = rest * inverse[k]
    return weights


def predict(tile: Any, number: int, a: dict[str, Any], x: list[int], where: tuple[int, int]) -> list[int]:
    """The prediction at a pixel."""
    row, column = where
    rows = tile.memory.setdefault(("rows", number), {})
    own = rows.setdefault(row, Row(len(x)))
    lag = tile.slope // a["block"]
    with np.errstate(all="ignore"):
        if column % a["block"] == 0:
            above = rows.get(row - 1)
            if own.block >= 0:
                own.end(a, lag)
            else:
                own.block = 0
            while above is not None and above.block < min(own.block + lag, -(-tile.width // a["block"])):
                above.end(a, lag)  # the row above is complete
            own.begin(a, above)
        own.inputs = np.array(x, F)
        total = F(0)
        for weight, value in zip(own.weights, own.inputs, strict=True):
            total = total + weight * value
    lo, hi = F(a["lo"]), F(a["hi"])
    total = total if total > lo else lo
    total = total if total < hi else hi
    return [int(np.rint(total))]


def learn(tile: Any, number: int, value: list[int], weight: list[int], row: int) -> list[int]:
    """Take in what the pixel was."""
    own = tile.memory["rows", number][row]
    known = np.append(own.inputs, F(value[0]))
    sums = own.sums.copy()
    for k, each in enumerate(own.inputs):
        sums[k] = sums[k] + F(weight[0]) * each * known
    own.sums = sums
    return value
