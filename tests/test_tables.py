"""From distributions to the coder's integers: tables are sound, and a known value's interval is its tables' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from checker import CPU
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from ridecodec.engines.torch import tables as torch_tables
from ridecodec.engines.torch.families import OnProcessor, TorchEven, TorchGaussians, TorchLogistics
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import FAMILIES, Gaussians, Logistics, Mixed
from ridecodec.exact.parts import Output
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import (
    CDF_TOTAL,
    FAR,
    SYMBOLS,
    TABLE_TOTAL,
    VALUES,
    Distribution,
    high_table,
    intervals,
    low_table,
)
from ridecodec.models.photo.mixing import starts

LOGISTICS, EVEN, GAUSSIANS = Logistics(), FAMILIES["even"], Gaussians()
TABLES = Logistics.make_tables()
ALL = np.arange(VALUES)
EDGES = np.array([-FAR, *range(1, VALUES), FAR])[:, None]
TOTAL = Logistics.WEIGHT_TOTAL


def scale_index(scale: float) -> int:
    """Index of the nearest shipped scale."""
    return min(Logistics.SCALES - 1, max(0, round(Logistics.SCALE_ZERO + 16 * math.log2(scale))))


class Steps(Distribution):
    """A cumulative given at the inner edges, the same for every pixel."""

    def __init__(self, inner: list[int]) -> None:
        self.table = np.array([0, *inner, CDF_TOTAL])

    def cumulative(self, edges: Int64) -> Int64:
        return self.table[np.broadcast_to(edges.clip(0, VALUES), (len(edges), VALUES))]


class Torch(torch_tables.Distribution):
    """A distribution for torch."""

    def __init__(self, of: Distribution) -> None:
        self.of = of

    def cumulative(self, edges: Tensor) -> Tensor:
        return torch.from_numpy(self.of.cumulative(edges.long().numpy())).int()


class Numpy(Distribution):
    """A distribution of torch for numpy."""

    def __init__(self, of: torch_tables.Distribution) -> None:
        self.of = of

    def cumulative(self, edges: Int64) -> Int64:
        found = self.of.cumulative(torch.from_numpy(edges).float())
        assert found.dtype == torch.int32
        return found.long().numpy()


class Repeated(Distribution):
    """One pixel's distribution for every value that it can take."""

    def __init__(self, one: Distribution) -> None:
        self.one = one

    def cumulative(self, edges: Int64) -> Int64:
        if edges.shape[1] == 1:
            return self.one.cumulative(edges).repeat(VALUES, 1)
        return np.concatenate([self.one.cumulative(column[:, None]) for column in edges.T], 1)


masses = st.integers(0, CDF_TOTAL)
INNER = VALUES - 1
cumulatives = st.one_of(
    st.lists(masses, min_size=INNER, max_size=INNER).map(sorted),
    st.lists(masses, min_size=1, max_size=8).flatmap(  # few steps
        lambda few: st.lists(st.sampled_from(few), min_size=INNER, max_size=INNER).map(sorted)
    ),
)


@st.composite
def mixtures(draw: st.DrawFn) -> dict[str, Int64]:
    """A mixture of one pixel, its parameters anywhere within their limits, extremes included."""
    k = draw(st.integers(1, 5))

    def numbers(values: st.SearchStrategy[int]) -> Int64:
        return np.array(draw(st.lists(values, min_size=k, max_size=k)))[:, None]

    inside = st.integers(-Logistics.MEAN_UNIT, VALUES * Logistics.MEAN_UNIT)
    return {
        "logits": numbers(st.integers(-999, 999) | st.integers(-(2**20), 2**20)),
        "means": numbers(inside | st.integers(-Logistics.MEAN_LIMIT, Logistics.MEAN_LIMIT)),
        "scales": numbers(st.integers(-30, Logistics.SCALES + 30)),
    }


def mixture(mean: int, scale: int) -> Distribution:
    """One logistic."""
    return LOGISTICS.distribution({"logits": column(0), "means": column(mean), "scales": column(scale)}, TABLES)


def column(value: int) -> Int64:
    return np.array([[value]])


def check(distribution: Distribution) -> None:
    """All 256 values of one distribution: sound tables, intervals equal to their slices, which fill the whole."""
    found = intervals(distribution, ALL)
    high = high_table(distribution)
    for step, (table, symbols) in enumerate([(high, ALL >> 4), (low_table(distribution, ALL >> 4), ALL & 15)]):
        assert table.dtype == np.float32
        assert table.shape == (VALUES, SYMBOLS)
        assert table.flags.c_contiguous
        mass = table.astype(np.int64)
        assert (mass == table).all()
        assert (mass >= 0).all()
        assert (mass.sum(1) == TABLE_TOTAL).all()
        ends = (mass + 1).cumsum(1)[ALL, symbols]
        assert (found.width[step] == mass[ALL, symbols] + 1).all()
        assert (found.start[step] == ends - found.width[step]).all()
    high_widths, low_widths = found.width[0][::SYMBOLS], found.width[1]
    assert high_widths.sum() == 2**24
    assert (low_widths.reshape(SYMBOLS, SYMBOLS).sum(1) == 2**24).all()
    assert np.exp2(-found.bits()).sum() == pytest.approx(1)


