"""The model of 16-bit samples: sound distributions, prediction, and all engines agree."""

from __future__ import annotations

import numpy as np
import pytest
from engines import SHAPES, check_engines, ignore
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import crop

from ridecodec.container.payload import split_payload
from ridecodec.engines.codec import ProgramCodec
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.families import Logistics, WideHigh, WideLow
from ridecodec.exact.families.wide import TOP
from ridecodec.exact.ranges import Int64, Range
from ridecodec.exact.tables import CDF_TOTAL, FAR, VALUES, high_table, low_table
from ridecodec.models import registry
from ridecodec.models.deep.parting import parted, parted_samples

TABLES = WideHigh.make_tables()
Parts = dict[str, Int64]


def model() -> ProgramCodec:
    found = registry.load(registry.current("deep"))
    assert isinstance(found, ProgramCodec)
    return found


def smooth(channels: int, height: int, width: int, seed: int) -> NDArray[np.uint16]:
    """Waves of 16 bits with a little noise, and an edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 30000 + 20000 * np.sin(x / 9 + seed) * np.cos(y / 7) + 8000 * (x > y)
    planes = [waves * (1 - 0.1 * c) + rng.normal(0, 40, waves.shape) for c in range(channels)]
    return np.stack(planes).clip(0, TOP).astype(np.uint16)


@st.composite
def mixtures(draw: st.DrawFn) -> Parts:
    """A mixture of one sample, its parts anywhere within their limits."""
    size = draw(st.integers(1, 4))

    def part(least: int, most: int) -> Int64:
        return np.array(draw(st.lists(st.integers(least, most), min_size=size, max_size=size)))[:, None]

    means, scales = part(0, WideHigh.MEAN_UNIT * TOP), part(0, WideHigh.SCALES - 1)
    return {"logits": part(-400, 400), "means": means, "scales": scales}


@given(mixtures(), st.integers(0, 255))
def test_bytes_are_distributions(parts: Parts, high: int) -> None:
    edges = np.array([-FAR, *range(1, VALUES), FAR])[:, None]
    low = parts | {"high": np.array([[high]])}
    for part in (WideHigh().distribution(parts, TABLES), WideLow().distribution(low, TABLES)):
        below = part.cumulative(edges)[:, 0]
        assert below[0] == 0
        assert below[-1] == CDF_TOTAL
        assert (np.diff(below) >= 0).all()
        for table in (high_table(part), low_table(part, np.array([3]))):
            assert (table >= 0).all()


@given(mixtures(), st.integers(0, TOP))
def test_both_bytes_together_are_the_mixture(parts: Parts, value: int) -> None:
    """Their code lengths sum to that of the sample, in integers and in floats."""
    high, low = np.array([value >> 8]), np.array([value & 255])
    told = parts | {"high": high[None]}
    steps = ((WideHigh(), parts, high), (WideLow(), told, low))
    mass = 1.0
    for family, given_parts, known in steps:
        below = family.distribution(given_parts, TABLES).cumulative(np.stack([known, known + 1]))
        mass *= (below[1, 0] - below[0, 0]) / CDF_TOTAL
    real = sum(
        float(f.bits({k: v.astype(np.float64) for k, v in p.items()}, known, TABLES)[0]) for f, p, known in steps
    )
    inverse = np.exp2((WideHigh.SCALE_ZERO - parts["scales"]) / WideHigh.SCALE_UNIT)
    ends = [-1e9 if value == 0 else value - 0.5, 1e9 if value == TOP else value + 0.5]
    lower, upper = (np.tanh((end - parts["means"] / WideHigh.MEAN_UNIT) * inverse / 2) / 2 for end in ends)
    wanted = float((Logistics.gate(parts["logits"].astype(np.float64)) * (upper - lower)).sum())
    assert mass == pytest.approx(wanted, rel=0.02, abs=3 / WideHigh.WEIGHT_TOTAL)
    assert 2.0**-real == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_parts_out_of_range_are_refused() -> None:
    good = {"logits": Range.of(3, -99, 99), "means": Range.of(3, 0, 32 * TOP), "scales": Range.of(3, 0, 999)}
    WideHigh().check(good, TABLES, 255)
    for name, wrong in (
        ("means", Range.of(3, -1, 0)),
        ("means", Range.of(3, 0, 32 * TOP + 1)),
        ("scales", Range.of(2, 0, 1)),
    ):
        with pytest.raises(ModelRefusedError):
            WideHigh().check({**good, name: wrong}, TABLES, 255)
    for name in TABLES:
        with pytest.raises(ModelRefusedError):
            WideHigh().check(good, {**TABLES, name: -TABLES[name]}, 255)
    for high in (Range.of(2, 0, 255), Range.of(1, 0, 256)):
        with pytest.raises(ModelRefusedError):
            WideLow().check({**good, "high": high}, TABLES, 255)


@pytest.mark.parametrize("shape", SHAPES)
def test_engines_agree(shape: tuple[int, int]) -> None:
    check_engines(model(), parted(smooth(1 if 300 in shape else 3, *shape, 1)))


@settings(max_examples=8)
@given(st.sampled_from((1, 3)), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_engines_agree_on_small_tiles(channels: int, height: int, width: int, seed: int) -> None:
    check_engines(model(), parted(smooth(channels, height, width, seed)))


@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(channels: int) -> None:
    rng = np.random.default_rng(1)
    shape = (36, 33)
    noise = rng.integers(0, TOP + 1, (channels, *shape), np.uint16)
    flat = np.full_like(noise, TOP)
    photo = np.stack([crop("camera", *shape) * np.uint16(200) + np.uint16(c) for c in range(channels)])
    tiles = [parted(each) for each in (smooth(channels, *shape, 1), noise, flat, photo, np.zeros_like(noise))]
    payloads = [model().encode(tile, ignore).payload for tile in tiles]
    check_engines(model(), tiles[0])
    sizes = [len(payload) for payload in payloads]
    assert sizes[0] < 0.62 * sizes[1]
    assert sizes[1] < 1.07 * 2 * noise.size + 100
    assert max(sizes[2], sizes[4]) < 150


def test_likelihood() -> None:
    """The float model's rate is that of the integers, but for their rounding."""
    tile = parted(smooth(3, 40, 50, 1))
    found = model().encode(tile, ignore)
    real = model().likelihood(tile, split_payload(found.payload)[0])
    assert real.sum() == pytest.approx(found.bits.sum(dtype=np.float64), rel=0.02)


def test_prediction_finds_a_plane() -> None:
    """Samples on a plane are predicted ever better: most of the code is for the first rows."""
    y, x = np.mgrid[:40, :40]
    samples = (1000 + 37 * x + 11 * y).astype(np.uint16)[None]
    assert len(model().encode(parted(samples), ignore).payload) < 600


def test_samples_and_their_bytes() -> None:
    samples = np.random.default_rng(1).integers(0, TOP + 1, (3, 5, 4), np.uint16)
    planes = parted(samples)
    assert planes.shape == (6, 5, 4)
    assert np.array_equal(planes[::2], samples >> 8)
    assert np.array_equal(parted_samples(planes), samples)
