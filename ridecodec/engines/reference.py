"""The written standard: programs in numpy, operation by operation, and their float likelihood.

Where nothing recurs, many pixels of a known tile are evaluated at once; else, and always in decoding, front by front.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ridecodec.coding.entropy import Decoder, Encoder
from ridecodec.engines.base import Coded, Engine, Parameters, Planes, Runner, Tick, silent
from ridecodec.engines.board import Board, outside
from ridecodec.engines.schedule import ancestors, levels
from ridecodec.engines.steps import Pixels, Values, step
from ridecodec.exact.families import FAMILIES
from ridecodec.exact.order import front_order
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.tables import SYMBOLS, Distribution, high_table, intervals, low_table
from ridecodec.tilecoder import Draw, Settle

_CHUNK = 1 << 13
"""Pixels that are evaluated at once."""


class Reference(Engine):
    """Runs every program."""

    name = "reference"

    def supports(self, program: Program) -> str | None:
        return None

    def open(self, program: Program) -> ReferenceRunner:
        return ReferenceRunner(program)


class ReferenceRunner(Runner):
    """A program in numpy."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.recurs, self.levels = levels(program)
        self.stages = [[k for k, s in enumerate(program.stages) if s == stage] for stage in range(program.channels + 1)]
        self.steps = {real: [step(operation, real) for operation in program.operations] for real in (False, True)}

    def encode(self, planes: Planes, parameters: Parameters, tick: Tick) -> Coded:
        channels, height, width = planes.shape
        start = np.empty((channels, 2, height * width), np.int64)
        size = np.empty_like(start)
        bits = np.zeros(height * width)
        for at, values in self.evaluate(planes, parameters, tick):
            for c in range(channels):
                found = intervals(self._distribution(c, values), planes[c].reshape(-1)[at].astype(np.int64))
                start[c][:, at], size[c][:, at] = found.start, found.width
                bits[at] += found.bits()
        code = entropy_code(start, size, height, width, self.program.hood.slope)
        return Coded(code, bits.reshape(height, width).astype(np.float32))

    def decode(self, code: bytes, parameters: Parameters, height: int, width: int, tick: Tick) -> Planes:
        decoder = Decoder(code)
        share = 8 * len(code) / (height * width)

        def symbols(table: NDArray[np.float32]) -> Int64:
            return decoder.decode(table).astype(np.int64)

        def count(pixels: int, bits: float) -> None:
            tick(pixels, share * pixels)

        return self.walk(symbols, lambda c, y, x, values: values, parameters, height, width, count)

    def walk(
        self, symbols: Draw, settle: Settle, parameters: Parameters, height: int, width: int, tick: Tick
    ) -> Planes:
        """A tile front by front (see `TileCodec.draw`)."""
        program = self.program
        out = np.zeros((program.channels, height, width), np.uint8)
        board = self._board(height, width)
        for y, x in self._fronts(height, width):
            values: Values = {}
            pixels = Pixels(board, y, x, parameters, np.zeros((program.channels, len(y)), np.uint8))
            for c in range(program.channels):
                self._evaluate(c, pixels, values)
                distribution = self._distribution(c, values)
                high = symbols(high_table(distribution))
                low = symbols(low_table(distribution, high))
                out[c, y, x] = pixels.samples[c] = settle(c, y, x, SYMBOLS * high + low)
            self._evaluate(program.channels, pixels, values)
            board.write(0, y, x, pixels.samples)
            board.write(program.channels, y, x, self._kept(values))
            tick(len(y), 0.0)
        return out

    def trace(self, planes: Planes, parameters: Parameters, y: int, x: int) -> list[Int64]:
        at = y * planes.shape[2] + x
        for chunk, values in self.evaluate(planes, parameters):
            found = np.flatnonzero(chunk == at)
            if len(found):
                return [values[k][:, found[0]].astype(np.int64) for k in range(len(self.program.operations))]
        raise IndexError(f"there is no pixel ({y}, {x})")

    def likelihood(self, planes: Planes, parameters: Parameters) -> NDArray[np.float64]:
        """Code length of every pixel under the float model behind the program, bits [H, W]."""
        channels, height, width = planes.shape
        bits = np.zeros(height * width)
        for at, values in self.evaluate(planes, parameters, real=True):
            for c in range(channels):
                output = self.program.outputs[c]
                parts = {part: values[number].astype(np.float64) for part, number in output.parts.items()}
                known = planes[c].reshape(-1)[at].astype(np.int64)
                bits[at] += FAMILIES[output.family].bits(parts, known)
        return bits.reshape(height, width)

    def _distribution(self, channel: int, values: Values) -> Distribution:
        output = self.program.outputs[channel]
        parts = {part: values[number].astype(np.int64) for part, number in output.parts.items()}
        return FAMILIES[output.family].distribution(parts, output.tables)

    def _board(self, height: int, width: int, real: bool = False) -> Board:
        return Board(self.program.hood, height, width, outside(self.program), np.float64 if real else np.int64)

    def _kept(self, values: Values) -> NDArray[np.generic]:
        kept = self.program.kept
        if not kept:
            return np.empty((0, next(iter(values.values())).shape[1]), np.int64)
        return np.stack([values[plane.value][plane.row] for plane in kept])

    def _fronts(self, height: int, width: int) -> Iterator[tuple[Int64, Int64]]:
        """Rows and columns of each front's pixels."""
        hood = self.program.hood
        for t in range(hood.fronts(height, width)):
            y = np.arange(*hood.rows(t, height, width))
            if len(y):
                yield y, t - hood.pace(width) * y

    def evaluate(
        self, planes: Planes, parameters: Parameters, tick: Tick = silent, real: bool = False
    ) -> Iterator[tuple[Int64, Values]]:
        """All pixels of a known tile: their raster positions, and the results of all operations."""
        _, height, width = planes.shape
        if self.recurs:
            board = self._board(height, width, real)
            board.fill(0, planes)
            for y, x in self._fronts(height, width):
                values = self._known(board, y, x, parameters, planes, real)
                board.write(self.program.channels, y, x, self._kept(values))
                tick(len(y), 0.0)
                yield y * width + x, values
            return
        board = self._filled(planes, parameters, real)
        for at in _chunks(height * width):
            y, x = np.divmod(at, width)
            yield at, self._known(board, y, x, parameters, planes, real)
            tick(len(at), 0.0)

    def _filled(self, planes: Planes, parameters: Parameters, real: bool = False) -> Board:
        """All planes of a known tile, of a program in which nothing recurs."""
        _, height, width = planes.shape
        board = self._board(height, width, real)
        board.fill(0, planes)
        first = self.program.channels
        for level in self.levels:
            wanted = ancestors(self.program, [self.program.kept[k].value for k in level])
            for at in _chunks(height * width):
                y, x = np.divmod(at, width)
                values = self._known(board, y, x, parameters, planes, real, wanted)
                for k in level:
                    plane = self.program.kept[k]
                    board.values[first + k, y + board.hood.top, x + board.left] = values[plane.value][plane.row]
            inside = board.values[first:, board.hood.top :, board.left : board.left + width].copy()
            for k in level:
                board.fill(first + k, inside[k : k + 1])
        return board

    def _known(
        self,
        board: Board,
        y: Int64,
        x: Int64,
        parameters: Parameters,
        planes: Planes,
        real: bool,
        wanted: set[int] | None = None,
    ) -> Values:
        """The results of all operations, or of the wanted ones, at some pixels of a known tile."""
        values: Values = {}
        pixels = Pixels(board, y, x, parameters, planes[:, y, x])
        for stage in range(self.program.channels + 1):
            self._evaluate(stage, pixels, values, wanted, real)
        return values

    def _evaluate(
        self, stage: int, pixels: Pixels, values: Values, wanted: set[int] | None = None, real: bool = False
    ) -> None:
        """Run one stage of the program; results go to ``values``."""
        for number in self.stages[stage]:
            if wanted is None or number in wanted:
                inputs = [values[k] for k in self.program.operations[number].inputs]
                values[number] = self.steps[real][number](pixels, inputs)


def entropy_code(start: Int64, size: Int64, height: int, width: int, slope: int) -> bytes:
    """The code of a tile's intervals: ``start`` and ``size`` [C, 2 steps, H * W], pixels in raster order."""
    encoder = Encoder()
    order = front_order(height, width, slope)
    fronts = order % width + slope * (order // width)
    for front in np.split(order, np.flatnonzero(np.diff(fronts)) + 1):
        for c in range(len(start)):
            encoder.encode(start[c][:, front].reshape(-1), size[c][:, front].reshape(-1))
    return encoder.finish()


def _chunks(pixels: int) -> list[Int64]:
    return np.array_split(np.arange(pixels), -(-pixels // _CHUNK))
