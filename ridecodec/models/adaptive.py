"""Experts of a model whose weights adapt as a picture is coded: linear predictions of `exact.least_squares`."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.exact.order import Offset
from ridecodec.exact.recorder import Recorder, Value

SLOPE = 12
"""Columns that a row is behind the one above it: two or three blocks of the experts."""


@dataclass(frozen=True)
class Adaptive:
    """How many neighbours an expert sees, and what is left of a sum a pixel along the row, and a row further down."""

    inputs: int
    along: float
    down: float
    block: int
    """Columns for which the weights stay; `SLOPE` is a multiple of it."""

    def predict(self, ops: Recorder, x: Value, ridge: int, limit: int, unit: float, name: str) -> Value:
        """The prediction [1] from differences x, up to ``limit`` in magnitude, in ``unit``; `learn` is to teach it."""
        forgetting = {"along": self.along, "down": self.down}
        limits = (-limit, limit)
        return ops.least_squares(
            x, block=self.block, slope=SLOPE, **forgetting, ridge=ridge, limits=limits, unit=unit, name=name
        )


def nearest(count: int) -> list[Offset]:
    """The causal neighbours that are nearest to a pixel, by distance."""
    around = [(dy, dx) for dy in range(-6, 1) for dx in range(-7, 7) if dy < 0 or dx < 0]
    return sorted(around, key=_distance)[:count]


def _distance(offset: Offset) -> float:
    """The square, a little less to the west and the north, so that no two are equal where it matters."""
    dy, dx = offset
    return dy**2 + dx**2 + 0.02 * (dx > 0) - 0.03 * (dy == 0) - 0.02 * (dx == 0)
