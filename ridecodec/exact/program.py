"""A model as a program: a list of integer operations over causal neighbours, each value with its proven range.

A value is a vector of integers at a pixel. Operations run in their order; each has a stage: stage s needs the samples
of the channels before s at the pixel itself, stage 0 only what was coded before the pixel. Operations of a pass with a
lead run that many fronts ahead, and hand over their values in kept planes. `Program` proves the range of every value
from the weights and the ranges of what it is computed from, and refuses, naming the operation, what it cannot prove;
engines pick their types by these ranges and need no check of their own.

`OPERATIONS` lists all kinds: how many inputs, and the rule from their ranges to that of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact import least_squares, memory
from ridecodec.exact.families import FAMILIES
from ridecodec.exact.order import BACKWARDS, Neighbourhood, Reach, causal
from ridecodec.exact.ranges import LIMIT, Int64, Range

Attribute = int | Int64
MOST_SHIFT = 40
MOST_ROWS = 1 << 16
"""Of a value, and of a tile's parameter."""
MOST_LEAD = 1 << 10
MOST_MARGIN = 64
LEARNERS = ("memory", "least_squares")
"""Kinds of operations that learn as a tile is coded."""
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


@dataclass(frozen=True)
class Program:
    """A proven program. Raises `ModelRefusedError`, naming the operation, where something cannot be proven."""

    channels: int
    top: int
    """Samples are integers from 0 to this."""
    operations: tuple[Operation, ...]
    outputs: tuple[Output, ...]
    kept: tuple[Plane, ...] = ()
    """Planes that taps reach, numbered from `channels` on."""
    parameters: tuple[Parameter, ...] = ()
    given: tuple[Given, ...] = ()
    halved: bool = False
    """Whether the samples of pixels of even row and even column are known beforehand, as the first of the given planes,
    and not coded."""
    ranges: tuple[Range, ...] = field(init=False)
    stages: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        ranges: list[Range] = []
        stages: list[int] = []
        kept = self._kept()
        sources = Sources(self.channels, self.top, kept, self.parameters, self.given)
        for number, operation in enumerate(self.operations):
            ranges.append(range_of(operation, number, ranges, sources))
            stages.append(self._stage(operation, stages))
        object.__setattr__(self, "ranges", tuple(ranges))
        object.__setattr__(self, "stages", tuple(stages))
        self._check_passes()
        self._check_memories()
        self._check_ends()

    @cached_property
    def hood(self) -> Neighbourhood:
        """The reach of all taps, and the slope that lets every pass find what it reaches, or that systems ask for."""
        return Neighbourhood.reaching(
            (reach for operation in self.operations for reach in self.reaches(operation)),
            BACKWARDS in self.leads,
            max((_number(self.operations[k], "slope") for k in self.systems), default=1),
        )

    @cached_property
    def systems(self) -> dict[int, least_squares.Settings]:
        """The settings of every operation of least squares, by its number."""
        names = ("block", "along", "down", "ridge", "lo", "hi")
        return {
            k: least_squares.Settings(len(self.ranges[each.inputs[0]]), *(_number(each, name) for name in names))
            for k, each in enumerate(self.operations)
            if each.kind == "least_squares"
        }

    def reaches(self, operation: Operation) -> list[Reach]:
        """The neighbours that an operation reaches, each with its own lead and that of the plane."""
        if operation.kind != "tap":
            return []
        planes, dy, dx = (np.asarray(operation.attributes[name]).tolist() for name in ("planes", "dy", "dx"))
        leads = [self.lead(plane) for plane in planes]
        return list(zip(dy, dx, [operation.lead] * len(dy), leads, strict=True))

    def lead(self, plane: int) -> int:
        """That of the pass that makes a plane which taps reach."""
        return 0 if plane < self.channels else self.operations[self.kept[plane - self.channels].value].lead

    @cached_property
    def leads(self) -> tuple[int, ...]:
        """Those of the passes, in the order in which a front runs them: the largest first, 0 last but for `BACKWARDS`,
        which runs where a row ends."""
        return tuple(sorted({0, *(operation.lead for operation in self.operations)}, reverse=True))

    @property
    def planes(self) -> int:
        """Planes that taps reach: the samples, then the kept ones."""
        return self.channels + len(self.kept)

    def _kept(self) -> list[Kept]:
        """The kept planes, which taps see before the operations that make them: clamps, which give their ranges."""
        found = []
        for plane in self.kept:
            if not 0 <= plane.value < len(self.operations):
                raise ModelRefusedError("a kept plane refers to a value that does not exist; export the model again")
            operation = self.operations[plane.value]
            if operation.kind != "clamp":
                raise _refused(operation, plane.value, "is kept but is not a clamp")
            lo, hi = int(_number(operation, "lo")), int(_number(operation, "hi"))
            if not lo <= plane.initial <= hi or plane.rule not in (BORDER, CONSTANT):
                raise _refused(operation, plane.value, "is kept with an initial value or a rule that is not valid")
            if operation.lead and plane.rule != CONSTANT:
                raise _refused(operation, plane.value, "is kept by a pass with a lead, but is not constant outside")
            found.append(Kept(Range.of(1, lo, hi), operation.lead, plane.rule))
        return found

    def _stage(self, operation: Operation, stages: Sequence[int]) -> int:
        if operation.kind == "sample":
            return int(_number(operation, "channel")) + 1
        return max((stages[value] for value in operation.inputs), default=0)

    def _check_passes(self) -> None:
        """Values of a pass come from its own; a program that runs rows backwards has no other lead."""
        for number, operation in enumerate(self.operations):
            if not BACKWARDS <= operation.lead <= MOST_LEAD:
                raise _refused(operation, number, "has a lead out of range")
            if any(self.operations[value].lead != operation.lead for value in operation.inputs):
                raise _refused(operation, number, "takes a value of another pass")
            if operation.lead and operation.kind in ("sample", "learn", *LEARNERS):
                raise _refused(operation, number, "cannot run ahead")
            if BACKWARDS in self.leads and operation.kind == "tap":
                planes = np.asarray(operation.attributes["planes"]).tolist()
                if any(plane < self.channels or self.kept[plane - self.channels].rule == BORDER for plane in planes):
                    raise _refused(operation, number, "reaches a border, in a program that runs rows backwards")
        if BACKWARDS in self.leads and max(self.leads) > 0:
            raise ModelRefusedError("a program runs rows backwards and others ahead; export the model again")

    def _check_memories(self) -> None:
        """Every memory learns one value a pixel, of the range that it says."""
        taught: set[int] = set()
        for number, operation in enumerate(self.operations):
            if operation.kind != "learn":
                continue
            found, value, *weights = operation.inputs
            teaches, learnt = self.operations[found], self.ranges[value]
            if teaches.kind not in LEARNERS or found in taught:
                raise _refused(operation, number, "teaches something that does not learn, or learns already")
            if self.stages[number] <= self.stages[found]:
                raise _refused(operation, number, "teaches before all pixels of a front have looked")
            taught.add(found)
            if len(weights) != (teaches.kind == "least_squares"):
                raise _refused(operation, number, "has a weight where none is used, or none where one is")
            if weights:
                self._check_system(number, found, learnt, self.ranges[weights[0]])
            elif len(learnt) != 1 or learnt.lo[0] < 0 or learnt.hi[0] > _number(teaches, "top"):
                raise _refused(operation, number, "teaches a value that its memory cannot hold")
        for found in self.systems.keys() - taught:
            raise _refused(self.operations[found], found, "never learns")

    def _check_system(self, number: int, found: int, target: Range, weight: Range) -> None:
        """What a system learns from, and the fronts that it needs."""
        settings, slope = self.systems[found], self.hood.slope
        if self.hood.raster or slope % settings.block or slope // settings.block < 2:
            raise _refused(self.operations[found], found, f"has blocks that do not fit the slope {slope} of the fronts")
        if len(target) != 1 or len(weight) != 1 or weight.lo[0] < 0:
            raise _refused(self.operations[number], number, "teaches what is not a number, or with a negative weight")
        inputs = self.ranges[self.operations[found].inputs[0]]
        largest = max(int(inputs.top.max()), int(target.top[0]))
        if max(largest, int(weight.top[0])) >= least_squares.MOST_VALUE:
            raise _refused(self.operations[number], number, "teaches values that single precision does not hold")
        if settings.largest_sum(largest, int(weight.top[0]), slope // settings.block) >= least_squares.MOST_SUM:
            raise _refused(self.operations[number], number, "has sums beyond what single precision holds")

    def _check_ends(self) -> None:
        if len(self.outputs) != self.channels:
            raise ModelRefusedError(
                f"it has {len(self.outputs)} distributions for {self.channels} channels; export the model again"
            )
        for channel, output in enumerate(self.outputs):
            for part, value in output.parts.items():
                known = 0 <= value < len(self.operations) and self.operations[value].lead == 0
                if not known or self.stages[value] > channel:
                    raise ModelRefusedError(
                        f"the {part} of channel {channel} are not known when they are needed; export the model again"
                    )
            if output.family not in FAMILIES:
                raise ModelRefusedError(
                    f"there is no family {output.family!r} of distributions; export the model again"
                )
            ranges = {part: self.ranges[value] for part, value in output.parts.items()}
            FAMILIES[output.family].check(ranges, output.tables, self.top)
        for plane in self.kept:
            if not 0 <= plane.row < len(self.ranges[plane.value]):
                raise ModelRefusedError("a kept plane refers to a row that does not exist; export the model again")
        for plane_given in self.given:
            if not -LIMIT < plane_given.lo <= plane_given.hi < LIMIT or not 0 <= plane_given.margin <= MOST_MARGIN:
                raise ModelRefusedError("a given plane is out of range; export the model again")
        samples = self.given[: self.channels]
        if self.halved and (len(samples) < self.channels or any((p.lo, p.hi) != (0, self.top) for p in samples)):
            raise ModelRefusedError("half of the samples are to be given, but are not; export the model again")


@dataclass(frozen=True)
class Kept:
    """What is known of a kept plane before it is filled: its range [1], the lead of its pass, and its rule."""

    range: Range
    lead: int = 0
    rule: int = BORDER


@dataclass(frozen=True)
class Sources:
    """What a program takes its values from: samples from 0 to ``top``, kept planes, what is told of the tile."""

    channels: int
    top: int
    kept: Sequence[Kept]
    parameters: Sequence[Parameter]
    given: Sequence[Given]


def range_of(operation: Operation, number: int, ranges: Sequence[Range], sources: Sources) -> Range:
    """The range of an operation's result, from those of the values before it; ModelRefusedError where it has none."""
    if operation.kind not in OPERATIONS:
        raise _refused(operation, number, "is of a kind that this version does not know")
    rule, least, most = OPERATIONS[operation.kind]
    if not least <= len(operation.inputs) <= most:
        raise _refused(operation, number, f"has {len(operation.inputs)} inputs")
    if any(not 0 <= value < number for value in operation.inputs):
        raise _refused(operation, number, "takes a value that is not known yet")
    try:
        found = rule(_Case(sources, operation, number, [ranges[value] for value in operation.inputs]))
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        raise _refused(operation, number, f"does not fit its inputs ({error})") from error
    if not len(found) or (found.lo > found.hi).any():
        raise _refused(operation, number, "has no values")
    if found.top.max() >= LIMIT:
        raise _refused(operation, number, f"reaches {float(found.top.max()):.4g}, beyond what is exact")
    return found


@dataclass(frozen=True)
class _Case:
    """What the rule of an operation's range is asked."""

    sources: Sources
    operation: Operation
    number: int
    inputs: list[Range]

    def scalar(self, name: str) -> int:
        return _number(self.operation, name)

    def array(self, name: str, *shape: int | None) -> Int64:
        """An array of the given shape; None: any length but 0."""
        found = self.operation.attributes[name]
        if not isinstance(found, np.ndarray) or found.dtype != np.int64 or found.ndim != len(shape):
            raise self.refused(f"has no integers {name!r} of {len(shape)} dimensions")
        for length, wanted in zip(found.shape, shape, strict=True):
            if length == 0 or (wanted is not None and length != wanted):
                raise self.refused(f"has {name!r} of the wrong shape, {found.shape}")
        if found.size and max(abs(int(found.min())), abs(int(found.max()))) >= LIMIT:
            raise self.refused(f"has {name!r} out of range")
        return found

    def refused(self, what: str) -> ModelRefusedError:
        return _refused(self.operation, self.number, what)


def _number(operation: Operation, name: str) -> int:
    found = operation.attributes[name]
    if isinstance(found, np.ndarray) or abs(int(found)) >= LIMIT:
        raise ValueError(f"{name} is not a number in range")
    return int(found)


def _refused(operation: Operation, number: int, what: str) -> ModelRefusedError:
    name = f" ({operation.name})" if operation.name else ""
    return ModelRefusedError(f"operation {number}, {operation.kind!r}{name}, {what}; export the model again")


def _tap(case: _Case) -> Range:
    planes, dy, dx = (case.array(name, None) for name in ("planes", "dy", "dx"))
    if not len(planes) == len(dy) == len(dx):
        raise case.refused("has planes and offsets that do not fit each other")
    sources = case.sources
    if (planes < 0).any() or (planes >= sources.channels + len(sources.kept)).any():
        raise case.refused("reaches a plane that does not exist")
    if ((dy > 0) | (dy < -64) | (np.abs(dx) > 64)).any():
        raise case.refused("reaches a neighbour that is not causal, or too far away")
    every = [Kept(Range.of(1, 0, sources.top))] * sources.channels + list(sources.kept)
    own, reached = case.operation.lead, [every[plane] for plane in planes.tolist()]
    for y, x, plane in zip(dy.tolist(), dx.tolist(), reached, strict=True):
        if not causal((y, x), own, plane.lead):
            raise case.refused("reaches a neighbour that is not causal, or too far away")
        if own and plane.rule == BORDER:
            raise case.refused("runs ahead, and reaches a plane that is not constant outside")
    lo, hi = (np.array([getattr(plane.range, end)[0] for plane in reached], np.int64) for end in ("lo", "hi"))
    return Range(lo, hi)


def _given(case: _Case) -> Range:
    planes, dy, dx = (case.array(name, None) for name in ("planes", "dy", "dx"))
    known = case.sources.given
    if not len(planes) == len(dy) == len(dx) or (planes < 0).any() or (planes >= len(known)).any():
        raise case.refused("reaches a plane that is not given")
    reached = [known[plane] for plane in planes.tolist()]
    if any(max(abs(y), abs(x)) > p.margin for y, x, p in zip(dy.tolist(), dx.tolist(), reached, strict=True)):
        raise case.refused("reaches beyond the margin of a given plane")
    return Range(np.array([p.lo for p in reached], np.int64), np.array([p.hi for p in reached], np.int64))


def _place(case: _Case) -> Range:
    limit = case.scalar("limit")
    if not 1 <= limit < 1 << 16:
        raise case.refused("has a limit out of range")
    return Range(np.zeros(6, np.int64), np.array([limit] * 4 + [1, 1], np.int64))


def _sample(case: _Case) -> Range:
    if not 0 <= case.scalar("channel") < case.sources.channels:
        raise case.refused("is of a channel that does not exist")
    return Range.of(1, 0, case.sources.top)


def _parameter(case: _Case) -> Range:
    found = _declared(case)
    return Range.of(found.size, found.lo, found.hi)


def _declared(case: _Case) -> Parameter:
    """The parameter that an operation names."""
    number = case.scalar("parameter")
    if not 0 <= number < len(case.sources.parameters):
        raise case.refused("has a parameter that does not exist")
    found = case.sources.parameters[number]
    if not 1 <= found.size <= MOST_ROWS or not -LIMIT < found.lo <= found.hi < LIMIT:
        raise case.refused("has a parameter that is out of range")
    return found


def _affine(case: _Case) -> Range:
    x = case.inputs[0]
    weight = case.array("weight", None, len(x))
    bias, shift = case.array("bias", len(weight)), case.array("shift", len(weight))
    if (shift < 0).any() or (shift > MOST_SHIFT).any():
        raise case.refused("has shifts out of range")
    reach = np.abs(weight).astype(np.float64) @ x.top.astype(np.float64) + np.abs(bias)
    plus = Range.of(len(weight), 0, 0)
    if len(case.inputs) == 2:
        plus = case.inputs[1]
        if len(plus) != len(weight):
            raise case.refused("adds a value of another size")
        reach += plus.top
    if reach.max() >= LIMIT / 2:
        raise case.refused(f"has partial sums that reach {reach.max():.4g}, beyond what is exact; use smaller weights")
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    lo = np.asarray(up @ x.lo + down @ x.hi + bias + plus.lo, np.int64)
    hi = np.asarray(up @ x.hi + down @ x.lo + bias + plus.hi, np.int64)
    return Range(lo >> shift, hi >> shift)


def _pair(case: _Case) -> tuple[Range, Range]:
    x, y = case.inputs
    if len(y) not in (1, len(x)):
        raise case.refused(f"pairs {len(x)} rows with {len(y)}")
    return x, y.grown(len(x))


def _add(case: _Case) -> Range:
    x, y = _pair(case)
    return Range(x.lo + y.lo, x.hi + y.hi)


def _subtract(case: _Case) -> Range:
    x, y = _pair(case)
    return Range(x.lo - y.hi, x.hi - y.lo)


def _multiply(case: _Case) -> Range:
    x, y = _pair(case)
    if (x.top.astype(np.float64) * y.top.astype(np.float64)).max() >= LIMIT:
        raise case.refused("has products beyond what is exact")
    ends = np.stack([a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)])
    return Range(ends.min(0), ends.max(0))