def check_cumulative(distribution: Distribution) -> None:
    """It rises from nothing to all."""
    below = distribution.cumulative(EDGES)[:, 0]
    assert (below[0], below[-1]) == (0, CDF_TOTAL)
    assert (np.diff(below) >= 0).all()


@given(cumulatives)
@example([0] * INNER)
@example([CDF_TOTAL] * INNER)
@example([0] * 128 + [CDF_TOTAL] * 127)
@example([CDF_TOTAL // 2] * INNER)
def test_tables_of_any_distribution(cumulative: list[int]) -> None:
    check(Steps(cumulative))


@given(cumulatives)
def test_torch_has_the_same_tables(cumulative: list[int]) -> None:
    steps, values = Steps(cumulative), torch.from_numpy(ALL)
    other = Torch(steps)
    assert (torch_tables.high_table(other, CPU).numpy() == high_table(steps)).all()
    assert (torch_tables.low_table(other, values >> 4).numpy() == low_table(steps, ALL >> 4)).all()
    found, wanted = torch_tables.intervals(other, values.int()), intervals(steps, ALL)
    assert (found.start.numpy() == wanted.start).all()
    assert (found.width.numpy() == wanted.width).all()
    np.testing.assert_allclose(found.bits().numpy(), wanted.bits(), atol=1e-9)


@given(cumulatives)
def test_tables_give_a_value_the_mass_that_it_has(cumulative: list[int]) -> None:
    """Up to the floors that all values have, and to rounding."""
    mass = np.diff([0, *cumulative, CDF_TOTAL]) / CDF_TOTAL
    found = np.exp2(-intervals(Steps(cumulative), ALL).bits())
    assert (found >= 2.0**-48).all()
    np.testing.assert_allclose(found, mass, atol=2 * VALUES / 2**24)


@given(mixtures())
def test_tables_of_mixtures(parts: dict[str, Int64]) -> None:
    distribution = LOGISTICS.distribution(parts, TABLES)
    check_cumulative(distribution)
    check(Repeated(distribution))
    tensors = {name: torch.from_numpy(value).double() for name, value in parts.items()}
    for family in (TorchLogistics, OnProcessor):
        other = family(Output("logistics", {}, TABLES), CPU).distribution(tensors)
        assert (Numpy(other).cumulative(EDGES) == distribution.cumulative(EDGES)).all()


@given(mixtures(), st.integers(0, 255))
def test_code_lengths_in_floats(parts: dict[str, Int64], value: int) -> None:
    """The likelihood of the reference and of training, and what the integers give, near where all are exact."""
    known = np.array([value])
    (bits,) = LOGISTICS.bits({name: part.astype(np.float64) for name, part in parts.items()}, known, TABLES)
    family = TorchLogistics(Output("logistics", {}, TABLES), CPU)
    tensors = {name: torch.from_numpy(part).double().requires_grad_() for name, part in parts.items()}
    found = family.bits(tensors, torch.from_numpy(known))
    found.sum().backward()
    assert all(bool(tensor.grad is not None and tensor.grad.isfinite().all()) for tensor in tensors.values())
    assert found.item() == pytest.approx(bits, rel=1e-6, abs=1e-6)
    if bits < 6:
        assert intervals(LOGISTICS.distribution(parts, TABLES), known).bits()[0] == pytest.approx(
            bits, rel=0.1, abs=0.2
        )


@st.composite
def gaussians(draw: st.DrawFn) -> tuple[dict[str, Int64], dict[str, Int64]]:
    """Parts and tables of Gaussians of one pixel, anywhere within their limits, extremes included."""
    c, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    steps = st.integers(Gaussians.INVERSE_LEAST, Gaussians.INVERSE_TOP) | st.integers(Gaussians.INVERSE_LEAST, 2**14)

    def numbers(values: st.SearchStrategy[int], count: int) -> Int64:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)))

    logits = numbers(st.integers(-Gaussians.LOGIT_LIMIT, Gaussians.LOGIT_LIMIT) | st.integers(-99, 99), c * s)
    means = numbers(st.integers(-32, 8224) | st.integers(-Gaussians.MEAN_LIMIT, Gaussians.MEAN_LIMIT), c)
    parts = {"logits": logits[:, None], "means": means[:, None]}
    return parts, Gaussians.make_tables() | {"inverse": numbers(steps, c * s).reshape(c, s)}


@given(gaussians(), st.integers(0, 255))
def test_tables_of_gaussians(found: tuple[dict[str, Int64], dict[str, Int64]], value: int) -> None:
    parts, tables = found
    GAUSSIANS.check({name: Range(part[:, 0], part[:, 0]) for name, part in parts.items()}, tables, 255)
    weights = GAUSSIANS.weights(parts["logits"], tables["exponential"])
    assert weights.sum() == 2**Gaussians.WEIGHT_BITS
    assert weights.min() >= 0
    distribution = GAUSSIANS.distribution(parts, tables)
    check_cumulative(distribution)
    check(Repeated(distribution))
    tensors = {name: torch.from_numpy(part).double() for name, part in parts.items()}
    other = TorchGaussians(Output("gaussians", {}, tables), CPU).distribution(tensors)
    assert (Numpy(other).cumulative(EDGES) == distribution.cumulative(EDGES)).all()
    known = np.array([value])
    (bits,) = GAUSSIANS.bits({name: part.astype(np.float64) for name, part in parts.items()}, known, tables)
    if bits < 6:
        assert intervals(distribution, known).bits()[0] == pytest.approx(bits, rel=0.1, abs=0.2)


