"""The integer RIDE and MCGSM: what every backend must do, their loss against the float networks, and ensembles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_decoder
import safetensors.torch
import torch
from checker import CPU, check_backend, coding_planes
from numpy.typing import NDArray
from pictures import crop

from ridecodec.coding.exact import exact_arithmetic
from ridecodec.engines.orientations import WAYS, Orientations, inverse, transform
from ridecodec.engines.tilecoder import decode_tiles, encode_tile
from ridecodec.engines.torch.adapter import TorchCodec
from ridecodec.errors import DamagedError, InputError, ModelRefusedError, UsageError
from ridecodec.models.ride.backend import RideBackend
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


def build(nets: list[Ride]) -> RideBackend:
    with exact_arithmetic():
        return RideBackend(pack(nets), CPU)


@pytest.mark.parametrize("name", VARIANTS)
def test_stepwise_is_teacher_forced(name: str) -> None:
    model = build([trained_like(VARIANTS[name])])
    tiles = [coding_planes(picture(1, 13, 17)), np.full((1, 13, 17), 255, np.uint8)]
    check_backend(model, tiles)


@pytest.mark.parametrize("name", ["mcgsm-13", "ride-2", "mcgsm-indicators", "ride-2-indicators"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (9, 2), (2, 3), (5, 90), (90, 1), (40, 2), (40, 3)])
def test_odd_sizes(name: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    check_backend(build([trained_like(VARIANTS[name])]), list(rng.integers(0, 256, (2, 1, *size), np.uint8)))


@pytest.mark.parametrize("indicators", [False, True])
@pytest.mark.parametrize("layers", [0, 1])
def test_colour(layers: int, indicators: bool) -> None:
    model = build(trained_set(replace(SMALL, channels=3, layers=layers, indicators=indicators)))
    check_backend(model, [coding_planes(picture(3, 12, 15))] * 2)


@pytest.mark.parametrize("name", VARIANTS)
def test_integers_lose_little(name: str) -> None:
    """The ideal length is the float network's likelihood but for a small part."""
    model = TorchCodec(build([trained_like(VARIANTS[name])]))
    tile = coding_planes(picture(1, 48, 64))
    ideal = float(encode_tile(model, tile, quiet).bits.sum())
    found = model.likelihood(tile, b"")
    assert found is not None
    assert found.shape == tile.shape[1:]
    # what the float network thinks next to impossible costs the coder 24 bits a step at most
    assert ideal <= 1.005 * float(found.sum())


@pytest.mark.parametrize("name", ["mcgsm", "ride-2"])
def test_ensemble(name: str) -> None:
    """A tile is coded in its best orientation, and at most 3 bits above the mixture over the eight."""
    model = TorchCodec(build([trained_like(VARIANTS[name])]))
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


@pytest.mark.parametrize(
    "key",
    ["0.lstm.0.weight", "0.gate.weight", "0.means.weight", "0.inverse", "tables.normal", "tables.gates", "configs"],
)
def test_damaged_model_files(key: str) -> None:
    """A tensor that is missing or wild is refused, never coded with."""
    tensors = safetensors.torch.load(pack([trained_like(VARIANTS["ride-2"])]))
    kept = tensors.pop(key)
    with pytest.raises(ModelRefusedError):
        RideBackend(safetensors.torch.save(tensors), CPU)
    wild = torch.full_like(kept, 255) if key == "configs" else torch.full(kept.shape, 1 << 50)
    with pytest.raises(ModelRefusedError):
        RideBackend(safetensors.torch.save(tensors | {key: wild}), CPU)


def test_export_of_a_checkpoint(tmp_path: Path) -> None:
    net = trained_like(SMALL)
    state = {"model": net.state_dict(), "config": net.config.__dict__, "schedule": {}, "step": 3, "seconds": 60.0}
    torch.save(state, tmp_path / "net.pt")
    card = export([tmp_path / "net.pt"], tmp_path / "net.safetensors", "small", "for tests")
    assert (card.family, card.channels, card.name) == ("ride", (1,), "small")
    assert (tmp_path / "net.json").is_file()
    (tmp_path / "other.pt").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"other\.pt"):
        read_checkpoint(tmp_path / "other.pt")


COLOUR = {f"colour-{name}": replace(VARIANTS[name], channels=3) for name in ("ride-extended", "ride-2-indicators")}


@pytest.mark.parametrize("config", (VARIANTS | COLOUR).values(), ids=(VARIANTS | COLOUR).keys())
def test_reference_decoder_reads_every_variant(config: RideConfig) -> None:
    """docs/format.md describes every kind of network: its decoder, a pixel at a time, reads the codec's tiles."""
    data = pack(trained_set(config))
    model = RideBackend(data, CPU)
    tile = coding_planes(picture(config.channels, 7, 9))
    tensors = {k: v.numpy().astype(np.int64) for k, v in safetensors.torch.load(data).items() if "float" not in k}
    configs = json.loads(bytes(tensors["configs"].astype(np.uint8)))

    def by_pixel(tile: reference_decoder.Tile, y: int, x: int) -> Iterator[Any]:
        return reference_decoder.ride(tile, y, x, tensors, configs)

    payload = encode_tile(TorchCodec(model), tile, quiet).payload
    plain = reference_decoder.Model(by_pixel, lambda width: model.hood.slope)
    found = reference_decoder.decode_tile(plain, payload, 7, 9, config.channels)
    assert np.array_equal(found, tile)
