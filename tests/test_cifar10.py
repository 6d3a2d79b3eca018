"""CIFAR-10's archive becomes arrays; other archives and hostile pickles are refused."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ridecodec.cli.app import cli
from ridecodec.corpora import cifar10
from ridecodec.errors import InputError

RNG = np.random.default_rng(1)
BATCHES = {
    name: {b"data": RNG.integers(0, 256, (count, 3072), np.uint8), b"labels": RNG.integers(0, 10, count).tolist()}
    for name, count in (("data_batch_2", 3), ("data_batch_1", 2), ("test_batch", 4))
}


def archive(path: Path, files: dict[str, Any]) -> Path:
    """A tar archive of pickles, or of bytes as they are."""
    with tarfile.open(path, "w:gz") as tar:
        for name, held in files.items():
            data = held if isinstance(held, bytes) else pickle.dumps(held, 2)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_arrays(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.tar.gz", {**BATCHES, "readme.html": b"<html>"})
    args = ["corpora", "make", "cifar10", str(path), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(cli, args).exit_code == 0
    found = {path.stem: np.load(path) for path in (tmp_path / "out").iterdir()}
    assert set(found) == {"train", "train-labels", "test", "test-labels"}
    assert found["train"].shape == (5, 32, 32, 3)
    assert found["train-labels"].tolist() == BATCHES["data_batch_1"][b"labels"] + BATCHES["data_batch_2"][b"labels"]
    assert found["test-labels"].tolist() == BATCHES["test_batch"][b"labels"]
    first = BATCHES["data_batch_1"][b"data"][0].reshape(3, 32, 32)
    assert np.array_equal(found["train"][0], first.transpose(1, 2, 0))
    assert CliRunner().invoke(cli, args).exit_code == 5


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    "files",
    [
        {"test_batch": BATCHES["test_batch"]},
        {**BATCHES, "data_batch_3": b"no pickle"},
        {**BATCHES, "data_batch_3": {b"data": np.zeros((2, 3072)), b"labels": [1, 2]}},
        {**BATCHES, "data_batch_3": {b"data": np.zeros((2, 3072), np.uint8)}},
        {**BATCHES, "data_batch_3": Hostile()},
    ],
)
def test_what_is_not_cifar10_is_refused(files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"c\.tar\.gz: "):
        cifar10.arrays(archive(tmp_path / "c.tar.gz", files))
    assert not Path("harm").exists()


def test_no_archive(tmp_path: Path) -> None:
    (tmp_path / "c.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="damaged"):
        cifar10.arrays(tmp_path / "c.tar.gz")
