"""What all families of distributions have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import Distribution

Float64 = NDArray[np.float64]


class Family(ABC):
    """What all families have."""

    parts: tuple[str, ...]
    tables: tuple[str, ...]
    grids: tuple[str, ...] = ()
    """Those of the tables that have two dimensions."""

    def check(self, parts: Mapping[str, Range], tables: Mapping[str, Int64], top: int) -> None:
        """Raise ModelRefusedError for parts or tables that this version's arithmetic cannot use."""
        if set(parts) != set(self.parts) or set(tables) != set(self.tables):
            raise ModelRefusedError("a distribution lacks parts or tables of its family; export the model again")
        shaped = all(table.size and table.ndim == 1 + (name in self.grids) for name, table in tables.items())
        if top != 255 or not shaped or not self.fits(parts, tables):
            raise ModelRefusedError("a distribution has parts or tables that are out of range; export the model again")

    @abstractmethod
    def fits(self, parts: Mapping[str, Range], tables: Mapping[str, Int64]) -> bool:
        """Whether all is in range; no table is empty, and each has its number of dimensions."""

    def learnt_bytes(self, parts: Mapping[str, Range]) -> int:
        """Bytes that a tile keeps of what it has learnt, about."""
        return 0

    @abstractmethod
    def bits(self, parts: Mapping[str, Float64], values: Int64, tables: Mapping[str, Int64]) -> Float64:
        """``-log2 P`` of known values [m] from float parts [size, m] in the integers' units; [m]."""


class Settled(Family):
    """Families whose distributions depend on their parts alone."""

    @abstractmethod
    def distribution(self, parts: Mapping[str, Int64], tables: Mapping[str, Int64]) -> Distribution:
        """The distributions of m sub-pixels."""


def sigmoid(x: Float64) -> Float64:
    """The logistic function; both tails without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)


def falls(table: Int64, size: int, top: int) -> bool:
    """Whether a table of that size falls from ``top``, never below 0: one of exponentials."""
    return bool(len(table) == size and table[0] == top and (np.diff(table) <= 0).all() and table[-1] >= 0)
