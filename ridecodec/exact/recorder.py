"""Writes programs down: a model's definition calls these operations once, and what it called is the program.

Values carry the unit that their integers stand for (`unit` integers are 1), so that a definition speaks of real numbers
and float weights; `linear` turns these into integers as large as the proven sums allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact.least_squares import ONE
from ridecodec.exact.operations import MOST_SHIFT, Kept, Sources, range_of
from ridecodec.exact.order import Tap
from ridecodec.exact.parts import BORDER, Attribute, Given, Operation, Output, Parameter, Plane
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import LIMIT, Int64, Range

Float64 = NDArray[np.float64]
Floats = NDArray[np.floating]
_CAPACITY = 1 << 24
"""What the sums of a layer stay below: float32 holds them exactly, and int32 with room."""
_MOST_BITS = 16


@dataclass(frozen=True, eq=False)
class Value:
    """An integer vector of a program under way; ``unit`` [size]: how many of its integers are 1."""

    recorder: Recorder
    number: int
    range: Range
    unit: Float64

    def __len__(self) -> int:
        return len(self.range)

    def __getitem__(self, rows: int | slice) -> Value:
        index = np.arange(len(self))[rows]
        return self.recorder.take(self, np.atleast_1d(index).tolist())

    def __add__(self, other: Value) -> Value:
        return self.recorder.record("add", [self, other], unit=self.unit)

    def __sub__(self, other: Value) -> Value:
        return self.recorder.record("subtract", [self, other], unit=self.unit)

    def __mul__(self, other: Value) -> Value:
        return self.recorder.record("multiply", [self, other], unit=self.unit * other.unit)

    def __abs__(self) -> Value:
        return self.recorder.record("absolute", [self], unit=self.unit)

    def __lshift__(self, bits: int) -> Value:
        """The integers times 2^bits, in the same unit."""
        return self.recorder.record("shift", [self], {"bits": -bits}, unit=self.unit)

    def __rshift__(self, bits: int) -> Value:
        """The integers divided by 2^bits and rounded down, in the same unit."""
        return self.recorder.record("shift", [self], {"bits": bits}, unit=self.unit)

    def rescaled(self, bits: int, smooth: bool = False) -> Value:
        """The same number in a unit of 2^bits less, rounded down; ``smooth``: not so in the likelihood."""
        unit = self.unit / 2.0**bits
        return self.recorder.record("shift", [self], {"bits": bits}, unit=unit, smooth=smooth)

    def clamp(self, lo: int, hi: int) -> Value:
        """No integer below ``lo`` or above ``hi``."""
        return self.recorder.record("clamp", [self], {"lo": lo, "hi": hi}, unit=self.unit)

    def sum(self, group: int = 0) -> Value:
        """Sums of runs of ``group`` rows; 0: of all."""
        group = group or len(self)
        return self.recorder.record("sum", [self], {"group": group}, unit=self.unit[::group])

    def in_unit(self, unit: float) -> Value:
        """The same integers, taken in another unit."""
        return Value(self.recorder, self.number, self.range, np.full(len(self), float(unit)))


class Recorder:
    """A program under way; ranges are proven as it grows, so that an error shows where it is made."""

    def __init__(self, channels: int, *, top: int = 255, kept: Sequence[tuple[int, int]] = ()) -> None:
        """``kept``: the limits (lo, hi) of each plane that `keep` will fill."""
        self.channels, self.top = channels, top
        self._kept = [Kept(lo, hi) for lo, hi in kept]
        self._planes: dict[int, Plane] = {}
        self._given: list[Given] = []
        self._lead = 0
        self._operations: list[Operation] = []
        self._ranges: list[Range] = []
        self._outputs: list[Output] = []
        self._parameters: list[Parameter] = []

    def record(
        self,
        kind: str,
        inputs: Sequence[Value] = (),
        attributes: Mapping[str, Attribute] | None = None,
        *,
        unit: Float64 | float = 1.0,
        name: str = "",
        real: Mapping[str, NDArray[np.float32]] | None = None,
        smooth: bool = False,
        scale: Mapping[str, Float64] | None = None,
    ) -> Value:
        """Any operation; the methods below are easier to read."""
        numbers = tuple(value.number for value in inputs)
        operation = Operation(kind, numbers, attributes or {}, name, real or {}, smooth, scale or {}, self._lead)
        sources = Sources(self.channels, self.top, self._kept, self._parameters, self._given)
        found = range_of(operation, len(self._operations), self._ranges, sources)
        self._operations.append(operation)
        self._ranges.append(found)
        units = np.broadcast_to(np.asarray(unit, np.float64), len(found)).copy()
        return Value(self, len(self._operations) - 1, found, units)

    def tap(self, taps: Iterable[Tap], unit: float = 1.0) -> Value:
        """Samples and kept values of neighbours: planes below `channels` are the samples."""
        planes, dy, dx = np.array([(plane, *offset) for plane, offset in taps], np.int64).T
        return self.record("tap", attributes={"planes": planes, "dy": dy, "dx": dx}, unit=unit)

    @property
    def lead(self) -> int:
        """Of the pass that is being recorded."""
        return self._lead

    @contextmanager
    def ahead(self, lead: int) -> Iterator[None]:
        """What is recorded meanwhile is of the pass with this lead."""
        before, self._lead = self._lead, lead
        try:
            yield
        finally:
            self._lead = before

    def planes(self, size: int, lo: int, hi: int, rule: int = BORDER) -> int:
        """Declare planes of the pass at hand that taps reach before `keep` fills them; gives the first's number."""
        self._kept += [Kept(lo, hi, self._lead, rule)] * size
        return self.channels + len(self._kept) - size

    def give(self, name: str, lo: int, hi: int, margin: int) -> int:
        """Declare a plane that is known beforehand; gives its number among them."""
        self._given.append(Given(name, lo, hi, margin))
        return len(self._given) - 1

    def given(self, taps: Iterable[Tap], unit: float = 1.0) -> Value:
        """Values of planes that are known beforehand, at any offsets within their margins."""
        planes, dy, dx = np.array([(plane, *offset) for plane, offset in taps], np.int64).T
        return self.record("given", attributes={"planes": planes, "dy": dy, "dx": dx}, unit=unit)

    def place(self, limit: int) -> Value:
        """Distances to the top, left, bottom and right border, none above ``limit``; parities of row and column."""
        return self.record("place", attributes={"limit": limit})

    def constant(self, number: int, unit: float = 1.0, real: float | None = None) -> Value:
        """A number that is always the same [1]; ``real``: what the likelihood takes instead."""
        x = self.place(1)[0]
        attributes = {"weight": np.zeros((1, 1), np.int64), "bias": np.array([number]), "shift": np.zeros(1, np.int64)}
        other = {} if real is None else {"weight": np.zeros((1, 1)), "bias": np.array([real])}
        held = {name: value.astype(np.float32) for name, value in other.items()}
        return self.record("affine", [x], attributes, unit=unit, real=held)

    def sample(self, channel: int) -> Value:
        """The pixel's own sample; known from the stage behind its channel on."""
        return self.record("sample", attributes={"channel": channel})

    def parameter(self, name: str, lo: int, hi: int, size: int) -> int:
        """Declare integers of a tile, from its side information; gives their number."""
        self._parameters.append(Parameter(name, lo, hi, size))
        return len(self._parameters) - 1

    def told(self, parameter: int, unit: float = 1.0) -> Value:
        """A tile's integers as they are, the same at all pixels."""
        return self.record("parameter", attributes={"parameter": parameter}, unit=unit)

    def affine(self, x: Value, weight: Int64, bias: Int64 | None = None, unit: float = 1.0, name: str = "") -> Value:
        """Integer weights [out, in] as they are."""
        zero = np.zeros(len(weight), np.int64)
        attributes = {"weight": weight.astype(np.int64), "bias": zero if bias is None else bias, "shift": zero}
        return self.record("affine", [x], attributes, unit=unit, name=name)

    def linear(
        self,
        name: str,
        x: Value,
        weight: Floats,
        bias: Floats | None = None,
        *,
        unit: Float64 | float,
        embeddings: Sequence[tuple[str, Value, Floats]] = (),
        down: bool = False,
        capacity: int = _CAPACITY,
        largest: int | None = None,
        dropped: int = 0,
    ) -> Value:
        """``weight @ x + bias`` in real numbers, [out] in ``unit``, rounded; ``down``: rounded down.

        ``embeddings``: (name, index, table [entries, out]) whose rows are added. Each row of the weights gets the
        largest exponent whose sums stay below ``capacity`` and whose weights do not exceed ``largest``. ``dropped``:
        bits that are shifted out later, which then rounds. Training knows the weights as `name.weight`, `name.bias`
        and, of embeddings, `name.table`.
        """
        units = np.broadcast_to(np.asarray(unit, np.float64), len(weight)).copy()
        scale = units[:, None] / x.unit
        scaled = weight.astype(np.float64) * scale
        offset = np.zeros(len(weight)) if bias is None else bias.astype(np.float64) * units
        tables = [(called, index, table.astype(np.float64) * units) for called, index, table in embeddings]
        added = sum((np.abs(table).max(0) for _, _, table in tables), np.zeros(len(weight)))
        reach = np.abs(scaled) @ x.range.top + np.abs(offset) + added + 1
        if not (reach < LIMIT).all():
            raise ModelRefusedError(f"layer {name} has sums that reach {reach.max():.4g}, beyond what is exact")
        shift = np.floor(np.log2(0.99 * capacity / reach))
        if largest is not None:
            shift = np.minimum(shift, np.floor(np.log2(largest / np.maximum(np.abs(scaled).max(1), 1e-300))))
        shift = shift.clip(0, _MOST_BITS if largest is None else MOST_SHIFT)
        grid = np.exp2(shift)
        half = np.zeros(len(weight)) if down else np.where(shift > 0, grid / 2, 0.0)
        inputs = [x]
        if tables:
            rows = [self._embedded(called, index, table, grid, units) for called, index, table in tables]
            inputs.append(rows[0] if len(rows) == 1 else sum(rows[1:], rows[0]))
        attributes: dict[str, Attribute] = {
            "weight": np.rint(scaled * grid[:, None]).astype(np.int64),
            "bias": np.rint((offset + (1 << dropped >> 1)) * grid + half).astype(np.int64),
            "shift": shift.astype(np.int64),
        }
        real = {"weight": scaled.astype(np.float32), "bias": offset.astype(np.float32)}
        scales = {"weight": scale} if bias is None else {"weight": scale, "bias": units}
        return self.record("affine", inputs, attributes, unit=units, name=name, real=real, smooth=True, scale=scales)

    def _embedded(self, name: str, index: Value, table: Float64, grid: Float64, units: Float64) -> Value:
        attributes = {"table": np.rint(table * grid).astype(np.int64)}
        real = {"table": table.astype(np.float32)}
        return self.record("lookup", [index], attributes, name=name, real=real, smooth=True, scale={"table": units})

    def lookup(self, index: Value, table: NDArray[Any], unit: float = 1.0) -> Value:
        """Rows of a table [entries, k] of integers."""
        return self.record("lookup", [index], {"table": table.astype(np.int64)}, unit=unit)

    def select(self, index: Value, x: Value, count: int) -> Value:
        """One of ``count`` equal parts of ``x``."""
        return self.record("select", [index, x], {"count": count}, unit=x.unit[: len(x) // count])

    def take(self, x: Value, rows: Sequence[int]) -> Value:
        """Some rows, in any order."""
        index = np.array(rows, np.int64)
        return self.record("take", [x], {"rows": index}, unit=x.unit[index])

    def concatenate(self, values: Sequence[Value]) -> Value:
        """All rows, one value behind the other."""
        return self.record("concatenate", values, unit=np.concatenate([value.unit for value in values]))

    def minimum(self, x: Value, y: Value) -> Value:
        """The smaller one, row by row."""
        return self.record("minimum", [x, y], unit=x.unit)

    def maximum(self, x: Value, y: Value) -> Value:
        """The larger one, row by row."""
        return self.record("maximum", [x, y], unit=x.unit)

    def equal(self, x: Value, y: Value) -> Value:
        """1 where equal, else 0."""
        return self.record("equal", [x, y])

    def less(self, x: Value, y: Value) -> Value:
        """1 where x is the smaller one, else 0."""
        return self.record("less", [x, y])

    def memory(self, x: Value, ends: Sequence[int], top: int) -> Value:
        """What stood where the first ``ends`` rows of ``x`` were the same: see `exact.memory`; [ROWS * len(ends)].

        `learn` says what it is that is remembered, no value of which is above ``top``.
        """
        return self.record("memory", [x], {"ends": np.array(ends, np.int64), "top": top})

    def least_squares(
        self,
        x: Value,
        *,
        block: int,
        slope: int,
        along: float,
        down: float,
        ridge: int,
        limits: tuple[int, int],
        unit: float,
        name: str = "",
    ) -> Value:
        """A prediction [1] whose weights of x adapt: see `exact.least_squares`; `learn` tells what it was to be.

        ``along`` and ``down`` are what is left of a sum a pixel further along the row, and a row further down.
        """
        forgetting = {"along": round(along**block * ONE), "down": round(down * ONE)}
        lo, hi = limits
        attributes = {"block": block, "slope": slope, **forgetting, "ridge": ridge, "lo": lo, "hi": hi}
        return self.record("least_squares", [x], attributes, unit=unit, name=name)

    def learn(self, found: Value, value: Value, weight: Value | None = None) -> Value:
        """Teach a memory, or least squares with a weight, what the pixel's value [1] is; gives the value.

        ``found``: their result.
        """
        return self.record("learn", [found, value] if weight is None else [found, value, weight])

    def keep(self, value: Value, rule: int = BORDER, initial: int = 0, first: int | None = None) -> Value:
        """Fill planes that taps reach with the rows of ``value``, clamped to the planes' limits; gives them.

        ``first``: the number of the first of them; else the first that is not filled yet.
        """
        empty = (k for k in range(len(self._kept)) if k not in self._planes)
        start = next(empty, len(self._kept)) if first is None else first - self.channels
        limits = [(each.lo, each.hi) for each in self._kept[start : start + len(value)]]
        if len(set(limits)) > 1:
            rows = [self.keep(value[k], rule, initial, self.channels + start + k) for k in range(len(value))]
            return self.concatenate(rows)
        limited = self._operations[value.number]
        known = limited.kind == "clamp" and limited.attributes == dict(zip(("lo", "hi"), limits[0], strict=True))
        kept = value if known else value.clamp(*limits[0])
        self._planes |= {start + row: Plane(kept.number, row, rule, initial) for row in range(len(value))}
        return kept

    def output(self, family: str, parts: Mapping[str, Value], tables: Mapping[str, Int64]) -> None:
        """The distribution of the next channel."""
        self._outputs.append(Output(family, {part: value.number for part, value in parts.items()}, dict(tables)))

    def program(self, halved: bool = False) -> Program:
        """What was recorded, proven."""
        return Program(
            self.channels,
            self.top,
            tuple(self._operations),
            tuple(self._outputs),
            tuple(self._planes[k] for k in range(len(self._planes))),
            tuple(self._parameters),
            tuple(self._given),
            halved,
        )
