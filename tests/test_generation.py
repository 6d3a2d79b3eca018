"""Sampling with the codec's own tables, and inpainting against brute force on toy models."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import TileCodec
from ridecodec.errors import InputError, UsageError
from ridecodec.generation import inpainting
from ridecodec.generation.ancestral import code_lengths, draw, reach
from ridecodec.generation.inpainting import BEFORE, BLOCK, WINDOW, Chain, Settings, inpaint, log_acceptance
from ridecodec.generation.sampling import MARGIN, Known, Numbers, sample, sample_in_margin
from ridecodec.generation.synthesis import PERCENTILES, Length, learn, split
from ridecodec.models import registry
from ridecodec.models.programs import program_codec
from ridecodec.models.ride.export import pack
from ridecodec.models.ride.network import Ride, RideConfig

CPU = torch.device("cpu")
BYTES = (0, 255)


def coder(name: str) -> TileCodec:
    if name == "ride":
        return program_codec("ride", pack([toy(c, channels=3, channel=c, layers=1) for c in range(3)]))
    return registry.load(registry.current(name), "cpu")


def toy(seed: int = 1, deviation: float = 150.0, **options: int) -> Ride:
    """A small network with random weights, whitened for values around 128 or, with a small deviation, around 2."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Ride(RideConfig(**{"components": 2, "scales": 2, "features": 3, "hidden": 6, "width": 3, **options}))
        taps = len(net.config.taps)
        middle = 128.0 if deviation > 5 else 2.0
        net.whitening.mean.fill_(middle)
        net.whitening.matrix.copy_(torch.eye(taps) / deviation)
        net.whitening.predictor.copy_(torch.rand(taps) / taps)
        net.whitening.middle.fill_(middle)
        net.whitening.deviation.fill_(deviation / 2)
        for layer in net.layers:  # long memories, so that a wrong state shows
            layer.recurrent.data.uniform_(-1, 1)
            layer.input.weight.data.uniform_(-1, 1)
    return net.requires_grad_(False)


def noise(*shape: int, top: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, top, shape, dtype=np.uint8)


@pytest.mark.parametrize(("name", "channels"), [("uniform", 3), ("gradient", 1), ("photo", 3), ("ride", 3)])
def test_sample_is_what_the_decoder_would_decode(name: str, channels: int) -> None:
    """Drawing again by a plain inversion of the same tables gives the sample, and the sample codes and decodes."""
    model = coder(name)
    drawn = sample(model, channels, 9, 11, seed=5)
    numbers = Numbers(5)

    def symbols(table: NDArray[np.float32]) -> NDArray[np.int64]:
        fallen = numbers.below(1 << 24, len(table))
        edges = np.cumsum(table.astype(np.int64) + 1, axis=1)
        return (edges <= fallen[:, None]).sum(1)

    again = model.draw(symbols, lambda c, y, x, values: values, channels, 9, 11, b"", lambda pixels, bits: None)
    assert np.array_equal(again, drawn)
    decoded = model.decode([code_of(model, drawn)], channels, 9, 11, lambda pixels, bits: None)
    assert np.array_equal(decoded[0], drawn)


def code_of(model: TileCodec, planes: NDArray[np.uint8]) -> bytes:
    """The payload of a tile."""
    return model.encode(planes, lambda pixels, bits: None).payload


def test_sample_depends_on_the_seed_alone() -> None:
    model = coder("gradient")
    first = sample_in_margin(model, 3, 20, 24, seed=7)
    assert first.shape == (3, 20, 24)
    assert np.array_equal(first, sample_in_margin(model, 3, 20, 24, seed=7))
    assert not np.array_equal(first, sample_in_margin(model, 3, 20, 24, seed=8))
    assert Numbers(1).below(1000, 4).tolist() == [511, 950, 144, 948]  # PCG64's raw output never changes


def test_sample_keeps_what_is_known_and_clamps_the_rest() -> None:
    model = coder("gradient")
    values, mask = noise(1, 16, 16), np.zeros((16, 16), np.bool_)
    mask[3:9, 5:16] = True
    drawn = sample(model, 1, 16, 16, seed=1, known=Known(values, mask), limits=(100, 140))
    assert np.array_equal(drawn[0][mask], values[0][mask])
    assert drawn[0][~mask].min() == 100
    assert drawn[0][~mask].max() == 140


