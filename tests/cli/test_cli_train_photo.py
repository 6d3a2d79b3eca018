"""Training of the photo model and of the baseline: the network is the program, it learns, and its export codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import assert_fails, run
from pictures import crop
from PIL import Image

from ridecodec.engines.base import silent
from ridecodec.engines.reference import Reference
from ridecodec.engines.torch.network import ProgramNet
from ridecodec.exact.families import Logistics
from ridecodec.models import programs
from ridecodec.models.photo.definition import define, feature_table
from ridecodec.models.photo.initial import PhotoConfig, initial
from ridecodec.training import photo, photos

CPU = torch.device("cpu")
RGB = PhotoConfig(channels=3, width=12, head=6, learned=2)
SIZE = (50, 70)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: some photographs under `data`, and training in one process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(photos, "workers", lambda: 1)
    Path("data").mkdir()
    for number in range(3):
        Image.fromarray(crop("astronaut", *SIZE, 60 * number)).save(f"data/{number}.png")
    return tmp_path


def network(config: PhotoConfig) -> ProgramNet:
    return ProgramNet(
        define(config.channels, initial(config, 1), feature_table(config.channels), Logistics.make_tables())
    )


def crops(model: ProgramNet) -> photos.Crops:
    """The folder's pictures, some with other colours."""
    return photos.Crops(sorted(Path("data").iterdir()), model.program, 1, 0.35, 0.35, 1, CPU)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_is_the_program(folder: Path, channels: int) -> None:
    """Its code lengths are the likelihood that the reference gives, at borders too."""
    model = network(PhotoConfig(channels, 12, 6, 2))
    held = crops(model)
    _, height, width = (int(n) for n in (0, *held.shape[1]))
    y, x = torch.arange(height).repeat_interleave(width), torch.arange(width).repeat(height)
    pixels = photos.Drawn(held, torch.ones(height * width, dtype=torch.int64), y, x)
    planes = torch.stack([pixels.sample(c) for c in range(channels)]).view(channels, height, width).byte().numpy()
    expected = Reference().open(model.program).likelihood(planes, ())
    found = model(pixels).sum(0).view(height, width).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_weights_are_in_the_definition_s_units(folder: Path) -> None:
    model, given = network(RGB), initial(RGB, 1)
    found = model.weights()
    assert found.keys() == given.keys()
    for name, value in given.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-7)
    other = initial(RGB, 2)
    model.set_weights({name: torch.from_numpy(value) for name, value in other.items()})
    assert all((value == other[name]).all() for name, value in model.weights().items())


@pytest.mark.parametrize("bf16", [False, True])
def test_it_learns(folder: Path, bf16: bool) -> None:
    model = network(RGB)
    held = crops(model)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(1)
    losses = [photo._step(model, optimizer, held.draw(256, generator), bf16) for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.4


def test_photo_command(folder: Path) -> None:
    """Both networks, from the command line to a model file that codes; a checkpoint is trained on."""
    for channels in ("1", "3"):
        command = ("train", "photo", "--data", "data", "--channels", channels, "--width", "9", "--batch", "64")
        result = run(*command, "--minutes", "0.001", "--out", f"{channels}.pt")
        assert result.exit_code == 0, result.output
    steps = torch.load("3.pt", weights_only=True)["step"]
    assert run(*command, "--minutes", "0.003", "--out", "3.pt").exit_code == 0
    state = torch.load("3.pt", weights_only=True)
    assert state["step"] > steps
    result = run("export", "1.pt", "3.pt", "--out", "own.safetensors")
    assert result.exit_code == 0, result.output
    codec = programs.program_codec("own", Path("own.safetensors").read_bytes())
    assert json.loads(Path("own.json").read_text())["channels"] == [1, 3]
    for planes in (crop("astronaut", 70, 64).transpose(2, 0, 1).copy(), crop("camera", 20, 30)[None]):
        payload = codec.encode(planes, silent).payload
        assert (codec.decode([payload], *planes.shape, silent)[0] == planes).all()


def test_checkpoints_of_something_else(folder: Path) -> None:
    command = ("train", "photo", "--data", "data", "--channels", "1", "--batch", "8", "--minutes", "0.0001")
    assert run(*command, "--width", "9", "--out", "a.pt").exit_code == 0
    assert_fails(run(*command, "--width", "8", "--out", "a.pt"), 2, "a.pt: holds a network with other width")
    assert_fails(run("export", "a.pt", "a.pt", "--out", "b.safetensors"), 2, "a second network for gray")
    state = torch.load("a.pt", weights_only=True)
    state["model"].popitem()
    torch.save(state, "b.pt")
    assert_fails(run(*command, "--width", "9", "--out", "b.pt"), 3, "b.pt: not a checkpoint")
    assert_fails(run("export", "b.pt", "--out", "b.safetensors"), 3, "b.pt: not a checkpoint")
    assert not Path("b.safetensors").exists()


def test_gradient_command(folder: Path) -> None:
    result = run("train", "gradient", "--data", "data", "--out", "own.safetensors")
    assert result.exit_code == 0, result.output
    codec = programs.program_codec("own", Path("own.safetensors").read_bytes())
    blank = programs.program_codec("uniform", None)
    for planes in (
        crop("astronaut", 40, 50).transpose(2, 0, 1).copy(),
        crop("astronaut", 40, 50)[:, :, 0][None].copy(),
    ):
        payload = codec.encode(planes, silent).payload
        assert (codec.decode([payload], *planes.shape, silent)[0] == planes).all()
        assert len(payload) < 0.7 * len(blank.encode(planes, silent).payload)


def test_a_folder_without_photographs(folder: Path) -> None:
    Path("empty").mkdir()
    for kind in ("photo", "gradient"):
        result = run("train", kind, "--data", "empty", "--out", "own.pt")
        assert result.exit_code == 3, result.output
        assert "empty: there are no photographs" in result.stderr
