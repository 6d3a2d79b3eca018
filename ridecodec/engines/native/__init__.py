"""Programs on the CPU, compiled: the module `_native`, whose source is in `src` (C++17).

The pixels of a front are lanes of vectors; types follow from the proven ranges; model and coder are one loop that holds
no lock of the interpreter. Kernels for the processor's instruction set are chosen at run time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Coded, Engine, Parameters, Planes, Runner, Tick, threads
from ridecodec.engines.board import INITIAL
from ridecodec.errors import DamagedError
from ridecodec.exact.parts import BORDER
from ridecodec.exact.program import Program

try:
    from ridecodec.engines.native import _native
except ImportError as error:
    _native = None  # type: ignore[assignment]
    missing: str | None = f"the compiled engine is not available: {error}; install ridecodec with a C++ compiler"
else:
    missing = None
"""Why there is no compiled engine, or None."""


def instruction_sets() -> Sequence[str]:
    """Those that this build has kernels for and this processor runs, the fastest first."""
    return () if _native is None else _native.instruction_sets()


class Native(Engine):
    """The CPU's engine."""

    name = "native"

    def __init__(self, instruction_set: str = "") -> None:
        """``instruction_set``: one of `instruction_sets`; else the fastest."""
        if missing is not None:
            raise ImportError(missing)
        self.instruction_set = instruction_set or instruction_sets()[0]
        self._opened: WeakKeyDictionary[Program, NativeRunner] = WeakKeyDictionary()
        """`supports` opens a program, too: each is laid out once."""

    def supports(self, program: Program) -> str | None:
        try:
            self.open(program)
        except _native.UnsupportedError as error:
            return f"the compiled engine does not support {error}"
        return None

    def open(self, program: Program) -> NativeRunner:
        if program not in self._opened:
            self._opened[program] = NativeRunner(program, self.instruction_set)
        return self._opened[program]


class NativeRunner(Runner):
    """A program laid out for an instruction set."""

    def __init__(self, program: Program, instruction_set: str) -> None:
        self.program = _native.Program(native_spec(program), instruction_set)

    def encode(self, planes: Planes, parameters: Parameters, tick: Tick) -> Coded:
        return self.encode_batch(planes[None], [parameters], tick)[0]

    def encode_batch(self, planes: NDArray[np.uint8], parameters: Sequence[Parameters], tick: Tick) -> list[Coded]:
        words = [_words(each) for each in parameters]
        codes, bits = self.program.encode(np.ascontiguousarray(planes, np.uint8), words, threads.get(), tick)
        return list(map(Coded, codes, bits))

    def decode(self, code: bytes, parameters: Parameters, height: int, width: int, tick: Tick) -> Planes:
        found: Planes = self.decode_batch([code], [parameters], height, width, tick)[0]
        return found

    def decode_batch(
        self, codes: Sequence[bytes], parameters: Sequence[Parameters], height: int, width: int, tick: Tick
    ) -> NDArray[np.uint8]:
        share = 8 * sum(map(len, codes)) / (len(codes) * height * width)
        words = [_words(each) for each in parameters]
        try:
            return self.program.decode(
                codes, words, height, width, threads.get(), lambda pixels, _: tick(pixels, share * pixels)
            )
        except _native.DamagedError as error:
            raise DamagedError(f"the pixel data is damaged: {error}") from error

    def batch(self, height: int, width: int) -> int:
        return self.program.together(height, width)

    def trace(self, planes: Planes, parameters: Parameters, y: int, x: int) -> list[NDArray[np.int64]]:
        return self.program.trace(np.ascontiguousarray(planes, np.uint8), _words(parameters), y, x)

    def values(self, planes: Planes, parameters: Parameters, wanted: Sequence[int]) -> NDArray[np.int32]:
        return self.program.values(np.ascontiguousarray(planes, np.uint8), _words(parameters), list(wanted))

    def tile_bytes(self, pixels: int) -> int:
        side = math.isqrt(pixels - 1) + 1
        return self.program.memory(side, side) + 8 * pixels

    def memory(self, height: int, width: int) -> int:
        """Bytes that a tile takes while it is coded, beside its planes and its code."""
        return self.program.memory(height, width)


def _words(parameters: Parameters) -> list[NDArray[np.int32]]:
    return [np.ascontiguousarray(each, np.int32).reshape(-1) for each in parameters]


def native_spec(program: Program) -> dict[str, Any]:
    """The program as `_native` takes it: numbers and int64 arrays."""
    hood = program.hood
    clamps = [program.operations[plane.value].attributes for plane in program.kept]
    main = program.leads.index(0)
    makers = [program.leads.index(program.operations[plane.value].lead) for plane in program.kept]
    kept = [
        (int(c["lo"]), int(c["hi"]), p.rule, p.initial, maker)
        for c, p, maker in zip(clamps, program.kept, makers, strict=True)
    ]
    stages = [
        program.leads.index(o.lead) if o.lead else main + s
        for o, s in zip(program.operations, program.stages, strict=True)
    ]
    return {
        "channels": program.channels,
        "top": program.top,
        "slope": hood.slope,
        "hood": (hood.top, hood.left, hood.right),
        "leads": list(program.leads),
        "halved": program.halved,
        "planes": [(0, program.top, BORDER, INITIAL, main)] * program.channels + kept,
        "given": [(plane.lo, plane.hi, plane.margin) for plane in program.given],
        "parameters": [(p.name, p.size) for p in program.parameters],
        "ops": [
            (o.kind, list(o.inputs), len(r), stage, {k: _attribute(v) for k, v in o.attributes.items()})
            for o, r, stage in zip(program.operations, program.ranges, stages, strict=True)
        ],
        "lo": [r.lo for r in program.ranges],
        "hi": [r.hi for r in program.ranges],
        "outputs": [
            {
                "family": o.family,
                "parts": dict(o.parts),
                "tables": {k: np.ascontiguousarray(v, np.int64) for k, v in o.tables.items()},
            }
            for o in program.outputs
        ],
        "kept": [(plane.value, plane.row) for plane in program.kept],
    }


def _attribute(value: int | NDArray[np.int64]) -> int | NDArray[np.int64]:
    return np.ascontiguousarray(value, np.int64) if isinstance(value, np.ndarray) else int(value)
