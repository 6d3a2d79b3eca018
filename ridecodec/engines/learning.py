"""Channels whose distributions learn from one pixel to the next, in the reference engine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.steps import Values
from ridecodec.engines.tilecoder import Draw
from ridecodec.exact.families import FAMILIES, Mixed
from ridecodec.exact.families.mixed import ONE
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64


def learning(program: Program) -> list[int]:
    """The channels that learn."""
    return [c for c, output in enumerate(program.outputs) if isinstance(FAMILIES[output.family], Mixed)]


class LearningChannel:
    """A channel of a tile under way."""

    def __init__(self, program: Program, channel: int) -> None:
        output = program.outputs[channel]
        family = FAMILIES[output.family]
        assert isinstance(family, Mixed)
        self.numbers = output.parts
        self.ranges = {part: program.ranges[number] for part, number in output.parts.items()}
        self.mixer = family.learner(self.ranges, output.tables)
        self.parts: dict[str, Int64] = {}

    def hold(self, pixels: int) -> None:
        """Make room for the parts of a tile's pixels."""
        self.parts = {part: np.empty((len(range_), pixels), np.int64) for part, range_ in self.ranges.items()}

    def take(self, at: Int64, values: Values) -> None:
        """The parts of pixels, by raster position."""
        for part, number in self.numbers.items():
            self.parts[part][:, at] = values[number]

    def intervals(self, samples: NDArray[np.uint8], bits: NDArray[np.float64], front: Int64) -> tuple[Int64, Int64]:
        """Start and size of the decisions' intervals of a front whose parts are held; adds to code lengths [H * W]."""
        start: list[int] = []
        size: list[int] = []
        for at in front.tolist():
            value, before = int(samples[at]), len(size)

            def decide(mid: int, likely: int, value: int = value) -> bool:
                above = value >= mid
                start.append(ONE - likely if above else 0)
                size.append(likely if above else ONE - likely)
                return above

            self.mixer.code({part: held[:, at] for part, held in self.parts.items()}, decide)
            bits[at] += float((24 - np.log2(size[before:])).sum())
        return np.array(start, np.int64), np.array(size, np.int64)

    def draw(self, parts: Mapping[str, Int64], symbols: Draw) -> Int64:
        """Values [m], decision by decision."""

        def decide(mid: int, likely: int) -> bool:
            return bool(symbols(np.array([[ONE - likely - 1, likely - 1]], np.float32))[0])

        pixels = range(parts["means"].shape[1])
        return np.array([self.mixer.code({part: held[:, k] for part, held in parts.items()}, decide) for k in pixels])
