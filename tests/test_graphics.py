"""The graphics model: its memory does what it says, its distributions are sound, and all engines agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engines import SHAPES, check_engines, ignore
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import KINDS, Array, extremes, noise, piece, ramp

from ridecodec.container.payload import split_payload
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.reference import Reference
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.exact.families import Logistics, Spikes
from ridecodec.exact.memory import MOST, UNKNOWN, Memory, hashes
from ridecodec.exact.recorder import Recorder
from ridecodec.exact.tables import CDF_TOTAL, FAR, VALUES, intervals
from ridecodec.models import registry
from ridecodec.models.graphics.definition import ENDS, NEIGHBOURS
from ridecodec.models.graphics.side import LargestSample
from ridecodec.training import graphics as training

TABLES = Spikes.make_tables()


def model() -> ProgramCodec:
    found = registry.load(registry.current("graphics"))
    assert isinstance(found, ProgramCodec)
    return found


def icon(height: int, width: int, channels: int, seed: int) -> Array:
    """Few colours in runs, and some of a photograph; [C, H, W]."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (5, channels), np.uint8)
    shown = colours[rng.integers(0, 5, (-(-height // 3), -(-width // 4)))].repeat(3, 0).repeat(4, 1)[:height, :width]
    shown[: height // 3, : width // 2] = piece((height // 3, width // 2), seed)[:, :, None]
    return np.ascontiguousarray(shown.transpose(2, 0, 1))


@given(st.integers(1, 6), st.integers(0, 2**32), st.sampled_from((0.1, 0.5, 1.0)))
def test_weights(parts: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.integers(-5000, 5000, (parts + 2, 7))
    alive = (rng.random((parts, 7)) < share).astype(np.int64)
    weights = Spikes().weights(odds, alive, TABLES["odds"])
    assert (weights.sum(0) == 1 << Spikes.WEIGHT_BITS).all()
    assert (weights >= 0).all()
    assert (weights[:-2][alive == 0] == 0).all()
    can = np.concatenate([alive, np.ones((2, 7), np.int64)]) == 1
    best = can & (odds == np.where(can, odds, -(10**6)).max(0))
    assert (weights[best] >= (1 << Spikes.WEIGHT_BITS) // (parts + 2) - parts - 2).all()


@given(st.integers(0, 255), st.lists(st.integers(0, 255), min_size=1, max_size=5), st.integers(0, 2**32))
def test_spikes_are_a_distribution(top: int, values: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.integers(-300, 300, (len(values) + 2, 1))
    parts = {
        "values": np.array(values)[:, None],
        "alive": rng.integers(0, 2, (len(values), 1)),
        "odds": odds,
        "top": np.array([[top]]),
        "logits": np.zeros((1, 1), np.int64),
        "means": rng.integers(0, 255 * Logistics.MEAN_UNIT, (1, 1)),
        "scales": rng.integers(0, Logistics.SCALES, (1, 1)),
    }
    spikes = Spikes().distribution(parts, TABLES)
    below = spikes.cumulative(np.array([-FAR, *range(1, VALUES), FAR])[:, None])[:, 0]
    assert below[0] == 0
    assert below[-1] == CDF_TOTAL
    assert (np.diff(below) >= 0).all()
    weights = Spikes().weights(odds, parts["alive"], TABLES["odds"])[:-2, 0]
    for value in set(values):
        own = sum(int(w) for w, v in zip(weights, values, strict=True) if v == value)
        assert np.diff(below)[value] >= (own * CDF_TOTAL >> Spikes.WEIGHT_BITS) - 1
    known = np.arange(VALUES)
    many = {name: part.repeat(VALUES, 1) for name, part in parts.items()}
    exact = 2.0 ** -intervals(Spikes().distribution(many, TABLES), known).bits()
    real = 2.0 ** -Spikes().bits({name: part.astype(np.float64) for name, part in many.items()}, known, TABLES)
    assert np.allclose(exact, real, atol=2e-3)


class Plain:
    """The memory, from its description: contexts whole, in dictionaries."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, ...], tuple[int, int, int]] = {}

    def look(self, context: tuple[int, ...]) -> tuple[int, int, int]:
        return self.known.get(context, (-1, -1, UNKNOWN))

    def learn(self, context: tuple[int, ...], said: tuple[int, int, int], colour: int) -> None:
        latest, before, count = said
        if latest == colour:
            self.known[context] = (colour, before, min(count + 1, MOST))
        else:
            self.known[context] = (colour, colour if latest < 0 else latest, 0)


def test_memory_does_what_it_says() -> None:
    """Fronts of three pixels each; of two pixels of one context the last one is learnt."""
    rng = np.random.default_rng(1)
    memory, plain = Memory(len(ENDS), 1 << 14), [Plain() for _ in ENDS]
    for _ in range(200):
        neighbours = rng.integers(0, 3, (len(NEIGHBOURS), 3)) * 0x01020304
        colours = rng.integers(0, 4, 3)
        found = memory.look(hashes(neighbours, ENDS))
        said = found[: 3 * len(ENDS)].reshape(3, len(ENDS), 3)
        for k, end in enumerate(ENDS):
            contexts = [tuple(neighbours[:end, m].tolist()) for m in range(3)]
            for m in range(3):
                assert tuple(said[:, k, m]) == plain[k].look(contexts[m])
            for m in range(3):
                plain[k].learn(contexts[m], tuple(said[:, k, m].tolist()), int(colours[m]))
        memory.learn(found, colours)


def test_a_memory_learns_what_it_says() -> None:
    """Programs that teach a memory what it cannot hold, twice, or that teach something else, are refused."""

    def program(top: int, times: int, rows: int = 1, odd: bool = False, early: bool = False) -> None:
        ops = Recorder(1)
        near = ops.tap([(0, (0, -1))])
        found = ops.memory(near, [rows], top)
        for _ in range(times):
            ops.learn(near if odd else found, near if early else ops.sample(0))
        ops.output("even", {"top": near}, {})
        ops.program()

    program(255, 1)
    for wrong in (
        (254, 1),
        (255, 2),
        (255, 1, 2),
        (255, 1, 0),
        (1 << 32, 1),
        (255, 1, 1, True),
        (255, 1, 1, False, True),
    ):
        with pytest.raises(ModelRefusedError):
            program(*wrong)


@pytest.mark.parametrize("shape", SHAPES)
def test_engines_agree(shape: tuple[int, int]) -> None:
    check_engines(model(), icon(*shape, 3, 1))


@settings(max_examples=8)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_engines_agree_on_small_tiles(channels: int, height: int, width: int, seed: int) -> None:
    check_engines(model(), icon(height, width, channels, seed))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sizes(channels: int) -> None:
    tiles = [icon(20, 17, channels, 1), noise((channels, 20, 17), 2), extremes((channels, 20, 17), 3)]
    tiles += [np.ascontiguousarray(ramp((20, 17, channels), 4).transpose(2, 0, 1)), np.zeros_like(tiles[0])]
    sizes = [len(check_engines(model(), tile)) for tile in tiles]
    assert sizes[0] < sizes[1] / 2
    assert sizes[-1] < 24


def test_repeats_cost_next_to_nothing() -> None:
    """A pattern with nothing in it that a neighbour would say, over and over."""
    pattern = noise((1, 8, 8), 1)
    once, often = (len(model().encode(np.tile(pattern, (1, n, n)), ignore).payload) for n in (2, 8))
    assert often - once < 0.15 * 60 * 64


def test_likelihood() -> None:
    """The float model's rate is that of the integers, but for their rounding."""
    tile = icon(40, 50, 3, 1)
    found = model().encode(tile, ignore)
    real = model().likelihood(tile, split_payload(found.payload)[0])
    assert real.sum() == pytest.approx(found.bits.sum(dtype=np.float64), rel=0.01)


def test_damage() -> None:
    side, code = split_payload(model().encode(icon(9, 9, 3, 1), ignore).payload)
    assert len(side) == 1
    for bad in (b"\0" + code, b"\2ab" + code):
        with pytest.raises(DamagedError):
            model().decode([bad], 3, 9, 9, ignore)
    gradient = registry.load(registry.current("gradient"))
    assert isinstance(gradient, ProgramCodec)
    with pytest.raises(ModelRefusedError):
        LargestSample(gradient.programs[1], {})


def test_kinds_of_pictures_compress() -> None:
    """Every kind of test picture goes through, and none explodes."""
    for kind in KINDS:
        tile = np.ascontiguousarray(kind((16, 16, 3), 5).transpose(2, 0, 1))
        assert len(model().encode(tile, ignore).payload) < 1.2 * tile.size + 16


def test_training_sees_what_is_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code length that the networks learn from is that of their programs."""
    monkeypatch.setattr(training, "_EASY", 1.0)
    torch.manual_seed(1)
    nets = training.untrained()
    programs, rng = training.programs(nets), np.random.default_rng(1)
    for channels in (2, 3):
        tile = icon(20, 30, channels, 2)
        with torch.no_grad():
            learnt = sum(
                float(nets[name].bits(part).sum()) for name, part in training.samples(programs[channels], tile, rng)
            )
        bits = Reference().open(programs[channels]).encode(tile, [np.array([tile.max()], np.int32)], ignore).bits
        assert learnt == pytest.approx(bits.sum(dtype=np.float64), rel=0.01)
