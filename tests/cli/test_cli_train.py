"""`ridecodec train ride` and `train mcgsm`: options, config files, checkpoints, what they say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from trainings import SMALL, TEXTURES

from ridecodec.cli.app import cli
from ridecodec.models import checkpoints
from ridecodec.models.ride.network import RideConfig
from ridecodec.training.presets import Schedule

pytestmark = pytest.mark.usefixtures("little_validation")

NETWORK = ["--hidden", "4", "--components", "2", "--features", "3", "--width", "3"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: three textures under `data`."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for number, picture in enumerate(TEXTURES):
        Image.fromarray(picture[0]).save(f"data/{number}.png")
    yield tmp_path
    os.chdir("/")


def command(*args: str, out: str = "a.pt") -> Result:
    return CliRunner().invoke(cli, ["train", *args, "--data", "data", "--out", out], prog_name="ridecodec")


def stored(name: str = "a.pt") -> dict[str, Any]:
    return checkpoints.read(Path(name))


def test_command_with_a_file_and_options(folder: Path) -> None:
    Path("s.json").write_text(json.dumps({"hidden": 4, "sizes": [6, 7], "steps": 9, "pixels": 100, "preset": "modern"}))
    result = command("ride", "--config", "s.json", *NETWORK[2:], "--steps", "2", "--extended", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert "2 pictures to train on, 1 held out, on cpu" in result.stderr
    state = stored()
    assert state["step"] == 2
    assert RideConfig(**state["config"]) == RideConfig(
        layers=1, hidden=4, extended=True, components=2, features=3, width=3
    )
    assert Schedule(**state["schedule"]) == Schedule(steps=2, sizes=(6, 7), pixels=100, seed=7)
    # the checkpoint's settings are those of the resumed run
    assert command("ride", "--steps", "3").exit_code == 0
    state = stored()
    assert (state["step"], state["schedule"]["seed"], state["config"]["hidden"]) == (3, 7, 4)
    assert command("ride", "--sizes", "6", "--steps", "1", *NETWORK, "--force").exit_code == 0
    assert stored()["step"] == 1


def test_command_adds_layers(folder: Path) -> None:
    quick = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0")
    assert command("mcgsm", *quick, "--components", "2", "--full", "--height", "2").exit_code == 0
    config = RideConfig(**stored()["config"])
    assert config == RideConfig(width=9, height=2, components=2, features=None)
    assert Schedule(**stored()["schedule"]).mcgsm_rate == 0.02
    assert command("ride", *quick, *NETWORK, out="1.pt").exit_code == 0
    assert command("ride", *quick, "--start", "1.pt", out="2.pt").exit_code == 0
    assert RideConfig(**stored("2.pt")["config"]) == RideConfig(layers=2, hidden=4, components=2, features=3, width=3)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("ride", "--config", "s.json"), 2, "s.json: there is no setting 'hiden'"),
        (("ride", "--steps", "1", "--minutes", "2"), 2, "cannot be used together"),
        (("ride", "--sizes", "6,x"), 2, "not a comma-separated list of numbers"),
        (("ride", "--width", "4"), 2, "its width must be odd"),
        (("ride", "--channel", "1"), 2, "channel 1 of 1"),
        (("ride", "--rates", "0.1", "--sizes", "8,9"), 2, "differ in number, 1 and 2"),
        (("ride", "--steps", "0"), 2, "steps is 0; the minimum is 1"),
        (("ride", "--patience", "0"), 2, "patience is 0; the minimum is 1"),
        (("mcgsm", "--patches", "0"), 2, "patches is 0; the minimum is 1"),
        (("ride", "--threads", "100000"), 2, "threads is 100000; the maximum is 1024"),
        (("ride", "--seed", str(2**70)), 2, "the maximum is 9223372036854775807"),
        (("photo", "--seed", str(2**70)), 2, "not in the range"),
        (("ride", "--width", "201"), 2, "width is 201; it must be a whole number from 3 to 63"),
        (("ride", "--height", "64"), 2, "height is 64; it must be a whole number from 1 to 63"),
        (("mcgsm", "--full", "--features", "3"), 2, "--full and --features cannot be used together"),
        (("ride", "--config", "preset.json"), 2, "preset.json: unknown preset ['a']"),
        (("ride", "--config", "deep.json"), 3, "deep.json: nested too deeply"),
        (("ride", "--config", "large.json"), 2, "large.json: rate is too large"),
        (("ride", "--start", "junk.pt"), 3, "junk.pt: not a checkpoint"),
        (("ride", "--start", "data/0.png"), 3, "data/0.png: not a checkpoint"),
        (("ride", "--config", "none.json"), 3, "none.json: cannot be read"),
        (("ride", "--sizes", "50", "--steps", "1"), 3, "50 x 50 pixels do not fit"),
        (("mcgsm", "--config", "layers.json"), 2, "an MCGSM has no layers"),
        (("mcgsm", "--device", "cuda"), 2, "no CUDA device"),
    ],
)
def test_command_says_what_is_wrong(folder: Path, args: tuple[str, ...], code: int, said: str) -> None:
    if "cuda" in args and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    Path("s.json").write_text('{"hiden": 3}')
    Path("layers.json").write_text('{"layers": 1, "steps": 1}')
    Path("preset.json").write_text('{"preset": ["a"]}')
    Path("deep.json").write_text("[" * 10**5)
    Path("large.json").write_text(f'{{"rate": 1{"0" * 400}}}')
    Path("junk.pt").write_bytes(b"junk")
    result = command(*args)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert result.stderr.splitlines()[-1].startswith("ridecodec: ")
    assert not Path("a.pt").exists()


def test_a_start_beside_a_checkpoint_is_refused(folder: Path) -> None:
    quick = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0", *NETWORK)
    assert command("ride", *quick).exit_code == 0
    result = command("ride", *quick, "--start", "a.pt")
    assert result.exit_code == 2
    assert "--start has no effect" in result.stderr
    assert command("ride", *quick, "--layers", "1", "--start", "a.pt", "--force").exit_code == 0


DAMAGE: list[dict[str, Any]] = [
    {"config": 3},
    {"config": {3: 3}},
    {"config": {**asdict(SMALL), "hidden": "6"}},
    {"config": {**asdict(SMALL), "width": torch.ones(2)}},
    {"schedule": {"steps": "many"}},
    {"schedule": None},
    {"model": []},
    {"model": {3: 3}},
    {"model": {"whitening.mean": "none"}},
    {"step": "first"},
    {"random": 5},
    {"optimizer": {}},
    {"counters": {"stages": 4}},
]


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_damaged_checkpoints_are_named(folder: Path, damage: dict[str, Any]) -> None:
    config = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0", *NETWORK)
    assert command("ride", *config).exit_code == 0
    torch.save(stored() | damage, "a.pt")
    results = []
    if "model" not in damage or not isinstance(damage["model"], dict) or 3 in damage["model"]:
        results.append(command("ride", "--steps", "2"))  # to go on it needs the current weights, not the best
    if damage.keys() & {"config", "model"}:
        results.append(command("ride", "--start", "a.pt", out="b.pt"))
    for result in results:
        assert result.exit_code == 3, result.output
        assert "a.pt: " in result.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that nobody can write to")
def test_what_cannot_be_written_is_said_before_training(folder: Path) -> None:
    for kind in ("ride", "photo"):
        result = command(kind, out="/proc/x.pt")
        assert result.exit_code == 3, result.output
        assert "/proc/x.pt" in result.stderr
    result = command("ride", out="/dev/null")
    assert result.exit_code == 2
    assert "/dev/null is not a file" in result.stderr
