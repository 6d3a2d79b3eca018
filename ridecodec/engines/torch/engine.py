"""Programs in torch, on the CPU or on CUDA: many tiles at once, so that every step has much to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.engines.base import Coded, Engine, Parameters, Planes, Runner, Tick, planes_bytes
from ridecodec.engines.reference import entropy_code, of_front
from ridecodec.engines.schedule import ancestors, coded_pixels, kept_planes, levels, passes, reading, whole
from ridecodec.engines.torch.arithmetic import check_products, exact_arithmetic
from ridecodec.engines.torch.board import TorchBoard
from ridecodec.engines.torch.families import family
from ridecodec.engines.torch.steps import Pixels, arrays, result_type, step, supported, working_type
from ridecodec.engines.torch.tables import Distribution, high_table, intervals, low_table
from ridecodec.exact.coder import Decoder
from ridecodec.exact.families import FAMILIES, Settled
from ridecodec.exact.memory import Memory, hashes
from ridecodec.exact.program import Program
from ridecodec.exact.tables import SYMBOLS

Values = dict[int, Tensor]
Memories = Mapping[int, Sequence[Memory]]
"""By number of their operation, one a tile; they stay with the processor."""
_NONE: Memories = {}
_FRONT_ROWS = 4096
"""Rows of all tiles in a batch."""
_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Pixels of a known tile that are evaluated at once: on the CPU few enough for its cache."""


class Torch(Engine):
    """Runs programs of the operations that `steps` has."""

    name = "torch"

    def __init__(self, device: torch.device) -> None:
        """Raises ModelRefusedError where the device's products are not exact."""
        check_products(device)
        self.device = device

    @property
    def words(self) -> str:
        return f"{self.name} ({self.device.type})"

    def supports(self, program: Program) -> str | None:
        for operation in program.operations:
            if not supported(operation.kind):
                return f"the engine in torch has no operation {operation.kind!r}"
        for output in program.outputs:
            if not isinstance(FAMILIES[output.family], Settled):
                return f"the engine in torch has no distributions {output.family!r}, which learn from pixel to pixel"
        return None

    def open(self, program: Program) -> TorchRunner:
        return TorchRunner(program, self.device)


