"""What each operation of a program does, in numpy: the written meaning of the kinds in `exact.operations`.

Exactly, on integers in int64; or as real numbers, for the likelihood, where the float weights stand in for the integers
that were made of them, and what is rounded only because it is in integers is not rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Parameters
from ridecodec.engines.board import Board
from ridecodec.exact.least_squares import LeastSquares
from ridecodec.exact.memory import Memory, hashes
from ridecodec.exact.parts import Operation
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64

_L = TypeVar("_L", Memory, LeastSquares)
Array = NDArray[Any]
Learner = Memory | LeastSquares
Values = dict[int, Array]
"""Results of operations, by number: [size, m] of m pixels."""


@dataclass(frozen=True)
class Pixels:
    """The m pixels that a program runs for."""

    board: Board
    y: Int64
    x: Int64
    parameters: Parameters
    given: Sequence[Array]
    """The planes that are known beforehand, with their margins."""
    samples: NDArray[np.uint8]
    """[C, m]; those that are not known yet are not asked for."""
    memories: Mapping[int, Learner] | None = None
    """By number of their operation; None where all that they say is known already."""


Step = Callable[[Pixels, list[Array]], Array]
"""The result [size, m] of the pixels and the inputs."""


def step(number: int, operation: Operation, real: bool) -> Step:
    """An operation, made ready."""
    if operation.kind == "memory":
        return _memory(number, operation)
    if operation.kind == "least_squares":
        return _least_squares(number)
    return _MAKERS[operation.kind](operation, real)


def memories(program: Program, height: int, width: int) -> dict[int, Learner]:
    """What learns as a tile is coded, empty, by number of its operation."""
    kinds = {k: operation for k, operation in enumerate(program.operations) if operation.kind == "memory"}
    tables = {k: Memory(len(np.asarray(each.attributes["ends"])), height * width) for k, each in kinds.items()}
    slope = program.hood.slope
    return tables | {k: LeastSquares(each, height, width, slope) for k, each in program.systems.items()}


def _floor(values: Array, bits: Int64 | int, operation: Operation, real: bool) -> Array:
    """Divided by 2^bits and rounded down, as the operation and the kind of arithmetic want it."""
    if not real:
        return values >> bits
    found = values / np.exp2(bits)
    return np.asarray(found if operation.smooth else np.floor(found))


def _tap(operation: Operation, real: bool) -> Step:
    planes, dy, dx = (np.asarray(operation.attributes[name]) for name in ("planes", "dy", "dx"))

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        board = pixels.board
        index = board.shifts(planes, dy, dx)[:, None] + board.positions(pixels.y, pixels.x)
        return board.values.reshape(-1).take(index).astype(np.float64 if real else np.int64)

    return run


def _given(operation: Operation, real: bool) -> Step:
    planes, dy, dx = (np.asarray(operation.attributes[name]).tolist() for name in ("planes", "dy", "dx"))

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        found = []
        for plane, y, x in zip(planes, dy, dx, strict=True):
            values = pixels.given[plane]
            margin = (len(values) - pixels.board.height) // 2
            found.append(values[pixels.y + margin + y, pixels.x + margin + x])
        return np.stack(found).astype(np.int64)

    return run


def _place(operation: Operation, real: bool) -> Step:
    limit = int(operation.attributes["limit"])

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        y, x, board = pixels.y, pixels.x, pixels.board
        borders = [np.minimum(distance, limit) for distance in (y, x, board.height - 1 - y, board.width - 1 - x)]
        return np.stack([*borders, y & 1, x & 1])

    return run


def _sample(operation: Operation, real: bool) -> Step:
    channel = int(operation.attributes["channel"])
    return lambda pixels, inputs: pixels.samples[channel : channel + 1].astype(np.int64)


def _parameter(operation: Operation, real: bool) -> Step:
    number = int(operation.attributes["parameter"])
    return lambda pixels, inputs: np.repeat(pixels.parameters[number].astype(np.int64)[:, None], len(pixels.y), 1)


def _affine(operation: Operation, real: bool) -> Step:
    weight, bias, shift = (np.asarray(operation.attributes[name]) for name in ("weight", "bias", "shift"))
    matrix = weight.astype(np.float64)  # all partial sums are below 2^53: exact in any order
    if real and operation.real:
        matrix, bias = (operation.real[name].astype(np.float64) for name in ("weight", "bias"))
        return lambda pixels, inputs: sum(inputs[1:], matrix @ inputs[0] + bias[:, None])

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        found = sum(inputs[1:], matrix @ inputs[0] + bias[:, None])
        return _floor(found if real else found.astype(np.int64), shift[:, None], operation, real)

    return run


def _simple(function: Callable[..., Array]) -> Callable[[Operation, bool], Step]:
    return lambda operation, real: lambda pixels, inputs: function(*inputs)


def _clamp(operation: Operation, real: bool) -> Step:
    lo, hi = (int(operation.attributes[name]) for name in ("lo", "hi"))
    return lambda pixels, inputs: inputs[0].clip(lo, hi)


def _shift(operation: Operation, real: bool) -> Step:
    bits = int(operation.attributes["bits"])
    if bits < 0:
        return lambda pixels, inputs: inputs[0] * (1 << -bits)
    return lambda pixels, inputs: _floor(inputs[0], bits, operation, real)


def _sum(operation: Operation, real: bool) -> Step:
    group = int(operation.attributes["group"])
    return lambda pixels, inputs: inputs[0].reshape(-1, group, inputs[0].shape[1]).sum(1)


def _lookup(operation: Operation, real: bool) -> Step:
    table = np.asarray(operation.real["table"] if real and operation.real else operation.attributes["table"])

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        found = table[inputs[0].astype(np.int64)]  # [n, m, k]
        return np.asarray(found.transpose(0, 2, 1).reshape(-1, inputs[0].shape[1]))

    return run


def _select(operation: Operation, real: bool) -> Step:
    count = int(operation.attributes["count"])

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        index, x = inputs
        m = x.shape[1]
        found: Array = x.reshape(count, -1, m)[index[0].astype(np.int64), :, np.arange(m)].T
        return found

    return run


def _take(operation: Operation, real: bool) -> Step:
    rows = np.asarray(operation.attributes["rows"])
    return lambda pixels, inputs: inputs[0][rows]


def _memory(number: int, operation: Operation) -> Step:
    ends = np.asarray(operation.attributes["ends"]).tolist()

    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        memory = _learner(pixels, number, Memory)
        return memory.look(hashes(inputs[0].astype(np.int64), ends))

    return run


def _least_squares(number: int) -> Step:
    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        system = _learner(pixels, number, LeastSquares)
        front = int(pixels.x[0] + system.slope * pixels.y[0])
        return system.predict(inputs[0].astype(np.int64), pixels.y, front)

    return run


def _learner(pixels: Pixels, number: int, kind: type[_L]) -> _L:
    assert pixels.memories is not None
    found = pixels.memories[number]
    assert isinstance(found, kind)
    return found


def _learn(operation: Operation, real: bool) -> Step:
    def run(pixels: Pixels, inputs: list[Array]) -> Array:
        found, value, *weight = inputs
        known = value[0].astype(np.int64)
        learner = None if pixels.memories is None else pixels.memories[operation.inputs[0]]
        if isinstance(learner, Memory):
            learner.learn(found, known)
        elif learner is not None:
            learner.learn(known, weight[0][0].astype(np.int64), pixels.y)
        return value

    return run


_MAKERS: dict[str, Callable[[Operation, bool], Step]] = {
    "tap": _tap,
    "given": _given,
    "place": _place,
    "sample": _sample,
    "parameter": _parameter,
    "affine": _affine,
    "add": _simple(np.add),
    "subtract": _simple(np.subtract),
    "multiply": _simple(np.multiply),
    "minimum": _simple(np.minimum),
    "maximum": _simple(np.maximum),
    "less": _simple(lambda x, y: (x < y).astype(np.int64)),
    "equal": _simple(lambda x, y: (x == y).astype(np.int64)),
    "absolute": _simple(np.abs),
    "clamp": _clamp,
    "shift": _shift,
    "sum": _sum,
    "lookup": _lookup,
    "select": _select,
    "take": _take,
    "learn": _learn,
    "concatenate": _simple(lambda *inputs: np.concatenate(inputs)),
}
