"""The written standard: programs in numpy, operation by operation, and their float likelihood.

Where nothing recurs, many pixels of a known tile are evaluated at once; else, and always in decoding, front by front.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines import steps
from ridecodec.engines.base import Coded, Engine, Parameters, Planes, Runner, Tick, planes_bytes, silent
from ridecodec.engines.board import Board, filled, outside, plane_type
from ridecodec.engines.learning import LearningChannel, learning
from ridecodec.engines.schedule import ancestors, coded_pixels, kept_planes, levels, passes, reading, whole
from ridecodec.engines.steps import Array, Pixels, Values, step
from ridecodec.engines.tilecoder import Draw, Settle
from ridecodec.exact.coder import Decoder, Encoder
from ridecodec.exact.families import FAMILIES, Settled
from ridecodec.exact.operations import LEARNERS
from ridecodec.exact.order import front_order
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64
from ridecodec.exact.tables import SYMBOLS, Distribution, high_table, intervals, low_table

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
        self.whole = whole(program)
        self.memories = [k for k, operation in enumerate(program.operations) if operation.kind in LEARNERS]
        self.stages = [
            [k for k, (s, each) in enumerate(zip(program.stages, program.operations, strict=True)) if s == stage]
            for stage in range(program.channels + 1)
        ]
        self.steps = {
            real: [step(k, each, real) for k, each in enumerate(program.operations)] for real in (False, True)
        }
        self.ends = {value for output in program.outputs for value in output.parts.values()}
        self._planes = {lead: kept_planes(program, lead) for lead in program.leads}
        self.passes = {
            lead: {k for k, operation in enumerate(program.operations) if operation.lead == lead}
            for lead in program.leads
        }

    def encode(self, planes: Planes, parameters: Parameters, tick: Tick) -> Coded:
        channels, height, width = planes.shape
        start = np.empty((channels, 2, height * width), np.int64)
        size = np.empty_like(start)
        bits = np.zeros(height * width)
        coded = coded_pixels(self.program, height, width)
        learners = {c: LearningChannel(self.program, c) for c in learning(self.program)}
        for learner in learners.values():
            learner.hold(height * width)
        for at, values in self.evaluate(planes, parameters, tick, wanted=self.ends):
            for c in range(channels):
                if c in learners:
                    learners[c].take(at, values)
                    continue
                found = intervals(self._distribution(c, values), planes[c].reshape(-1)[at].astype(np.int64))
                start[c][:, at], size[c][:, at] = found.start, found.width
                bits[at] += found.bits() * coded[at]
        known = [partial(of_front, start[c], size[c]) for c in range(channels)]
        for c, learner in learners.items():
            known[c] = partial(learner.intervals, planes[c].reshape(-1), bits)
        code = entropy_code(known, height, width, self.program.hood.pace(width), coded)
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
        board, given = self._board(height, width), self._given(parameters)
        memories = steps.memories(program, height, width)
        learners = {c: LearningChannel(program, c) for c in learning(program)}
        for lead, y, x in passes(self.program, height, width):
            values: Values = {}
            samples = np.zeros((program.channels, len(y)), np.uint8)
            pixels = Pixels(board, y, x, parameters, given, samples, memories)
            if lead == 0:
                drawn = np.flatnonzero(coded_pixels(self.program, height, width)[y * width + x])
                for c in range(program.channels):
                    self._evaluate(c, pixels, values, self.passes[0])
                    if program.halved:
                        samples[c] = out[c, y, x] = self._known_sample(given, c, y, x, height)
                    if len(drawn):
                        if c in learners:
                            found = learners[c].draw(self._parts(c, values, drawn), symbols)
                        else:
                            distribution = self._distribution(c, values, drawn)
                            high = symbols(high_table(distribution))
                            found = SYMBOLS * high + symbols(low_table(distribution, high))
                        found = settle(c, y[drawn], x[drawn], found)
                        samples[c, drawn] = out[c, y[drawn], x[drawn]] = found
                board.write(slice(program.channels), y, x, samples)
                tick(len(y), 0.0)
            self._evaluate(program.channels, pixels, values, self.passes[lead], upto=True)
            self._keep(board, lead, y, x, values)
        return out

    def trace(self, planes: Planes, parameters: Parameters, y: int, x: int) -> list[Int64]:
        at = y * planes.shape[2] + x
        held: dict[int, Int64] = {}
        for chunk, values in self._runs(planes, parameters):
            found = np.flatnonzero(chunk == at)
            if len(found):
                held |= {k: value[:, found[0]].astype(np.int64) for k, value in values.items()}
        if not held:
            raise IndexError(f"there is no pixel ({y}, {x})")
        return [held[k] for k in range(len(self.program.operations))]

    def tile_bytes(self, pixels: int) -> int:
        return planes_bytes(self.program, pixels)

    def values(self, planes: Planes, parameters: Parameters, wanted: Sequence[int]) -> NDArray[np.int32]:
        rows = sum(len(self.program.ranges[k]) for k in wanted)
        found = np.empty((rows, planes[0].size), np.int32)
        for at, values in self.evaluate(planes, parameters, wanted=set(wanted)):
            found[:, at] = np.concatenate([values[k] for k in wanted])
        return found.reshape(rows, *planes.shape[1:])

    def likelihood(
        self, planes: Planes, parameters: Parameters, learnt: Mapping[int, Array] | None = None
    ) -> NDArray[np.float64]:
        """Code length of every pixel that is coded under the float model behind the program, bits [H, W].

        ``learnt``: of a program with least squares, the integers of these and of the kept values [size, H, W] by
        number; the model is then evaluated many pixels at once.
        """
        channels, height, width = planes.shape
        bits = np.zeros(height * width)
        runs = self.evaluate(planes, parameters, real=True, wanted=self.ends)
        for at, values in runs if learnt is None else self._given_learnt(planes, parameters, learnt):
            for c in range(channels):
                output = self.program.outputs[c]
                parts = {part: values[number].astype(np.float64) for part, number in output.parts.items()}
                known = planes[c].reshape(-1)[at].astype(np.int64)
                bits[at] += FAMILIES[output.family].bits(parts, known, output.tables)
        return (bits * coded_pixels(self.program, height, width)).reshape(height, width)

    def _given_learnt(
        self, planes: Planes, parameters: Parameters, learnt: Mapping[int, Array]
    ) -> Iterator[tuple[Int64, Values]]:
        """What the distributions need of all pixels, in real numbers."""
        program, (_, height, width) = self.program, planes.shape
        board, given = filled(program, planes, learnt, np.float64), self._given(parameters)
        needed = ancestors(program, self.ends, program.systems)
        for at in _chunks(height * width):
            y, x = np.divmod(at, width)
            pixels = Pixels(board, y, x, parameters, given, planes[:, y, x])
            known = {k: learnt[k].reshape(-1, height * width)[:, at] for k in program.systems}
            yield at, self._known(pixels, True, needed, known)

    def _distribution(self, channel: int, values: Values, pixels: Int64 | slice = slice(None)) -> Distribution:
        output = self.program.outputs[channel]
        family = FAMILIES[output.family]
        assert isinstance(family, Settled)
        return family.distribution(self._parts(channel, values, pixels), output.tables)

    def _parts(self, channel: int, values: Values, pixels: Int64 | slice) -> dict[str, Int64]:
        parts = self.program.outputs[channel].parts
        return {part: values[number][:, pixels].astype(np.int64) for part, number in parts.items()}

    def _board(self, height: int, width: int, real: bool = False) -> Board:
        kind = np.float64 if real else plane_type(self.program)
        return Board(self.program.hood, height, width, outside(self.program), kind)

    def _given(self, parameters: Parameters) -> Parameters:
        return parameters[len(self.program.parameters) :]

    def _known_sample(self, given: Parameters, channel: int, y: Int64, x: Int64, height: int) -> NDArray[np.uint8]:
        """The samples of a channel that need not be coded, where there are such."""
        margin = (len(given[channel]) - height) // 2
        return given[channel][y + margin, x + margin].astype(np.uint8)

    def _keep(self, board: Board, lead: int, y: Int64, x: Int64, values: Values) -> None:
        """Put a pass's kept planes on the board."""
        for value, (rows, numbers) in self._planes[lead].items():
            board.write(numbers, y, x, values[value][rows])

    def evaluate(
        self,
        planes: Planes,
        parameters: Parameters,
        tick: Tick = silent,
        real: bool = False,
        wanted: Collection[int] | None = None,
    ) -> Iterator[tuple[Int64, Values]]:
        """All pixels of a known tile: their raster positions, and the results of the wanted operations, or of all.

        Of a program in which something recurs, those of the passes without a lead.
        """
        for at, values in self._runs(planes, parameters, real, wanted):
            if self.recurs and not self.ends <= values.keys():
                continue
            tick(len(at), 0.0)
            yield at, values

    def _runs(
        self, planes: Planes, parameters: Parameters, real: bool = False, wanted: Collection[int] | None = None
    ) -> Iterator[tuple[Int64, Values]]:
        """The same for all passes."""
        _, height, width = planes.shape
        given = self._given(parameters)
        if self.recurs:
            board = self._board(height, width, real)
            board.fill(0, planes)
            memories = steps.memories(self.program, height, width)
            for lead, y, x in passes(self.program, height, width, last=wanted is None):
                pixels = Pixels(board, y, x, parameters, given, planes[:, y, x], memories)
                values = self._known(pixels, real, self.passes[lead])
                self._keep(board, lead, y, x, values)
                yield y * width + x, values
            return
        board = self._filled(planes, parameters, real)
        remembered = self._remember(board, parameters, planes, real)
        kept = {} if wanted is None else self.whole
        needed = None if wanted is None else ancestors(self.program, wanted, kept)
        for at in _chunks(height * width):
            y, x = np.divmod(at, width)
            known = {k: found[:, at].astype(np.int64) for k, found in remembered.items()}
            pixels = Pixels(board, y, x, parameters, given, planes[:, y, x])
            yield at, self._known(pixels, real, needed, known, reading(self.program, needed or (), wanted or (), kept))

    def _filled(self, planes: Planes, parameters: Parameters, real: bool = False) -> Board:
        """All planes of a known tile, of a program in which nothing recurs."""
        _, height, width = planes.shape
        board, given = self._board(height, width, real), self._given(parameters)
        board.fill(0, planes)
        first = self.program.channels
        done: set[int] = set()
        for level in self.levels:
            known = {value: planes for value, planes in self.whole.items() if value in done}
            wanted = ancestors(self.program, level, known)
            own = [(k, plane) for k, plane in enumerate(self.program.kept) if plane.value in level]
            for at in _chunks(height * width):
                y, x = np.divmod(at, width)
                pixels = Pixels(board, y, x, parameters, given, planes[:, y, x])
                values = self._known(pixels, real, wanted, {}, reading(self.program, wanted, level, known))
                for k, plane in own:
                    board.values[first + k, y + board.hood.top, x + board.left] = values[plane.value][plane.row]
            for k, _ in own:
                if board.border[first + k]:
                    inside = board.values[first + k, board.hood.top :, board.left : board.left + width].copy()
                    board.fill(first + k, inside[None])
            done.update(level)
        return board

    def _remember(self, board: Board, parameters: Parameters, planes: Planes, real: bool) -> dict[int, Array]:
        """What memories and systems say of all pixels of a known tile, which only fronts in their order can tell."""
        taught = [k for k, operation in enumerate(self.program.operations) if operation.kind == "learn"]
        if not self.memories:
            return {}
        height, width = planes.shape[1:]
        wanted = ancestors(self.program, [*self.memories, *taught])
        memories = steps.memories(self.program, height, width)
        narrow = {k: np.int32 if self.program.ranges[k].top.max() < 1 << 31 else np.int64 for k in self.memories}
        said = {k: np.empty((len(self.program.ranges[k]), height * width), kind) for k, kind in narrow.items()}
        given = self._given(parameters)
        for lead, y, x in passes(self.program, height, width):
            if lead == 0:
                pixels = Pixels(board, y, x, parameters, given, planes[:, y, x], memories)
                values = self._known(pixels, real, wanted)
                for k in self.memories:
                    said[k][:, y * width + x] = values[k]
        return said

    def _known(
        self,
        pixels: Pixels,
        real: bool,
        wanted: set[int] | None = None,
        known: Mapping[int, Array] | None = None,
        kept: Mapping[int, Int64] | None = None,
    ) -> Values:
        """The results of all operations, or of the wanted ones, at some pixels of a known tile.

        ``known``: some of them; ``kept``: those that stand in the planes of these numbers.
        """
        values: Values = dict(known or {})
        at = pixels.board.positions(pixels.y, pixels.x)
        for value, planes in (kept or {}).items():
            found = pixels.board.values.reshape(len(pixels.board.values), -1)[planes[:, None], at]
            values[value] = found if real else found.astype(np.int64)
        self._evaluate(self.program.channels, pixels, values, wanted, real, upto=True)
        return values

    def _evaluate(
        self,
        stage: int,
        pixels: Pixels,
        values: Values,
        wanted: set[int] | None = None,
        real: bool = False,
        upto: bool = False,
    ) -> None:
        """Run one stage of the program, or all ``upto`` it; results go to ``values``."""
        for numbers in self.stages[0 if upto else stage : stage + 1]:
            for number in numbers:
                if number not in values and (wanted is None or number in wanted):
                    inputs = [values[k] for k in self.program.operations[number].inputs]
                    values[number] = self.steps[real][number](pixels, inputs)


Front = Callable[[Int64], tuple[Int64, Int64]]
"""Start and size of the intervals of a front's pixels, which are given by raster positions, in the order of coding."""


def of_front(start: Int64, size: Int64, front: Int64) -> tuple[Int64, Int64]:
    """Those that are known [2 steps, H * W]."""
    return start[:, front].reshape(-1), size[:, front].reshape(-1)


def entropy_code(known: Sequence[Front], height: int, width: int, slope: int, coded: NDArray[np.bool_]) -> bytes:
    """The code of a tile's intervals; ``known``: of each channel, asked once for each front.

    ``coded`` [H * W]: which of the pixels are, in raster order.
    """
    encoder = Encoder()
    order = front_order(height, width, slope)
    order = order[coded[order]]
    fronts = order % width + slope * (order // width)
    for front in np.split(order, np.flatnonzero(np.diff(fronts)) + 1):
        for channel in known:
            encoder.encode(*channel(front))
    return encoder.finish()


def _chunks(pixels: int) -> list[Int64]:
    return np.array_split(np.arange(pixels), -(-pixels // _CHUNK))