class TorchRunner(Runner):
    """A program on a device."""

    def __init__(self, program: Program, device: torch.device) -> None:
        self.program, self.device = program, device
        recurs, self.levels = levels(program)
        kinds = [operation.kind for operation in program.operations]
        self.memories = [k for k, kind in enumerate(kinds) if kind == "memory"]
        self.recurs = recurs or bool(self.memories)
        outputs = [value for output in program.outputs for value in output.parts.values()]
        stays = [*(plane.value for plane in program.kept), *(k for k, kind in enumerate(kinds) if kind == "learn")]
        self.needed = ancestors(program, [*outputs, *stays])
        self.whole = whole(program)
        self.ends = set(outputs)
        self.passes = {
            lead: {k for k, operation in enumerate(program.operations) if operation.lead == lead}
            for lead in program.leads
        }
        self.families = [family(output, device) for output in program.outputs]
        self.steps = [step(k, operation, real=False) for k, operation in enumerate(program.operations)]
        self.types = [(working_type(program, k), result_type(program, k)) for k in range(len(self.steps))]
        found = (arrays(o, False, t) for o, (t, _) in zip(program.operations, self.types, strict=True))
        self.arrays = [{name: value.to(device) for name, value in each.items()} for each in found]

    def encode(self, planes: Planes, parameters: Parameters, tick: Tick) -> Coded:
        channels, height, width = planes.shape
        start = np.empty((channels, 2, height * width), np.int64)
        size = np.empty_like(start)
        bits = np.zeros(height * width)
        coded = coded_pixels(self.program, height, width)
        with exact_arithmetic():
            for at, values in self._evaluate_all(planes, parameters, self.ends):
                for c in range(channels):
                    known = torch.from_numpy(planes[c].reshape(-1)[at]).to(self.device).int()
                    found = intervals(self._distribution(c, values), known)
                    start[c][:, at], size[c][:, at] = found.start.cpu().numpy(), found.width.cpu().numpy()
                    bits[at] += found.bits().cpu().numpy() * coded[at]
                tick(len(at), float(bits[at].sum()))
        fronts = [partial(of_front, *each) for each in zip(start, size, strict=True)]
        code = entropy_code(fronts, height, width, self.program.hood.pace(width), coded)
        return Coded(code, bits.reshape(height, width).astype(np.float32))

    def values(self, planes: Planes, parameters: Parameters, wanted: Sequence[int]) -> NDArray[np.int32]:
        rows = sum(len(self.program.ranges[k]) for k in wanted)
        found = np.empty((rows, planes[0].size), np.int32)
        with exact_arithmetic():
            for at, values in self._evaluate_all(planes, parameters, set(wanted)):
                found[:, at] = torch.cat([values[k] for k in wanted]).cpu().numpy()
        return found.reshape(rows, *planes.shape[1:])

    def decode(self, code: bytes, parameters: Parameters, height: int, width: int, tick: Tick) -> Planes:
        found: Planes = self.decode_batch([code], [parameters], height, width, tick)[0]
        return found

    def decode_batch(
        self, codes: Sequence[bytes], parameters: Sequence[Parameters], height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        program, tiles = self.program, len(codes)
        channels = program.channels
        coders = [Decoder(code) for code in codes]
        share = 8 * sum(map(len, codes)) / (tiles * height * width)
        with exact_arithmetic():
            board = TorchBoard(program, height, width, tiles, self.device)
            told, given = self._told(parameters), self._given(parameters)
            memories = self._empty(tiles, height * width)
            coded = torch.from_numpy(coded_pixels(program, height, width)).to(self.device)
            for lead, y, x in self._fronts(height, width):
                samples = torch.zeros(channels, tiles * len(y), device=self.device)
                pixels = _Front(board, y, x, told, given, samples, memories)
                values: Values = {}
                if lead == 0:
                    drawn = coded[y * width + x].repeat(tiles).nonzero()[:, 0]
                    for c in range(channels):
                        self._evaluate(c, pixels, values, self.needed & self.passes[0])
                        if program.halved:
                            samples[c] = pixels.given(c, 0, 0).to(samples.dtype)
                        if len(drawn):
                            distribution = self._distribution(c, values, drawn)
                            high = _decode(coders, high_table(distribution, self.device)).to(self.device)
                            low = _decode(coders, low_table(distribution, high)).to(self.device)
                            samples[c, drawn] = (SYMBOLS * high + low).to(samples.dtype)
                    board.write(torch.arange(channels, device=self.device), y, x, samples)
                    tick(tiles * len(y), share * tiles * len(y))
                self._evaluate(channels, pixels, values, self.needed & self.passes[lead], upto=True)
                self._keep(board, lead, y, x, values)
            found = board.values[:channels, :, :-1].byte().view(channels, tiles, height, width)
            return found.transpose(0, 1).contiguous().cpu().numpy()

    def trace(self, planes: Planes, parameters: Parameters, y: int, x: int) -> list[NDArray[np.int64]]:
        at = y * planes.shape[2] + x
        operations = range(len(self.steps))
        held: dict[int, NDArray[np.int64]] = {}
        with exact_arithmetic():
            for chunk, values in self._runs(planes, parameters, None):
                found = np.flatnonzero(chunk == at)
                if len(found):
                    held |= {k: value[:, int(found[0])].long().cpu().numpy() for k, value in values.items()}
        if not held:
            raise IndexError(f"there is no pixel ({y}, {x})")
        return [held[k] for k in operations]

    def tile_bytes(self, pixels: int) -> int:
        return planes_bytes(self.program, pixels)

    def batch(self, height: int, width: int) -> int:
        return max(1, _FRONT_ROWS // height)

    def _told(self, parameters: Sequence[Parameters]) -> list[Tensor]:
        """Parameters of the tiles, [tiles, size] each."""
        count = len(self.program.parameters)
        return [torch.from_numpy(np.stack([p[k] for p in parameters])).to(self.device) for k in range(count)]

    def _given(self, parameters: Sequence[Parameters]) -> list[Tensor]:
        """Given planes of the tiles, [tiles, H + 2 margin, W + 2 margin] each."""
        first, count = len(self.program.parameters), len(self.program.given)
        return [torch.from_numpy(np.stack([p[first + k] for p in parameters])).to(self.device) for k in range(count)]

    def _fronts(self, height: int, width: int, last: bool = False) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Every pass of each front, and rows and columns of its pixels."""
        for lead, y, x in passes(self.program, height, width, last):
            yield lead, torch.from_numpy(y).to(self.device), torch.from_numpy(x).to(self.device)

    def _evaluate_all(
        self, planes: Planes, parameters: Parameters, wanted: Collection[int]
    ) -> Iterator[tuple[NDArray[np.int64], Values]]:
        """All pixels of a known tile: their raster positions, and the results of the wanted operations.

        These are of the pass without a lead.
        """
        for at, values in self._runs(planes, parameters, wanted):
            if values.keys() >= set(wanted):
                yield at, values

    def _runs(
        self, planes: Planes, parameters: Parameters, wanted: Collection[int] | None
    ) -> Iterator[tuple[NDArray[np.int64], Values]]:
        """The same for all passes; the results of all operations where ``wanted`` is None."""
        _, height, width = planes.shape
        told, given = self._told([parameters]), self._given([parameters])
        if self.recurs:
            board, memories = self._board(planes), self._empty(1, height * width)
            needed = set(range(len(self.steps)))
            if wanted is not None:
                needed = self.needed | ancestors(self.program, wanted)
            for lead, y, x in self._fronts(height, width, last=wanted is None):
                values = self._known(board, y, x, told, given, needed & self.passes[lead], memories)
                self._keep(board, lead, y, x, values)
                yield (y * width + x).cpu().numpy(), values
            return
        board = self._filled(planes, parameters)
        kept = {} if wanted is None else self.whole
        needed = set(range(len(self.steps))) if wanted is None else ancestors(self.program, wanted, kept)
        read = reading(self.program, needed, wanted or (), kept)
        for at, y, x in self._chunks(height, width):
            yield at.cpu().numpy(), self._known(board, y, x, told, given, needed, kept=read)

    def _empty(self, tiles: int, pixels: int) -> Memories:
        """The memories of tiles of so many pixels that nothing is known of."""
        ends = {k: np.asarray(self.program.operations[k].attributes["ends"]) for k in self.memories}
        return {k: [Memory(len(each), pixels) for _ in range(tiles)] for k, each in ends.items()}

    def _filled(self, planes: Planes, parameters: Parameters) -> TorchBoard:
        """All planes of a known tile, of a program in which nothing recurs."""
        _, height, width = planes.shape
        board, told, given = self._board(planes), self._told([parameters]), self._given([parameters])
        first = self.program.channels
        done: set[int] = set()
        for level in self.levels:
            known = {value: numbers for value, numbers in self.whole.items() if value in done}
            wanted = ancestors(self.program, level, known)
            read = reading(self.program, wanted, level, known)
            for at, y, x in self._chunks(height, width):
                values = self._known(board, y, x, told, given, wanted, kept=read)
                for k, plane in enumerate(self.program.kept):
                    if plane.value in level:
                        board.values[first + k, 0, at] = values[plane.value][plane.row].to(board.values.dtype)
            done.update(level)
        return board

    def _board(self, planes: Planes) -> TorchBoard:
        _, height, width = planes.shape
        board = TorchBoard(self.program, height, width, 1, self.device)
        board.fill(0, torch.from_numpy(np.ascontiguousarray(planes)).to(self.device)[:, None])
        return board

    def _chunks(self, height: int, width: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Raster positions, rows and columns of a tile's pixels, some at a time."""
        for at in torch.arange(height * width, device=self.device).split(_CHUNK[self.device.type]):
            yield at, at // width, at % width

    def _known(
        self,
        board: TorchBoard,
        y: Tensor,
        x: Tensor,
        told: list[Tensor],
        given: list[Tensor],
        wanted: Collection[int],
        memories: Memories = _NONE,
        kept: Mapping[int, NDArray[np.int64]] | None = None,
    ) -> Values:
        """The results of the wanted operations at some pixels of a known tile; ``kept``: those that stand in planes."""
        at = y * board.width + x
        samples = board.values[: self.program.channels, 0, at].float()
        pixels = _Front(board, y, x, told, given, samples, memories)
        values: Values = {}
        for value, numbers in (kept or {}).items():
            rows = torch.from_numpy(numbers).to(self.device)
            values[value] = board.values[rows[:, None], 0, at].to(self.types[value][1])
        self._evaluate(self.program.channels, pixels, values, wanted, upto=True)
        return values

    def _evaluate(
        self, stage: int, pixels: Pixels, values: Values, wanted: Collection[int], upto: bool = False
    ) -> None:
        """Run one stage of the program, or all ``upto`` it; results go to ``values``."""
        for k, at in enumerate(self.program.stages):
            if (at <= stage if upto else at == stage) and k in wanted and k not in values:
                working, result = self.types[k]
                inputs = [values[number].to(working) for number in self.program.operations[k].inputs]
                values[k] = self.steps[k](pixels, inputs, self.arrays[k]).to(result)

    def _keep(self, board: TorchBoard, lead: int, y: Tensor, x: Tensor, values: Values) -> None:
        """Put a pass's kept planes on the board."""
        for value, (rows, numbers) in kept_planes(self.program, lead).items():
            kept = values[value][torch.from_numpy(rows).to(self.device)]
            board.write(torch.from_numpy(numbers).to(self.device), y, x, kept)

    def _distribution(self, channel: int, values: Values, pixels: Tensor | None = None) -> Distribution:
        parts = {part: values[number] for part, number in self.program.outputs[channel].parts.items()}
        if pixels is not None:
            parts = {part: value[:, pixels] for part, value in parts.items()}
        return self.families[channel].distribution(parts)


class _Front(Pixels):
    """The same k pixels of all tiles of a board."""

    def __init__(
        self,
        board: TorchBoard,
        y: Tensor,
        x: Tensor,
        told: list[Tensor],
        given: list[Tensor],
        samples: Tensor,
        memories: Memories,
    ) -> None:
        """``samples`` [C, tiles * k]: those that are not known yet are not asked for."""
        self.board, self.told, self.held, self.samples, self.memories = board, told, given, samples, memories
        self.own = y, x
        self.y, self.x = (y, x) if board.tiles == 1 else (y.repeat(board.tiles), x.repeat(board.tiles))
        self.height, self.width = board.height, board.width

    def tap(self, planes: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        return self.board.tap(*self.own, planes, dy, dx)

    def given(self, plane: int, dy: int, dx: int) -> Tensor:
        values = self.held[plane]
        margin = (values.shape[1] - self.board.height) // 2
        y, x = self.own
        return values[:, y + margin + dy, x + margin + dx].flatten()

    def sample(self, channel: int) -> Tensor:
        return self.samples[channel]

    def parameter(self, number: int) -> Tensor:
        return self.told[number].T.repeat_interleave(len(self.own[0]), 1)

    def look(self, number: int, x: Tensor, ends: Sequence[int]) -> Tensor:
        tiles = x.long().cpu().numpy().reshape(len(x), self.board.tiles, -1).swapaxes(0, 1)
        each = zip(self.memories[number], tiles, strict=True)
        found = np.stack([memory.look(hashes(tile, ends)) for memory, tile in each], 1)  # [rows, tiles, k]
        return torch.from_numpy(found.reshape(len(found), -1)).to(x.device, x.dtype)

    def learn(self, number: int, found: Tensor, value: Tensor) -> None:
        tiles = self.board.tiles
        said = found.long().cpu().numpy().reshape(len(found), tiles, -1).swapaxes(0, 1)
        values = value[0].long().cpu().numpy().reshape(tiles, -1)
        for memory, *each in zip(self.memories[number], said, values, strict=True):
            memory.learn(*each)


def _decode(coders: list[Decoder], table: Tensor) -> Tensor:
    """One symbol of every row of ``table`` [tiles * rows, 16], each tile with its own coder. int64, on the CPU."""
    rows = table.cpu().numpy().reshape(len(coders), -1, SYMBOLS)
    parts = [coder.decode(part) for coder, part in zip(coders, rows, strict=True)]
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))
