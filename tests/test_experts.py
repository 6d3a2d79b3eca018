"""The photo model's image experts: a fit that every machine repeats to the bit, and its way through the file."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from checker import codec
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import crop, noise
from ridecodec.models.least_squares import solve
from ridecodec.models.photo.coefficients import pack, unpack
from ridecodec.models.photo.image_experts import Coefficients, covariances, fit
from ridecodec.models.photo.side import ImageExperts

from ridecodec.engines.board import INITIAL, Board
from ridecodec.engines.codec import ProgramCodec
from ridecodec.errors import DamagedError
from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.parts import BORDER
from ridecodec.models.photo import image_experts
from ridecodec.models.photo.definition import (
    ACTIVITY,
    COEFFICIENT_LIMIT,
    COEFFICIENT_SUM,
    EXPERT_OTHER,
    EXPERT_OWN,
    EXPERT_SETS,
    FAN,
    FIT_WEIGHT,
    GROUPS,
    NEAR,
    feature_table,
)

Float64 = NDArray[np.float64]


def defaults(channels: int) -> Coefficients:
    """The shipped model's coefficients, for pictures that send none."""
    model = codec("photo")
    assert isinstance(model, ProgramCodec)
    side = model.sides[channels]
    assert isinstance(side, ImageExperts)
    return side.default


