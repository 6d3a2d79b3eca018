"""The graphics model: its memory does what it says, its distributions are sound, both directions agree."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
from checker import CPU, backend, both_tables, check_backend
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import KINDS, Array, extremes, noise, piece, ramp
from torch import Tensor

from ridecodec.coding.tables import CDF_TOTAL, FAR, VALUES
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.models import registry
from ridecodec.models.graphics.backend import Graphics, packed
from ridecodec.models.graphics.memory import ENDS, MOST, NEIGHBOURS, UNKNOWN, Memory
from ridecodec.models.spikes import WEIGHT_BITS, Spikes, SpikeTables
from ridecodec.models.uniform import Flat
from ridecodec.payload import split_payload
from ridecodec.tilecoder import decode_tiles, encode_tile

FLAT = Flat(1)
TABLES = SpikeTables(SpikeTables.make())


def ignore(pixels: int, bits: float) -> None:
    pass


def icon(height: int, width: int, channels: int, seed: int) -> Array:
    """Few colours in runs, and some of a photograph; [C, H, W]."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (5, channels), np.uint8)
    shown = colours[rng.integers(0, 5, (-(-height // 3), -(-width // 4)))].repeat(3, 0).repeat(4, 1)[:height, :width]
    shown[: height // 3, : width // 2] = piece((height // 3, width // 2), seed)[:, :, None]
    return np.ascontiguousarray(shown.transpose(2, 0, 1))


@given(st.integers(1, 6), st.integers(0, 2**32), st.data())
def test_weights(parts: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.integers(-5000, 5000, (parts, 7)))
    alive = torch.from_numpy(rng.random((parts, 7)) < data.draw(st.sampled_from((0.1, 0.5, 1.0))))
    alive[-1] = True
    weights = TABLES.weights(logits, alive)
    assert (weights.sum(0) == 1 << WEIGHT_BITS).all()
    assert (weights >= 0).all()
    assert (weights[~alive] == 0).all()
    most = torch.where(alive, logits, -(10**6)).amax(0)
    for part in range(parts):
        best = alive[part] & (logits[part] == most)
        assert (weights[part][best] >= (1 << WEIGHT_BITS) // parts - parts).all()


@given(st.integers(0, 255), st.lists(st.integers(0, 255), min_size=1, max_size=5), st.integers(0, 2**32))
def test_spikes_are_a_distribution(top: int, values: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = torch.from_numpy(rng.multinomial(1 << WEIGHT_BITS, rng.dirichlet(np.ones(len(values) + 2))))[:, None]
    spikes = Spikes(torch.tensor(values)[:, None], weights, FLAT, torch.tensor([top]))
    edges = torch.tensor([-FAR, *range(1, VALUES), FAR])[:, None]
    below = spikes.cumulative(edges)[:, 0].long()
    assert below[0] == 0
    assert below[-1] == CDF_TOTAL
    mass = below.diff()
    assert (mass >= 0).all()
    for value in set(values):
        own = sum(int(w) for w, v in zip(weights[:-2, 0], values, strict=True) if v == value)
        assert mass[value] >= (own * CDF_TOTAL >> WEIGHT_BITS) - 1
    both_tables(Spikes(torch.tensor(values)[:, None], weights, FLAT, torch.tensor([top])), torch.tensor([top]))


class Plain:
    """The memory, from its description: contexts whole, in dictionaries."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, ...], tuple[int, int, int]] = {}

    def look(self, context: tuple[int, ...]) -> tuple[int, int, int]:
        return self.known.get(context, (-1, -1, UNKNOWN))

    def learn(self, context: tuple[int, ...], colour: int) -> None:
        latest, before, count = self.look(context)
        if latest == colour:
            self.known[context] = (colour, before, min(count + 1, MOST))
        else:
            self.known[context] = (colour, colour if latest < 0 else latest, 0)


def test_memory_does_what_it_says() -> None:
    """Two tiles, fronts of three pixels each; of two pixels of one context the last one is learnt."""
    rng = np.random.default_rng(1)
    memory, plain = Memory(2, 1 << 14, CPU), [[Plain() for _ in ENDS] for _ in range(2)]
    for _ in range(200):
        neighbours = torch.from_numpy(rng.integers(0, 3, (len(NEIGHBOURS), 6)) * 0x01020304)
        colours = torch.from_numpy(rng.integers(0, 4, 6))
        found = memory.look(neighbours)
        contexts = [[tuple(neighbours[:end, m].tolist()) for m in range(6)] for end in ENDS]
        for k in range(len(ENDS)):
            for m in range(6):
                said = (int(found.latest[k, m]), int(found.before[k, m]), int(found.counts[k, m]))
                assert said == plain[m // 3][k].look(contexts[k][m])
        memory.learn(found, colours)
        for k in range(len(ENDS)):
            before = [plain[m // 3][k].look(contexts[k][m]) for m in range(6)]
            for m in range(6):
                plain[m // 3][k].known[contexts[k][m]] = before[m]
                plain[m // 3][k].learn(contexts[k][m], int(colours[m]))


@settings(max_examples=12)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(0, 99))
def test_both_ways_agree(channels: int, height: int, width: int, tiles: int, seed: int) -> None:
    check_backend(backend("graphics"), [icon(height, width, channels, seed + k) for k in range(tiles)])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_round_trips(channels: int) -> None:
    model = backend("graphics")
    tiles = [icon(20, 31, channels, 1), noise((channels, 20, 31), 2), extremes((channels, 20, 31), 3)]
    tiles += [
        np.ascontiguousarray(ramp((20, 31, channels), 4).transpose(2, 0, 1)),
        np.zeros((channels, 20, 31), np.uint8),
    ]
    payloads = [encode_tile(model, tile, ignore).payload for tile in tiles]
    found = decode_tiles(model, payloads, channels, 20, 31, ignore)
    for tile, again in zip(tiles, found, strict=True):
        assert np.array_equal(tile, again)
    assert len(payloads[0]) < len(payloads[1]) / 3
    assert len(payloads[-1]) < 24


def test_repeats_cost_next_to_nothing() -> None:
    """A pattern with nothing in it that a neighbour would say, over and over."""
    pattern = noise((1, 8, 8), 1)
    model = backend("graphics")
    once, often = (len(encode_tile(model, np.tile(pattern, (1, n, n)), ignore).payload) for n in (2, 8))
    assert often - once < 0.15 * 60 * 64


def test_damage() -> None:
    model = backend("graphics")
    side, code = split_payload(encode_tile(model, icon(9, 9, 3, 1), ignore).payload)
    assert len(side) == 1
    for bad in (b"\0" + code, b"\2ab" + code):
        with pytest.raises(DamagedError):
            decode_tiles(model, [bad], 3, 9, 9, ignore)


def tensors() -> dict[str, Tensor]:
    card = registry.current("graphics")
    assert card.file is not None
    return safetensors.torch.load_file(card.file)


@pytest.mark.parametrize("name", ["first.hidden.weight", "later.out.bias", "tables.weights", "bins", "scales"])
def test_loader_refuses_other_tensors(name: str) -> None:
    held = tensors()
    for value in (held[name][:1], held[name].float() + 0.5, held[name].int() + (1 << 26)):
        with pytest.raises(ModelRefusedError):
            Graphics(safetensors.torch.save({**held, name: value.contiguous()}), CPU)


def test_colours_are_packed_by_channel() -> None:
    samples = torch.tensor([[1], [2], [3]])[:, :, None]
    assert packed(samples).item() == 0x010203


def test_kinds_of_pictures_compress() -> None:
    """Every kind of test picture goes through, and none explodes."""
    model = backend("graphics")
    for kind in KINDS:
        tile = np.ascontiguousarray(kind((16, 16, 3), 5).transpose(2, 0, 1))
        assert len(encode_tile(model, tile, ignore).payload) < 1.2 * tile.size + 16
