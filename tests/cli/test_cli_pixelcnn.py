"""The PixelCNN family and archives on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import assert_fails, pixels, run
from pictures import crop
from PIL import Image

from ridecodec.models import checkpoints, registry

NETWORK = ["--maps", "6", "--layers", "2", "--head", "6", "--first", "1"]
STEPS = ["--steps", "2", "--evaluations", "0", "--images", "2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a mosaic of six pictures of 8x8, their labels, and a folder for models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIDECODEC_MODELS", "models")
    Path("models").mkdir()
    Image.fromarray(crop("astronaut", 16, 24, 80, 200)).save("mosaic.png")
    np.save("labels.npy", np.arange(6) % 3)
    registry._cards.cache_clear()
    return tmp_path


def train(name: str, *extra: str) -> None:
    """A model named `name`, hardly trained."""
    args = ["--data", "mosaic.png", "--cut", "8x8", "--out", f"{name}.pt", *NETWORK, *STEPS, *extra]
    for result in (run("train", "pixelcnn", *args), run("export", f"{name}.pt", "--out", f"models/{name}.safetensors")):
        assert result.exit_code == 0, result.output
    registry._cards.cache_clear()


VARIANTS = {
    "gated": [],
    "plain": ["--kind", "pixelcnn"],
    "rows": ["--kind", "row-lstm"],
    "diagonals": ["--kind", "diagonal-lstm"],
    "mixture": ["--mixtures", "2"],
    "classes": ["--classes", "3", "--labels", "labels.npy"],
    "coded": ["--vector", "4", "--encoder", "4"],
    "half": ["--half", "6", "--half-layers", "2", "--spatial", "3"],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_from_the_command_line(name: str, folder: Path) -> None:
    """Train, export, compress single files and an archive, decompress, sample."""
    train(name, *VARIANTS[name])
    part = np.array(Image.open("mosaic.png"))[:8, :8]
    Image.fromarray(part).save("one.png")
    result = run("compress", "one.png", "-m", name)
    assert result.exit_code == 0, result.output
    assert run("decompress", "one.rdc", "back.png").exit_code == 0
    assert np.array_equal(pixels("back.png"), part)
    result = run("compress", "mosaic.png", "--cut", "8x8", "--archive", "all.rdca", "-m", name)
    assert result.exit_code == 0, result.output
    assert "6 pictures" in result.stderr
    result = run("decompress", "all.rdca", "out", "--only", "mosaic-0", "--only", "mosaic-4")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("out").iterdir()) == ["mosaic-0.png", "mosaic-4.png"]
    assert np.array_equal(pixels("out/mosaic-0.png"), part)
    if name == "half":
        assert run("decompress", "one.rdc", "small.png", "--preview").exit_code == 0
        assert np.array_equal(pixels("small.png"), part[::2, ::2])
    else:
        assert_fails(run("decompress", "one.rdc", "small.png", "--preview"), 2, "no preview")
    if name == "coded":
        result = run("reconstruct", "one.png", "again.png", "-m", name, "--seed", "3")
        assert result.exit_code == 0, result.output
        assert pixels("again.png").shape == (8, 8, 3)
        assert_fails(run("sample", "s.png", "-m", name, "--size", "8x8"), 2, "use 'ridecodec reconstruct'")
    else:
        result = run("sample", "s.png", "-m", name, "--size", "8x7", "--seed", "2")
        assert result.exit_code == 0, result.output
        assert pixels("s.png").shape == (7, 8, 3)
        assert_fails(run("reconstruct", "one.png", "again.png", "-m", name), 2, "is not an auto-encoder")


def test_labels(folder: Path) -> None:
    train("told", *VARIANTS["classes"], "--steps", "20", "--rate", "0.1")
    Image.fromarray(crop("astronaut", 8, 8)).save("one.png")
    sizes = {}
    for label in (None, 0, 1, 2):
        chosen = [] if label is None else ["--label", str(label)]
        assert run("compress", "one.png", "-m", "told", "-f", *chosen).exit_code == 0
        sizes[label] = Path("one.rdc").stat().st_size
        assert run("sample", f"{label}.png", "-m", "told", "--size", "8x8", *chosen).exit_code == 0
    assert sizes[None] == min(sizes.values())
    assert len({pixels(f"{label}.png").tobytes() for label in (0, 1, 2)}) == 3
    assert_fails(run("compress", "one.png", "-m", "told", "-f", "--label", "3"), 2, "labels 0 to 2")
    assert_fails(run("compress", "one.png", "-m", "gradient", "-f", "--label", "0"), 2, "has no labels")
    assert_fails(run("sample", "t.png", "-m", "told", "--label", "7"), 2, "labels 0 to 2")


def test_embedding(folder: Path) -> None:
    """An encoder trained on labels; a network that draws what it says of a picture."""
    args = ["--data", "mosaic.png", "--cut", "8x8", "--labels", "labels.npy", "--out", "e.pt"]
    result = run("train", "embedding", *args, "--vector", "4", "--encoder", "4", *STEPS)
    assert result.exit_code == 0, result.output
    train("drawn", "--encoder-from", "e.pt")
    Image.fromarray(crop("astronaut", 8, 8)).save("one.png")
    assert run("reconstruct", "one.png", "again.png", "-m", "drawn").exit_code == 0


def test_begins_with_another_network(folder: Path) -> None:
    train("plain")
    train("told", *VARIANTS["classes"], "--start", "plain.pt")
    args = ["--data", "mosaic.png", "--cut", "8x8", "--mixtures", "2", "--out", "same.pt", *STEPS]
    assert run("train", "pixelcnn", *args, "--start", "plain.pt").exit_code == 0
    configs = [checkpoints.read(Path(name))["config"] for name in ("plain.pt", "same.pt")]
    assert configs[1] == configs[0] | {"mixtures": 2}
    result = run("train", "pixelcnn", "--data", "mosaic.png", "--cut", "8x8", "--start", "e", "--out", "f.pt", *STEPS)
    assert_fails(result, 3, "e: ")


def test_archive_information(folder: Path) -> None:
    assert (
        run("compress", "mosaic.png", "--cut", "8x8", "--count", "4", "--archive", "a.rdca", "-m", "gradient").exit_code
        == 0
    )
    result = run("info", "a.rdca")
    assert result.exit_code == 0
    assert "4 pictures" in result.stdout
    assert "mosaic-3: 8 x 8, RGB" in result.stdout
    found = json.loads(run("info", "--json", "a.rdca").stdout)
    assert found["total_bytes"] == Path("a.rdca").stat().st_size
    parts = [picture["bytes"] for picture in found["pictures"]]
    others = [found[f"{part}_bytes"] for part in ("header", "metadata", "names", "index")]
    assert sum(parts) + sum(others) == found["total_bytes"]


def test_one_damaged_picture_of_an_archive(folder: Path) -> None:
    """The others come out with --keep-going; the first error is told, as JSON too."""
    assert run("compress", "mosaic.png", "--cut", "8x8", "--archive", "a.rdca", "-m", "gradient").exit_code == 0
    data = bytearray(Path("a.rdca").read_bytes())
    data[-3] ^= 255
    Path("a.rdca").write_bytes(data)
    assert_fails(run("decompress", "a.rdca", "out"), 4, "a.rdca: mosaic-5: ")
    result = run("decompress", "a.rdca", "out", "-k", "-f", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout.splitlines()[0])["input"] == "a.rdca: mosaic-5"
    assert sorted(path.stem for path in Path("out").iterdir()) == [f"mosaic-{k}" for k in range(5)]


def test_labels_for_other_pictures(folder: Path) -> None:
    args = ["--data", "mosaic.png", "--out", "l.pt", "--classes", "3", "--labels", "labels.npy", *NETWORK, *STEPS]
    assert_fails(run("train", "pixelcnn", *args, "--cut", "4x4"), 3, "6 labels for 24 pictures")


def test_archives_fail_in_an_orderly_way(folder: Path) -> None:
    archive = ["--cut", "8x8", "--archive", "a.rdca", "-m", "gradient"]
    assert_fails(run("compress", "nothing", *archive), 3, "nothing: no such file or folder")
    assert_fails(run("compress", "mosaic.png", *archive[:-1], "nobody"), 2, "there is no model")
    assert_fails(run("compress", "mosaic.png", *archive[2:], "--cut", "7x8"), 3, "cannot be cut")
    assert_fails(run("compress", "mosaic.png", "--cut", "8x8"), 2, "need --archive")
    assert_fails(run("compress", "-", *archive, "--jobs", "2"), 2, "--jobs cannot be used with standard input")
    assert run("compress", "mosaic.png", *archive).exit_code == 0
    assert_fails(run("decompress", "a.rdca", "out", "--jobs", "2"), 2, "--jobs cannot be used with an archive")
    assert_fails(run("compress", "mosaic.png", *archive), 5, "exists")
    assert_fails(run("decompress", "a.rdca", "out", "--only", "nobody"), 2, "no picture 'nobody'")
    assert_fails(run("decompress", "a.rdca", "out", "--preview"), 2, "--preview cannot be used with an archive")
    assert_fails(run("decompress", "mosaic.png", "--only", "x"), 2, "needs an archive")
    Path("bad.png").write_bytes(b"no picture")
    result = run("compress", "nothing.png", "bad.png", "mosaic.png", *archive[2:], "-f", "-k", "--json")
    assert result.exit_code == 3
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["input"] for each in objects[:2]] == ["nothing.png", "bad.png"]
    assert objects[2]["pictures"] == 1
    before = Path("a.rdca").read_bytes()
    assert_fails(run("compress", "bad.png", "mosaic.png", *archive[2:], "-f"), 3, "bad.png: is damaged")
    assert Path("a.rdca").read_bytes() == before
    data = bytearray(Path("a.rdca").read_bytes())
    data[9] ^= 1
    Path("b.rdca").write_bytes(data)
    assert_fails(run("decompress", "b.rdca", "out"), 4, "damaged")
    assert not Path("out").exists()
