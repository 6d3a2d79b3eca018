"""The parts that a program is made of: operations, planes, parameters and outputs. `exact.program` proves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact.ranges import LIMIT, Int64

Attribute = int | Int64
BORDER, CONSTANT = 0, 1
"""What a plane has outside of the tile: the rule of `exact.order`, or its initial value everywhere."""


@dataclass(frozen=True)
class Operation:
    """One step of a program; its result is the value of its number."""

    kind: str
    inputs: tuple[int, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""
    """What messages call it."""
    real: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """The float weights or table that the integers stand for, in the same unit, for the likelihood; may be none."""
    smooth: bool = False
    """Whether it is rounded only because it is in integers: the likelihood leaves its rounding out."""
    scale: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """What the definition's own float weights were multiplied by to give ``real``, for those that can be trained; known
    where the program was recorded, not kept in files."""
    lead: int = 0
    """Its pass: how many fronts ahead it runs, or `exact.order.BACKWARDS`."""


@dataclass(frozen=True)
class Plane:
    """What taps reach beside the samples: a row of a kept value, and what it is outside of the tile."""

    value: int
    row: int
    rule: int = BORDER
    initial: int = 0


@dataclass(frozen=True)
class Given:
    """A plane of a tile that is known beforehand, with ``margin`` values around it on all sides."""

    name: str
    lo: int
    hi: int
    margin: int


@dataclass(frozen=True)
class Output:
    """The distribution of a channel: a family of `exact.families` and the values that are its parameters."""

    family: str
    parts: Mapping[str, int]
    tables: Mapping[str, Int64]


@dataclass(frozen=True)
class Parameter:
    """Integers of a tile, from its side information."""

    name: str
    lo: int
    hi: int
    size: int


def number_of(operation: Operation, name: str) -> int:
    """An attribute that is one number; ValueError if it is none, KeyError if there is none."""
    found = operation.attributes[name]
    if isinstance(found, np.ndarray) or abs(int(found)) >= LIMIT:
        raise ValueError(f"{name} is not a number in range")
    return int(found)


def refused(operation: Operation, number: int, what: str) -> ModelRefusedError:
    """The error that names an operation and what is wrong with it."""
    name = f" ({operation.name})" if operation.name else ""
    return ModelRefusedError(f"operation {number}, {operation.kind!r}{name}, {what}; export the model again")