def _minimum(case: _Case) -> Range:
    x, y = _pair(case)
    return Range(np.minimum(x.lo, y.lo), np.minimum(x.hi, y.hi))


def _maximum(case: _Case) -> Range:
    x, y = _pair(case)
    return Range(np.maximum(x.lo, y.lo), np.maximum(x.hi, y.hi))


def _compare(case: _Case) -> Range:
    x, _ = _pair(case)
    return Range.of(len(x), 0, 1)


def _absolute(case: _Case) -> Range:
    (x,) = case.inputs
    return Range(np.where((x.lo <= 0) & (x.hi >= 0), 0, np.minimum(np.abs(x.lo), np.abs(x.hi))), x.top)


def _clamp(case: _Case) -> Range:
    (x,) = case.inputs
    lo, hi = case.scalar("lo"), case.scalar("hi")
    if lo > hi:
        raise case.refused("has its limits in the wrong order")
    return Range(x.lo.clip(lo, hi), x.hi.clip(lo, hi))


def _shift(case: _Case) -> Range:
    (x,) = case.inputs
    bits = case.scalar("bits")
    if not -MOST_SHIFT <= bits <= MOST_SHIFT or (bits < 0 and int(x.top.max()) << -bits >= LIMIT):
        raise case.refused("shifts beyond what is exact")
    return Range(x.lo >> bits, x.hi >> bits) if bits >= 0 else Range(x.lo << -bits, x.hi << -bits)


