"""The command line: exit codes, one line that says what is wrong, and nothing left behind."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import assert_fails, compress, names, run
from PIL import Image

import ridecodec
from ridecodec.cli import files, progress
from ridecodec.container import rdc
from ridecodec.errors import InputError, OutputError, VerificationError


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("squeeze", "in.png"), "squeeze"),
        (("compress",), "compress --help"),
        (("compress", "in.png", "--fast"), "--fast"),
        (("compress", "in.png", "--threads", "-1"), "--threads"),
        (("compress", "in.png", "--device", "abacus"), "--device"),
        (("compress", "in.png", "--model", "nosuch"), "in.png: there is no model 'nosuch'"),
        (("compress", "in.png", "-q", "-v"), "--quiet and --verbose"),
        (("compress", "in.png", "-", "--json"), "--json"),
        (("compress", "in.png", "gray.png", "-o", "x.rdc"), "--output-dir"),
        (("compress", "in.png", "-o", "x.rdc", "-d", "new"), "--output-dir"),
        (
            ("compress", "in.png", "out.bin"),
            "out.bin is not a picture file; an output must end in .rdc or be named with --output",
        ),
        (("compress", "in.png", "."), "--output-dir"),
        (("compress", "in.png", "-o", ""), "empty"),
        (("compress", "in.png", "-o", "new/"), "new/ is a folder: use --output-dir"),
        (("compress", "in.png", "-", "--delete-source", "--dry-run"), "cannot be used with standard"),
        (("compress", "--archive", "x.rdca", "in.png", "--cut", "2x2", "--exact-file"), "--cut"),
        (("decompress", "a.rdca", "b.rdca"), "the only input, and is decompressed into one folder"),
        (("decompress", "done.rdc", "-o", "x.foo", "--dry-run"), "cannot write files with the extension 'foo'"),
        (("verify", "-", "-"), "standard input can be read only once"),
        (("info", "-", "-"), "standard input can be read only once"),
        (("compress", "in.png", "-d", ""), "empty"),
        (("decompress", "done.rdc", ""), "empty"),
        (("compress", "-", "-d", "new"), "standard input"),
        (("compress", "-", "-", "in.png"), "standard input"),
        (("compress", "in.png", "./in.png"), "in.png and ./in.png would both become"),
        (("compress", "in.png", "in.png"), "would both become in.rdc"),
        (("decompress", "done.rdc", "out.jpg"), "done.rdc: "),
        (("decompress", "done.rdc", "--region", "1,2,3"), "X,Y,W,H"),
        (("decompress", "done.rdc", "--region", "0,0,-1,1"), "X,Y,W,H"),
        (("decompress", "done.rdc", "--region", "10,0,5,5"), "done.rdc: "),
        (("decompress", "done.rdc", "--format", "gif"), "--format"),
        (("benchmark",), "--corpus"),
        (("benchmark", "in.png", "--report", "report.doc"), "report.doc"),
        (("train", "sculpture"), "sculpture"),
        (("completion", "tcsh"), "tcsh"),
    ],
)
def test_usage_errors(folder: Path, args: tuple[str, ...], said: str) -> None:
    before = names(folder)
    assert_fails(run(*args), 2, said)
    assert names(folder) == before


def test_no_command(folder: Path) -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def bad_inputs() -> dict[str, Callable[[Path], Any]]:
    """Ways to make an input at a path that compress must refuse with exit code 3."""
    return {
        "missing": lambda path: None,
        "folder": Path.mkdir,
        "empty": Path.touch,
        "text": lambda path: path.write_text("no picture"),
        "truncated": lambda path: path.write_bytes(Path("in.png").read_bytes()[:-40]),
        "RGBA": lambda path: Image.new("RGBA", (2, 2)).save(path),
        "palette": lambda path: Image.new("P", (2, 2)).save(path),
        "16-bit": lambda path: Image.new("I;16", (2, 2)).save(path),
    }


@pytest.mark.parametrize("kind", bad_inputs())
def test_bad_pictures(folder: Path, kind: str) -> None:
    bad_inputs()[kind](Path("bad.png"))
    before = names(folder)
    assert_fails(compress("bad.png"), 3, "bad.png: ")
    if Path("bad.png").is_file():
        assert_fails(compress("-", stdin=Path("bad.png").read_bytes()), 3, "standard input: ")
    assert names(folder) == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("decompress", "nosuch.rdc"), "nosuch.rdc: "),
        (("decompress", "."), ".: "),
        (("info", "nosuch.rdc"), "nosuch.rdc: "),
        (("decompress", "done.rdc", "nosuch/out.png"), "nosuch"),
        (("decompress", "done.rdc", "-o", "."), "folder"),
        (("decompress", "done.rdc", "-d", "in.png"), "in.png"),
        (("compress", "in.png", "-d", "in.png/new"), "no such folder for the output: "),
        (("compress", "nosuch.png", "-d", "new"), "nosuch.png: "),
        (("decompress", "done.rdc", "out.pgm"), "out.pgm: "),
        (("train", "photo", "--data", "nosuch", "--out", "x.pt"), "nosuch: "),
        (("train", "photo", "--data", ".", "--out", "nosuch/x.pt"), "nosuch"),
        (("export", "nosuch.pt", "--out", "x.safetensors"), "nosuch.pt: "),
        (("export", "in.png", "--out", ""), "folder"),
        (("export", "in.png", "--out", "nosuch/x.safetensors"), "in.png: no such folder for the output: "),
    ],
)
def test_what_cannot_be_accessed(folder: Path, args: tuple[str, ...], said: str) -> None:
    before = names(folder)
    assert_fails(run(*args), 3, said)
    assert names(folder) == before


@pytest.mark.parametrize("existing", ["x.safetensors", "x.json"])
@pytest.mark.parametrize("command", [("export", "in.png"), ("train", "gradient", "--data", ".")])
def test_an_existing_model_or_card_is_kept(folder: Path, command: tuple[str, ...], existing: str) -> None:
    Path(existing).touch()
    assert_fails(run(*command, "--out", "x.safetensors"), 5, existing)
    assert Path(existing).read_bytes() == b""


def test_no_permission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert_fails(compress("in.png"), 3, "in.png: ", "permission")


@pytest.mark.parametrize(
    ("command", "cut"), [*((c, n) for c in ("decompress", "info") for n in (0, 2, 17)), ("decompress", -1)]
)
def test_damaged(folder: Path, command: str, cut: int) -> None:
    Path("bad.rdc").write_bytes(Path("done.rdc").read_bytes()[:cut])
    assert_fails(run(command, "bad.rdc"), 4, "bad.rdc: ")
    assert not Path("bad.png").exists()


@pytest.mark.parametrize("tile", ["0", "8"])
def test_info_says_that_a_file_is_cut_short(folder: Path, tile: str) -> None:
    """Also where the header and all before the pixels are whole."""
    assert compress("in.png", "cut.rdc", "--tile", tile).exit_code == 0
    data = Path("cut.rdc").read_bytes()
    Path("cut.rdc").write_bytes(data[:-1])
    for more in (), ("--json",):
        result = run("info", "cut.rdc", "done.rdc", *more)
        assert result.exit_code == 4
        assert re.fullmatch(r"ridecodec: cut\.rdc: .*cut short.*\n", result.stderr)
        assert "done.rdc" in result.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_is_an_output(folder: Path) -> None:
    assert_fails(compress("in.png", "/dev/full"), 3, "cannot write /dev/full: No space left on device")
    assert compress("in.png", "/dev/null").exit_code == 0
    assert not Path("in.rdc").exists()


def test_no_rdc_file(folder: Path) -> None:
    assert_fails(run("decompress", "in.png", "out.png"), 4, "in.png: ")
    assert_fails(run("info", "-", stdin=b"GIF89a"), 4, "standard input: ")


def test_missing_model(folder: Path) -> None:
    parsed = rdc.read(Path("done.rdc").read_bytes())
    other = rdc.write(replace(parsed.header, model_hash=b"none"), (), [bytes(parsed.payload(0))])
    Path("other.rdc").write_bytes(other)
    assert_fails(run("decompress", "other.rdc"), 6, "other.rdc: ", b"none".hex())
    assert run("info", "other.rdc").exit_code == 0
    assert not Path("other.png").exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (VerificationError("the decoded samples differ"), 7, "the decoded samples differ"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 1, "not enough memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 1, "not enough memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
            1,
            "not enough memory",
        ),
        (ZeroDivisionError("two\nlines"), 1, "unexpected ZeroDivisionError: two lines"),
        (type("PanicException", (BaseException,), {})("std"), 1, "unexpected PanicException: std"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_from_within(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fail(*args: Any, **options: Any) -> bytes:
        raise error

    before = names(folder)
    monkeypatch.setattr(ridecodec, "compress", fail)
    assert_fails(compress("-q", "in.png", "gray.png"), code, said, "in.png: " if code != 130 else "")
    assert names(folder) == before


def test_traceback_on_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIDECODEC_TRACEBACK", "1")
    assert "Traceback" in compress("nosuch.png").stderr


def test_keep_going(folder: Path) -> None:
    Path("gray.rdc").touch()
    inputs = ("nosuch.png", "gray.png", "in.png")
    assert_fails(compress("-q", *inputs), 3, "nosuch.png: ")
    assert not Path("in.rdc").exists()
    result = compress("--keep-going", "-q", *inputs)
    assert result.exit_code == 3
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["nosuch.png", "gray.png"]
    assert Path("in.rdc").exists()


def test_names_with_odd_characters(folder: Path) -> None:
    odd = os.fsdecode(b"odd\n\x1b\xff.png")
    assert_fails(compress(odd), 3, "odd")
    os.link("in.png", odd)
    assert compress(odd, "--json").exit_code == 0


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_no_space(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = names(folder)
    monkeypatch.setattr("os.fsync", full)
    result = compress("in.png", "out.rdc") if command == "compress" else run("decompress", "done.rdc", "out.png")
    assert_fails(result, 3, "in.png: " if command == "compress" else "done.rdc: ", "No space left on device")
    assert names(folder) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("args", [("compress", "in.png", "-o", "/dev/full"), ("decompress", "done.rdc", "/dev/full")])
def test_no_space_on_a_device(folder: Path, args: tuple[str, ...]) -> None:
    more = ("--format", "png") if args[0] == "decompress" else ("-m", "uniform")
    assert_fails(run(*args, *more), 3, "/dev/full", "No space left on device")
    assert Path("/dev/full").is_char_device()


def test_closed_standard_streams(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    with pytest.raises(InputError, match="standard input is closed"):
        files.read_standard()
    with pytest.raises(OutputError, match="standard output is closed"):
        files.check(files.Job("in.png", "-"), force=False)
    with progress.bar("in.png", wanted=True) as advance:
        assert advance is None
