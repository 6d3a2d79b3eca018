"""The contract of an engine: a program in, codes of tiles out, and back. Model and coder are one loop inside of it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.families import FAMILIES
from ridecodec.exact.least_squares import system_bytes
from ridecodec.exact.memory import table_bytes
from ridecodec.exact.program import Program

Planes = NDArray[np.uint8]
"""Samples of a tile [C, H, W], channels in coding order."""
Parameters = Sequence[NDArray[np.int32]]
"""A tile's integers: one vector for each parameter of the program, then each given plane with its margin on all sides,
[H + 2 margin, W + 2 margin]."""
Tick = Callable[[int, float], None]
"""Called with the pixels and bits that were finished since the last call; may raise to stop the work."""


threads: ContextVar[int] = ContextVar("threads", default=1)
"""How many threads a tile may be coded by, for engines that can share one out: its bytes do not depend on that."""


def silent(pixels: int, bits: float) -> None:
    """A tick that counts nothing."""


@dataclass(frozen=True)
class Coded:
    """A tile's code, and the ideal code length of every pixel, float32 [H, W], all channels together."""

    code: bytes
    bits: NDArray[np.float32]


class Runner(ABC):
    """A program that an engine has made ready. Calls may come from several threads at once."""

    @abstractmethod
    def encode(self, planes: Planes, parameters: Parameters, tick: Tick) -> Coded:
        """Code a tile."""

    def encode_batch(self, planes: NDArray[np.uint8], parameters: Sequence[Parameters], tick: Tick) -> list[Coded]:
        """Code equal tiles, uint8 [B, C, H, W]."""
        return [self.encode(*each, tick) for each in zip(planes, parameters, strict=True)]

    @abstractmethod
    def decode(self, code: bytes, parameters: Parameters, height: int, width: int, tick: Tick) -> Planes:
        """Decode a tile; raises DamagedError as soon as more than 8 bytes beyond the code would be needed."""

    def decode_batch(
        self, codes: Sequence[bytes], parameters: Sequence[Parameters], height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        """Decode equal tiles, uint8 [B, C, H, W]."""
        return np.stack([self.decode(*each, height, width, tick) for each in zip(codes, parameters, strict=True)])

    @abstractmethod
    def tile_bytes(self, pixels: int) -> int:
        """Bytes of memory that a tile of so many pixels takes, about."""

    def batch(self, height: int, width: int) -> int:
        """How many tiles of this size are best coded together."""
        return 1

    @abstractmethod
    def trace(self, planes: Planes, parameters: Parameters, y: int, x: int) -> list[NDArray[np.int64]]:
        """Every operation's result at a pixel of a known tile: to find the first difference between engines."""

    @abstractmethod
    def values(self, planes: Planes, parameters: Parameters, wanted: Sequence[int]) -> NDArray[np.int32]:
        """Results of some operations at all pixels of a known tile, all rows one behind the other [rows, H, W]."""


def learnt_values(
    program: Program, runner: Runner, planes: Planes, parameters: Parameters
) -> dict[int, NDArray[np.int32]]:
    """What a program keeps and what its least squares predict at all pixels of a known tile, [size, H, W] by number."""
    wanted = [*dict.fromkeys(plane.value for plane in program.kept), *program.systems]
    ends = np.cumsum([len(program.ranges[k]) for k in wanted])[:-1]
    return dict(zip(wanted, np.split(runner.values(planes, parameters, wanted), ends), strict=True))


def planes_bytes(program: Program, pixels: int) -> int:
    """Bytes of a tile's planes, 8 for each number, and of what its memories, systems and distributions learn."""
    contexts = [len(np.asarray(each.attributes["ends"])) for each in program.operations if each.kind == "memory"]
    learnt = sum(
        FAMILIES[each.family].learnt_bytes({part: program.ranges[number] for part, number in each.parts.items()})
        for each in program.outputs
    )
    systems = sum(system_bytes(each, program.hood.slope, math.isqrt(pixels) + 1) for each in program.systems.values())
    return pixels * program.planes * 8 + sum(table_bytes(count, pixels) for count in contexts) + systems + learnt


class Engine(ABC):
    """A way to run programs."""

    name: str

    @property
    def words(self) -> str:
        """What it is, and where it runs if there is a choice."""
        return self.name

    @abstractmethod
    def supports(self, program: Program) -> str | None:
        """None, or why it cannot run the program, in words."""

    @abstractmethod
    def open(self, program: Program) -> Runner:
        """Make a program ready."""
