"""Files outlive versions: what any version has written decodes for ever, and the same model writes it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typed
from checker import EITHER, MODELS, QUICK, fit
from pictures import identical

import ridecodec
from ridecodec.container import rdca
from ridecodec.files.sets import Entry
from ridecodec.models import registry
from ridecodec.picture import ColourType, Picture
from ridecodec.tiles import setcodec

FOLDER = Path(__file__).parent / "golden"
FILES = [path for path in sorted(FOLDER.glob("*/*.rdc")) if path.suffixes[0] != ".auto"]
TYPED = sorted(FOLDER.glob("*/*.auto.rdc"))
ARCHIVES = sorted(FOLDER.glob("*/*.rdca"))


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def test_golden_files_are_there() -> None:
    """At least one of every model, gray and RGB, tiled and not."""
    found = [ridecodec.read_info(path) for path in FILES]
    kinds = {(info.model, info.colour, info.tile > 0) for info in found}
    assert len(kinds) >= len(EITHER) * 4 + (len(MODELS) - len(EITHER)) * 2
    assert len(ARCHIVES) >= 2
    types = {(info.colour, info.bit_depth) for info in map(ridecodec.read_info, TYPED)}
    assert types == {(colour.name, depth) for colour in ColourType for depth in colour.depths}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_golden_file(path: Path) -> None:
    array = np.load(path.with_name(path.name.split(".")[0] + ".npy"))
    data = path.read_bytes()
    info = ridecodec.read_info(path)
    array = fit(info.model, array, QUICK)
    found = ridecodec.decompress(data).to_numpy()
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)
    if registry.current(info.model).hash == info.model_hash:
        assert ridecodec.compress(array, model=info.model, tile=info.tile, verify=False) == data


@pytest.mark.parametrize("path", TYPED, ids=name)
def test_golden_file_of_any_type(path: Path) -> None:
    data = path.read_bytes()
    stem = path.name.split(".")[0]
    picture = typed.read(path.with_name(f"{stem}.npz"))
    assert identical(ridecodec.decompress(data), picture)
    info = ridecodec.read_info(data)
    if registry.current(info.model).hash == info.model_hash:
        assert ridecodec.compress(picture, tile=typed.TILES.get(stem, 0), verify=False) == data


@pytest.mark.parametrize("path", ARCHIVES, ids=name)
def test_golden_archive(path: Path) -> None:
    held = rdca.read(path.read_bytes())
    model = path.stem
    wanted = {each: _given(path.with_name(each), model) for each in held.names}
    for number, picture in setcodec.decode(held, range(len(held.names)), device="cpu", threads=1):
        assert isinstance(picture, Picture)
        assert identical(picture, wanted[held.names[number]])
    if all(registry.find(each, model_hash).current for each, model_hash in held.models):
        entries = [Entry(each, picture) for each, picture in wanted.items()]
        assert setcodec.encode(entries, model=model, device="cpu", threads=1) == path.read_bytes()


def _given(path: Path, model: str) -> Picture:
    """What a golden archive holds: a picture of any type, or an array as the model codes it."""
    if model == "auto":
        return typed.read(path.with_suffix(".npz"))
    return Picture.from_numpy(fit(model, np.load(path.with_suffix(".npy")), QUICK))
