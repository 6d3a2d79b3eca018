"""What every engine must do with every program. All tests of programs go through these functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ridecodec.container.payload import split_payload
from ridecodec.engines import choose
from ridecodec.engines.base import Parameters
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.reference import Reference
from ridecodec.exact.coder import Decoder
from ridecodec.exact.families import FAMILIES, Settled
from ridecodec.exact.program import Program
from ridecodec.exact.tables import SYMBOLS, TABLE_TOTAL

Array = NDArray[np.uint8]
SHAPES = [(1, 1), (1, 300), (300, 1), (33, 17)]
"""Odd ones: fronts of one pixel, fronts without any."""


def ignore(pixels: int, bits: float) -> None:
    """A tick."""


def check_engines(codec: ProgramCodec, tile: Array) -> bytes:
    """Every engine at hand codes a tile [C, H, W] to the same bytes and back; gives its payload.

    The reference engine evaluates a known tile at once, where it can; its tables on the way of a decoder, front by
    front, give the very same code lengths.
    """
    channels, height, width = tile.shape
    program = codec.programs[channels]
    payload = codec.encode(tile, ignore).payload
    side, code = split_payload(payload)
    told = codec.sides[channels].read(side, height, width)
    wanted = Reference().open(program).encode(tile, told, ignore)
    assert wanted.code == code, codec.engine
    found, bits = stepwise(program, code, told, height, width)
    assert np.array_equal(found, tile)
    if all(isinstance(FAMILIES[output.family], Settled) for output in program.outputs):
        assert np.allclose(bits, wanted.bits, atol=1e-3)
    assert np.isclose(bits.sum(), wanted.bits.sum(dtype=np.float64), rtol=1e-6, atol=1e-3)
    for engine in choose.engines():
        if engine.name != Reference.name and engine.supports(program) is None:
            runner = engine.open(program)
            coded = runner.encode(tile, told, ignore)
            assert coded.code == code, engine.name
            assert np.allclose(coded.bits, wanted.bits, atol=1e-3), engine.name
            assert np.array_equal(runner.decode(code, told, height, width, ignore), tile), engine.name
    return payload


def stepwise(
    program: Program, code: bytes, told: Parameters, height: int, width: int
) -> tuple[Array, NDArray[np.float64]]:
    """A tile [C, H, W] by the reference engine, and its code lengths [H, W] by the tables, which are checked.

    Of channels that learn, a front's code length is spread over its pixels.
    """
    decoder, bits = Decoder(code), np.zeros((height, width))
    lengths: list[NDArray[np.float64]] = []

    def symbols(table: NDArray[np.float32]) -> NDArray[np.int64]:
        whole = table.astype(np.float64)
        count = whole.shape[1]
        assert count in (2, SYMBOLS)
        assert (whole >= 0).all()
        assert (whole == whole.round()).all()
        assert (whole.sum(1) == TABLE_TOTAL + SYMBOLS - count).all()
        found = decoder.decode(table).astype(np.int64)
        lengths.append(24 - np.log2(whole[np.arange(len(whole)), found] + 1))
        return found

    def settle(c: int, y: NDArray[np.int64], x: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        settled = all(len(each) == len(drawn) for each in lengths) and len(lengths) == 2
        bits[y, x] += sum(lengths) if settled else np.concatenate(lengths).sum() / len(drawn)
        lengths.clear()
        return drawn

    return Reference().open(program).walk(symbols, settle, told, height, width, ignore), bits
