"""The command line as a process: start, signals, closed pipes."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from commands import MAIN, names, program

from ridecodec.engines import native


@pytest.mark.parametrize(
    "args",
    [
        ("--version",),
        ("--help",),
        ("compress", "--help"),
        ("compress", "-r", ".", "--dry-run", "-d", "new"),
        ("info", "done.rdc"),
        ("models",),
        ("decompress", "nosuch.rdc"),
        ("compress", "nosuch.png"),
        ("compress", "in.png", "-m", "nosuch"),
        ("compress", "--archive", "x.rdca", "bad.png"),
        ("decompress", "worse.rdc"),
        ("verify", "worse.rdc"),
        ("sample", "x.png", "-m", "nosuch"),
        ("inpaint", "in.png", "in.png", "x.png", "-m", "nosuch"),
        ("benchmark", "in.png", "-m", "nosuch"),
        ("help", "compress"),
    ],
)
def test_starts_without_torch(folder: Path, args: tuple[str, ...]) -> None:
    """And refuses without it what costs little to refuse."""
    for name in {"bad.png", "worse.rdc"}.intersection(args):
        Path(name).write_bytes(b"no picture, and no data")
    code = f"""import sys
try:
    {MAIN}
finally:
    assert not {{"torch", "scipy", "matplotlib"}} & sys.modules.keys()
"""
    with program(*args, code=code, stdout=subprocess.DEVNULL) as process:
        assert b"Assertion" not in process.communicate()[1]
    code_of = {"nosuch": 2, "nosuch.png": 3, "nosuch.rdc": 3, "bad.png": 3, "worse.rdc": 4}
    assert process.returncode == next((code_of[each] for each in reversed(args) if each in code_of), 0)


def test_decompressing_loads_what_it_needs(folder: Path) -> None:
    """Of one picture, without a history, by the compiled engine, to PNG."""
    apart = ["multiprocessing", "PIL.TiffImagePlugin"]
    ours = ["histories.registry", "files.pilimages", "files.opening", "cli.archives", "models.deep.side"]
    ours += ["engines.reference"] if native.missing is None else []
    code = f"""import sys
try:
    {MAIN}
finally:
    print(*sys.modules.keys() & {{*{apart}, *("ridecodec." + name for name in {ours})}})
"""
    with program("decompress", "done.rdc", "new.png", "-q", code=code, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0].split() == []
    assert process.returncode == 0


def test_as_a_module(folder: Path) -> None:
    code = "import runpy; runpy.run_module('ridecodec', run_name='__main__', alter_sys=True)"
    with program("info", "done.rdc", code=code, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0].startswith(b"done.rdc: 14 x 9, RGB, 8 bits")
    assert process.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_interruption_while_writing(folder: Path, command: str, number: signal.Signals, code: int) -> None:
    """The process stops where its output is written but not in place; then it gets the signal."""
    before = names(folder)
    pause = f"""import os, time
def wait(descriptor):
    print("writing", flush=True)
    time.sleep(60)
os.fsync = wait
{MAIN}
"""
    args = ("in.png", "-m", "uniform") if command == "compress" else ("done.rdc",)
    with program(command, *args, code=pause, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(names(folder)) == len(before) + 1
        process.send_signal(number)
        errors = process.communicate()[1]
    assert process.returncode == code
    assert errors == (b"ridecodec: interrupted\n" if number == signal.SIGINT else b"")
    assert names(folder) == before


def test_a_second_signal_ends_what_the_first_could_not(folder: Path) -> None:
    before = names(folder)
    stuck = f"""import os, time
def wait(descriptor):
    for attempt in range(3):
        try:
            print("writing", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
os.fsync = wait
{MAIN}
"""
    with program("decompress", "done.rdc", code=stuck, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == b"writing\n"
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert names(folder) == before


@pytest.mark.parametrize("args", [("decompress", "done.rdc", "-"), ("info", "done.rdc"), ("--version",)])
def test_closed_pipe(folder: Path, args: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with program(*args, stdout=writing) as process:
        os.close(writing)
        errors = process.communicate()[1]
    assert (process.returncode, errors) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("args", [("--version",), ("--help",), ("info", "done.rdc")])
def test_no_space_on_standard_output(folder: Path, args: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full, program(*args, stdout=full) as process:
        errors = process.communicate()[1]
    assert process.returncode == 3
    assert errors.startswith(b"ridecodec: ")
    assert errors.endswith(b"No space left on device\n")
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize(
    ("descriptor", "args", "code"),
    [
        (0, ("decompress", "-", "out.png"), 3),
        (1, ("decompress", "done.rdc", "-"), 3),
        (2, ("decompress", "done.rdc"), 0),
    ],
)
def test_a_standard_stream_that_is_closed(folder: Path, descriptor: int, args: tuple[str, ...], code: int) -> None:
    with program(*args, preexec_fn=partial(os.close, descriptor)) as process:
        errors = process.communicate()[1]
    assert process.returncode == code
    assert errors.endswith(b" is closed\n" if code else b"")