def _sum(case: _Case) -> Range:
    (x,) = case.inputs
    group = case.scalar("group")
    if group < 1 or len(x) % group:
        raise case.refused("has groups that do not fit its input")
    return Range(x.lo.reshape(-1, group).sum(1), x.hi.reshape(-1, group).sum(1))


def _lookup(case: _Case) -> Range:
    (index,) = case.inputs
    table = case.array("table", None, None)
    if len(index) * table.shape[1] > MOST_ROWS:
        raise case.refused("has too many rows")
    if (index.lo < 0).any() or (index.hi >= len(table)).any():
        raise case.refused(f"reaches outside its table of {len(table)}")
    found = [table[lo : hi + 1] for lo, hi in zip(index.lo.tolist(), index.hi.tolist(), strict=True)]
    return Range(np.concatenate([part.min(0) for part in found]), np.concatenate([part.max(0) for part in found]))


def _select(case: _Case) -> Range:
    index, x = case.inputs
    count = case.scalar("count")
    if len(index) != 1 or count < 1 or len(x) % count or index.lo[0] < 0 or index.hi[0] >= count:
        raise case.refused("selects a part that does not exist")
    lo, hi = x.lo.reshape(count, -1), x.hi.reshape(count, -1)
    chosen = slice(int(index.lo[0]), int(index.hi[0]) + 1)
    return Range(lo[chosen].min(0), hi[chosen].max(0))