def coded(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as planes [C, H, W]."""
    return np.atleast_3d(array).transpose(2, 0, 1).copy()


def positive(n: int, seed: int) -> tuple[Float64, Float64]:
    """A symmetric positive definite matrix and a vector, of integers."""
    rng = np.random.default_rng(seed)
    root = rng.integers(-500, 500, (n, n + 5)).astype(np.float64)
    return root @ root.T + 2048 * np.eye(n), rng.integers(-(10**6), 10**6, n).astype(np.float64)


@pytest.mark.parametrize("n", [1, 2, 7, 20, 34])
def test_solve(n: int) -> None:
    matrix, vector = positive(n, n)
    before = matrix.copy(), vector.copy()
    assert np.allclose(solve(matrix, vector), np.linalg.solve(matrix, vector), rtol=1e-8, atol=1e-10)
    assert np.array_equal(matrix, before[0])
    assert np.array_equal(vector, before[1])


@pytest.mark.parametrize("n", [1, 3, 12, 26])
def test_solve_rounds_after_every_operation(n: int) -> None:
    """Bit for bit what single operations on Python's floats give: nothing fused, nothing reordered."""
    matrix, vector = positive(n, 100 + n)
    a, b = matrix.tolist(), vector.tolist()
    columns = []
    for j in range(n):
        pivot = math.sqrt(a[j][j])
        column = [a[i][j] / pivot for i in range(n)]
        columns.append(column)
        a = [[a[i][k] - column[i] * column[k] for k in range(n)] for i in range(n)]
        b[j] = b[j] / pivot
        for i in range(j + 1, n):
            b[i] = b[i] - column[i] * b[j]
    for j in reversed(range(n)):
        b[j] = b[j] / columns[j][j]
        for i in range(j):
            b[i] = b[i] - columns[i][j] * b[j]
    assert solve(matrix, vector).tolist() == b


@pytest.mark.parametrize("array", [crop("camera", 21, 18), crop("astronaut", 17, 22), noise((9, 40, 3), 1)])
def test_covariances_are_exact_integers(array: NDArray[np.uint8]) -> None:
    """The same sums from Python's integers."""
    planes = coded(array)
    channels, height, width = planes.shape
    features = feature_table(channels)
    found = covariances(planes, features)
    board = Board(Neighbourhood.of(FAN), height, width, [(BORDER, INITIAL)] * channels, np.int64)
    board.fill(0, planes)
    flat = board.values.tolist()
    top, left = board.hood.top, board.left
    groups_of, weights = features[:, ACTIVITY].tolist(), features[:, FIT_WEIGHT].tolist()
    wanted = [np.zeros_like(s, dtype=object) for s in found.sums]
    counts = np.zeros((EXPERT_SETS, GROUPS))
    for y, x in itertools.product(range(height), range(width)):

        def at(plane: int, dy: int, dx: int, y: int = y, x: int = x) -> int:
            return int(flat[plane][top + y + dy][left + x + dx])

        base = [at(c, 0, -1) + at(c, -1, 0) for c in range(channels)]
        activity = sum(abs(2 * at(c, *offset) - base[c]) for c in range(channels) for offset in NEAR)
        groups = (2 * (y % 2) + x % 2, groups_of[activity])
        for s, g in enumerate(groups):
            counts[s, g] += 1
        for c in range(channels):
            row = [
                2 * at(other, *offset) - base[other]
                for other in range(channels)
                for offset in (EXPERT_OWN if other == c else EXPERT_OTHER)
            ]
            row += [2 * at(k, 0, 0) - base[k] for k in range(c + 1)]
            outer = weights[activity] * np.multiply.outer(np.array(row, object), np.array(row, object))
            for s, g in enumerate(groups):
                wanted[c][s, g] += outer
    assert np.array_equal(found.pixels, counts)
    for sums, integers in zip(found.sums, wanted, strict=True):
        assert sums.dtype == np.float64
        assert np.array_equal(sums, integers.astype(np.float64))


def test_large_tiles_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many pairs of rows, so that all phases have their share."""
    monkeypatch.setattr(image_experts, "_FIT_PIXELS", 500)
    found = covariances(coded(crop("camera", 40, 40)), feature_table(1))
    assert found.pixels.sum(1).tolist() == [400, 400]
    assert found.pixels[0].tolist() == [100] * 4


def test_fit_learns_a_picture_s_own_rule() -> None:
    """Green is noise, red follows it: red's experts find out, and the file pays for that."""
    green = noise((48, 48), 1)
    array = np.stack([green, green // 2 + 40, noise((48, 48), 2)], 2)
    found = fit(covariances(coded(array), feature_table(3)), defaults(3))
    for c, (own, default) in enumerate(zip(found, defaults(3), strict=True)):
        assert own.shape == default.shape
        assert own.dtype == np.int64
        assert np.abs(own).max() <= COEFFICIENT_LIMIT
        assert np.abs(own).sum(-1).max() <= COEFFICIENT_SUM, c
    red = found[1][:, :, -1] / 512  # what it takes from green at its own pixel
    assert np.median(red) == pytest.approx(0.5, abs=0.05)


@st.composite
def coefficients(draw: st.DrawFn) -> tuple[Coefficients, Coefficients]:
    """Some choice of experts and the default ones that it is relative to."""
    channels = draw(st.sampled_from([1, 3]))
    default = defaults(channels)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    chosen = []
    for base in default:
        own = base.copy()
        for s in range(EXPERT_SETS):
            reach = draw(st.sampled_from([1, 30, 600, COEFFICIENT_LIMIT]))
            size = base.shape[1:] if draw(st.booleans()) else base.shape[-1:]  # for each group, or one for all
            if draw(st.booleans()):
                wild = rng.integers(-reach, reach + 1, size)
                own[s] = wild if np.abs(wild).sum(-1).max() <= COEFFICIENT_SUM else wild // 8
            elif draw(st.booleans()):
                own[s] = (base[s] + rng.integers(-3, 4, size)).clip(-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT)
        chosen.append(own)
    return chosen, default


def same(a: Coefficients, b: Coefficients) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@given(coefficients())
def test_coefficients_are_read_back(drawn: tuple[Coefficients, Coefficients]) -> None:
    chosen, default = drawn
    data = pack(chosen, default)
    assert same(unpack(data, default), chosen)
    assert (data == b"") == same(chosen, default)
    if data:
        with pytest.raises(DamagedError, match="left over"):
            unpack(data + b"\0", default)
        for length in {1, len(data) // 2, len(data) - 1} - {0, len(data)}:
            with pytest.raises(DamagedError, match="cut short"):
                unpack(data[:length], default)


@given(st.sampled_from([1, 3]), st.binary(max_size=200), st.integers(0, 255))
def test_damaged_coefficients(channels: int, tail: bytes, first: int) -> None:
    """Any bytes are coefficients within their limits, or damaged."""
    try:
        found = unpack(bytes([first]) + tail, defaults(channels))
    except DamagedError:
        return
    assert all(np.abs(own).max() <= COEFFICIENT_LIMIT and np.abs(own).sum(-1).max() <= COEFFICIENT_SUM for own in found)


@pytest.mark.parametrize("value", [COEFFICIENT_LIMIT + 1, -COEFFICIENT_LIMIT - 1])
def test_coefficients_out_of_range(value: int) -> None:
    wrong = [own.copy() for own in defaults(1)]
    wrong[0][0, 1, 2] = value
    with pytest.raises(DamagedError, match="out of range"):
        unpack(pack(wrong, defaults(1)), defaults(1))


def test_a_vector_s_sum_is_bounded() -> None:
    wrong = [own.copy() for own in defaults(3)]
    wrong[2][1, 3] = COEFFICIENT_SUM // wrong[2].shape[-1] + 1
    with pytest.raises(DamagedError, match="out of range"):
        unpack(pack(wrong, defaults(3)), defaults(3))
