"""The model of 16-bit samples: sound distributions, prediction, both directions agree."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
from checker import CPU, backend, check_backend, check_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import Array, crop

from ridecodec.coding.tables import CDF_TOTAL, FAR, VALUES, high_table, low_table
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.models import registry
from ridecodec.models.deep import prediction
from ridecodec.models.deep.backend import Deep
from ridecodec.models.deep.mixture import MEAN_UNIT, SCALES, TOP, WEIGHT_TOTAL, DeepMixture, DeepTables, High, Low
from ridecodec.models.deep.parting import parted, parted_samples
from ridecodec.payload import split_payload
from ridecodec.tilecoder import decode_tiles, encode_tile

TABLES = DeepTables(**DeepTables.make())


def ignore(pixels: int, bits: float) -> None:
    pass


def bytes_of(samples: NDArray[np.uint16]) -> Array:
    """The planes [2 C, H, W] of samples [C, H, W]."""
    return parted(samples)


def smooth(channels: int, height: int, width: int, seed: int) -> NDArray[np.uint16]:
    """Waves of 16 bits with a little noise, and an edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 30000 + 20000 * np.sin(x / 9 + seed) * np.cos(y / 7) + 8000 * (x > y)
    planes = [waves * (1 - 0.1 * c) + rng.normal(0, 40, waves.shape) for c in range(channels)]
    return np.stack(planes).clip(0, TOP).astype(np.uint16)


@st.composite
def mixtures(draw: st.DrawFn) -> DeepMixture:
    """A mixture of one sample, its parameters anywhere within their limits."""
    count = draw(st.integers(1, 4))
    cuts = sorted(draw(st.lists(st.integers(0, WEIGHT_TOTAL), min_size=count - 1, max_size=count - 1)))
    weights = torch.tensor([0, *cuts, WEIGHT_TOTAL]).diff()
    means = draw(st.lists(st.integers(0, MEAN_UNIT * TOP), min_size=count, max_size=count))
    scales = draw(st.lists(st.integers(0, SCALES - 1), min_size=count, max_size=count))
    return DeepMixture(TABLES, weights[:, None], torch.tensor(means).double()[:, None], torch.tensor(scales)[:, None])


@given(mixtures(), st.integers(0, 255))
def test_halves_are_distributions(mixture: DeepMixture, high: int) -> None:
    edges = torch.tensor([-FAR, *range(1, VALUES), FAR])[:, None]
    for part in (High(mixture), Low(mixture, torch.tensor([high]))):
        below = part.cumulative(edges)[:, 0].long()
        assert below[0] == 0
        assert below[-1] == CDF_TOTAL
        assert (below.diff() >= 0).all()
        check_tables(high_table(part, CPU))
        check_tables(low_table(part, torch.tensor([3])))


@given(mixtures())
def test_mass_rises_with_every_value(mixture: DeepMixture) -> None:
    below = mixture.below(torch.arange(TOP + 2)[:, None])[:, 0]
    assert below[0] == 0
    assert below[-1] == CDF_TOTAL + TOP + 1
    assert (below.diff() >= 1).all()


@settings(max_examples=8)
@given(st.sampled_from((1, 3)), st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(0, 99))
def test_both_ways_agree(channels: int, height: int, width: int, tiles: int, seed: int) -> None:
    check_backend(backend("deep"), [bytes_of(smooth(channels, height, width, seed + k)) for k in range(tiles)])


@pytest.mark.parametrize("channels", [1, 3])
def test_round_trips(channels: int) -> None:
    """Coefficients of the tile's own, and the default ones in one batch."""
    model = backend("deep")
    rng = np.random.default_rng(1)
    noise = rng.integers(0, TOP + 1, (channels, 36, 33), np.uint16)
    flat = np.full_like(noise, TOP)
    shape = (36, 33)
    photo = np.stack([crop("camera", *shape) * np.uint16(200) + np.uint16(c) for c in range(channels)])
    tiles = [bytes_of(each) for each in (smooth(channels, *shape, 1), noise, flat, photo, np.zeros_like(noise))]
    payloads = [encode_tile(model, tile, ignore).payload for tile in tiles]
    assert split_payload(payloads[0])[0]
    found = decode_tiles(model, payloads, 2 * channels, *shape, ignore)
    for tile, again in zip(tiles, found, strict=True):
        assert np.array_equal(tile, again)
    sizes = [len(payload) for payload in payloads]
    assert sizes[0] < 0.62 * sizes[1]
    assert sizes[1] < 1.07 * 2 * noise.size + 100
    assert max(sizes[2], sizes[4]) < 150


def test_prediction_finds_a_plane() -> None:
    """Of samples on a plane every one but the border's is predicted exactly."""
    y, x = np.mgrid[:40, :40]
    samples = (1000 + 37 * x + 11 * y).astype(np.uint16)[None]
    payload = encode_tile(backend("deep"), bytes_of(samples), ignore).payload
    assert len(payload) < 350


@given(st.integers(1, 3), st.integers(0, 16), st.integers(0, 2**32))
def test_a_fit_does_not_depend_on_the_order_of_summation(channels: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    near = torch.from_numpy(rng.integers(0, 1 << bits, (channels, len(prediction.NEAR), 2000))).double()
    values = torch.from_numpy(rng.integers(0, 1 << bits, (channels, 2000))).double()
    order = torch.from_numpy(rng.permutation(2000))
    one, other = prediction.fit(near, values), prediction.fit(near[:, :, order], values[:, order])
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@given(st.integers(1, 3), st.integers(0, 2**32))
def test_coefficients_are_sent_as_they_are(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = [torch.from_numpy(rng.integers(-(1 << 15), 1 << 15, prediction.count(c))).double() for c in range(channels)]
    again = prediction.unpack(prediction.pack(whole), channels)
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
    with pytest.raises(DamagedError):
        prediction.unpack(prediction.pack(whole) + b"x", channels)


def test_samples_and_their_bytes() -> None:
    samples = np.random.default_rng(1).integers(0, TOP + 1, (3, 5, 4), np.uint16)
    planes = bytes_of(samples)
    assert planes.shape == (6, 5, 4)
    assert np.array_equal(planes[::2], samples >> 8)
    assert np.array_equal(parted_samples(planes), samples)


@pytest.mark.parametrize("name", ["tables.logistic", "tables.inverse", "scales", "weights"])
def test_loader_refuses_other_tensors(name: str) -> None:
    card = registry.current("deep")
    assert card.file is not None
    held = safetensors.torch.load_file(card.file)
    for value in (held[name][:1], held[name].int() + 2000000000, held[name].float() + 0.5):
        with pytest.raises(ModelRefusedError):
            Deep(safetensors.torch.save({**held, name: value.contiguous()}), CPU)
