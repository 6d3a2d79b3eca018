"""Least squares: the same bits by every engine, weights that are right, causality, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from checker import coding_planes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import crop, extremes, noise

from ridecodec.engines.base import silent
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.native import Native, instruction_sets
from ridecodec.engines.reference import Reference
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import Logistics
from ridecodec.exact.least_squares import ONE, LeastSquares, Settings, solve
from ridecodec.exact.program import Program
from ridecodec.exact.recorder import Recorder
from ridecodec.models import registry

NEAR = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1))
TABLES = Logistics.make_tables()
USUAL = {"block": 4, "slope": 8, "along": 0.95, "down": 0.9, "ridge": 4096}
SHAPES = [(1, 1), (1, 61), (60, 1), (20, 7), (37, 53), (5, 90)]


def program(
    channels: int, inputs: int, weight: int = 1 << 12, systems: Sequence[dict[str, Any]] = (USUAL,), taught: bool = True
) -> Program:
    """Predictions of each channel from differences to the west neighbour, by so many systems."""
    ops = Recorder(channels)
    near = [ops.tap((c, offset) for offset in NEAR[:inputs]) for c in range(channels)]
    differences = ops.concatenate([each - each[0] for each in near])
    weights = ops.lookup(near[0][0], np.linspace(weight, weight // 4, 256).astype(np.int64)[:, None])
    known: list[Any] = []
    for c in range(channels):
        x = ops.concatenate([differences, *known])
        found = [ops.least_squares(x, **each, limits=(-4000, 4000), unit=8) for each in systems]
        mean = (ops.concatenate(found) << 2) + (near[c][0] << 5)
        parts = {
            "logits": ops.concatenate([ops.constant(0)] * len(found)),
            "means": mean.clamp(0, 255 * 32),
            "scales": ops.concatenate([ops.constant(Logistics.SCALE_ZERO + 30)] * len(found)),
        }
        ops.output("logistics", parts, TABLES)
        difference = ops.sample(c) - near[c][0]
        for each in found[: None if taught else -1]:
            ops.learn(each, difference << 3, weights)
        known.append(difference)
    return ops.program()


def check(made: Program, planes: NDArray[np.uint8]) -> bytes:
    """All engines agree on a tile; gives its code."""
    height, width = planes.shape[1:]
    reference = Reference().open(made)
    expected = reference.encode(planes, (), silent).code
    assert (reference.decode(expected, (), height, width, silent) == planes).all()
    values = reference.trace(planes, (), height - 1, width // 2)
    for name in instruction_sets():
        runner = Native(name).open(made)
        assert runner.encode(planes, (), silent).code == expected, name
        assert (runner.decode(expected, (), height, width, silent) == planes).all()
        for own, wanted in zip(runner.trace(planes, (), height - 1, width // 2), values, strict=True):
            assert own.tolist() == wanted.tolist()
    return expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("block", "slope"), [(4, 8), (6, 12), (1, 2), (3, 12)])
def test_engines_agree(shape: tuple[int, int], block: int, slope: int) -> None:
    made = program(3, 5, systems=[USUAL | {"block": block, "slope": slope}])
    assert made.hood.slope == slope
    check(made, np.ascontiguousarray(crop("astronaut", *shape).transpose(2, 0, 1)))


def test_engines_agree_on_several_systems() -> None:
    made = program(1, 8, systems=[USUAL | {"block": 6, "slope": 12}, USUAL | {"slope": 12, "along": 0.5, "down": 0.2}])
    check(made, crop("camera", 40, 45)[None])


@pytest.mark.parametrize("weight", [4, 1 << 12, 1 << 21])
def test_engines_agree_on_extremes(weight: int) -> None:
    """Where sums are as large as they can be, or small, or of values that no line fits."""
    made = program(1, 8, weight)
    checkers = (np.indices((30, 41)).sum(0) % 2 * 255).astype(np.uint8)
    for picture in (checkers, np.full_like(checkers, 255), extremes(checkers.shape, 1), noise(checkers.shape, 1)):
        check(made, picture[None])


@settings(max_examples=15)
@given(
    st.integers(1, 3),
    st.integers(2, 8),
    st.sampled_from([(2, 12), (3, 6), (4, 12), (5, 10)]),
    st.floats(0, 0.999),
    st.floats(0, 0.999),
    st.integers(1, 1 << 20),
    st.integers(0, 2**32),
)
def test_engines_agree_on_any_settings(
    channels: int, inputs: int, blocks: tuple[int, int], along: float, down: float, ridge: int, seed: int
) -> None:
    block, slope = blocks
    own = {"block": block, "slope": slope, "along": along, "down": down, "ridge": ridge}
    random = np.random.default_rng(seed)
    smooth = random.integers(-3, 4, (channels, 13, 37)).cumsum(1).cumsum(2) + 128
    check(program(channels, inputs, systems=[own]), smooth.clip(0, 255).astype(np.uint8))


def test_equal_tiles_side_by_side() -> None:
    made = program(3, 4, systems=[USUAL | {"block": 6, "slope": 12}])
    whole = crop("astronaut", 64, 300).transpose(2, 0, 1)
    tiles = np.stack([whole[:, 3 * k : 3 * k + 32, 8 * k : 8 * k + 32] for k in range(10)])
    for name in instruction_sets():
        runner = Native(name).open(made)
        assert runner.batch(32, 32) > 1
        wanted = [runner.encode(tile, (), silent).code for tile in tiles]
        assert [each.code for each in runner.encode_batch(tiles, [()] * 10, silent)] == wanted
        assert (runner.decode_batch(wanted, [()] * 10, 32, 32, silent) == tiles).all()


def test_it_predicts_what_is_linear() -> None:
    """That a row nearly repeats the second one above is found out."""
    random = np.random.default_rng(1)
    plane = random.integers(0, 256, (64, 64)).astype(np.int64)
    for y in range(2, 64):
        plane[y] = (plane[y - 2] + random.integers(-1, 2, 64)).clip(0, 255)
    made = program(1, 6)
    code = check(made, plane.astype(np.uint8)[None])
    assert len(code) < 0.75 * plane.size


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_weights_solve_the_equations(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(-100, 101, (size + 1, 400)).astype(np.float64)
    sums = (x @ x.T)[:size].astype(np.float32)[:, :, None]
    found = solve(sums, np.float32(1000))[:, 0]
    wanted = np.linalg.solve(sums[:, :size, 0].astype(np.float64) + 1000 * np.eye(size), sums[:, size, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_predictions_do_not_depend_on_later_pixels() -> None:
    made, random = program(1, 5), np.random.default_rng(1)
    whole = crop("camera", 30, 40)[None].copy()
    other = whole.copy()
    fronts = np.arange(40) + made.hood.slope * np.arange(30)[:, None]
    other[0, fronts > 150] = random.integers(0, 256, int((fronts > 150).sum()))
    number = next(iter(made.systems))
    for runner in (Reference().open(made), *(Native(name).open(made) for name in instruction_sets())):
        one, two = (runner.values(planes, (), [number])[0] for planes in (whole, other))
        assert (one == two)[fronts <= 151].all()
        assert (one != two).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"block": 3}, "do not fit the slope"),
        ({"block": 8}, "do not fit the slope"),
        ({"block": 0}, "out of range"),
        ({"slope": 1000}, "out of range"),
        ({"ridge": 0}, "out of range"),
        ({"along": 1.0}, "does not forget"),
        ({"down": -0.1}, "does not forget"),
        ({"down": 1.0}, "does not forget"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        program(1, 3, systems=[USUAL | change])


def test_other_refusals() -> None:
    with pytest.raises(ModelRefusedError, match="never learns"):
        program(1, 3, taught=False)
    with pytest.raises(ModelRefusedError, match="single precision does not hold"):
        program(1, 3, 1 << 24)
    ops = Recorder(1)
    west = ops.tap([(0, (0, -1))])
    with pytest.raises(ModelRefusedError, match="too many or too large inputs"):
        ops.least_squares(ops.concatenate([west] * 40), **USUAL, limits=(0, 1), unit=1)
    with pytest.raises(ModelRefusedError, match="limits"):
        ops.least_squares(west, **USUAL, limits=(5, 1), unit=1)
    found = ops.least_squares(west, **USUAL, limits=(-5, 5), unit=1)
    ops.output("even", {"top": west}, {})
    ops.learn(found, ops.sample(0))
    with pytest.raises(ModelRefusedError, match="a weight"):
        ops.program()


def test_memory_is_stated() -> None:
    made = program(3, 8)
    for runner in (Reference().open(made), Native().open(made)):
        assert runner.tile_bytes(100) < runner.tile_bytes(100_000) < 100_000 * 3000


def test_small_sums_end() -> None:
    """What a block left behind is 0 after some time, not a number that processors are slow with."""
    settings_ = Settings(2, 2, ONE // 2, ONE // 2, 100, -9, 9)
    found = LeastSquares(settings_, 1, 200, 4)
    for x in range(200):
        found.predict(np.full((2, 1), 50 if x < 4 else 0), np.array([0]), x)
        found.learn(np.array([7]), np.array([3]), np.array([0]))
    assert (found._left == 0).all()


@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_likelihoods_do_not_depend_on_the_way(name: str) -> None:
    """Front by front in the reference, or many pixels at once with what another engine learnt."""
    codec = registry.load(registry.current("photo"))
    assert isinstance(codec, ProgramCodec)
    planes = coding_planes(crop(name, 20, 30))
    expected = Reference().open(codec.programs[len(planes)]).likelihood(planes, ())
    np.testing.assert_allclose(codec.likelihood(planes, b""), expected, rtol=1e-9)
