"""Without PyTorch: pictures are coded all the same, and what needs it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BLOCKED = """
import sys
sys.modules["torch"] = None
from ridecodec.cli import main
main()
"""


def run(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *args], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "noise.png")
    Image.fromarray(rng.integers(0, 3, (20, 30), np.uint8) * 90).save(tmp_path / "drawing.png")
    np.save(tmp_path / "deep.npy", rng.integers(0, 65536, (20, 30), np.uint16))
    return tmp_path


@pytest.mark.parametrize(
    "args",
    [
        ["noise.png"],
        ["drawing.png"],
        ["deep.npy"],
        ["noise.png", "--model", "ride-rgb"],
        *(["noise.png", "--model", f"{name}-cifar"] for name in ("gated", "conditional", "autoencoder", "multiscale")),
    ],
    ids=" ".join,
)
def test_pictures_need_no_torch(folder: Path, args: list[str]) -> None:
    done = run("compress", *args, "-o", "out.rdc", folder=folder)
    assert done.returncode == 0, done.stderr
    assert run("verify", "out.rdc", folder=folder).returncode == 0


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["compress", "drawing.png", "--device", "cuda"], 2),
        (["synthesize", "drawing.png", "more.png"], 2),
    ],
)
def test_what_needs_torch_says_so(folder: Path, args: list[str], code: int) -> None:
    done = run(*args, folder=folder)
    assert done.returncode == code, done.stderr
    assert "pip install 'ridecodec[torch]'" in done.stderr
