"""Normal equations solved with the same bits on every machine: single IEEE-754 operations in a fixed order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines import native

Float64 = NDArray[np.float64]


def solve(matrix: Float64, vector: Float64) -> Float64:
    """Solve ``matrix x = vector`` for a symmetric positive definite matrix, the same bits on every machine."""
    return native.solve(matrix, vector) if native.missing is None else reference_solve(matrix, vector)


def reference_solve(matrix: Float64, vector: Float64) -> Float64:
    """The same in numpy: what is computed, step by step."""
    n = len(vector)
    a, b = matrix.copy(), vector.copy()
    columns = []
    for j in range(n):  # right-looking Cholesky; every line is one elementwise operation
        pivot = np.sqrt(a[j, j])
        column = a[:, j] / pivot
        columns.append(column)
        product = column[:, None] * column[None, :]
        a = a - product
        b[j] = b[j] / pivot
        tail = column[j + 1 :] * b[j]
        b[j + 1 :] = b[j + 1 :] - tail
    for j in range(n - 1, -1, -1):
        b[j] = b[j] / columns[j][j]
        for i in range(j):
            step = columns[i][j] * b[j]
            b[i] = b[i] - step
    return np.asarray(b, dtype=np.float64)


def times(matrix: Float64, vector: Float64) -> Float64:
    """Matrix times vector in a fixed order of summation."""
    total = np.zeros(len(matrix))
    for j in range(len(vector)):
        product = matrix[:, j] * vector[j]
        total = total + product
    return total
