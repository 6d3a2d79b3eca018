"""What the loader of RIDE refuses, tensor by tensor, and what is not exported in the first place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from checker import CPU, check_backend, coding_planes
from test_ride import SMALL, picture, trained_like, trained_set
from torch import Tensor

from ridecodec.coding.exact import ExactLinear, exact_arithmetic, powers, whole
from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.models import registry
from ridecodec.models.ride.backend import RideBackend
from ridecodec.models.ride.export import export, pack, read_checkpoint
from ridecodec.models.ride.floats import networks
from ridecodec.models.ride.network import Ride, RideConfig

CONFIG = replace(SMALL, layers=2, width=7)
Change = Callable[[Tensor], Tensor]


@cache
def packed() -> bytes:
    return pack([trained_like(CONFIG)])


def with_tensor(name: str, change: Change) -> bytes:
    tensors = safetensors.torch.load(packed())
    tensors[name] = change(tensors[name].clone()).contiguous()
    return safetensors.torch.save(tensors)


def load(data: bytes) -> RideBackend:
    with exact_arithmetic():
        return RideBackend(data, CPU)


def put(value: int, at: int = 3, dtype: torch.dtype = torch.int64) -> Change:
    """One number changed, in a type that holds it."""

    def change(values: Tensor) -> Tensor:
        values = values.to(dtype)
        values.view(-1)[at] = value
        return values

    return change


TABLES = ["tables.normal", "tables.exponential", "tables.gates", "tables.output", "0.inverse"]
LAYERS = ["lstm.0", "lstm.1", "features", "gate", "means"]
PARTS = [f"0.{layer}.{part}" for layer in LAYERS for part in ("weight", "bias", "exponent")]


def test_untouched_and_in_other_types_it_loads() -> None:
    load(packed())
    tensors = safetensors.torch.load(packed())
    wide = {k: v if "float" in k or k == "configs" else v.long() for k, v in tensors.items()}
    load(safetensors.torch.save(wide))


@pytest.mark.parametrize("name", [*TABLES, *PARTS])
@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.double() + 0.25,
        lambda t: t.double(),
        lambda t: t.float(),
        lambda t: t.bfloat16(),
        lambda t: t.bool(),
        lambda t: t.to(torch.complex64),
    ],
    ids=["fractions", "float64", "float32", "bfloat16", "bool", "complex64"],
)
def test_tensors_that_hold_no_integers(name: str, change: Change) -> None:
    with pytest.raises(ModelRefusedError, match="not integers"):
        load(with_tensor(name, change))


@pytest.mark.parametrize("name", [*TABLES, *PARTS])
@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[:-1],
        lambda t: torch.cat([t, t[-1:]]),
        lambda t: t[None],
        lambda t: t[..., None],
        lambda t: t[:0],
        lambda t: t[:1],
        lambda t: t.view(-1)[0].clone(),
    ],
    ids=["short", "long", "in front", "behind", "empty", "one", "scalar"],
)
def test_shapes_that_do_not_fit(name: str, change: Change) -> None:
    with pytest.raises(ModelRefusedError, match=r"shape|fit"):
        load(with_tensor(name, change))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("change", [lambda t: t[:, :-1], lambda t: torch.cat([t, t[:, :1]], 1), lambda t: t[:, :1]])
def test_inputs_are_what_comes_from_below(layer: str, change: Change) -> None:
    with pytest.raises(ModelRefusedError, match=f"layer {layer}"):
        load(with_tensor(f"0.{layer}.weight", change))


WILD = [
    ("tables.normal", lambda t: t.to(torch.uint8)),  # differences of uint8 would wrap
    ("tables.normal", put(-1)),
    ("tables.normal", put(1 << 17)),
    ("tables.normal", put(0, at=12000)),  # it falls
    ("tables.normal", put(1, at=0)),
    ("tables.normal", put(-(2**63), at=6000)),
    ("tables.exponential", put((1 << 15) + 1)),
    ("tables.exponential", put(-(2**15), at=-1, dtype=torch.int16)),
    ("tables.exponential", put(1 << 15, at=500)),  # it rises
    ("tables.exponential", put(1 << 14, at=0)),
    ("tables.gates", put(1025)),
    ("tables.gates", put(-1025)),
    ("tables.gates", put(-(2**15), dtype=torch.int16)),  # its abs() is -2^15 in int16
    ("tables.gates", put(-(2**63))),
    ("tables.gates", put(-1, at=20000)),
    ("tables.output", put(513)),
    ("tables.output", put(-(2**15), dtype=torch.int16)),
    ("tables.output", put(-(2**63))),
    ("0.inverse", put(1)),
    ("0.inverse", put((1 << 20) + 1)),
    ("0.inverse", put(-(2**63))),
    *((f"0.{layer}.exponent", put(value)) for layer in LAYERS for value in (-1, 53, 2**62)),
    *((f"0.{layer}.{part}", put(v)) for layer in LAYERS for part in ("weight", "bias") for v in (2**53, -(2**63))),
]


@pytest.mark.parametrize(("name", "change"), WILD)
def test_numbers_out_of_range(name: str, change: Change) -> None:
    with pytest.raises(ModelRefusedError, match=r"out of range|not exact"):
        load(with_tensor(name, change))


def test_offsets_of_the_tables_count_in_the_bound() -> None:
    """A bias that would fit alone does not with 24576 * 2^exponent on top."""
    data = with_tensor("0.lstm.0.exponent", lambda t: torch.full_like(t, 40))
    with pytest.raises(ModelRefusedError, match=r"layer lstm\.0 is not exact"):
        load(data)


def with_config(change: dict[str, Any]) -> bytes:
    text = json.dumps([asdict(CONFIG) | change]).encode()
    return with_tensor("configs", lambda _: torch.frombuffer(bytearray(text), dtype=torch.uint8))


WRONG: list[dict[str, Any]] = [
    {"layers": -1},
    {"layers": 9},
    {"layers": 10**30},
    {"layers": True},
    {"layers": 2.0},
    {"hidden": 0},
    {"hidden": 10**9},
    {"width": 4},
    {"width": 1},
    {"width": 65},
    {"width": 10**9 + 1},
    {"width": "7"},
    {"width": None},
    {"height": 0},
    {"height": -3},
    {"height": 10**9},
    {"components": 0},
    {"components": 1024},
    {"scales": 10**9},
    {"features": 0},
    {"extended": 1},
    {"indicators": 5},
    {"channel": -1},
    {"channel": 1},
    {"channels": 2},
    {"channels": 10**9},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_configurations_out_of_bounds(change: dict[str, Any]) -> None:
    """UsageError in training, ModelRefusedError of a model file, InputError of a checkpoint."""
    with pytest.raises(UsageError, match=next(iter(change))):
        RideConfig(**(asdict(CONFIG) | change))
    with pytest.raises(ModelRefusedError, match="damaged"):
        load(with_config(change))
    with pytest.raises(ModelRefusedError):
        networks(with_config(change))


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 0},
        {"layers": 1},
        {"layers": 3},
        {"hidden": 5},
        {"hidden": 7},
        {"extended": True},
        {"width": 5},
        {"height": 1},
        {"indicators": True},
        {"channels": 3},
        {"other": 1},
    ],
    ids=str,
)
def test_configurations_of_another_network(change: dict[str, Any]) -> None:
    with pytest.raises(ModelRefusedError):
        load(with_config(change))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"[[]]", b"null", b"[1]", b"[" * 5000, b"\xff\xfe\xfd", b'["a"]'])
def test_configurations_that_are_none(text: bytes) -> None:
    with pytest.raises(ModelRefusedError):
        load(with_tensor("configs", lambda _: torch.frombuffer(bytearray(text + b" "), dtype=torch.uint8)))


@pytest.mark.parametrize("name", [*TABLES, *PARTS, "configs"])
def test_tensors_that_are_missing(name: str) -> None:
    tensors = safetensors.torch.load(packed())
    del tensors[name]
    with pytest.raises(ModelRefusedError, match=name.removeprefix("0.")):
        load(safetensors.torch.save(tensors))


@pytest.mark.parametrize("name", ["lstm.2.weight", "lstm.-1.bias", "other"])
def test_tensors_too_many(name: str) -> None:
    tensors = safetensors.torch.load(packed()) | {f"0.{name}": torch.zeros(3, dtype=torch.int8)}
    with pytest.raises(ModelRefusedError, match=name):
        load(safetensors.torch.save(tensors))


@pytest.mark.parametrize("name", ["ride-gray", "ride-rgb", "mcgsm-gray"])
def test_shipped_models_load(name: str) -> None:
    card = registry.current(name)
    assert card.file is not None
    model = load((registry.WEIGHTS / card.file).read_bytes())
    assert all(layer.dtype == torch.float32 for net in model.nets for layer in net.layers)


# --- what the loader is made of ------------------------------------------------------------------------------------


def test_powers_are_exact() -> None:
    assert powers(torch.arange(53)).tolist() == [2**k for k in range(53)]
    assert powers(torch.arange(53.0)).tolist() == [2**k for k in range(53)]


def test_whole_gives_int64() -> None:
    found = whole("a", torch.tensor([[-128, 127]], dtype=torch.int8), (None, 2), -128, 127)
    assert (found.dtype, found.tolist()) == (torch.int64, [[-128, 127]])


@pytest.mark.parametrize(
    ("weight", "bias", "exponent", "limit"),
    [
        ((2,), (2,), (2,), 1.0),
        ((2, 3, 1), (2,), (2,), 1.0),
        ((2, 3), (1,), (2,), 1.0),
        ((2, 3), (2, 1), (2,), 1.0),
        ((2, 3), (2,), (1,), 1.0),
        ((2, 3), (2,), (2, 1), 1.0),
        ((2, 3), (2,), (), 1.0),
        ((0, 3), (0,), (0,), 1.0),
        ((2, 0), (2,), (2,), 1.0),
        ((2, 3), (2,), (2,), torch.ones(2)),
        ((2, 3), (2,), (2,), torch.ones(1)),
        ((2, 3), (2,), (2,), torch.ones(2, 3)),
    ],
)
def test_layers_whose_parts_do_not_fit(weight: Any, bias: Any, exponent: Any, limit: Any) -> None:
    with pytest.raises(ModelRefusedError, match="layer test"):
        ExactLinear("test", torch.zeros(weight), torch.zeros(bias), torch.zeros(exponent), limit)


def test_layers_with_large_weights_are_exact_in_float64() -> None:
    """They fall back by themselves, and what they compute stays the same stepwise and at once."""
    net = trained_like(CONFIG)
    with torch.no_grad():
        net.layers[1].recurrent.mul_(1e6)  # type: ignore[operator, union-attr]
    model = load(pack([net]))
    assert [layer.dtype for layer in model.nets[0].layers] == [torch.float32, torch.float64]
    check_backend(model, [coding_planes(picture(1, 9, 11))])


# --- export --------------------------------------------------------------------------------------------------------


def checkpoint(path: Path, net: Ride) -> Path:
    state = {"model": net.state_dict(), "config": asdict(net.config), "schedule": {}, "step": 3, "seconds": 60.0}
    torch.save(state, path)
    return path


def spoil(net: Ride, name: str, value: float) -> Ride:
    net.state_dict()[name].view(-1)[1] = value
    return net


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", trained_like(CONFIG).state_dict())
def test_weights_that_are_not_finite_are_not_exported(name: str, value: float) -> None:
    nets = trained_set(replace(CONFIG, channels=3))
    entry = nets[1].state_dict()[name]
    entry.view(-1)[min(1, entry.numel() - 1)] = value
    with pytest.raises(UsageError, match=rf"network 2 of 3 .*not finite in {name}.*smaller learning rate"):
        pack(nets)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcgsm.predictors", 1e30),
        ("mcgsm.means", 1e20),
        ("mcgsm.priors", 1e18),
        ("mcgsm.precisions", 80.0),
        ("mcgsm.precisions", 3e38),
        ("layers.0.recurrent", 1e18),
        ("layers.1.input.weight", 1e30),
        ("layers.0.input.bias", -1e30),
    ],
)
def test_networks_that_the_coder_cannot_use_are_not_written(name: str, value: float, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "net.pt", spoil(trained_like(CONFIG), name, value))
    with pytest.raises(UsageError, match="smaller learning rate"):
        export([path], tmp_path / "net.safetensors", "small", "for tests", ensemble="many")
    assert [p.name for p in tmp_path.iterdir()] == ["net.pt"]


def test_checkpoints_with_configurations_out_of_bounds(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "net.pt", trained_like(CONFIG))
    torch.save(torch.load(path) | {"config": asdict(CONFIG) | {"width": 4}}, path)
    with pytest.raises(InputError, match=r"net\.pt: not a checkpoint .*its width must be odd"):
        read_checkpoint(path)
