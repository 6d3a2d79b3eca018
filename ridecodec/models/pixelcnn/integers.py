"""Units of the integer networks, and how they are recorded: feature maps as kept planes, products, gates by table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.order import Offset
from ridecodec.exact.parts import CONSTANT
from ridecodec.exact.recorder import Recorder, Value

Floats = NDArray[np.float64]
PRE_UNIT = 1 << 10
"""Arguments of gates are in 1/2^10."""
STREAM_UNIT = 1 << 10
"""What goes on from layer to layer is in 1/2^11."""
GATE_UNIT = 1 << 12
"""Gated units, hidden units and memories are in 1/2^12."""
LIMIT = 16
"""Sums that go on from layer to layer stop here, so that integers can hold them."""
STREAM_TOP = LIMIT * STREAM_UNIT - 1
PRE_TOP = LIMIT * PRE_UNIT
MEMORY_TOP = LIMIT * GATE_UNIT
GATES = 4
"""Of an LSTM: o, f, i and g, in this order."""
HERE: Offset = (0, 0)
_CAPACITY = 1 << 31
_MOST = (1 << 15) - 1
"""What int32 sums and int16 weights hold."""
_FINE, _MOST_SHARES = 1 << 12, 4
"""What 1 is at least among a product's weights, and how many sums it is parted into for it at most."""
_MORE_BITS = 3
"""Of these sums, before they are added."""
_GATE_BITS = 12
_RANGE = 8
_MIDDLE = _RANGE * PRE_UNIT
_ENTRIES = 2 * _MIDDLE


@dataclass
class Maps:
    """Maps of a layer: planes that taps reach, and the pixel's own values, group after group as they become known."""

    first: int
    """The number of their first plane."""
    size: int
    unit: float
    own: list[Value] = field(default_factory=list)

    @classmethod
    def declare(cls, ops: Recorder, size: int, unit: float, lo: int, hi: int) -> Maps:
        """Planes that nothing is known of; zeros stand around the tile."""
        return cls(ops.planes(size, lo, hi, CONSTANT), size, unit)

    def keep(self, ops: Recorder, value: Value) -> None:
        """The next of the pixel's own maps."""
        first = self.first + sum(map(len, self.own))
        self.own.append(ops.keep(value, CONSTANT, 0, first).in_unit(self.unit))

    def tap(self, ops: Recorder, offsets: Sequence[Offset], chosen: slice = slice(None)) -> Value:
        """Those of neighbours, all maps of the first one before those of the next."""
        maps = range(self.size)[chosen]
        return ops.tap(((self.first + k, offset) for offset in offsets for k in maps), self.unit)

    def seen(self, ops: Recorder, offsets: Sequence[Offset]) -> Value:
        """Those of neighbours, and the pixel's own that are known, which stand last."""
        around = [offset for offset in offsets if offset != HERE]
        own = self.own if HERE in offsets else []
        return ops.concatenate([*([self.tap(ops, around)] if around else []), *own])


def columns(matrix: Floats, offsets: Sequence[Offset], own: int) -> Floats:
    """The weights [rows, offsets * maps] of what `Maps.seen` gives where ``own`` of the pixel's own maps are known."""
    each = matrix.reshape(len(matrix), len(offsets), -1)
    around = [k for k, offset in enumerate(offsets) if offset != HERE]
    here = [each[:, offsets.index(HERE), :own]] if HERE in offsets else []
    return np.concatenate([each[:, around].reshape(len(matrix), -1), *here], 1)


def product(
    ops: Recorder,
    name: str,
    parts: Sequence[tuple[Value, Floats]],
    bias: Floats | None,
    unit: float | Floats,
    told: tuple[Value, Floats] | None = None,
) -> Value:
    """The sum of matrices [rows, n] times values [n], rounded to ``unit``; ``told``: an index, and the table whose row
    is added."""
    x = ops.concatenate([value for value, _ in parts])
    weight = np.concatenate([matrix for _, matrix in parts], 1)
    embeddings = [] if told is None else [(f"{name}.told", *told)]
    count = _shares(x, weight, unit)
    if count == 1:
        return ops.linear(name, x, weight, bias, unit=unit, embeddings=embeddings, capacity=_CAPACITY, largest=_MOST)
    found = []
    for k, chosen in enumerate(np.array_split(np.arange(len(x)), count)):
        part = ops.linear(
            f"{name}.{k}",
            ops.take(x, chosen.tolist()),
            weight[:, chosen],
            None if k else bias,
            unit=np.asarray(unit) * 2.0**_MORE_BITS,
            embeddings=[] if k else embeddings,
            capacity=_CAPACITY,
            largest=_MOST,
            dropped=0 if k else _MORE_BITS,
        )
        found.append(part)
    return sum(found[1:], found[0]).rescaled(_MORE_BITS, smooth=True)


def _shares(x: Value, weight: Floats, unit: float | Floats) -> int:
    """Into how many sums a product is parted, so that the weights' integers are fine enough."""
    reach = np.abs(weight) @ (x.range.top / x.unit) * np.asarray(unit)
    one = _CAPACITY / np.maximum(reach, 1)[:, None] * np.asarray(unit).reshape(-1, 1) / x.unit
    return int(np.clip(2 ** np.ceil(np.log2(_FINE / one.min())), 1, _MOST_SHARES))


def _tables() -> tuple[Floats, Floats]:
    argument = (np.arange(_ENTRIES) - _MIDDLE + 0.5) / PRE_UNIT
    return np.tanh(argument), 0.5 * (1 + np.tanh(argument / 2))


def _look(ops: Recorder, index: Value, table: Floats) -> Value:
    """A function of each row of ``index``, in 1/GATE_UNIT."""
    return ops.record(
        "lookup",
        [index],
        {"table": np.rint(table * GATE_UNIT).astype(np.int64)[:, None]},
        unit=GATE_UNIT,
        real={"table": (table * GATE_UNIT).astype(np.float32)[:, None]},
    )


def _index(ops: Recorder, x: Value) -> Value:
    """The entries of the tables for arguments in 1/PRE_UNIT."""
    return (x + ops.constant(_MIDDLE)).clamp(0, _ENTRIES - 1)


def gate(ops: Recorder, x: Value) -> Value:
    """tanh of the first half of the rows times sigmoid of the second."""
    tanh, sigmoid = _tables()
    index, half = _index(ops, x), len(x) // 2
    features, gates = _look(ops, index[:half], tanh), _look(ops, index[half:], sigmoid)
    return (features * gates).rescaled(_GATE_BITS, smooth=True)


def cell(ops: Recorder, gates: Value, before: Value) -> tuple[Value, Value]:
    """An LSTM's gates [4 n] and memory before [n] -> hidden units and memory."""
    tanh, sigmoid = _tables()
    index, size = _index(ops, gates), len(before)
    opened, g = _look(ops, index[: 3 * size], sigmoid), _look(ops, index[3 * size :], tanh)
    o, f, i = (opened[k * size : (k + 1) * size] for k in range(3))
    memory = (i * g + f * before).rescaled(_GATE_BITS, smooth=True).clamp(-MEMORY_TOP, MEMORY_TOP)
    units = _look(ops, _index(ops, memory.rescaled(2, smooth=True)), tanh)
    return (units * o).rescaled(_GATE_BITS, smooth=True), memory
