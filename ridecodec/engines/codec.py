"""Tiles coded by programs: a program for each number of channels, side information, and the engine at hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import join_payload, split_payload
from ridecodec.engines.base import Engine, Parameters, Planes, Runner, learnt_values
from ridecodec.engines.tilecoder import Draw, EncodedTile, Settle, Tick, TileCodec
from ridecodec.errors import DamagedError
from ridecodec.exact.program import Program

if TYPE_CHECKING:
    from ridecodec.engines.reference import ReferenceRunner


class Side(ABC):
    """What the encoder tells the decoder about a tile beforehand: bytes, and the parameters that they mean."""

    classes: int = 0
    """How many labels there are, one of which it is."""
    code: int = 0
    """How many bytes of it an encoder makes of the picture."""

    @abstractmethod
    def write(self, planes: Planes, label: int | None) -> bytes:
        """The side information of a tile; ``label``: its class, where the model knows some."""

    @abstractmethod
    def read(self, data: bytes, height: int, width: int) -> Parameters:
        """The parameters of a tile of this size; raises DamagedError where the bytes are no such thing."""


class NoSide(Side):
    """For programs without parameters."""

    def write(self, planes: Planes, label: int | None) -> bytes:
        return b""

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        if data:
            raise DamagedError("the pixel data is damaged: its model has no side information")
        return ()


@dataclass(frozen=True)
class Limits:
    """What a model says of its tiles; see `TileCodec`. Where it says nothing, taps tell whether it is bounded."""

    tile: int = TileCodec.tile
    largest_tile: int = TileCodec.largest_tile
    bounded: bool = TileCodec.bounded


class ProgramCodec(TileCodec):
    """One model of programs on one engine."""

    def __init__(
        self,
        name: str,
        programs: Mapping[int, Program],
        sides: Mapping[int, Side],
        engine: Engine,
        limits: Limits | None = None,
    ) -> None:
        """``programs`` and ``sides`` by number of channels."""
        self.name, self.engine, self.programs, self.sides = name, engine.words, programs, sides
        self.code = max((side.code for side in sides.values()), default=0)
        limits = limits or Limits(bounded=all(map(_is_bounded, programs.values())))
        self.tile, self.largest_tile, self.bounded = limits.tile, limits.largest_tile, limits.bounded
        self.runners: dict[int, Runner] = {channels: engine.open(program) for channels, program in programs.items()}

    def encode(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> EncodedTile:
        return self.encode_batch(pixels[None], tick, label)[0]

    def encode_batch(self, pixels: NDArray[np.uint8], tick: Tick, label: int | None = None) -> list[EncodedTile]:
        _, channels, height, width = pixels.shape
        side = self.sides[channels]
        written = [side.write(each, label) for each in pixels]
        coded = self.runners[channels].encode_batch(pixels, [side.read(each, height, width) for each in written], tick)
        return [EncodedTile(join_payload(own, each.code), each.bits) for own, each in zip(written, coded, strict=True)]

    def decode(
        self, payloads: Sequence[bytes], channels: int, height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        parts = [split_payload(payload) for payload in payloads]
        parameters = [self.sides[channels].read(side, height, width) for side, _ in parts]
        return self.runners[channels].decode_batch([code for _, code in parts], parameters, height, width, tick)

    def likelihood(self, pixels: NDArray[np.uint8], side: bytes) -> NDArray[np.float64]:
        channels, told = len(pixels), self.sides[len(pixels)].read(side, *pixels.shape[1:])
        program = self.programs[channels]
        learnt = None
        if program.systems:  # which only fronts in their order can tell: what codes them is fast
            learnt = learnt_values(program, self.runners[channels], pixels, told)
        return self._reference(channels).likelihood(pixels, told, learnt)

    def side_information(self, pixels: NDArray[np.uint8], label: int | None = None) -> bytes:
        return self.sides[len(pixels)].write(pixels, label)

    def draw(
        self, symbols: Draw, settle: Settle, channels: int, height: int, width: int, side: bytes, tick: Tick
    ) -> NDArray[np.uint8]:
        parameters = self.sides[channels].read(side, height, width)
        return self._reference(channels).walk(symbols, settle, parameters, height, width, tick)

    def _reference(self, channels: int) -> ReferenceRunner:
        from ridecodec.engines.reference import Reference, ReferenceRunner

        runner = self.runners[channels]
        return runner if isinstance(runner, ReferenceRunner) else Reference().open(self.programs[channels])

    def tile_bytes(self, pixels: int) -> int:
        return max(runner.tile_bytes(pixels) for runner in self.runners.values())

    def batch(self, height: int, width: int) -> int:
        return max(runner.batch(height, width) for runner in self.runners.values())


def _is_bounded(program: Program) -> bool:
    """Whether it tells what is outside of a tile from what is inside: it has taps, but none of the samples."""
    taps = [np.asarray(each.attributes["planes"]) for each in program.operations if each.kind == "tap"]
    return bool(taps) and all(bool((planes >= program.channels).all()) for planes in taps)