def _take(case: _Case) -> Range:
    (x,) = case.inputs
    rows = case.array("rows", None)
    if (rows < 0).any() or (rows >= len(x)).any():
        raise case.refused("takes a row that does not exist")
    return x.rows(rows)


def _concatenate(case: _Case) -> Range:
    return Range(np.concatenate([x.lo for x in case.inputs]), np.concatenate([x.hi for x in case.inputs]))


def _memory(case: _Case) -> Range:
    (x,) = case.inputs
    ends, top = case.array("ends", None), case.scalar("top")
    if ends[0] < 1 or (np.diff(ends) < 1).any() or ends[-1] > len(x):
        raise case.refused("has contexts that do not fit its input")
    if x.lo.min() < 0 or max(int(x.hi.max()), top) >> memory.VALUE_BITS or top < 0:
        raise case.refused("remembers a value that is out of range")
    limits = ((-1, top), (-1, top), (0, memory.UNKNOWN), (0, (1 << memory.HASH_BITS) - 1))
    lo, hi = np.repeat(np.array(limits, np.int64), len(ends), 0).T
    return Range(lo, hi)


def _least_squares(case: _Case) -> Range:
    (x,) = case.inputs
    block, slope, ridge = (case.scalar(name) for name in ("block", "slope", "ridge"))
    lo, hi = case.scalar("lo"), case.scalar("hi")
    if len(x) > least_squares.MOST_INPUTS or int(x.top.max()) >= least_squares.MOST_VALUE:
        raise case.refused("has too many or too large inputs")
    if not 1 <= block <= slope <= least_squares.MOST_SLOPE or not 1 <= ridge < least_squares.MOST_VALUE:
        raise case.refused("has a block, a slope or a ridge out of range")
    if any(not 0 <= case.scalar(name) < least_squares.ONE for name in ("along", "down")):
        raise case.refused("does not forget")
    if not -least_squares.MOST_VALUE < lo <= hi < least_squares.MOST_VALUE:
        raise case.refused("has limits that are out of range")
    return Range.of(1, lo, hi)


