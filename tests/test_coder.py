"""The entropy coder: intervals and whole tables are the same code, and it costs what the tables say."""

from __future__ import annotations

import constriction
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ridecodec.errors import DamagedError
from ridecodec.exact.coder import Decoder, Encoder
from ridecodec.exact.tables import SYMBOLS, TABLE_TOTAL

FAMILY = constriction.stream.model.Categorical(perfect=False)
cuts = st.lists(st.integers(0, TABLE_TOTAL), min_size=SYMBOLS - 1, max_size=SYMBOLS - 1)
coded = st.lists(st.tuples(cuts, st.integers(0, SYMBOLS - 1)), max_size=30)


def table(inner: list[int]) -> list[int]:
    """16 integers that sum to TABLE_TOTAL from where they are cut."""
    return np.diff([0, *sorted(inner), TABLE_TOTAL]).tolist()


def whole_tables(tables: NDArray[np.float32], symbols: NDArray[np.int32]) -> bytes:
    """The code that constriction itself makes of whole tables."""
    coder = constriction.stream.queue.RangeEncoder()
    if len(symbols):
        coder.encode(symbols, FAMILY, tables)
    return coder.get_compressed().astype(">u4").tobytes()


def encode(tables: NDArray[np.float32], symbols: NDArray[np.int32], *splits: int) -> Encoder:
    """An encoder that has coded the symbols' intervals, in one call or in several."""
    mass = tables.astype(np.int64) + 1
    above = np.take_along_axis(mass.cumsum(1), symbols[:, None].astype(np.int64), 1)[:, 0]
    width = np.take_along_axis(mass, symbols[:, None].astype(np.int64), 1)[:, 0]
    encoder = Encoder()
    for start, own in zip(np.split(above - width, splits), np.split(width, splits), strict=True):
        encoder.encode(start, own)
    return encoder


def check(tables: NDArray[np.float32], symbols: NDArray[np.int32]) -> bytes:
    encoder = encode(tables, symbols)
    whole = whole_tables(tables, symbols)
    assert encoder._coder.get_compressed().astype(">u4").tobytes() == whole
    code = encoder.finish()
    assert len(whole) - 8 <= len(code) <= len(whole)
    assert encode(tables, symbols, len(symbols) // 3, len(symbols) // 3, len(symbols)).finish() == code
    decoder = Decoder(code)
    half = len(symbols) // 2
    found = [decoder.decode(tables[:half]), decoder.decode(tables[half:])]
    assert np.array_equal(np.concatenate(found), symbols)
    return code


@given(coded)
@example([([0] * 15, 15)])
@example([([TABLE_TOTAL] * 15, 0)] * 30)
@example([([TABLE_TOTAL] * 15, 15)] * 30)
@example([([0] * 15, 0)] * 30)
@example([([5] * 15, 7)] * 30)
def test_intervals_and_whole_tables_are_the_same_code(chosen: list[tuple[list[int], int]]) -> None:
    tables = np.array([table(inner) for inner, _ in chosen], np.float32).reshape(-1, SYMBOLS)
    check(tables, np.array([symbol for _, symbol in chosen], np.int32))


@pytest.mark.parametrize("sharpness", [1.0, 20.0, 400.0])
def test_the_code_is_as_long_as_the_tables_say(sharpness: float) -> None:
    """Symbols drawn from the tables' own distributions: sharp ones cost next to nothing."""
    rng = np.random.default_rng(int(sharpness))
    share = rng.random((20000, SYMBOLS)) ** sharpness
    inner = (share.cumsum(1) / share.sum(1, keepdims=True) * TABLE_TOTAL)[:, :-1]
    tables = np.array([table(row) for row in inner.astype(np.int64)], np.float32)
    mass = (tables.astype(np.int64) + 1) / 2**24
    symbols = (mass.cumsum(1) < rng.random((len(mass), 1))).sum(1).clip(max=SYMBOLS - 1).astype(np.int32)
    ideal = -np.log2(np.take_along_axis(mass, symbols[:, None].astype(np.int64), 1)).sum()
    assert 8 * len(check(tables, symbols)) == pytest.approx(ideal, rel=1e-3, abs=64)


def test_nothing() -> None:
    assert encode(np.empty((0, SYMBOLS), np.float32), np.empty(0, np.int32)).finish() == b""
    assert len(Decoder(b"").decode(np.empty((0, SYMBOLS), np.float32))) == 0


def test_zeros_count_too() -> None:
    """A code's length says how much is in it, even where first symbols give nothing but zeros."""
    tables = np.array([table([TABLE_TOTAL // 2] * 15)] * 200, np.float32)
    symbols = np.zeros(200, np.int32)
    code = check(tables, symbols)
    assert code == bytes(len(code))
    assert 8 * len(code) == pytest.approx(200, abs=40)


def test_what_is_no_code() -> None:
    with pytest.raises(DamagedError, match="pixel data"):
        Decoder(b"\xff" * 8).decode(np.array([table([TABLE_TOTAL // 2] * 15)], np.float32))


@pytest.mark.parametrize("length", [0, 1, 4, 7, 50])
def test_a_decoder_stops_where_its_code_has_ended(length: int) -> None:
    """A code of 4 bits a symbol; the zeros after it are no symbols."""
    even = np.full((2 * length, SYMBOLS), TABLE_TOTAL // SYMBOLS, np.float32)
    decoder = Decoder(np.random.default_rng(length).bytes(length))
    decoder.decode(even)
    with pytest.raises(DamagedError, match="ends before the pixels do"):
        decoder.decode(np.full((9, SYMBOLS), TABLE_TOTAL // SYMBOLS, np.float32))
