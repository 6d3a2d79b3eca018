"""Files outlive versions: what any version has written decodes for ever, and the same model writes it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from checker import EITHER, MODELS, QUICK, fit

import ridecodec
from ridecodec import archive, setcodec
from ridecodec.models import registry
from ridecodec.picture import Picture
from ridecodec.sets import Entry

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*/*.rdc"))
ARCHIVES = sorted(FOLDER.glob("*/*.rdca"))


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def test_golden_files_are_there() -> None:
    """At least one of every model, gray and RGB, tiled and not."""
    found = [ridecodec.read_info(path) for path in FILES]
    kinds = {(info.model, info.colour, info.tile > 0) for info in found}
    assert len(kinds) >= len(EITHER) * 4 + (len(MODELS) - len(EITHER)) * 2
    assert len(ARCHIVES) >= 2


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


@pytest.mark.parametrize("path", ARCHIVES, ids=name)
def test_golden_archive(path: Path) -> None:
    held = archive.read(path.read_bytes())
    wanted = {each: fit(held.model, np.load(path.with_name(f"{each}.npy")), QUICK) for each in held.names}
    for number, picture in setcodec.decode(held, range(len(held.names)), device="cpu", threads=1):
        assert isinstance(picture, Picture)
        assert np.array_equal(picture.to_numpy(), wanted[held.names[number]])
    if registry.current(held.model).hash == held.model_hash.hex():
        entries = [Entry(each, Picture.from_numpy(array)) for each, array in wanted.items()]
        assert setcodec.encode(entries, model=held.model, device="cpu", threads=1) == path.read_bytes()
