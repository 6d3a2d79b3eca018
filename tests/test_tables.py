"""From distributions to the coder's integers: tables are sound, and a known value's interval is its tables' own."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from checker import CPU, both_tables, check_intervals, check_tables
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from ridecodec.coding.tables import CDF_TOTAL, FAR, SYMBOLS, VALUES, Distribution, high_table, intervals, low_table
from ridecodec.models.gaussian import (
    INVERSE_LEAST,
    INVERSE_TOP,
    GaussianMixture,
    GaussianTables,
    check_inverses,
    inverse,
)
from ridecodec.models.logistic import (
    LOGIT_UNIT,
    MEAN_LIMIT,
    MEAN_UNIT,
    SCALE_ZERO,
    SCALES,
    WEIGHT_TOTAL,
    LogisticMixture,
    LogisticTables,
)
from ridecodec.models.uniform import Flat


def scale_index(scale: float) -> int:
    """Index of the nearest shipped scale."""
    return min(SCALES - 1, max(0, round(SCALE_ZERO + 16 * math.log2(scale))))


TABLES = LogisticTables(**LogisticTables.make())
GAUSSIANS = GaussianTables(**GaussianTables.make())
ALL = torch.arange(VALUES)
EDGES = torch.tensor([-FAR, *range(1, VALUES), FAR])[:, None]


class Steps(Distribution):
    """A cumulative given at the inner edges, the same for every pixel."""

    def __init__(self, inner: list[int]) -> None:
        self.table = torch.tensor([0, *inner, CDF_TOTAL], dtype=torch.int32)

    def cumulative(self, edges: Tensor) -> Tensor:
        return self.table[edges.clamp(0, VALUES).long().expand(-1, VALUES)]


masses = st.integers(0, CDF_TOTAL)
INNER = VALUES - 1
cumulatives = st.one_of(
    st.lists(masses, min_size=INNER, max_size=INNER).map(sorted),
    st.lists(masses, min_size=1, max_size=8).flatmap(  # few steps
        lambda few: st.lists(st.sampled_from(few), min_size=INNER, max_size=INNER).map(sorted)
    ),
)


@st.composite
def mixtures(draw: st.DrawFn) -> LogisticMixture:
    """A mixture of one pixel, its parameters anywhere within their limits, extremes included."""
    k = draw(st.integers(1, 5))
    cuts = sorted(draw(st.lists(st.integers(0, WEIGHT_TOTAL), min_size=k - 1, max_size=k - 1)))
    weights = [b - a for a, b in itertools.pairwise([0, *cuts, WEIGHT_TOTAL])]
    inside = st.integers(-MEAN_UNIT, VALUES * MEAN_UNIT)
    means = draw(st.lists(st.one_of(inside, st.integers(-MEAN_LIMIT, MEAN_LIMIT)), min_size=k, max_size=k))
    scales = draw(st.lists(st.integers(-30, SCALES + 30), min_size=k, max_size=k))
    return mixture(weights, means, scales)


def mixture(weights: list[int], means: list[int], scales: list[int]) -> LogisticMixture:
    return LogisticMixture(
        TABLES,
        torch.tensor(weights, dtype=torch.int32)[:, None],
        torch.tensor(means, dtype=torch.float32)[:, None],
        torch.tensor(scales, dtype=torch.float32)[:, None],
    )


class Repeated(Distribution):
    """One pixel's distribution for every value that it can take."""

    def __init__(self, one: Distribution) -> None:
        self.one = one

    def cumulative(self, edges: Tensor) -> Tensor:
        if edges.shape[1] == 1:
            return self.one.cumulative(edges).expand(-1, VALUES)
        return torch.cat([self.one.cumulative(column[:, None]) for column in edges.T], 1)


def check(distribution: Distribution) -> None:
    """All 256 values of one distribution: sound tables, intervals equal to their slices, which fill the whole."""
    tables = both_tables(distribution, ALL)
    check_intervals(distribution, ALL, tables)
    found = intervals(distribution, ALL.int())
    high_widths, low_widths = found.width[0][::SYMBOLS], found.width[1]
    assert high_widths.sum() == 2**24
    assert (low_widths.view(SYMBOLS, SYMBOLS).sum(1) == 2**24).all()
    assert torch.exp2(-found.bits()).sum() == pytest.approx(1)


