"""RIDE and the MCGSM as programs: equal on every engine, near the float networks, and ensembles of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
import safetensors.numpy
import torch
from checker import coding_planes
from engines import SHAPES, check_engines
from numpy.typing import NDArray
from pictures import crop

from ridecodec.engines.board import Board
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.orientations import WAYS, Orientations, inverse, transform
from ridecodec.engines.tilecoder import decode_tiles, encode_tile
from ridecodec.engines.torch.engine import Torch
from ridecodec.errors import DamagedError, InputError, UsageError
from ridecodec.exact.parts import BORDER
from ridecodec.models import registry
from ridecodec.models.programs import program_codec
from ridecodec.models.ride.export import export, pack, read_checkpoint
from ridecodec.models.ride.floats import networks
from ridecodec.models.ride.network import Ride, RideConfig

SMALL = RideConfig(hidden=6, components=4, scales=3, features=5)
VARIANTS = {
    "mcgsm": replace(SMALL, width=9),
    "mcgsm-wide": replace(SMALL, width=9, height=5),
    "mcgsm-full": replace(SMALL, features=None),
    "mcgsm-13": replace(SMALL, width=13),
    "ride-3": replace(SMALL, layers=1, width=3),
    "ride-extended": replace(SMALL, layers=1, extended=True),
    "ride-2": replace(SMALL, layers=2, width=7),
    "ride-3-layers": replace(SMALL, layers=3),
    "ride-full": replace(SMALL, layers=1, features=None),
    "mcgsm-indicators": replace(SMALL, width=9, indicators=True),
    "mcgsm-full-indicators": replace(SMALL, height=1, features=None, indicators=True),
    "ride-2-indicators": replace(SMALL, layers=2, width=7, indicators=True),
    "ride-extended-indicators": replace(SMALL, layers=1, extended=True, indicators=True),
}


def quiet(pixels: int, bits: float) -> None:
    pass


def trained_like(config: RideConfig, seed: int = 1) -> Ride:
    """A network with large random weights, whitened on a photograph: gates and memories take all their values."""
    torch.manual_seed(seed)
    net = Ride(config)
    for layer in net.layers:
        torch.nn.init.normal_(layer.input.weight, std=0.5)
        torch.nn.init.normal_(layer.input.bias, std=0.5)
        torch.nn.init.normal_(layer.recurrent, std=0.8)
    torch.nn.init.normal_(net.mcgsm.priors)
    torch.nn.init.normal_(net.mcgsm.precisions, std=1.5)
    torch.nn.init.normal_(net.mcgsm.means, std=0.3)
    planes = torch.from_numpy(coding_planes(picture(config.channels, 64, 48)))[None]
    x, y = net.gather(planes.float() + 0.5)
    net.whitening.fit(x.flatten(0, 2), y.flatten())
    return net


def trained_set(config: RideConfig) -> list[Ride]:
    return [trained_like(replace(config, channel=c), c) for c in range(config.channels)]


def picture(channels: int, height: int, width: int) -> NDArray[np.uint8]:
    found = crop("astronaut", height, width)
    return found if channels == 3 else np.ascontiguousarray(found[:, :, 1])


def build(nets: list[Ride]) -> ProgramCodec:
    return program_codec("ride", pack(nets))


def float_bits(nets: list[Ride], tile: NDArray[np.uint8]) -> float:
    """Bits of a tile by the float networks; it stands in what `exact.order` puts around it."""
    config = nets[0].config
    height, width = tile.shape[1:]
    seen = tile.astype(np.float32)
    if not config.indicators:
        hood = config.hood
        board = Board(hood, height, width, [(BORDER, 128)] * len(tile), np.int64)
        board.fill(0, tile)
        reach = max(hood.left, hood.right)
        seen = board.values[:, :, board.left - reach : board.left + width + hood.right]
        seen = np.pad(seen, ((0, 0), (0, 0), (0, reach - hood.right)), "edge")
    with torch.no_grad():
        planes = torch.from_numpy(seen)[None].float()
        return sum(float(net.bits(planes).double().sum()) for net in nets)


@pytest.mark.parametrize("name", VARIANTS)
def test_engines_are_equal(name: str) -> None:
    model = build([trained_like(VARIANTS[name])])
    for tile in (coding_planes(picture(1, 13, 17)), np.full((1, 13, 17), 255, np.uint8)):
        check_engines(model, tile)


@pytest.mark.parametrize("name", ["mcgsm-13", "ride-2", "mcgsm-indicators", "ride-2-indicators"])
@pytest.mark.parametrize("size", [*SHAPES, (9, 2), (2, 3), (5, 90), (40, 2), (40, 3)])
def test_odd_sizes(name: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    check_engines(build([trained_like(VARIANTS[name])]), rng.integers(0, 256, (1, *size), np.uint8))


@pytest.mark.parametrize("indicators", [False, True])
@pytest.mark.parametrize("layers", [0, 1])
def test_colour(layers: int, indicators: bool) -> None:
    model = build(trained_set(replace(SMALL, channels=3, layers=layers, indicators=indicators)))
    check_engines(model, coding_planes(picture(3, 12, 15)))


@pytest.mark.parametrize("name", ["mcgsm-gray", "ride-gray", "ride-rgb", "ride-cifar"])
def test_shipped_models(name: str) -> None:
    """All engines, a batch in torch too; and the program's floats are those of the network in the file."""
    card = registry.current(name)
    codec = registry.load(card)
    assert isinstance(codec, ProgramCodec)
    channels = max(card.channels)
    tiles = [coding_planes(crop("astronaut", 32, 30, top, 90))[:channels] for top in (60, 120)]
    payloads = [check_engines(codec, np.ascontiguousarray(tile)) for tile in tiles]
    own = ProgramCodec(name, codec.programs, codec.sides, Torch(torch.device("cpu")))
    assert [own.encode(tile, quiet).payload for tile in tiles] == payloads
    assert np.array_equal(own.decode(payloads, channels, 32, 30, quiet), np.stack(tiles))
    nets = networks(registry.weights(card))
    found = [codec.likelihood(tile, b"") for tile in tiles]
    assert found[0].shape == (32, 30)
    wanted = sum(float_bits(nets, tile) for tile in tiles)
    assert sum(each.sum() for each in found) / (2 * tiles[0].size) == pytest.approx(
        wanted / 2 / tiles[0].size, abs=1e-3
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_integers_lose_little(name: str) -> None:
    """The ideal length is the float network's likelihood but for a small part."""
    nets = [trained_like(VARIANTS[name])]
    model = build(nets)
    tile = coding_planes(picture(1, 48, 64))
    ideal = float(encode_tile(model, tile, quiet).bits.sum())
    wanted = float_bits(nets, tile)
    assert model.likelihood(tile, b"").sum() == pytest.approx(wanted, rel=5e-3)
    # what the float network thinks next to impossible costs the coder 24 bits a step at most
    assert ideal <= 1.005 * wanted


@pytest.mark.parametrize("name", ["mcgsm", "ride-2"])
def test_ensemble(name: str) -> None:
    """A tile is coded in its best orientation, and at most 3 bits above the mixture over the eight."""
    model = build([trained_like(VARIANTS[name])])
    tiles = [coding_planes(picture(1, 24, 31)), np.ascontiguousarray(coding_planes(picture(1, 24, 31))[:, ::-1])]
    turned = [[transform(tile, way).copy() for way in range(WAYS)] for tile in tiles]
    single = [[float(encode_tile(model, t, quiet).bits.sum()) for t in ways] for ways in turned]
    ensemble = Orientations(model)
    coded = [encode_tile(ensemble, tile, quiet) for tile in tiles]
    for tile, bits, best in zip(tiles, single, coded, strict=True):
        lengths = torch.tensor(bits, dtype=torch.float64)
        mixture = float(3 - torch.logsumexp(-lengths * np.log(2), 0) / np.log(2))
        assert float(best.bits.sum()) == pytest.approx(min(bits), rel=1e-6)
        assert float(best.bits.sum()) + 3 <= mixture + 3 + 1e-3
        found = ensemble.likelihood(tile, bytes([best.payload[1]]))
        assert found is not None
        assert found.shape == tile.shape[1:]
    again = decode_tiles(ensemble, [c.payload for c in coded], 1, 24, 31, quiet)
    assert np.array_equal(again, np.stack(tiles))
    with pytest.raises(DamagedError, match="orientation"):
        decode_tiles(ensemble, [b"\x01\x09" + coded[0].payload[2:]], 1, 24, 31, quiet)


def test_orientations() -> None:
    planes = np.arange(6).reshape(1, 2, 3)
    turned = [transform(planes, way) for way in range(WAYS)]
    assert len({(tuple(t.shape), tuple(t.ravel().tolist())) for t in turned}) == WAYS
    for way, t in enumerate(turned):
        assert np.array_equal(inverse(t, way), planes)


def test_model_file_keeps_the_networks() -> None:
    nets = trained_set(replace(SMALL, channels=3, layers=1))
    again = networks(pack(nets))
    assert [n.config for n in again] == [n.config for n in nets]
    for net, other in zip(nets, again, strict=True):
        for key, value in net.state_dict().items():
            assert torch.equal(value, other.state_dict()[key])


def test_networks_that_do_not_fit() -> None:
    gray, colour = trained_like(SMALL), trained_set(replace(SMALL, channels=3))
    with pytest.raises(UsageError, match="one checkpoint a channel"):
        pack([gray, gray])
    with pytest.raises(UsageError, match="one checkpoint a channel"):
        pack(colour[::-1])
    with pytest.raises(UsageError, match="neighbourhoods"):
        pack([*colour[:2], trained_like(replace(SMALL, channels=3, channel=2, width=7))])
    with pytest.raises(UsageError, match="neighbourhoods"):
        pack([*colour[:2], trained_like(replace(SMALL, channels=3, channel=2, indicators=True))])


def test_export_of_a_checkpoint(tmp_path: Path) -> None:
    net = trained_like(SMALL)
    state = {"model": net.state_dict(), "config": net.config.__dict__, "schedule": {}, "step": 3, "seconds": 60.0}
    torch.save(state, tmp_path / "net.pt")
    card = export([tmp_path / "net.pt"], tmp_path / "net.safetensors", "small", "for tests")
    assert (card.family, card.channels, card.name) == (registry.PROGRAM, (1,), "small")
    assert (tmp_path / "net.json").is_file()
    (tmp_path / "other.pt").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"other\.pt"):
        read_checkpoint(tmp_path / "other.pt")


COLOUR = {f"colour-{name}": replace(VARIANTS[name], channels=3) for name in ("ride-extended", "ride-2-indicators")}


@pytest.mark.parametrize("config", (VARIANTS | COLOUR).values(), ids=(VARIANTS | COLOUR).keys())
def test_reference_decoder_reads_every_variant(config: RideConfig) -> None:
    """docs/format.md describes every program: its decoder, a pixel at a time, reads the codec's tiles."""
    data = pack(trained_set(config))
    tile = coding_planes(picture(config.channels, 7, 9))
    tensors = {k: v if v.dtype == np.float32 else v.astype(np.int64) for k, v in safetensors.numpy.load(data).items()}
    payload = encode_tile(program_codec("ride", data), tile, quiet).payload
    found = reference_decoder.decode_tile(reference_decoder.programs(tensors), payload, 7, 9, config.channels)
    assert np.array_equal(found, tile)
