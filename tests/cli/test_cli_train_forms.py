"""`ridecodec train graphics` and `train deep`: models that load and code, and cards that say how they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checker import coding_planes
from commands import assert_fails, run
from engines import check_engines
from pictures import crop
from PIL import Image

from ridecodec.models.deep.parting import parted
from ridecodec.models.programs import program_codec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: some photographs, and a few that are neither photographs nor of 16 bits."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("others").mkdir()
    for number in range(3):
        Image.fromarray(crop("astronaut", 40, 50, 60 * number)).save(f"photos/{number}.png")
    Image.fromarray(crop("camera", 20, 30) // 64 * 64).save("others/drawing.png")
    Image.fromarray(crop("camera", 20, 30).astype(np.uint16) * 200).save("others/deep.png")
    Path("others/text.txt").write_text("no picture")
    return tmp_path


def card() -> dict[str, object]:
    """The only one."""
    assert [path.name for path in Path().glob("*.json")] == ["own.json"]
    found: dict[str, object] = json.loads(Path("own.json").read_text())
    return found


def test_graphics(folder: Path) -> None:
    command = ("train", "graphics", "--data", "others", "--drawn", "1", "--steps", "3", "--out", "own.safetensors")
    result = run(*command)
    assert result.exit_code == 0, result.output
    training = card()["training"]
    assert isinstance(training, dict)
    assert training | {"minutes": 0} == {"data": ["others"], "drawn": 1, "steps": 3, "seed": 1, "minutes": 0}
    check_engines(program_codec("own", Path("own.safetensors").read_bytes()), coding_planes(crop("astronaut", 9, 12)))
    assert_fails(run(*command), 5, "own.safetensors already exists")
    first = Path("own.safetensors").read_bytes()
    assert run(*command, "--force").exit_code == 0
    assert Path("own.safetensors").read_bytes() == first


def test_deep(folder: Path) -> None:
    result = run("train", "deep", "--photos", "photos", "--data", "others", "--steps", "3", "--out", "own.safetensors")
    assert result.exit_code == 0, result.output
    training = card()["training"]
    assert isinstance(training, dict)
    assert training["data"] == ["photos", "others"]
    samples = coding_planes(crop("astronaut", 9, 12)).astype(np.uint16) * np.uint16(201)
    check_engines(program_codec("own", Path("own.safetensors").read_bytes()), parted(samples))