@pytest.mark.parametrize("value", [70, 90, 100, 120])
def test_a_gaussian_has_the_mass_that_it_should(value: int) -> None:
    tables = Gaussians.make_tables() | {"inverse": Gaussians.inverse(np.array([[7.0]]))}
    parts = {"logits": column(0), "means": column(3210)}
    found = GAUSSIANS.distribution(parts, tables).cumulative(EDGES)[:, 0]
    wanted = torch.special.ndtr((torch.arange(1, 256).double() - 3210 / 32) / 7).numpy()
    np.testing.assert_allclose(found[1:-1] / CDF_TOTAL, wanted, atol=3e-4)
    mass = np.diff([0, *wanted, 1])[value]
    own = {name: part.astype(np.float64) for name, part in parts.items()}
    assert GAUSSIANS.bits(own, np.array([value]), tables)[0] == pytest.approx(-math.log2(mass), abs=1e-3)


@pytest.mark.parametrize("top", [255, 200, 0])
def test_tables_of_even_values(top: int) -> None:
    distribution = EVEN.distribution({"top": column(top)}, {})
    check_cumulative(distribution)
    check(Repeated(distribution))
    bits = intervals(Repeated(distribution), ALL).bits()
    np.testing.assert_allclose(bits[: top + 1], math.log2(top + 1), atol=1e-3)
    assert bits[top + 1 :].min(initial=20) >= 20
    other = TorchEven(Output("even", {}, {}), CPU).distribution({"top": torch.tensor([[float(top)]])})
    assert (Numpy(other).cumulative(EDGES) == distribution.cumulative(EDGES)).all()


def test_a_mixture_is_the_logistic_that_it_says() -> None:
    mean, scale = 100.25, 3.0
    one = mixture(round(mean * Logistics.MEAN_UNIT), scale_index(scale))
    nearest = 2 ** ((scale_index(scale) - Logistics.SCALE_ZERO) / 16)
    below = one.cumulative(EDGES)[:, 0] / CDF_TOTAL
    wanted = 1 / (1 + np.exp(-((EDGES[:, 0] - 0.5 - mean) / nearest).clip(-700, 700)))
    np.testing.assert_allclose(below, wanted, atol=1e-3)


def test_the_narrowest_scale_is_certain() -> None:
    assert intervals(mixture(77 * Logistics.MEAN_UNIT, 0), np.array([77])).bits() < 1e-4


@given(st.lists(st.lists(st.integers(-(2**20), 2**20), min_size=3, max_size=3), min_size=1, max_size=8))
@example([[0, 0, 0]])
@example([[2**20, -(2**20), 0], [-(2**20), 2**20, 0]])
def test_gate_weights(logits: list[list[int]]) -> None:
    values = np.array(logits)
    weights = LOGISTICS.weights(values, TABLES["exponential"])
    assert (weights >= 0).all()
    assert (weights.sum(0) == TOTAL).all()
    wanted = torch.softmax(torch.from_numpy(values / Logistics.LOGIT_UNIT), 0).numpy()
    np.testing.assert_allclose(weights / TOTAL, wanted, atol=2 / TOTAL)


def test_low_tables_follow_the_high_nibble() -> None:
    """The low table of one nibble is not that of another: it is the distribution within the nibble."""
    low = low_table(Repeated(mixture(40 * Logistics.MEAN_UNIT, Logistics.SCALE_ZERO + 16)), ALL >> 4)
    assert low[40].argmax() == 40 & 15
    assert low[16].argmax() == 15
    assert low[63].argmax() == 0


SIZES = {"softmax": {"logits": VALUES}, "spikes": {"odds": 3}}
"""Rows of parts, where they are not one."""


@pytest.mark.parametrize("name", FAMILIES)
def test_tables_of_another_shape_are_refused(name: str) -> None:
    family = FAMILIES[name]
    if isinstance(family, Mixed):
        tables = family.make_tables(starts())
    else:
        tables = family.make_tables() if family.tables else {}
    if name == "gaussians":
        tables["inverse"] = Gaussians.inverse(np.array([[7.0]]))
    parts = {part: Range.of(SIZES.get(name, {}).get(part, 1), 0, 0) for part in family.parts}
    family.check(parts, tables, 255)
    for table in family.tables:
        held = tables[table]
        for wrong in (held[:0], held[None], held[..., None], held.ravel()[0]):
            with pytest.raises(ModelRefusedError, match="parts or tables that are out of range"):
                family.check(parts, tables | {table: np.asarray(wrong)}, 255)
