"""The command line: what goes in and out, and under which names."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from commands import RGB, assert_fails, compress, names, pixels, program, run
from PIL import Image


def test_round_trip_beside(folder: Path) -> None:
    assert compress("in.png").exit_code == 0
    Path("in.png").unlink()
    assert run("decompress", "in.rdc").exit_code == 0
    np.testing.assert_array_equal(pixels("in.png"), RGB)
    assert names(folder) == {"in.png", "in.rdc", "gray.png", "done.rdc"}


def test_what_png_cannot_hold_becomes_tiff(folder: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save("ink.tif")
    assert run("compress", "ink.tif").exit_code == 0
    assert run("decompress", "ink.rdc", "done.rdc", "-d", "back").exit_code == 0
    assert names(Path("back")) == {"ink.tif", "done.png"}
    np.testing.assert_array_equal(pixels("back/ink.tif"), pixels("ink.tif"))
    assert_fails(run("decompress", "ink.rdc", "ink.png"), 3, "PNG cannot hold 8-bit CMYK pictures; write .tif")


@pytest.mark.parametrize("extension", ["png", "ppm", "pnm", "tif", "tiff", "bmp", "webp", "PNG"])
def test_format_by_extension(folder: Path, extension: str) -> None:
    assert run("decompress", "done.rdc", f"out.{extension}").exit_code == 0
    np.testing.assert_array_equal(pixels(f"out.{extension}"), RGB)


def test_npy(folder: Path) -> None:
    assert run("decompress", "done.rdc", "out.npy").exit_code == 0
    np.testing.assert_array_equal(np.load("out.npy"), RGB)
    assert compress("out.npy", "again.rdc").exit_code == 0
    assert Path("again.rdc").read_bytes() == Path("done.rdc").read_bytes()


def test_gray_to_pgm(folder: Path) -> None:
    assert compress("gray.png").exit_code == 0
    assert run("decompress", "gray.rdc", "--format", "pgm").exit_code == 0
    np.testing.assert_array_equal(pixels("gray.pgm"), RGB[:, :, 0])


def test_several_inputs(folder: Path) -> None:
    assert compress("in.png", "gray.png").exit_code == 0
    assert compress("in.png", "gray.png", "--output-dir", "a/b").exit_code == 0
    assert Path("a/b/in.rdc").read_bytes() == Path("in.rdc").read_bytes()
    assert run("decompress", "in.rdc", "gray.rdc", "-d", "back").exit_code == 0
    np.testing.assert_array_equal(pixels("back/in.png"), RGB)
    np.testing.assert_array_equal(pixels("back/gray.png"), RGB[:, :, 0])


def test_output_option_takes_any_name(folder: Path) -> None:
    assert compress("in.png", "-o", "odd.bin").exit_code == 0
    assert run("decompress", "odd.bin", "-o", "odd.out", "--format", "png").exit_code == 0
    np.testing.assert_array_equal(pixels("odd.out"), RGB)


def test_standard_streams(folder: Path) -> None:
    done = Path("done.rdc").read_bytes()
    assert compress("-", stdin=Path("in.png").read_bytes()).stdout_bytes == done
    assert compress("in.png", "-").stdout_bytes == done
    np.testing.assert_array_equal(pixels(BytesIO(run("decompress", "-", stdin=done).stdout_bytes)), RGB)
    tiff = run("decompress", "done.rdc", "-", "--format", "tiff").stdout_bytes
    assert tiff[:2] == b"II"
    np.testing.assert_array_equal(pixels(BytesIO(tiff)), RGB)
    assert run("decompress", "-", "out.png", stdin=done).exit_code == 0
    np.testing.assert_array_equal(pixels("out.png"), RGB)
    assert names(folder) == {"in.png", "gray.png", "done.rdc", "out.png"}


def test_a_pipeline_of_processes(folder: Path) -> None:
    with (
        Path("in.png").open("rb") as picture,
        program("compress", "-m", "uniform", "-", stdin=picture, stdout=subprocess.PIPE) as first,
        program("decompress", "-", "-", stdin=first.stdout, stdout=subprocess.PIPE) as second,
    ):
        assert second.stdout is not None
        data = second.stdout.read()
    assert (first.returncode, second.returncode) == (0, 0)
    np.testing.assert_array_equal(pixels(BytesIO(data)), RGB)


def test_region(folder: Path) -> None:
    assert compress("--tile", "4", "in.png").exit_code == 0
    result = run("decompress", "in.rdc", "part.png", "--region", "3,2,7,5", "--json")
    assert json.loads(result.stdout)["pixels"] == 35
    np.testing.assert_array_equal(pixels("part.png"), RGB[2:7, 3:10])


def test_existing_output_is_kept_unless_forced(folder: Path) -> None:
    Path("in.rdc").write_bytes(b"mine")
    assert_fails(compress("in.png"), 5, "in.png: ", "in.rdc")
    assert Path("in.rdc").read_bytes() == b"mine"
    assert compress("in.png", "--force").exit_code == 0
    assert Path("in.rdc").read_bytes() == Path("done.rdc").read_bytes()
    assert_fails(run("decompress", "in.rdc", "in.png"), 5, "in.rdc: ", "in.png")


def test_an_output_that_appears_meanwhile_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: Path("in.rdc").write_bytes(b"mine"))
    assert_fails(compress("in.png"), 5, "in.rdc")
    assert Path("in.rdc").read_bytes() == b"mine"
    assert names(folder) == {"in.png", "in.rdc", "gray.png", "done.rdc"}


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_the_input_is_never_the_output(folder: Path, link: Callable[[str, str], None] | None) -> None:
    before = Path("in.png").read_bytes()
    if link:
        link("in.png", "other.rdc")
    result = compress("in.png", "-f", "-o", "other.rdc" if link else "./in.png")
    assert_fails(result, 2, "in.png: ", "is the input itself")
    assert Path("in.png").read_bytes() == before


def test_permissions_follow_the_umask(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        assert compress("in.png").exit_code == 0
        assert run("decompress", "in.rdc", "out.png").exit_code == 0
    finally:
        os.umask(before)
    for name in ("in.rdc", "out.png"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o640


def test_a_file_that_is_replaced_passes_its_permissions_on(folder: Path) -> None:
    Path("in.rdc").touch()
    Path("in.rdc").chmod(0o604)
    assert compress("in.png", "--force").exit_code == 0
    assert Path("in.rdc").stat().st_size
    assert stat.S_IMODE(Path("in.rdc").stat().st_mode) == 0o604


def test_a_link_as_output_stays_a_link(folder: Path) -> None:
    Path("far").mkdir()
    Path("near.rdc").symlink_to("far/real.rdc")
    Path("far/real.rdc").touch()
    assert compress("in.png", "near.rdc", "--force").exit_code == 0
    assert Path("near.rdc").is_symlink()
    assert Path("far/real.rdc").read_bytes() == Path("done.rdc").read_bytes()


def test_a_pipe_as_output_is_written_to(folder: Path) -> None:
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
    reader.start()
    assert compress("in.png", "-o", "pipe").exit_code == 0
    reader.join()
    assert got == [Path("done.rdc").read_bytes()]
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
