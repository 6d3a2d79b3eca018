"""A model as a program: a list of integer operations over causal neighbours, each value with its proven range.

A value is a vector of integers at a pixel. Operations run in their order; each has a stage: stage s needs the samples
of the channels before s at the pixel itself, stage 0 only what was coded before the pixel. Operations of a pass with a
lead run that many fronts ahead, and hand over their values in kept planes. `Program` proves the range of every value
from the weights and the ranges of what it is computed from, and refuses, naming the operation, what it cannot prove;
engines pick their types by these ranges and need no check of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np

from ridecodec.errors import ModelRefusedError
from ridecodec.exact import least_squares
from ridecodec.exact.families import FAMILIES
from ridecodec.exact.operations import LEARNERS, Kept, Sources, range_of
from ridecodec.exact.order import BACKWARDS, Neighbourhood, Reach
from ridecodec.exact.parts import BORDER, CONSTANT, Given, Operation, Output, Parameter, Plane, number_of, refused
from ridecodec.exact.ranges import LIMIT, Int64, Range

MOST_LEAD = 1 << 10
MOST_MARGIN = 64


@dataclass(frozen=True, eq=False)
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
            set().union(*(self.reaches(operation) for operation in self.operations)),
            BACKWARDS in self.leads,
            max((number_of(self.operations[k], "slope") for k in self.systems), default=1),
        )

    @cached_property
    def systems(self) -> dict[int, least_squares.Settings]:
        """The settings of every operation of least squares, by its number."""
        names = ("block", "along", "down", "ridge", "lo", "hi")
        return {
            k: least_squares.Settings(len(self.ranges[each.inputs[0]]), *(number_of(each, name) for name in names))
            for k, each in enumerate(self.operations)
            if each.kind == "least_squares"
        }

    def reaches(self, operation: Operation) -> set[Reach]:
        """The neighbours that an operation reaches, each with its own lead and that of the plane."""
        if operation.kind != "tap":
            return set()
        planes, dy, dx = (np.asarray(operation.attributes[name]) for name in ("planes", "dy", "dx"))
        return set(zip(dy.tolist(), dx.tolist(), repeat(operation.lead), self._makers[planes].tolist(), strict=False))

    @cached_property
    def _makers(self) -> Int64:
        """The leads of the passes that make the planes."""
        kept = [self.operations[plane.value].lead for plane in self.kept]
        return np.array([0] * self.channels + kept, np.int64)

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
                raise refused(operation, plane.value, "is kept but is not a clamp")
            lo, hi = int(number_of(operation, "lo")), int(number_of(operation, "hi"))
            if not lo <= plane.initial <= hi or plane.rule not in (BORDER, CONSTANT):
                raise refused(operation, plane.value, "is kept with an initial value or a rule that is not valid")
            if operation.lead and plane.rule != CONSTANT:
                raise refused(operation, plane.value, "is kept by a pass with a lead, but is not constant outside")
            found.append(Kept(lo, hi, operation.lead, plane.rule))
        return found

    def _stage(self, operation: Operation, stages: Sequence[int]) -> int:
        if operation.kind == "sample":
            return int(number_of(operation, "channel")) + 1
        return max((stages[value] for value in operation.inputs), default=0)

    def _check_passes(self) -> None:
        """Values of a pass come from its own; a program that runs rows backwards has no other lead."""
        for number, operation in enumerate(self.operations):
            if not BACKWARDS <= operation.lead <= MOST_LEAD:
                raise refused(operation, number, "has a lead out of range")
            if any(self.operations[value].lead != operation.lead for value in operation.inputs):
                raise refused(operation, number, "takes a value of another pass")
            if operation.lead and operation.kind in ("sample", "learn", *LEARNERS):
                raise refused(operation, number, "cannot run ahead")
            if BACKWARDS in self.leads and operation.kind == "tap":
                planes = np.asarray(operation.attributes["planes"]).tolist()
                if any(plane < self.channels or self.kept[plane - self.channels].rule == BORDER for plane in planes):
                    raise refused(operation, number, "reaches a border, in a program that runs rows backwards")
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
                raise refused(operation, number, "teaches something that does not learn, or learns already")
            if self.stages[number] <= self.stages[found]:
                raise refused(operation, number, "teaches before all pixels of a front have looked")
            taught.add(found)
            if len(weights) != (teaches.kind == "least_squares"):
                raise refused(operation, number, "has a weight where none is used, or none where one is")
            if weights:
                self._check_system(number, found, learnt, self.ranges[weights[0]])
            elif len(learnt) != 1 or learnt.lo[0] < 0 or learnt.hi[0] > number_of(teaches, "top"):
                raise refused(operation, number, "teaches a value that its memory cannot hold")
        for found in self.systems.keys() - taught:
            raise refused(self.operations[found], found, "never learns")

    def _check_system(self, number: int, found: int, target: Range, weight: Range) -> None:
        """What a system learns from, and the fronts that it needs."""
        settings, slope = self.systems[found], self.hood.slope
        if self.hood.raster or slope % settings.block or slope // settings.block < 2:
            raise refused(self.operations[found], found, f"has blocks that do not fit the slope {slope} of the fronts")
        if len(target) != 1 or len(weight) != 1 or weight.lo[0] < 0:
            raise refused(self.operations[number], number, "teaches what is not a number, or with a negative weight")
        inputs = self.ranges[self.operations[found].inputs[0]]
        largest = max(int(inputs.top.max()), int(target.top[0]))
        if max(largest, int(weight.top[0])) >= least_squares.MOST_VALUE:
            raise refused(self.operations[number], number, "teaches values that single precision does not hold")
        if settings.largest_sum(largest, int(weight.top[0]), slope // settings.block) >= least_squares.MOST_SUM:
            raise refused(self.operations[number], number, "has sums beyond what single precision holds")

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
