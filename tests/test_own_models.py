"""Models of one's own: what `ridecodec export` writes, and what is found in $RIDECODEC_MODELS."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from ridecodec.cli.app import cli
from ridecodec.errors import ModelRefusedError, OutputError, UsageError
from ridecodec.models import registry
from ridecodec.models.ride.network import Ride, RideConfig


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a checkpoint a.pt; $RIDECODEC_MODELS names its folder `own`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIDECODEC_MODELS", "own")
    registry._cards.cache_clear()
    config = RideConfig(layers=0, components=2, scales=1, features=2, width=3)
    state = {"model": Ride(config).state_dict(), "config": asdict(config), "schedule": {}, "step": 1, "seconds": 1.0}
    torch.save(state, "a.pt")
    Path("own").mkdir()
    return tmp_path


def export(*args: str) -> Result:
    registry._cards.cache_clear()
    return CliRunner().invoke(cli, ["export", "a.pt", *args], prog_name="ridecodec")


def written() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def test_an_exported_model_is_found(folder: Path) -> None:
    result = export("--out", "own/z-1.safetensors", "--name", "z", "--ensemble", "eoz")
    assert result.exit_code == 0, result.output
    assert written() == {"a.pt", "own/z-1.safetensors", "own/z-1.json", "own/eoz-1.json"}
    own = {card.name: card for card in registry.cards()}
    assert (own["z"].ensemble, own["eoz"].ensemble) == (False, True)
    assert own["z"].hash == own["eoz"].hash


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--out", "w.json"), 2, "w.json: the card of the model has this extension"),
        (("--out", "w.JSON", "--force"), 2, "w.JSON"),
        (("--out", "a.pt", "--force"), 2, "is the input itself"),
        (("--out", "-"), 2, "standard output is not a file"),
        (("--out", "/dev/null", "--force"), 2, "/dev/null is not a file"),
        (("--out", "z.safetensors", "--ensemble", "there"), 5, "there.json already exists"),
        (("--out", "z.safetensors", "--ensemble", "sub/z"), 2, "'sub/z' cannot be a model's name"),
        (("--out", "z.safetensors", "--ensemble", "z"), 2, "both be written to 'z'"),
        (("--out", "z.safetensors", "--name", "y", "--ensemble", "z"), 2, "both be written to 'z'"),
        (("--out", "z.safetensors", "--name", "z", "--ensemble", "z"), 2, "both be written to 'z'"),
        (("--out", "z.safetensors", "--name", ""), 2, "'' cannot be"),
        (("--out", "z.safetensors", "--name", "-z"), 2, "'-z' cannot be"),
        (("--out", "z.safetensors", "--name", ".z"), 2, "'.z' cannot be"),
        (("--out", "z.safetensors", "--name", "z" * 65), 2, "1 to 64 characters"),
        (("--out", "z.safetensors", "--name", "z\n"), 2, "cannot be a model's name"),
        (("--out", "my model.safetensors"), 2, "'my model' cannot be"),
        (("--out", "z.safetensors", "--name", "ride-gray"), 2, "'ride-gray' comes with ridecodec"),
        (("--out", "z.safetensors", "--ensemble", "uniform"), 2, "'uniform' comes with ridecodec"),
        (("--out", "photo.safetensors"), 2, "'photo' comes with ridecodec"),
    ],
)
def test_what_export_refuses_it_does_not_begin(folder: Path, args: tuple[str, ...], code: int, said: str) -> None:
    Path("there.json").write_text("{}")
    before = written()
    result = export(*args)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert written() == before


def test_shipped_names_are_for_the_packages_folder(tmp_path: Path) -> None:
    registry.check_name("ride-gray", registry.WEIGHTS / "x.safetensors")
    with pytest.raises(UsageError, match="comes with"):
        registry.check_name("ride-gray", tmp_path / "x.safetensors")


def test_a_model_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "z.safetensors"
    registry.write(path, b"old", "z", "for tests")

    def full(part: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        registry.write(path, b"new", "z", "for tests")
    assert path.read_bytes() == b"old"
    assert {each.name for each in tmp_path.iterdir()} == {"z.safetensors", "z.json"}


def own() -> set[str]:
    registry._cards.cache_clear()
    return {card.name for card in registry.cards() if card.file and Path(card.file).parent.name == "own"}


def test_other_files_beside_own_models_do_not_matter(folder: Path) -> None:
    assert export("--out", "own/z.safetensors").exit_code == 0
    for name, text in {"list": "[1]", "empty": "", "some": '{"name": "z"}', "deep": "[" * 10**5}.items():
        Path(f"own/{name}.json").write_text(text)
    Path("own/folder.json").mkdir()
    assert own() == {"z"}
    Path("own/some.safetensors").touch()
    with pytest.raises(ModelRefusedError, match=r"some\.json: .*export the model again, or take the file out of \$"):
        own()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_card_names_a_regular_file_in_its_folder_only(folder: Path) -> None:
    """Nothing else is opened: a pipe would wait for ever, and a device might never end."""
    assert export("--out", "own/z.safetensors").exit_code == 0
    card = json.loads(Path("own/z.json").read_text())
    os.mkfifo("own/pipe.safetensors")
    os.mkfifo("own/pipe.json")
    Path("own/link.safetensors").symlink_to(Path("own/z.safetensors").absolute())
    Path("own/large.safetensors").touch()
    os.truncate("own/large.safetensors", (1 << 30) + 1)
    Path("own/z.json").write_text(json.dumps(card | {"name": "y"}))
    with pytest.raises(ModelRefusedError, match=r"own/pipe\.json is not a regular file"):
        own()
    Path("own/pipe.json").unlink()
    assert own() == {"y"}
    names = ("pipe", "not a regular file"), ("link", "is a link"), ("large", "more than the 1,073,741,824")
    for name, said in names:
        Path("own/z.json").write_text(json.dumps(card | {"file": f"{name}.safetensors"}))
        registry._cards.cache_clear()
        with pytest.raises(ModelRefusedError, match=f"own/{name}.safetensors .*{said}"):
            registry.load(registry.current("z"), torch.device("cpu"))
    for name in ("/dev/zero", "../a.pt", "..", "", 3):
        Path("own/z.json").write_text(json.dumps(card | {"file": name}))
        with pytest.raises(ModelRefusedError, match=r"own/z\.json: .*(not in the folder of the card|damaged)"):
            own()


@pytest.mark.parametrize("field", ["name", "purpose", "hash", "bytes", "channels", "kodak_bpsp", "current", "family"])
def test_a_card_with_a_field_of_another_type_is_refused(folder: Path, field: str) -> None:
    assert export("--out", "own/z.safetensors").exit_code == 0
    card = json.loads(Path("own/z.json").read_text())
    Path("own/z.json").write_text(json.dumps(card | {field: [["1"]]}))
    with pytest.raises(ModelRefusedError, match=r"z\.json: the model's card is damaged"):
        own()


def test_own_models_of_one_name_are_refused(folder: Path) -> None:
    assert export("--out", "own/a.safetensors", "--name", "z").exit_code == 0
    assert export("--out", "own/b.safetensors", "--name", "z").exit_code == 0
    with pytest.raises(UsageError, match=r"b\.json: its model has the name 'z', like that of a\.json"):
        own()
    card = json.loads(Path("own/b.json").read_text())
    Path("own/b.json").write_text(json.dumps(card | {"current": False}))
    assert own() == {"z"}


def test_a_folder_of_own_models_must_be_there(folder: Path) -> None:
    Path("own").rmdir()
    with pytest.raises(UsageError, match=r"\$RIDECODEC_MODELS names own, which is not an existing folder"):
        own()
