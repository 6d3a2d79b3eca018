"""Small valid programs, made at random: what keeps engines equal when models change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Planes
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import Gaussians, Logistics, Mixed, Softmax, Spikes, WideHigh
from ridecodec.exact.families.wide import TOP
from ridecodec.exact.parts import BORDER, CONSTANT
from ridecodec.exact.program import Program
from ridecodec.exact.recorder import Recorder, Value

Item = TypeVar("Item")
OFFSETS = [(0, -1), (0, -3), (-1, 0), (-1, -2), (-1, 1), (-2, 0), (-2, 3), (-3, -1)]
LIMITS = [(-7, 900), (-40000, 511), (-(2**30), 2**31 - 1), (-(2**40), 2**41)]
"""Of kept planes: such that engines take integers of 16, 32 and 64 bits for them."""
BINS = 20
"""Of the families that learn."""
TABLES = {
    "logistics": Logistics.make_tables(),
    "spikes": Spikes.make_tables(),
    "wide": WideHigh.make_tables(),
    "mixed": Mixed.make_tables(np.rint(1.9 ** np.arange(BINS)).astype(np.int64)),
}


class RandomProgram:
    """A program with the operations that a seed names; `parameters` makes integers of a tile for it.

    ``mixed``: some of its channels learn, which not all engines can.
    """

    def __init__(self, seed: int, mixed: bool = False) -> None:
        self.random, self.mixed = np.random.default_rng(seed), mixed
        self.channels = int(self.random.integers(1, 4))
        limits = [LIMITS[k] for k in self.random.integers(0, len(LIMITS), self.random.integers(0, 4))]
        self.ops = Recorder(self.channels, top=255, kept=limits)
        self.values: list[Value] = []
        self.memories: list[tuple[Value, int]] = []  # that have learnt nothing yet, and their largest values
        self.systems: list[Value] = []
        self.planes = self.channels + len(limits)
        self.given = 0
        self.halved = self._give()
        self._ahead()
        self._add(self._tap)
        for channel in range(self.channels):
            for _ in range(int(self.random.integers(3, 12))):
                self._add(self._choice([*self._makers(), self._memory, self._least_squares]))
            self._output()
            self.values.append(self.ops.sample(channel))
        for _ in range(int(self.random.integers(0, 4))):
            self._add(self._choice(self._makers()))
        known = self.ops.sample(self.channels - 1) + self._rows(1).clamp(0, 2)
        for memory, top in self.memories:
            self.ops.learn(memory, (known >> 3).clamp(0, top))
        for system in self.systems:
            self.ops.learn(system, known.clamp(-70000, 70000), self._rows(1).clamp(0, self._choice([9, 2**20])))
        if limits:
            rule, initial = self._choice([(BORDER, 0), (CONSTANT, 3)])
            for _ in limits:
                self.ops.keep(self._rows(1), rule, initial)
        if self.lead:
            self.ops.keep(self._rows(2), CONSTANT, 3, self.base)
        self.program: Program = self.ops.program(self.halved)

    def _give(self) -> bool:
        """Planes that are known beforehand; whether they hold half of the samples."""
        halved = bool(self.random.integers(0, 5) == 0)
        margin = int(self.random.integers(0, 4))
        for k in range(self.channels if halved else int(self.random.integers(0, 3))):
            self.ops.give(f"given.{k}", *((0, 255) if halved else (-300, 70000)), margin)
            self.given += 1
        if self.given:
            at = [tuple(int(n) for n in self.random.integers(-margin, margin + 1, 2)) for _ in range(3)]
            self.values.append(self.ops.given((int(self.random.integers(self.given)), (y, x)) for y, x in at))
        return halved

    def _ahead(self) -> None:
        """A pass that runs ahead, and one between it and the front: what they reach, and what is reached of them."""
        ops, lead = self.ops, int(self.random.integers(0, 4))
        self.lead = lead
        if not lead:
            return
        self.base = ops.planes(2, -3000, 3000, CONSTANT)
        reach = [(self.base, (-1, 2)), (self.base + 1, (-2, -1)), (self.base, (0, -lead - 1))]
        lo, hi = self._choice(LIMITS[:2])
        with ops.ahead(lead):
            first = ops.planes(2, lo, hi, CONSTANT)
            near = ops.tap([*reach, (first, (0, -1)), (first + 1, (-1, 1))])
            mixed = ops.affine(near, self.random.integers(-3, 4, (2, 5)), self.random.integers(-50, 50, 2)) >> 2
            if self.given:
                mixed = mixed + ops.given([(0, (0, 0))])
            ops.keep(mixed + ops.place(7)[:2], CONSTANT, self._choice([0, 3]), first)
        found = [(first, (0, 0)), (first + 1, (0, lead)), (first, (-1, 3))]
        if lead > 1:
            with ops.ahead(lead - 1):
                second = ops.planes(1, -900, 900, CONSTANT)
                near = ops.tap([(first, (0, 1)), (first + 1, (0, 0)), (second, (0, -2)), *reach])
                ops.keep(near.sum() >> 1, CONSTANT, 0, second)
            found += [(second, (0, lead - 1)), (second, (-1, -2))]
        self.values.append(ops.tap(found))

    def parameters(self) -> list[NDArray[np.int32]]:
        """A tile's integers, within their bounds; given planes are those of the tile that `tile` made last."""
        found = []
        for parameter in self.program.parameters:
            values = self.random.integers(parameter.lo, parameter.hi, parameter.size, endpoint=True)
            found.append(values.astype(np.int32))
        height, width = self.last.shape[1:]
        for k, plane in enumerate(self.program.given):
            size = height + 2 * plane.margin, width + 2 * plane.margin
            values = self.random.integers(plane.lo, plane.hi, size, endpoint=True).astype(np.int32)
            if self.halved and k < self.channels:
                inside = values[plane.margin : plane.margin + height, plane.margin : plane.margin + width]
                inside[::2, ::2] = self.last[k, ::2, ::2]
            found.append(values)
        return found

    def tile(self, height: int, width: int) -> Planes:
        """Planes with smooth parts and noise."""
        y, x = np.mgrid[:height, :width]
        smooth = 100 + 3 * y - 2 * x + 50 * (x // 5 % 2)
        noise = self.random.integers(-40, 40, (self.channels, height, width)) * (y % 3 == 0)
        planes: Planes = (smooth + noise).clip(0, 255).astype(np.uint8)
        self.last = planes
        return planes

    def _choice(self, options: Sequence[Item]) -> Item:
        return options[int(self.random.integers(len(options)))]

    def _add(self, maker: Callable[[], Value]) -> None:
        try:
            self.values.append(maker())
        except ModelRefusedError:  # grew beyond what is exact
            self.values.append(self._any().clamp(-1000, 1000))

    def _any(self) -> Value:
        return self._choice(self.values)

    def _rows(self, count: int) -> Value:
        """So many rows of values that there are."""
        parts = []
        for _ in range(count):
            value = self._any()
            parts.append(value[int(self.random.integers(len(value)))])
        return self.ops.concatenate(parts)

    def _makers(self) -> list[Callable[[], Value]]:
        return [
            self._tap, self._place, self._constant, self._affine, self._affine, self._sparse,
            self._pair, self._pair, self._scaled, self._clamp, self._shift, self._sum, self._lookup,
            self._wide_lookup, self._select,
        ]  # fmt: skip

    def _tap(self) -> Value:
        count = int(self.random.integers(1, 9))
        return self.ops.tap([(int(self.random.integers(self.planes)), self._choice(OFFSETS)) for _ in range(count)])

    def _place(self) -> Value:
        return self.ops.place(self._choice([1, 2, 300, 60000]))

    def _constant(self) -> Value:
        size = int(self.random.integers(1, 4))
        limit = self._choice([100, 100000])
        return self.ops.told(self.ops.parameter("constant", -limit, limit, size))

    def _affine(self) -> Value:
        x = self._rows(int(self.random.integers(1, 40)))
        rows, most = int(self.random.integers(1, 14)), self._choice([3, 500, 32767, 100000, 2**24])
        attributes = {
            "weight": self.random.integers(-most, most, (rows, len(x)), endpoint=True),
            "bias": self.random.integers(-most, most, rows) * self._choice([0, 1, 100]),
            "shift": self.random.integers(0, self._choice([1, 12, 40]), rows, endpoint=True),
        }
        inputs = [x, self._rows(rows)] if self.random.integers(2) else [x]
        found = self.ops.record("affine", inputs, attributes)
        return found.clamp(*self._choice([(0, 511), (-(2**35), 2**35)])) if self.random.integers(2) else found

    def _sparse(self) -> Value:
        x = self._rows(int(self.random.integers(5, 30)))
        weight = self.random.integers(-900, 900, (6, len(x))) * (self.random.integers(0, 20, (6, len(x))) == 0)
        return self.ops.affine(x, weight, self.random.integers(-9, 9, 6))

    def _least_squares(self) -> Value:
        x = self._rows(int(self.random.integers(1, self._choice([4, 20])))).clamp(-70000, self._choice([255, 70000]))
        limit = self._choice([100, 2**21])
        found = self.ops.least_squares(
            x,
            block=self._choice([2, 3, 4, 6]),
            slope=12,
            along=self._choice([0.3, 0.95]),
            down=self._choice([0.5, 0.99]),
            ridge=self._choice([1, 2**20]),
            limits=(-limit, limit),
            unit=1,
        )
        self.systems.append(found)
        return found

    def _memory(self) -> Value:
        """Of few values, so that some come again."""
        x = self._rows(int(self.random.integers(1, 5)))
        x = (x >> 4).clamp(0, self._choice([2, 2**32 - 1]))
        ends = np.flatnonzero(self.random.integers(0, 2, len(x))) + 1
        top = self._choice([10, 2**20, 2**32 - 1])
        found = self.ops.memory(x, ends.tolist() or [len(x)], top)
        self.memories.append((found, top))
        return found

    def _pair(self) -> Value:
        x = self._any()
        y = self._rows(self._choice([1, len(x)]))
        kind = self._choice(["add", "subtract", "multiply", "minimum", "maximum", "less", "equal"])
        return self.ops.record(kind, [x, y])

    def _scaled(self) -> Value:
        """What engines may do in one step."""
        x = self._any().clamp(-600, 600)
        found = x * self._rows(1) if self.random.integers(2) else x + self._rows(1)
        if self.random.integers(2):
            found = found >> int(self.random.integers(0, 35))
        return found.clamp(-127, self._choice([90, 40000]))

    def _clamp(self) -> Value:
        return self._any().clamp(-self._choice([0, 200, 40000, 2**36]), self._choice([1, 255, 32768, 2**33]))

    def _shift(self) -> Value:
        return self._any() >> int(self.random.integers(-17, 41))

    def _sum(self) -> Value:
        x = abs(self._rows(int(self.random.integers(1, 5)) * 3))
        return x.sum(self._choice([0, 3]))

    def _lookup(self) -> Value:
        return self._table(self._rows(int(self.random.integers(1, 4))), int(self.random.integers(1, 4)))

    def _wide_lookup(self) -> Value:
        return self._table(self._rows(1), int(self.random.integers(9, 20)))

    def _table(self, index: Value, columns: int) -> Value:
        most = self._choice([10, 30000, 2**31 - 1])
        table = self.random.integers(-most, most, (64, columns), endpoint=True)
        return self.ops.lookup(index.clamp(0, 63), table)

    def _select(self) -> Value:
        count = int(self.random.integers(1, 5))
        return self.ops.select(self._rows(1).clamp(0, count - 1), self._rows(count * 2), count)

    def _output(self) -> None:
        family = self._choice(["logistics", "gaussians", "softmax", "spikes", "wide.high", "wide.low", "even"])
        if self.mixed and self.random.integers(3):
            family = "mixed"
        if family == "even":
            self.ops.output(family, {"top": self._rows(1).clamp(200, 255)}, {})
            return
        if family == "softmax":
            self.ops.output(family, {"logits": self._rows(256).clamp(-(2**29), 2**20)}, Softmax.make_tables())
            return
        count = int(self.random.integers(1, 7))
        if family == "gaussians":
            shape = count, self._choice([1, 2, 4])
            inverse = self.random.integers(Gaussians.INVERSE_LEAST, self._choice([2000, Gaussians.INVERSE_TOP]), shape)
            parts = {
                "logits": self._rows(count * shape[1]).clamp(-900, Gaussians.LOGIT_LIMIT),
                "means": self._rows(count).clamp(-100, Gaussians.MEAN_LIMIT),
            }
            self.ops.output(family, parts, Gaussians.make_tables() | {"inverse": inverse})
            return
        most = WideHigh.MEAN_UNIT * TOP if family.startswith("wide") else Logistics.MEAN_LIMIT
        parts = {
            "logits": self._rows(count).clamp(-900, 900),
            "means": self._rows(count).clamp(0 if family.startswith("wide") else -100, most),
            "scales": self._rows(count).clamp(-5, 300),
        }
        if family == "wide.low":
            parts["high"] = self._rows(1).clamp(0, 255)
        if family == "spikes":
            spikes = int(self.random.integers(1, 5))
            parts["values"], parts["alive"] = self._rows(spikes).clamp(0, 255), self._rows(spikes).clamp(0, 1)
            parts["odds"], parts["top"] = self._rows(spikes + 2).clamp(-(2**29), 900), self._rows(1).clamp(0, 255)
        if family == "mixed":
            experts = int(self.random.integers(1, self._choice([5, 50])))
            parts["experts"] = self._rows(experts).clamp(-100, Logistics.MEAN_LIMIT)
            parts["bins"] = self._rows(experts).clamp(0, BINS - 1)
            parts["sets"] = self._rows(int(self.random.integers(1, 9))).clamp(0, self._choice([0, 3, 40]))
            parts["contexts"] = self._rows(int(self.random.integers(1, 5))).clamp(
                1 - 2**31, self._choice([3, 2**31 - 1])
            )
        self.ops.output(family, parts, TABLES[family.split(".")[0]])


def without(kinds: Collection[str], seed: int) -> RandomProgram:
    """The first program from a seed on that has no operations of these kinds, which not all engines run."""
    made = RandomProgram(seed)
    return made if all(each.kind not in kinds for each in made.program.operations) else without(kinds, seed + 1)