@given(cumulatives)
@example([0] * INNER)
@example([CDF_TOTAL] * INNER)
@example([0] * 128 + [CDF_TOTAL] * 127)
@example([CDF_TOTAL // 2] * INNER)
def test_tables_of_any_distribution(cumulative: list[int]) -> None:
    check(Steps(cumulative))


@given(cumulatives)
def test_tables_give_a_value_the_mass_that_it_has(cumulative: list[int]) -> None:
    """Up to the floors that all values have, and to rounding."""
    ends = [0, *cumulative, CDF_TOTAL]
    mass = torch.tensor([b - a for a, b in itertools.pairwise(ends)]).double() / CDF_TOTAL
    found = torch.exp2(-intervals(Steps(cumulative), ALL.int()).bits())
    assert (found >= 2.0**-48).all()
    assert torch.allclose(found, mass, atol=2 * VALUES / 2**24)


@given(mixtures())
def test_tables_of_mixtures(distribution: LogisticMixture) -> None:
    below = distribution.cumulative(EDGES)[:, 0]
    assert below.dtype == torch.int32
    assert (below[0], below[-1]) == (0, CDF_TOTAL)
    assert (below[1:] >= below[:-1]).all()
    check(Repeated(distribution))


@st.composite
def gaussians(draw: st.DrawFn) -> GaussianMixture:
    """A mixture of Gaussians of one pixel, its parameters anywhere within their limits, extremes included."""
    c, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    logits = draw(st.lists(st.integers(-(10**6), 10**6) | st.integers(-99, 99), min_size=c * s, max_size=c * s))
    means = draw(st.lists(st.integers(-32, 8224) | st.integers(-(2**14), 2**14), min_size=c, max_size=c))
    steps = st.integers(INVERSE_LEAST, INVERSE_TOP) | st.integers(INVERSE_LEAST, 2**14)
    inverses = torch.tensor(draw(st.lists(steps, min_size=c * s, max_size=c * s))).view(c, s)
    weights = GAUSSIANS.weights(torch.tensor(logits, dtype=torch.float64)[:, None])
    assert int(weights.sum()) == 2**14
    assert int(weights.min()) >= 0
    return GaussianMixture(GAUSSIANS, weights, torch.tensor(means)[:, None], check_inverses(inverses))


@given(gaussians())
def test_tables_of_gaussians(distribution: GaussianMixture) -> None:
    below = distribution.cumulative(EDGES)[:, 0]
    assert below.dtype == torch.int32
    assert (below[0], below[-1]) == (0, CDF_TOTAL)
    assert (below[1:] >= below[:-1]).all()
    check(Repeated(distribution))


def test_a_gaussian_has_the_mass_that_it_should() -> None:
    weights = GAUSSIANS.weights(torch.zeros(1, 1, dtype=torch.float64))
    steps = inverse(torch.tensor([[7.0]]))
    found = GaussianMixture(GAUSSIANS, weights, torch.tensor([[3210]]), check_inverses(steps)).cumulative(EDGES)
    wanted = torch.special.ndtr((torch.arange(1, 256) - 3210 / 32) / 7.0)
    assert torch.allclose(found[1:-1, 0] / CDF_TOTAL, wanted, atol=3e-4)


def test_tables_of_the_flat_distribution() -> None:
    check(Flat(VALUES))
    assert torch.allclose(intervals(Flat(VALUES), ALL.int()).bits(), torch.tensor(8.0).double(), atol=1e-4)


def test_a_mixture_does_not_depend_on_its_neighbours() -> None:
    """A front's pixels and a whole tile's have the same tables."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.full((2, 500), WEIGHT_TOTAL // 2, dtype=torch.int32)
    means = torch.randint(-MEAN_LIMIT, MEAN_LIMIT, (2, 500), generator=generator).float()
    scales = torch.randint(0, SCALES, (2, 500), generator=generator).float()
    whole = high_table(LogisticMixture(TABLES, weights, means, scales), CPU)
    check_tables(whole)
    for part in (slice(0, 1), slice(3, 40), slice(41, 500)):
        one = LogisticMixture(TABLES, *(x[:, part].contiguous() for x in (weights, means, scales)))
        assert torch.equal(high_table(one, CPU), whole[part])


def test_a_mixture_is_the_logistic_that_it_says() -> None:
    mean, scale = 100.25, 3.0
    one = mixture([WEIGHT_TOTAL], [round(mean * MEAN_UNIT)], [scale_index(scale)])
    nearest = 2 ** ((scale_index(scale) - SCALE_ZERO) / 16)
    below = one.cumulative(EDGES)[:, 0].double() / CDF_TOTAL
    wanted = torch.sigmoid((EDGES[:, 0].double() - 0.5 - mean) / nearest)
    assert torch.allclose(below, wanted, atol=1e-3)


def test_the_narrowest_scale_is_certain() -> None:
    one = mixture([WEIGHT_TOTAL], [77 * MEAN_UNIT], [0])
    assert intervals(one, torch.tensor([77], dtype=torch.int32)).bits() < 1e-4


@given(st.lists(st.lists(st.integers(-(2**20), 2**20), min_size=3, max_size=3), min_size=1, max_size=8))
@example([[0, 0, 0]])
@example([[2**20, -(2**20), 0], [-(2**20), 2**20, 0]])
def test_gate_weights(logits: list[list[int]]) -> None:
    values = torch.tensor(logits).float()
    weights = TABLES.weights(values.clone())
    assert weights.dtype == torch.int32
    assert (weights >= 0).all()
    assert (weights.sum(0) == WEIGHT_TOTAL).all()
    wanted = torch.softmax(values.double() / LOGIT_UNIT, 0)
    assert torch.allclose(weights.double() / WEIGHT_TOTAL, wanted, atol=2 / WEIGHT_TOTAL)


def test_low_tables_follow_the_high_nibble() -> None:
    """The low table of one nibble is not that of another: it is the distribution within the nibble."""
    one = Repeated(mixture([WEIGHT_TOTAL], [40 * MEAN_UNIT], [SCALE_ZERO + 16]))
    low = low_table(one, ALL >> 4)
    assert low[40].argmax() == 40 & 15
    assert low[16].argmax() == 15
    assert low[63].argmax() == 0
