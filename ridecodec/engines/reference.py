"""The written standard: programs in numpy, operation by operation, and their float likelihood.

Where nothing recurs, many pixels of a known tile are evaluated at once; else, and always in decoding, front by front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.coding.entropy import Decoder, Encoder
from ridecodec.engines import steps
from ridecodec.engines.base import Coded, Engine, Parameters, Planes, Runner, Squares, Tick, planes_bytes, silent
from ridecodec.engines.board import Board, outside
from ridecodec.engines.schedule import ancestors, levels
from ridecodec.engines.steps import Array, Pixels, Values, step
from ridecodec.engines.tilecoder import Draw, Settle
from ridecodec.exact.families import FAMILIES
from ridecodec.exact.order import front_order
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.tables import SYMBOLS, Distribution, high_table, intervals, low_table

_CHUNK = 1 << 13
"""Pixels that are evaluated at once."""
_BLOCK = 128
"""Pixels of one product of squares: so few that no BLAS wakes threads, which are slow where cores are busy."""


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
        self.memories = [k for k, operation in enumerate(program.operations) if operation.kind == "memory"]
        self.stages = [[k for k, s in enumerate(program.stages) if s == stage] for stage in range(program.channels + 1)]
        self.steps = {
            real: [step(k, each, real) for k, each in enumerate(program.operations)] for real in (False, True)
        }

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
        memories = steps.memories(program.operations, height * width)
        for y, x in self._fronts(height, width):
            values: Values = {}
            pixels = Pixels(board, y, x, parameters, np.zeros((program.channels, len(y)), np.uint8), memories)
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

    def tile_bytes(self, pixels: int) -> int:
        return planes_bytes(self.program, pixels)

    def squares(
        self, planes: Planes, parameters: Parameters, wanted: Squares
    ) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        sizes = [len(self.program.ranges[v]) for v in wanted.vectors]
        sums = [np.zeros((wanted.groups, n, n)) for n in sizes]
        pixels = np.zeros(wanted.groups)
        for at, values in self.evaluate(planes, parameters):
            used = at // planes.shape[2] // 2 % wanted.every == 0
            for g in range(wanted.groups):
                own = np.flatnonzero(used & (values[wanted.group][0] == g))
                pixels[g] += len(own)
                for total, v in zip(sums, wanted.vectors, strict=True):
                    total[g] += _squares(values[v][:, own], values[wanted.weight][0, own])
        return sums, pixels

    def likelihood(self, planes: Planes, parameters: Parameters) -> NDArray[np.float64]:
        """Code length of every pixel under the float model behind the program, bits [H, W]."""
        channels, height, width = planes.shape
        bits = np.zeros(height * width)
        for at, values in self.evaluate(planes, parameters, real=True):
            for c in range(channels):
                output = self.program.outputs[c]
                parts = {part: values[number].astype(np.float64) for part, number in output.parts.items()}
                known = planes[c].reshape(-1)[at].astype(np.int64)
                bits[at] += FAMILIES[output.family].bits(parts, known, output.tables)
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
            memories = steps.memories(self.program.operations, height * width)
            for y, x in self._fronts(height, width):
                values = self._known(Pixels(board, y, x, parameters, planes[:, y, x], memories), real)
                board.write(self.program.channels, y, x, self._kept(values))
                tick(len(y), 0.0)
                yield y * width + x, values
            return
        board = self._filled(planes, parameters, real)
        remembered = self._remember(board, parameters, planes, real)
        for at in _chunks(height * width):
            y, x = np.divmod(at, width)
            known = {k: found[:, at] for k, found in remembered.items()}
            yield at, self._known(Pixels(board, y, x, parameters, planes[:, y, x]), real, known=known)
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
                values = self._known(Pixels(board, y, x, parameters, planes[:, y, x]), real, wanted)
                for k in level:
                    plane = self.program.kept[k]
                    board.values[first + k, y + board.hood.top, x + board.left] = values[plane.value][plane.row]
            inside = board.values[first:, board.hood.top :, board.left : board.left + width].copy()
            for k in level:
                board.fill(first + k, inside[k : k + 1])
        return board

    def _remember(self, board: Board, parameters: Parameters, planes: Planes, real: bool) -> dict[int, Array]:
        """What the memories say of all pixels of a known tile, which only fronts in their order can tell."""
        taught = [k for k, operation in enumerate(self.program.operations) if operation.kind == "learn"]
        if not self.memories:
            return {}
        height, width = planes.shape[1:]
        wanted = ancestors(self.program, [*self.memories, *taught])
        memories = steps.memories(self.program.operations, height * width)
        narrow = {k: np.int32 if self.program.ranges[k].top.max() < 1 << 31 else np.int64 for k in self.memories}
        said = {k: np.empty((len(self.program.ranges[k]), height * width), kind) for k, kind in narrow.items()}
        for y, x in self._fronts(height, width):
            values = self._known(Pixels(board, y, x, parameters, planes[:, y, x], memories), real, wanted)
            for k in self.memories:
                said[k][:, y * width + x] = values[k]
        return said

    def _known(
        self, pixels: Pixels, real: bool, wanted: set[int] | None = None, known: Mapping[int, Array] | None = None
    ) -> Values:
        """The results of all operations, or of the wanted ones, at some pixels of a known tile."""
        values: Values = {k: found.astype(np.int64) for k, found in (known or {}).items()}
        for stage in range(self.program.channels + 1):
            self._evaluate(stage, pixels, values, wanted, real)
        return values

    def _evaluate(
        self, stage: int, pixels: Pixels, values: Values, wanted: set[int] | None = None, real: bool = False
    ) -> None:
        """Run one stage of the program; results go to ``values``."""
        for number in self.stages[stage]:
            if number not in values and (wanted is None or number in wanted):
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


def _squares(vectors: Array, weight: Array) -> NDArray[np.float64]:
    """Sum of weight [m] times v v^T of the vectors [n, m]; [n, n]."""
    blocks = -(-len(weight) // _BLOCK)
    held = np.zeros((len(vectors) + 1, blocks * _BLOCK))
    held[:-1, : len(weight)], held[-1, : len(weight)] = vectors, weight
    apart = held.reshape(len(held), blocks, _BLOCK).swapaxes(0, 1)  # [blocks, n + 1, block]
    chosen = apart[:, :-1]
    found: NDArray[np.float64] = (chosen * apart[:, -1:] @ chosen.swapaxes(1, 2)).sum(0)
    return found


def _chunks(pixels: int) -> list[Int64]:
    return np.array_split(np.arange(pixels), -(-pixels // _CHUNK))