def _learn(case: _Case) -> Range:
    return case.inputs[1]


OPERATIONS: dict[str, tuple[Callable[[_Case], Range], int, int]] = {
    "tap": (_tap, 0, 0),
    "given": (_given, 0, 0),
    "place": (_place, 0, 0),
    "sample": (_sample, 0, 0),
    "parameter": (_parameter, 0, 0),
    "affine": (_affine, 1, 2),
    "add": (_add, 2, 2),
    "subtract": (_subtract, 2, 2),
    "multiply": (_multiply, 2, 2),
    "minimum": (_minimum, 2, 2),
    "maximum": (_maximum, 2, 2),
    "less": (_compare, 2, 2),
    "equal": (_compare, 2, 2),
    "absolute": (_absolute, 1, 1),
    "clamp": (_clamp, 1, 1),
    "shift": (_shift, 1, 1),
    "sum": (_sum, 1, 1),
    "lookup": (_lookup, 1, 1),
    "select": (_select, 2, 2),
    "take": (_take, 1, 1),
    "concatenate": (_concatenate, 1, 1 << 16),
    "memory": (_memory, 1, 1),
    "least_squares": (_least_squares, 1, 1),
    "learn": (_learn, 2, 3),
}
"""By kind: the rule of its range, and the least and the largest number of inputs."""
