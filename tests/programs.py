"""Small valid programs, made at random: what keeps engines equal when models change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Planes, Squares
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import Gaussians, Logistics, Spikes, WideHigh
from ridecodec.exact.families.wide import TOP
from ridecodec.exact.program import BORDER, CONSTANT, Program
from ridecodec.exact.recorder import Recorder, Value

Item = TypeVar("Item")
OFFSETS = [(0, -1), (0, -3), (-1, 0), (-1, -2), (-1, 1), (-2, 0), (-2, 3), (-3, -1)]
LIMITS = [(-7, 900), (-40000, 511), (-(2**30), 2**31 - 1), (-(2**40), 2**41)]
"""Of kept planes: such that engines take integers of 16, 32 and 64 bits for them."""
TABLES = {"logistics": Logistics.make_tables(), "spikes": Spikes.make_tables(), "wide": WideHigh.make_tables()}


class RandomProgram:
    """A program with the operations that a seed names; `parameters` makes integers of a tile for it."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.channels = int(self.random.integers(1, 4))
        limits = [LIMITS[k] for k in self.random.integers(0, len(LIMITS), self.random.integers(0, 4))]
        self.ops = Recorder(self.channels, top=255, kept=limits)
        self.values: list[Value] = []
        self.memories: list[tuple[Value, int]] = []  # that have learnt nothing yet, and their largest values
        self.sizes: list[tuple[int, int]] = []  # of the parameters: integers of a row, largest sum of a row
        self.planes = self.channels + len(limits)
        self._add(self._tap)
        for channel in range(self.channels):
            for _ in range(int(self.random.integers(3, 12))):
                self._add(self._choice([*self._makers(), self._memory]))
            self._output()
            self.values.append(self.ops.sample(channel))
        for _ in range(int(self.random.integers(0, 4))):
            self._add(self._choice(self._makers()))
        for memory, top in self.memories:
            known = self.ops.sample(self.channels - 1) + self._rows(1).clamp(0, 2)
            self.ops.learn(memory, (known >> 3).clamp(0, top))
        if limits:
            rule, initial = self._choice([(BORDER, 0), (CONSTANT, 3)])
            for _ in limits:
                self.ops.keep(self._rows(1), rule, initial)
        self.program: Program = self.ops.program()

    def parameters(self) -> list[NDArray[np.int32]]:
        """A tile's integers, within their bounds."""
        found = []
        for parameter, (row, reach) in zip(self.program.parameters, self.sizes, strict=True):
            values = self.random.integers(parameter.lo, parameter.hi, parameter.size, endpoint=True).reshape(-1, row)
            while (np.abs(values).sum(1) > reach).any():
                values //= 2
                values[values == -1] = 0
            found.append(values.reshape(-1).astype(np.int32))
        return found

    def tile(self, height: int, width: int) -> Planes:
        """Planes with smooth parts and noise."""
        y, x = np.mgrid[:height, :width]
        smooth = 100 + 3 * y - 2 * x + 50 * (x // 5 % 2)
        noise = self.random.integers(-40, 40, (self.channels, height, width)) * (y % 3 == 0)
        planes: Planes = (smooth + noise).clip(0, 255).astype(np.uint8)
        return planes

    def squares(self) -> Squares:
        """Sums of some values that are small enough."""
        ranges = self.program.ranges
        small = [k for k, found in enumerate(ranges) if found.top.max() < 1 << 15]
        group = next(k for k in small if (ranges[k].lo >= 0).all() and len(ranges[k]) == 1)
        return Squares(group, int(ranges[group].hi[0]) + 1, group, tuple(small[-3:]), every=2)

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
            self._tap, self._place, self._constant, self._affine, self._affine, self._sparse, self._fitted,
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
        number = self.ops.parameter(f"constant {len(self.sizes)}", -limit, limit, size)
        self.sizes.append((size, size * limit))
        return self.ops.record("parameter", attributes={"parameter": number})

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

    def _fitted(self) -> Value:
        x = self._rows(int(self.random.integers(1, 12))).clamp(-1000, self._choice([900, 32767]))
        rows = int(self.random.integers(1, 7))
        number = self.ops.parameter(f"weights {len(self.sizes)}", -4000, 4000, rows * len(x))
        self.sizes.append((len(x), 30000))
        return self.ops.fitted(x, number, 30000, 2.0**7)

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
        family = self._choice(["logistics", "gaussians", "spikes", "wide.high", "wide.low", "even"])
        if family == "even":
            self.ops.output(family, {"top": self._rows(1).clamp(200, 255)}, {})
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
        self.ops.output(family, parts, TABLES[family.split(".")[0]])
