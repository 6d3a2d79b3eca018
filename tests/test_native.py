"""The compiled engine against the reference: the same bytes and the same integers, by every instruction set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import RandomProgram

from ridecodec.engines.base import threads
from ridecodec.engines.native import Native, instruction_sets
from ridecodec.engines.reference import Reference
from ridecodec.errors import DamagedError
from ridecodec.exact.recorder import Recorder

SHAPES = [(1, 1), (1, 70), (90, 1), (33, 17), (5, 2), (3, 150), (150, 140)]


def quiet(pixels: int, bits: float) -> None:
    """A tick that counts nothing."""


def test_there_is_a_baseline() -> None:
    assert instruction_sets()


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES[:-1]))
def test_random_programs(seed: int, shape: tuple[int, int]) -> None:
    made = RandomProgram(seed)
    planes, parameters = made.tile(*shape), made.parameters()
    expected = Reference().open(made.program).encode(planes, parameters, quiet)
    y, x = (int(made.random.integers(n)) for n in shape)
    values = Reference().open(made.program).trace(planes, parameters, y, x)
    for name in instruction_sets():
        engine = Native(name)
        assert engine.supports(made.program) is None
        runner = engine.open(made.program)
        found = runner.trace(planes, parameters, y, x)
        for number, (own, wanted) in enumerate(zip(found, values, strict=True)):
            assert own.tolist() == wanted.tolist(), f"{name}: operation {number}, {made.program.operations[number]}"
        coded = runner.encode(planes, parameters, quiet)
        assert coded.code == expected.code, name
        np.testing.assert_allclose(coded.bits, expected.bits, rtol=1e-5, atol=1e-4)
        assert (runner.decode(coded.code, parameters, *shape, quiet) == planes).all()


def test_fronts_of_several_blocks_and_threads() -> None:
    made = RandomProgram(7)
    planes, parameters = made.tile(*SHAPES[-1]), made.parameters()
    expected = Reference().open(made.program).encode(planes, parameters, quiet).code
    for name in instruction_sets():
        runner = Native(name).open(made.program)
        with ThreadPoolExecutor(2) as pool:
            coded = [pool.submit(runner.encode, planes, parameters, quiet) for _ in range(2)]
            assert [each.result().code for each in coded] == [expected] * 2
        assert (runner.decode(expected, parameters, *SHAPES[-1], quiet) == planes).all()


@settings(max_examples=30)
@given(
    st.integers(0, 2**32),
    st.integers(1, 21),
    st.sampled_from([(1, 1), (1, 70), (90, 1), (33, 17), (9, 40)]),
    st.booleans(),
)
def test_equal_tiles_are_coded_as_each_alone(seed: int, count: int, shape: tuple[int, int], alike: bool) -> None:
    made = RandomProgram(seed)
    tiles = [(made.tile(*shape), made.parameters()) for _ in range(count)]
    planes = np.stack([own for own, _ in tiles])
    parameters = [tiles[0 if alike and not made.given else k][1] for k in range(count)]
    for name in instruction_sets():
        runner = Native(name).open(made.program)
        wanted = [runner.encode(*each, quiet) for each in zip(planes, parameters, strict=True)]
        coded = runner.encode_batch(planes, parameters, quiet)
        codes = [each.code for each in coded]
        assert codes == [each.code for each in wanted], name
        assert all((own.bits == each.bits).all() for own, each in zip(coded, wanted, strict=True))
        assert (runner.decode_batch(codes, parameters, *shape, quiet) == planes).all()


@pytest.mark.parametrize("seed", range(5))
def test_any_number_of_threads_gives_the_same_codes(seed: int) -> None:
    made, shape = RandomProgram(seed), (100, 500)
    planes, parameters = made.tile(*shape), made.parameters()
    for name in instruction_sets():
        runner = Native(name).open(made.program)
        wanted = runner.encode(planes, parameters, quiet)
        for count in (2, 3):
            context = copy_context()
            context.run(threads.set, count)
            coded = context.run(runner.encode, planes, parameters, quiet)
            assert coded.code == wanted.code, name
            assert (coded.bits == wanted.bits).all()
            assert (context.run(runner.decode, coded.code, parameters, *shape, quiet) == planes).all()
            with pytest.raises(DamagedError, match="the pixel data is damaged"):
                context.run(runner.decode, coded.code[: len(coded.code) // 2], parameters, *shape, quiet)


@pytest.mark.parametrize("top", [1000, 100_000])
def test_sums_of_look_ups_of_many_columns(top: int) -> None:
    random, ops = np.random.default_rng(top), Recorder(1)
    taps = ops.tap(((0, offset) for offset in ((0, -1), (-1, 0), (-1, -1))), unit=1)
    first, second, third = (ops.lookup(taps[i], random.integers(-top, top, (256, 19))) for i in range(3))
    vector = first + second + third
    ops.output("even", {"top": ops.lookup(taps[0], np.arange(256)[:, None])}, {})
    planes = random.integers(0, 256, (1, 40, 90), np.uint8)
    program = ops.program()
    expected = Reference().open(program).values(planes, (), [vector.number])
    for name in instruction_sets():
        assert (Native(name).open(program).values(planes, (), [vector.number]) == expected).all()


def test_damaged_codes_end() -> None:
    made = next(made for made in map(RandomProgram, range(3, 100)) if not made.given)
    planes, parameters = made.tile(20, 30), made.parameters()
    runner = Native().open(made.program)
    code = runner.encode(planes, parameters, quiet).code
    for cut in (0, 1, len(code) // 2):
        with pytest.raises(DamagedError, match="the pixel data is damaged"):
            runner.decode(code[:cut], parameters, 400, 400, quiet)
    random = np.random.default_rng(1)
    for _ in range(20):
        forged = random.integers(0, 256, 50, np.uint8).tobytes()
        with pytest.raises(DamagedError, match="the pixel data is damaged"):
            runner.decode(forged, parameters, 60, 60, quiet)


def test_parameters_out_of_bounds_are_refused() -> None:
    made = next(made for made in map(RandomProgram, range(100)) if made.program.parameters and not made.given)
    made.tile(3, 3)
    parameters = made.parameters()
    runner = Native().open(made.program)
    for wrong in ([], [each[:-1] for each in parameters], [np.full_like(each, 2**30) for each in parameters]):
        with pytest.raises(DamagedError, match="parameters"):
            runner.decode(b"abc", wrong, 3, 3, quiet)


def test_a_tick_counts_and_stops() -> None:
    made = RandomProgram(3)
    planes, parameters = made.tile(40, 40), made.parameters()
    runner = Native().open(made.program)
    counted: list[tuple[int, float]] = []
    coded = runner.encode(planes, parameters, lambda pixels, bits: counted.append((pixels, bits)))
    assert sum(pixels for pixels, _ in counted) == planes[0].size
    assert sum(bits for _, bits in counted) == pytest.approx(coded.bits.sum(dtype=np.float64), rel=1e-5)

    def stop(pixels: int, bits: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.decode(coded.code, parameters, 40, 40, stop)


def test_tiles_without_pixels_or_too_many_are_refused() -> None:
    runner = Native().open(RandomProgram(3).program)
    for height, width in ((0, 5), (5, 0), (1 << 30, 1 << 30)):
        with pytest.raises(ValueError, match="pixels"):
            runner.memory(height, width)
    assert runner.memory(100, 100) < runner.memory(1000, 1000) < 1 << 24


@pytest.mark.parametrize("seed", [2, 40, 41])
def test_values_at_all_pixels(seed: int) -> None:
    made = RandomProgram(seed)
    planes, parameters = made.tile(70, 21), made.parameters()
    narrow = [k for k, each in enumerate(made.program.ranges) if each.top.max() < 1 << 31]
    wanted = [k for k in narrow if made.program.operations[k].lead == 0]
    expected = Reference().open(made.program).values(planes, parameters, wanted)
    for name in instruction_sets():
        assert (Native(name).open(made.program).values(planes, parameters, wanted) == expected).all()
