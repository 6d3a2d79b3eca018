"""What each operation of a program does, in torch: as `engines.steps` says in numpy.

Exactly, on integers in float32 below 2^24 and in float64 below 2^53, as the proven ranges allow; or as real numbers,
for training, where the float weights stand in for the integers that were made of them, what is rounded only because it
is in integers is not rounded, and gradients flow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ridecodec.exact.parts import Operation
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64

Arrays = Mapping[str, Tensor]
"""What `arrays` gives of an operation."""
NARROW = 1 << 24
"""Integers up to here are the same in float32."""


class Pixels(ABC):
    """The m pixels that a program runs for."""

    y: Tensor
    """Rows, int64 [m]; columns alike."""
    x: Tensor
    height: Tensor | int
    width: Tensor | int

    @abstractmethod
    def tap(self, planes: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        """Neighbours [n, m] in some planes; all int64 [n]."""

    def given(self, plane: int, dy: int, dx: int) -> Tensor:
        """A given plane's values at an offset [m]."""
        raise NotImplementedError("these pixels have no given planes")

    @abstractmethod
    def sample(self, channel: int) -> Tensor:
        """The pixels' own samples [m]."""

    def parameter(self, number: int) -> Tensor:
        """Integers of the pixels' tiles [size, m]."""
        raise NotImplementedError("these pixels have no parameters")

    def predict(self, number: int) -> Tensor:
        """What the least squares of this operation predicted [1, m]; see `exact.least_squares`."""
        raise NotImplementedError("these pixels have no least squares")

    def look(self, number: int, x: Tensor, ends: Sequence[int]) -> Tensor:
        """What the memory of this operation says of contexts of x [n, m]; see `exact.memory`."""
        raise NotImplementedError("these pixels have no memories")

    def learn(self, number: int, found: Tensor, value: Tensor) -> None:
        """Teach the memory of an operation what the pixels were [m]; ``found``: what `look` gave."""
        raise NotImplementedError("these pixels have no memories")


Step = Callable[[Pixels, list[Tensor], Arrays], Tensor]
"""The result [size, m] of the pixels, the inputs, and the operation's arrays."""


def step(number: int, operation: Operation, real: bool) -> Step:
    """An operation, made ready."""
    if operation.kind == "memory":
        ends = np.asarray(operation.attributes["ends"]).tolist()
        return lambda pixels, inputs, held: pixels.look(number, inputs[0], ends)
    if operation.kind == "least_squares":
        return lambda pixels, inputs, held: pixels.predict(number)
    return _MAKERS[operation.kind](operation, real)


def supported(kind: str) -> bool:
    """Whether there is such an operation here."""
    return kind == "memory" or kind in _MAKERS


def result_type(program: Program, number: int) -> torch.dtype:
    """What holds an operation's result exactly."""
    return _type(program.ranges[number].top.max())


def working_type(program: Program, number: int) -> torch.dtype:
    """What holds all that is computed on the way to an operation's result exactly."""
    operation = program.operations[number]
    inputs = [program.ranges[k].top.astype(np.float64) for k in operation.inputs]
    reach = program.ranges[number].top.astype(np.float64).max()
    if operation.kind == "affine":
        weight, bias = (np.asarray(operation.attributes[name]) for name in ("weight", "bias"))
        reach = (np.abs(weight) @ inputs[0] + np.abs(bias) + sum(inputs[1:])).max()
    elif operation.kind == "sum":
        reach = inputs[0].sum()
    return _type(max(reach, *(top.max() for top in inputs)) if inputs else reach)


def _type(reach: float) -> torch.dtype:
    return torch.float32 if reach < NARROW else torch.float64


def arrays(operation: Operation, real: bool, dtype: torch.dtype) -> dict[str, Tensor]:
    """The operation's arrays as it computes with them, those that are no indices in ``dtype``."""
    held = {name: value for name, value in operation.attributes.items() if isinstance(value, np.ndarray)}
    if operation.kind in ("tap", "given", "take"):
        return {name: torch.from_numpy(value) for name, value in held.items()}
    if real and operation.real:
        return {name: torch.from_numpy(value).to(dtype) for name, value in operation.real.items()}
    found = {name: torch.from_numpy(value).to(dtype) for name, value in held.items()}
    if (
        operation.kind == "affine"
    ):  # what is divided by a power of two later may be divided now: the digits are the same
        found["scale"] = torch.from_numpy(_reciprocals(held["shift"])).to(dtype)
        found["weight"] *= found["scale"][:, None]
        found["bias"] *= found["scale"]
    return found


def _reciprocals(shift: Int64) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(1 / (np.int64(1) << shift), np.float64)


def _floors(operation: Operation, real: bool) -> bool:
    return not (real and operation.smooth)


