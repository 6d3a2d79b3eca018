"""The folder that the tests of the command line work in."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import RGB
from PIL import Image

import ridecodec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: in.png (RGB), gray.png, and in.png compressed as done.rdc."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(RGB).save("in.png")
    Image.fromarray(RGB[:, :, 0]).save("gray.png")
    Path("done.rdc").write_bytes(ridecodec.compress(RGB, model="uniform"))
    return tmp_path
