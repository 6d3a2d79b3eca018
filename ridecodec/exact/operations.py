"""The kinds of operations of programs: how many inputs each has, and the rule from their ranges to that of its result.

`range_of` proves the range of one operation; `OPERATIONS` lists all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ridecodec.errors import ModelRefusedError
from ridecodec.exact import least_squares, memory
from ridecodec.exact.order import causal
from ridecodec.exact.parts import BORDER, Given, Operation, Parameter, number_of, refused
from ridecodec.exact.ranges import LIMIT, Int64, Range

LEARNERS = ("memory", "least_squares")
"""Kinds of operations that learn as a tile is coded."""
MOST_SHIFT = 40
MOST_ROWS = 1 << 16
"""Of a value, and of a tile's parameter."""


@dataclass(frozen=True)
class Kept:
    """What is known of a kept plane before it is filled: its range, the lead of its pass, and its rule."""

    lo: int
    hi: int
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

    @cached_property
    def planes(self) -> Int64:
        """What taps reach: the range, the lead and the rule of every plane [planes, 4]."""
        samples, kept = [(0, self.top, 0, BORDER)] * self.channels, [(k.lo, k.hi, k.lead, k.rule) for k in self.kept]
        return np.array(samples + kept, np.int64)


def range_of(operation: Operation, number: int, ranges: Sequence[Range], sources: Sources) -> Range:
    """The range of an operation's result, from those of the values before it; ModelRefusedError where it has none."""
    if operation.kind not in OPERATIONS:
        raise refused(operation, number, "is of a kind that this version does not know")
    rule, least, most = OPERATIONS[operation.kind]
    if not least <= len(operation.inputs) <= most:
        raise refused(operation, number, f"has {len(operation.inputs)} inputs")
    if any(not 0 <= value < number for value in operation.inputs):
        raise refused(operation, number, "takes a value that is not known yet")
    try:
        found = rule(_Case(sources, operation, number, [ranges[value] for value in operation.inputs]))
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        raise refused(operation, number, f"does not fit its inputs ({error})") from error
    if not len(found) or (found.lo > found.hi).any():
        raise refused(operation, number, "has no values")
    if found.top.max() >= LIMIT:
        raise refused(operation, number, f"reaches {float(found.top.max()):.4g}, beyond what is exact")
    return found


@dataclass(frozen=True)
class _Case:
    """What the rule of an operation's range is asked."""

    sources: Sources
    operation: Operation
    number: int
    inputs: list[Range]

    def scalar(self, name: str) -> int:
        return number_of(self.operation, name)

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
        return refused(self.operation, self.number, what)


def _tap(case: _Case) -> Range:
    planes, dy, dx = (case.array(name, None) for name in ("planes", "dy", "dx"))
    if not len(planes) == len(dy) == len(dx):
        raise case.refused("has planes and offsets that do not fit each other")
    sources = case.sources
    if (planes < 0).any() or (planes >= sources.channels + len(sources.kept)).any():
        raise case.refused("reaches a plane that does not exist")
    if ((dy > 0) | (dy < -64) | (np.abs(dx) > 64)).any():
        raise case.refused("reaches a neighbour that is not causal, or too far away")
    own = case.operation.lead
    lo, hi, leads, rules = np.ascontiguousarray(sources.planes[planes].T)
    reached = set(zip(dy.tolist(), dx.tolist(), leads.tolist(), strict=True))
    if not all(causal((y, x), own, lead) for y, x, lead in reached):
        raise case.refused("reaches a neighbour that is not causal, or too far away")
    if own and (rules == BORDER).any():
        raise case.refused("runs ahead, and reaches a plane that is not constant outside")
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
    real = weight.astype(np.float64)
    middle, width, top = (each.astype(np.float64) for each in (x.lo + x.hi, x.hi - x.lo, x.top))
    width, reach = (np.abs(real) @ np.stack([width, top], 1)).T
    reach = reach + np.abs(bias)
    plus = Range.of(len(weight), 0, 0)
    if len(case.inputs) == 2:
        plus = case.inputs[1]
        if len(plus) != len(weight):
            raise case.refused("adds a value of another size")
        reach += plus.top
    if reach.max() >= LIMIT / 2:
        raise case.refused(f"has partial sums that reach {reach.max():.4g}, beyond what is exact; use smaller weights")
    centre = real @ middle  # twice the middle of the sums; all of these are integers below 2^53, so exact in doubles
    lo, hi = (((centre + side) / 2).astype(np.int64) + bias for side in (-width, width))
    return Range(lo + plus.lo >> shift, hi + plus.hi >> shift)


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