def _tap(operation: Operation, real: bool) -> Step:
    return lambda pixels, inputs, held: pixels.tap(held["planes"], held["dy"], held["dx"])


def _given(operation: Operation, real: bool) -> Step:
    taps = list(zip(*(np.asarray(operation.attributes[name]).tolist() for name in ("planes", "dy", "dx")), strict=True))
    return lambda pixels, inputs, held: torch.stack([pixels.given(*tap) for tap in taps]).float()


def _place(operation: Operation, real: bool) -> Step:
    limit = int(operation.attributes["limit"])

    def run(pixels: Pixels, inputs: list[Tensor], held: Arrays) -> Tensor:
        y, x = pixels.y, pixels.x
        borders = torch.stack([y, x, pixels.height - 1 - y, pixels.width - 1 - x]).clamp(max=limit)
        return torch.cat([borders, torch.stack([y, x]) & 1]).float()

    return run


def _sample(operation: Operation, real: bool) -> Step:
    channel = int(operation.attributes["channel"])
    return lambda pixels, inputs, held: pixels.sample(channel)[None]


def _parameter(operation: Operation, real: bool) -> Step:
    number = int(operation.attributes["parameter"])
    return lambda pixels, inputs, held: pixels.parameter(number)


def _affine(operation: Operation, real: bool) -> Step:
    floors = not (real and operation.real) and _floors(operation, real)

    def run(pixels: Pixels, inputs: list[Tensor], held: Arrays) -> Tensor:
        found = torch.addmm(held["bias"][:, None], held["weight"], inputs[0])
        if inputs[1:]:
            found = found + (inputs[1] * held["scale"][:, None] if "scale" in held else inputs[1])
        return found.floor() if floors else found

    return run


def _simple(function: Callable[..., Tensor]) -> Callable[[Operation, bool], Step]:
    return lambda operation, real: lambda pixels, inputs, held: function(*inputs)


def _clamp(operation: Operation, real: bool) -> Step:
    lo, hi = (int(operation.attributes[name]) for name in ("lo", "hi"))
    return lambda pixels, inputs, held: inputs[0].clamp(lo, hi)


def _shift(operation: Operation, real: bool) -> Step:
    bits = int(operation.attributes["bits"])
    if bits <= 0 or not _floors(operation, real):
        return lambda pixels, inputs, held: inputs[0] * 2.0**-bits
    return lambda pixels, inputs, held: (inputs[0] * 2.0**-bits).floor()


def _sum(operation: Operation, real: bool) -> Step:
    group = int(operation.attributes["group"])
    return lambda pixels, inputs, held: inputs[0].reshape(-1, group, inputs[0].shape[1]).sum(1)


def _lookup(operation: Operation, real: bool) -> Step:
    def run(pixels: Pixels, inputs: list[Tensor], held: Arrays) -> Tensor:
        index = inputs[0].long()
        found = torch.nn.functional.embedding(index, held["table"])  # [n, m, k]
        return found.transpose(1, 2).reshape(-1, index.shape[1])

    return run


def _select(operation: Operation, real: bool) -> Step:
    count = int(operation.attributes["count"])

    def run(pixels: Pixels, inputs: list[Tensor], held: Arrays) -> Tensor:
        parts = inputs[1].reshape(count, -1, inputs[1].shape[1])
        index = inputs[0].long().expand(1, *parts.shape[1:])
        return parts.gather(0, index)[0]

    return run


def _take(operation: Operation, real: bool) -> Step:
    rows = np.asarray(operation.attributes["rows"])
    first, count = int(rows[0]), len(rows)
    if (rows == np.arange(first, first + count)).all():
        return lambda pixels, inputs, held: inputs[0][first : first + count]
    return lambda pixels, inputs, held: inputs[0].index_select(0, held["rows"])


def _learn(operation: Operation, real: bool) -> Step:
    def run(pixels: Pixels, inputs: list[Tensor], held: Arrays) -> Tensor:
        pixels.learn(operation.inputs[0], *inputs)
        return inputs[1]

    return run


_MAKERS: dict[str, Callable[[Operation, bool], Step]] = {
    "tap": _tap,
    "given": _given,
    "place": _place,
    "sample": _sample,
    "parameter": _parameter,
    "affine": _affine,
    "add": _simple(torch.add),
    "subtract": _simple(torch.sub),
    "multiply": _simple(torch.mul),
    "minimum": _simple(torch.minimum),
    "maximum": _simple(torch.maximum),
    "less": _simple(lambda x, y: (x < y).float()),
    "equal": _simple(lambda x, y: (x == y).float()),
    "absolute": _simple(torch.abs),
    "clamp": _clamp,
    "shift": _shift,
    "sum": _sum,
    "lookup": _lookup,
    "select": _select,
    "take": _take,
    "learn": _learn,
    "concatenate": _simple(lambda *inputs: torch.cat(inputs)),
}
