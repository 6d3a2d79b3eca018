"""What is refused of a model file of RIDE, and what is not exported in the first place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checker import coding_planes
from engines import check_engines
from numpy.typing import NDArray
from test_ride import SMALL, picture, trained_like, trained_set

from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.exact import programfile
from ridecodec.exact.parts import Operation
from ridecodec.models import registry
from ridecodec.models.programs import program_codec
from ridecodec.models.ride.export import export, pack, read_checkpoint
from ridecodec.models.ride.floats import networks
from ridecodec.models.ride.network import Ride, RideConfig, define

CONFIG = replace(SMALL, layers=2, width=7)
Array = NDArray[Any]
Change = Callable[[Array], Array]


@cache
def packed() -> bytes:
    return pack([trained_like(CONFIG)])


def load(data: bytes) -> None:
    program_codec("own", data, "reference")


def with_array(name: str, change: Change) -> bytes:
    """An array beside the program changed."""
    held, extra, arrays = programfile.load(packed())
    return programfile.save(held, extra, arrays | {f"1.{name}": change(arrays[f"1.{name}"].copy())})


def put(value: int, at: int = 3) -> Change:
    """One number changed."""

    def change(values: Array) -> Array:
        values = values.copy()
        values.reshape(-1)[at] = value
        return values

    return change


WILD: list[tuple[str, Change]] = [
    ("normal", put(-1)),
    ("normal", put(1 << 17)),
    ("normal", put(0, at=12000)),  # it falls
    ("normal", put(1, at=0)),
    ("normal", put(-(2**63), at=6000)),
    ("normal", lambda t: t[:-1]),
    ("exponential", put((1 << 15) + 1)),
    ("exponential", put(-(2**15), at=-1)),
    ("exponential", put(1 << 15, at=500)),  # it rises
    ("exponential", put(1 << 14, at=0)),
    ("exponential", lambda t: t[:-1]),
    ("inverse", put(1)),
    ("inverse", put((1 << 20) + 1)),
    ("inverse", put(-(2**63))),
    ("inverse", lambda t: t[:-1]),
    ("inverse", lambda t: t[:, :-1]),
    ("inverse", lambda t: t.reshape(-1)),
]


@pytest.mark.parametrize(("name", "change"), WILD)
def test_tables_out_of_range(name: str, change: Change) -> None:
    program = define([trained_like(CONFIG)])
    (output,) = program.outputs
    with pytest.raises(ModelRefusedError, match="parts or tables that are out of range"):
        replace(program, outputs=(replace(output, tables={**output.tables, name: change(output.tables[name])}),))


@pytest.mark.parametrize("part", ["logits", "means"])
def test_parts_out_of_range(part: str) -> None:
    """The other part has another number of rows, and what is shifted out of its clamp is too large."""
    program = define([trained_like(CONFIG)])
    (output,) = program.outputs
    wide = Operation("shift", (output.parts[part],), {"bits": -28})
    larger = replace(program, operations=(*program.operations, wide))
    for wrong in (output.parts["means" if part == "logits" else "logits"], len(program.operations)):
        with pytest.raises(ModelRefusedError, match="parts or tables that are out of range"):
            replace(larger, outputs=(replace(output, parts={**output.parts, part: wrong}),))


def with_config(change: dict[str, Any]) -> bytes:
    text = json.dumps([asdict(CONFIG) | change]).encode()
    return with_array("configs", lambda _: np.frombuffer(text, np.uint8))


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
    with pytest.raises(ModelRefusedError, match="damaged"):
        networks(with_config(change))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"[[]]", b"null", b"[1]", b"[" * 5000, b"\xff\xfe\xfd", b'["a"]'])
def test_configurations_that_are_none(text: bytes) -> None:
    with pytest.raises(ModelRefusedError, match="damaged"):
        networks(with_array("configs", lambda _: np.frombuffer(text, np.uint8)))


@pytest.mark.parametrize("name", trained_like(CONFIG).state_dict())
def test_networks_that_lack_something(name: str) -> None:
    held, extra, arrays = programfile.load(packed())
    del arrays[f"1.0.{name}"]
    data = programfile.save(held, extra, arrays)
    load(data)  # the coder needs none of them
    with pytest.raises(ModelRefusedError, match="damaged"):
        networks(data)


def test_other_models_have_no_networks() -> None:
    assert networks(registry.weights(registry.current("gradient"))) == []


def test_layers_with_large_weights_take_wider_integers() -> None:
    net = trained_like(CONFIG)
    with torch.no_grad():
        net.layers[1].recurrent.mul_(1e4)  # type: ignore[operator, union-attr]
    check_engines(program_codec("own", pack([net])), coding_planes(picture(1, 9, 11)))


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