def test_margin_comes_from_the_pool() -> None:
    drawn = sample_in_margin(coder("uniform"), 1, 40, 40, seed=1, limits=(10, 200))
    assert (drawn.min(), drawn.max()) == (10, 200)
    black = sample_in_margin(coder("gradient"), 1, 30, 30, seed=1, pool=np.zeros((1, 1), np.uint8))
    assert black[0, :2].mean() < 5  # smooth surroundings stay smooth for a while
    assert MARGIN == 8


@pytest.mark.parametrize("options", [{"layers": 0}, {"layers": 1}, {"layers": 2, "extended": True}, {"width": 5}])
def test_code_lengths_are_the_networks_bits(options: dict[str, int]) -> None:
    net = toy(**options)
    top, side = reach(net.config.hood)
    planes = torch.from_numpy(noise(2, 1, 8 + top, 9 + 2 * side)).float()
    planes[:, :, -1, 3] = torch.tensor([0.0, 255.0])[:, None]
    wanted = net.bits(planes).permute(2, 0, 1)
    torch.testing.assert_close(code_lengths([net], planes, BYTES), wanted, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(code_lengths([net], planes, BYTES, 3), wanted[:, 3:], atol=1e-3, rtol=1e-3)


def test_limits_take_the_tails() -> None:
    net = toy(deviation=1.5)
    top, side = reach(net.config.hood)
    planes = torch.from_numpy(noise(1, 1, 2 + top, 2 + 2 * side, top=4)).float().repeat(4, 1, 1, 1)
    planes[:, 0, -1, side + 1] = torch.arange(4.0)
    masses = torch.exp2(-code_lengths([net], planes, (0, 3))[:, 1, 1])
    assert float(masses.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("options", [{"layers": 0}, {"layers": 1}, {"layers": 2, "extended": True, "width": 5}])
def test_draws_follow_the_density(options: dict[str, int]) -> None:
    """The states along the wavefront are those of the whole map: joint frequencies of three pixels are right."""
    net = toy(deviation=1.5, **options)
    top, side = reach(net.config.hood)
    height, width, count = 5, 6, 10_000
    planes = torch.from_numpy(noise(1, 1, height + top, width + 2 * side, top=3)).float()
    missing = torch.zeros(1, height, width, dtype=torch.bool)
    holes = [(2, 2), (3, 1), (4, 4)]
    for y, x in holes:
        missing[0, y, x] = True
    many = planes.repeat(27, 1, 1, 1)
    states = torch.tensor(list(itertools.product(range(3), repeat=3)))
    for i, (y, x) in enumerate(holes):
        many[:, 0, y + top, x + side] = states[:, i].float()
    wanted = torch.exp2(-code_lengths([net], many, (0, 2))[:, missing[0]].sum(1))
    assert float(wanted.sum()) == pytest.approx(1, abs=1e-4)
    generator = torch.Generator().manual_seed(1)
    drawn = draw([net], planes.repeat(count, 1, 1, 1), missing.expand(count, -1, -1), (0, 2), generator)
    assert torch.equal(drawn.where(drawn == planes, planes), planes.expand_as(drawn))
    found = drawn[:, 0, top:, side:-side][:, missing[0]].long() @ torch.tensor([9, 3, 1])
    frequencies = torch.bincount(found, minlength=27) / count
    assert float((frequencies - wanted).abs().sum()) / 2 < 0.035  # 0.02 by chance


def test_channels_are_drawn_in_their_order() -> None:
    nets = [toy(c, 1.5, channels=3, channel=c, layers=1) for c in range(3)]
    top, side = reach(nets[0].config.hood)
    planes = torch.from_numpy(noise(1, 3, 3 + top, 3 + 2 * side, top=2)).float()
    many = planes.repeat(8, 1, 1, 1)
    many[:, :, top + 1, side + 1] = torch.tensor(list(itertools.product(range(2), repeat=3))).float()
    wanted = torch.exp2(-code_lengths(nets, many, (0, 1))[:, 1, 1])
    missing = torch.zeros(20_000, 3, 3, dtype=torch.bool)
    missing[:, 1, 1] = True
    drawn = draw(nets, planes.repeat(20_000, 1, 1, 1), missing, (0, 1), torch.Generator().manual_seed(1))
    found = drawn[:, :, top + 1, side + 1].long() @ torch.tensor([4, 2, 1])
    assert float((torch.bincount(found, minlength=8) / 20_000 - wanted).abs().sum()) / 2 < 0.015


@pytest.mark.parametrize("options", [{"layers": 0, "width": 5}, {"layers": 1}, {"layers": 1, "width": 7}])
def test_acceptance_is_that_of_brute_force(options: dict[str, int]) -> None:
    """Equation 9 term by term, with the network's own code lengths of complete windows."""
    net = toy(**options)
    top, side = reach(net.config.hood)
    old = torch.from_numpy(noise(3, 1, WINDOW + top, WINDOW + 2 * side)).float()
    drawn = torch.rand(3, BLOCK, BLOCK, generator=torch.Generator().manual_seed(1)) < 0.7
    new = old.clone()
    block = new[:, 0, top + BEFORE : top + BEFORE + BLOCK, side + BEFORE : side + BEFORE + BLOCK]
    block[drawn] = (block[drawn] + 31) % 256
    inside = torch.ones(3, WINDOW, WINDOW, dtype=torch.bool)
    inside[2, :, 15:] = False
    ratio = log_acceptance([net], old, new, drawn, inside, BYTES)
    for i in range(3):
        total = 0.0
        for planes, sign in ((new, 1), (old, -1)):
            bits = net.bits(planes[i : i + 1])[..., 0].double()
            joint, proposal = -bits[inside[i]].sum(), 0.0
            for y, x in itertools.product(range(BLOCK), repeat=2):
                if drawn[i, y, x]:
                    proposal -= float(bits[BEFORE + y, BEFORE + x])
            total += sign * (float(joint) - proposal)
        assert float(ratio[i]) == pytest.approx(total * math.log(2), abs=0.01)


def test_chain_approaches_the_exact_conditional() -> None:
    """Many equal holes far apart are many chains at once; their states against all 3^3 by enumeration."""
    net = toy(deviation=1.5)
    pitch, repeats, limits = 21, 16, (0, 2)
    tile = noise(pitch, pitch, top=3)
    hole = np.zeros_like(tile, np.bool_)
    hole[8, 9:11] = hole[9, 9] = True
    picture = np.tile(tile, (repeats, repeats))[None]
    settings = Settings(fills=1, sweeps=0, flips=False, limits=limits)
    chain = Chain([net], picture, np.tile(hole, (repeats, repeats)), settings)
    chain.start()
    counts = np.zeros(27)
    for sweep in range(6):
        assert 0.2 < chain.sweep() < 1
        if sweep >= 2:
            tiles = chain.picture().reshape(repeats, pitch, repeats, pitch).transpose(0, 2, 1, 3)
            inner = tiles[1:-1, 1:-1].reshape(-1, pitch, pitch)  # away from the border
            counts += np.bincount(inner[:, hole].astype(np.int64) @ [9, 3, 1], minlength=27)
    states = np.array(list(itertools.product(range(3), repeat=3)), np.uint8)
    many = np.tile(tile, (27, 1, 1))
    many[:, hole] = states
    lengths = code_lengths([net], torch.from_numpy(many[:, None]).float(), limits)
    wanted = torch.softmax(-math.log(2) * lengths.double().sum((1, 2)), 0).numpy()
    found = counts / counts.sum()
    assert abs(found - wanted).sum() / 2 < 0.1  # 0.07 by chance
    prior = Chain([net], picture, np.tile(hole, (repeats, repeats)), settings)
    prior.start()
    fills = prior.picture().reshape(repeats, pitch, repeats, pitch).transpose(0, 2, 1, 3)[:, :, hole].reshape(-1, 3)
    first = np.bincount(fills.astype(np.int64) @ [9, 3, 1], minlength=27) / len(fills)
    assert abs(first - wanted).sum() / 2 > 0.15  # the ancestral fill knows nothing of what follows


def test_holes_at_the_border_are_filled() -> None:
    picture, mask = noise(1, 21, 17), np.zeros((21, 17), np.bool_)
    mask[:4, 12:] = mask[19:, :9] = True
    reports = list(inpaint([toy(layers=1)], picture, mask, Settings(fills=2, sweeps=3)))
    assert [r.sweep for r in reports] == [0, 1, 2, 3]
    for report in reports:
        assert np.array_equal(report.planes[:, ~mask], picture[:, ~mask])
        assert 0 <= report.acceptance <= 1
        assert math.isfinite(report.log_density)
    again = list(inpaint([toy(layers=1)], picture, mask, Settings(fills=2, sweeps=3)))
    assert np.array_equal(reports[-1].planes, again[-1].planes)


def test_densest_fill_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, mask = noise(1, 30, 30), np.zeros((30, 30), np.bool_)
    mask[10:20, 10:20] = True
    densities = []
    measure = Chain._log_density
    monkeypatch.setattr(
        inpainting.Chain, "_log_density", lambda self, v: densities.append(measure(self, v)) or densities[-1]
    )
    report = next(iter(inpaint([toy()], picture, mask, Settings(fills=4))))
    assert len(densities) == 5
    assert report.log_density == max(densities[:4]) > min(densities[:4])


def test_what_cannot_be_inpainted_is_refused() -> None:
    picture, mask = noise(1, 30, 30), np.zeros((30, 30), np.bool_)
    for wrong, said in (
        (mask, "the mask is empty"),
        (~mask, "covers the whole picture"),
        (np.ones((9, 30), np.bool_), "30x9"),
    ):
        with pytest.raises(UsageError, match=said):
            next(inpaint([toy()], picture, wrong, Settings()))
    mask[4, 4] = True
    with pytest.raises(UsageError, match="gray"):
        next(inpaint([toy()], noise(3, 30, 30), mask, Settings()))
    with pytest.raises(UsageError, match="one network per channel"):
        next(inpaint([toy(), toy(), toy()], noise(3, 30, 30), mask, Settings()))


def test_rgb_holes_are_filled() -> None:
    nets = [toy(c, channels=3, channel=c, layers=1) for c in range(3)]
    picture, mask = noise(3, 30, 30), np.zeros((30, 30), np.bool_)
    mask[12:16, 12:16] = True
    report = list(inpaint(nets, picture, mask, Settings(fills=2, sweeps=1)))[-1]
    assert np.array_equal(report.planes[:, ~mask], picture[:, ~mask])
    assert not np.array_equal(report.planes, picture)


def test_texture_is_cut_into_sixteen_regions() -> None:
    texture = noise(1, 163, 170)
    regions, held = split(texture, seed=4)
    assert len(regions) == 15
    assert {region.shape for region in [*regions, held]} == {(1, 40, 42)}
    assert len({region.tobytes() for region in [*regions, held]}) == 16
    with pytest.raises(InputError, match="170x150"):
        split(texture[:, :150], seed=4)


def test_texture_is_learnt_and_sampled() -> None:
    """An MCGSM of stripes knows them at once, and its samples stay between the texture's percentiles."""
    channels = 3  # the command line's test has one
    stripes = np.where(np.arange(160) // 2 % 2, 60, 180)[:, None] + noise(channels, 160, 160, top=8)
    stripes = stripes.astype(np.uint8)
    options = {"components": 2, "features": 4, "width": 5}
    learnt = learn(stripes, "mcgsm", Length(steps=10), 1, lambda line: None, **options)
    assert len(learnt.nets) == channels
    assert learnt.rates.likelihood < 6
    assert learnt.rates.density == pytest.approx(8 - learnt.rates.likelihood, abs=0.2)
    drawn = learnt.sample(12, 20, seed=1)
    assert drawn.shape == (channels, 12, 20)
    assert np.array_equal(drawn, learnt.sample(12, 20, seed=1))
    low, high = np.percentile(np.stack(learnt.training), PERCENTILES)
    assert low <= drawn.min() <= drawn.max() <= high
