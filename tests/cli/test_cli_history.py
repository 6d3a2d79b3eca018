"""--history, and what info says of a history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from historypictures import compress, photo_cd, with_logo

import ridecodec
from ridecodec.errors import UsageError


def test_what_info_says(tmp_path: Path) -> None:
    picture = with_logo(photo_cd(64, 64))
    path = tmp_path / "a.rdc"
    path.write_bytes(compress(picture))
    info = ridecodec.read_info(path)
    assert info.model == "auto"
    assert info.history is not None
    assert info.history.startswith("Photo CD 4:2:0, ")
    assert info.history.endswith(" % exceptions")
    assert [tile.part for tile in info.tiles] == ["places of exceptions", "exceptions", "source", "source", "source"]
    assert sum(tile.bytes for tile in info.tiles) + info.header_bytes + info.index_bytes == info.total_bytes
    assert "history: Photo CD 4:2:0" in run("info", str(path)).stdout
    assert json.loads(run("info", "--json", str(path)).stdout)["history"] == info.history
    off = ridecodec.read_info(compress(picture, "off"))
    assert off.history is None
    assert all(tile.part is None for tile in off.tiles)


def test_the_option_of_the_command_line(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "a.rdc"
    photo_cd(64, 64).save(source)
    for history, found in (("auto", True), ("photo-cd", True), ("off", False)):
        done = json.loads(run("compress", str(source), "--force", "--json", "--history", history).stdout)
        assert bool(done["history"]) is found
        assert bool(ridecodec.read_info(target).history) is found
    assert run("compress", str(source), "--force", "--history", "nosuch").exit_code == 2
    refused = run("compress", str(source), "--force", "--history", "photo-cd", "--model", "photo")
    assert refused.exit_code == 2
    assert "only 'auto' looks for histories" in refused.stderr
    with pytest.raises(UsageError, match="there is no history 'nosuch'"):
        ridecodec.compress(source, history="nosuch")
