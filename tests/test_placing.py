"""Outputs appear whole, and never in the place of another that was not there before."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ridecodec.errors import OutputError, OutputExistsError
from ridecodec.files.placing import placed, unfinished


@pytest.mark.parametrize("links", [True, False])
def test_one_of_several_gets_the_name(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With links, and on a file system that has none."""
    if not links:

        def link(source: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    count = 4
    together = threading.Barrier(count)

    def write(target: Path, number: int) -> int | None:
        try:
            with placed(str(target), force=False) as part:
                part.write_bytes(bytes([number]) * 100)
                together.wait()
        except OutputExistsError:
            return None
        return number

    with ThreadPoolExecutor(count) as pool:
        for attempt in range(20):
            target = tmp_path / "new" / f"{attempt}"
            found = list(pool.map(write, [target] * count, range(count)))
            (winner,) = [number for number in found if number is not None]
            assert target.read_bytes() == bytes([winner]) * 100
            assert target.stat().st_nlink == 1
    assert len(list((tmp_path / "new").iterdir())) == 20
    assert not unfinished


def test_with_force_the_last_one_stays(tmp_path: Path) -> None:
    for number in range(2):
        with placed(str(tmp_path / "a"), force=True) as part:
            part.write_bytes(bytes([number]))
    assert (tmp_path / "a").read_bytes() == b"\1"


def test_a_folder_that_is_a_file_is_no_output_that_exists(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"), placed(str(tmp_path / "file" / "a"), force=False):
        pass
