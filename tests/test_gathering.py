"""Which files names stand for: patterns, folders and what is below them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ridecodec.errors import InputError
from ridecodec.files import gathering
from ridecodec.files.gathering import Found
from ridecodec.files.placing import file_name

ENDINGS = (".png", ".tif")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.TIF", "notes.txt", "in/deep/c.png", "in/d.tif", "in/e.jpg", "[x].png", "x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def test_patterns_are_expanded_in_order(tree: Path) -> None:
    assert list(gathering.expanded(["*.png", "notes.txt"])) == ["[x].png", "b.png", "x.png", "notes.txt"]
    assert list(gathering.expanded(["**/*.tif"])) == [os.path.join("in", "d.tif")]


def test_a_file_of_the_very_name_is_no_pattern(tree: Path) -> None:
    assert list(gathering.expanded(["[x].png", "?.nothing"])) == ["[x].png", "?.nothing"]


def test_folders_are_walked_only_when_asked(tree: Path) -> None:
    assert gathering.files(["in"], ENDINGS) == [Found("in", "in")]
    found = gathering.files(["in", "b.png"], ENDINGS, recursive=True)
    inside = [Found(os.path.join("in", place), place) for place in ("d.tif", os.path.join("deep", "c.png"))]
    assert found == [*inside, Found("b.png", "b.png")]
    first = next(iter(gathering.files(["."], ENDINGS, recursive=True)))
    assert first == Found(os.path.join(".", "[x].png"), "[x].png")


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    Path("in/loop").symlink_to("..")
    assert len(gathering.files(["in"], ENDINGS, recursive=True)) == 2


def test_other_files_in_folders_are_counted(tree: Path) -> None:
    Path("in/bare").touch()
    assert gathering.others(["in", "notes.txt"], ENDINGS) == {".jpg": 1, "without an extension": 1}


def test_folders_that_give_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no files that end in \.png, \.tif"):
        gathering.files(["empty"], ENDINGS, recursive=True)
    assert gathering.files(["empty", "b.png"], ENDINGS, recursive=True) == [Found("b.png", "b.png")]

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    assert gathering.files(["in"], ENDINGS, recursive=True) == [Found("in", "in")]
    assert not gathering.others(["in"], ENDINGS)


@pytest.mark.parametrize(
    "name",
    ["../up", "/etc/passwd", "..", ".", "", "C:\\x", "a\0b", "a\nb", "NUL", "con.x", "lpt1", "\u202etxt", "~", "-o"],
)
def test_no_name_leads_out_of_its_folder(name: str, tmp_path: Path) -> None:
    made = file_name(name)
    path = tmp_path / f"{made}.png"
    path.touch()
    assert os.path.realpath(path.parent) == os.path.realpath(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [f"{made}.png"]
    assert made.isprintable()
    assert made.split(".")[0].upper() not in {"CON", "NUL", "LPT1"}


def test_ordinary_names_stay() -> None:
    assert file_name("photo 1.final (ä)") == "photo 1.final (ä)"


def test_files_of_which_only_pixels_are_kept(tree: Path) -> None:
    Path("in/f.PCX").touch()
    Path("in/e.jpg").write_bytes(b"\xff\xd8\xff")
    endings = (".jpg", ".pcx")
    found = gathering.files(["in", "b.png"], endings, gathering.partial, recursive=True)
    assert found == [Found("b.png", "b.png")]
    others = gathering.others(["in"], endings, gathering.partial)
    assert others == {".tif": 1, ".png": 1, "lossy .jpg": 1, "partial .pcx": 1}
