"""The command line: what is said of files and models, help and completion."""

from __future__ import annotations

import json
import multiprocessing
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from commands import RGB, assert_fails, compress, run
from pictures import crop
from PIL import Image

import ridecodec
from ridecodec.cli import batches, files, progress
from ridecodec.cli.app import COMMANDS
from ridecodec.cli.batches import Batch
from ridecodec.cli.files import Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.summary import Summary
from ridecodec.counting import counted
from ridecodec.errors import UsageError
from ridecodec.evaluation import benchmark
from ridecodec.tiles.progress import Progress


def test_summary(folder: Path) -> None:
    result = compress("in.png")
    size = Path("in.rdc").stat().st_size
    rate = 8 * size / RGB.size
    assert result.stdout == ""
    assert re.fullmatch(rf"in\.png -> in\.rdc: {size} bytes, {rate:.3f} bpsp, \d+\.\d s\n", result.stderr)
    assert run("decompress", "in.rdc", "-q", "out.png").output == ""
    verbose = run("decompress", "in.rdc", "-v", "more.png").stderr.splitlines()
    assert len(verbose) == 2
    assert "14 x 9, model uniform" in verbose[1]


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_json(folder: Path, command: str) -> None:
    args, target = (("in.png", "-m", "uniform"), "in.rdc") if command == "compress" else (("done.rdc",), "done.png")
    result = run(command, "--json", "--keep-going", "nosuch", *args)
    failed, done = map(json.loads, result.stdout.splitlines())
    assert failed.keys() == {"input", "output", "error", "exit_code"}
    assert (failed["input"], failed["exit_code"], result.exit_code) == ("nosuch", 3, 3)
    assert done.keys() == {
        "input",
        "output",
        "bytes",
        "bpsp",
        "pixels",
        "model",
        "models",
        "forms",
        "history",
        "seconds",
    }
    assert (done["models"], done["forms"]) == (["uniform"], {"uniform": 1})
    assert (done["input"], done["output"], done["model"], done["pixels"]) == (args[0], target, "uniform", 126)
    assert done["bytes"] == Path("done.rdc").stat().st_size
    assert done["bpsp"] == pytest.approx(8 * done["bytes"] / RGB.size)


def test_info(folder: Path) -> None:
    assert compress("in.png", "--tile", "5").exit_code == 0
    result = run("info", "in.rdc", "done.rdc")
    assert result.exit_code == 0
    assert "in.rdc: 14 x 9, RGB, 8 bits" in result.stdout
    assert "tile 5: 4 x 4 at 10,5" in result.stdout
    first, second = map(json.loads, run("info", "--json", "in.rdc", "done.rdc").stdout.splitlines())
    assert (first["width"], first["height"], first["model"], first["tile"]) == (14, 9, "uniform", 5)
    parts = first["header_bytes"] + first["metadata_bytes"] + first["index_bytes"]
    assert parts + sum(tile["bytes"] for tile in first["tiles"]) == first["total_bytes"]
    assert first["total_bytes"] == Path("in.rdc").stat().st_size
    assert second["input"] == "done.rdc"


def test_models(folder: Path) -> None:
    cards = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    text = run("models").stdout
    assert "uniform" in [card["name"] for card in cards]
    for card in cards:
        assert card["hash"] in text


def test_benchmark(folder: Path) -> None:
    args = ("benchmark", "in.png", "-m", "uniform", "--no-peers", "--report", "report.json")
    Path("report.json").write_text("mine")
    assert_fails(run(*args), 5, "report.json")
    assert Path("report.json").read_text() == "mine"
    result = run(*args, "--force")
    assert result.exit_code == 0, result.output
    assert "in.png" in result.stdout
    json.loads(Path("report.json").read_text())
    Path("bad.png").write_bytes(b"no picture")
    result = run("benchmark", "bad.png", "in.png", *args[2:], "--force")
    assert result.exit_code == 3
    assert "\nridecodec: bad.png: is damaged" in result.stderr
    assert result.stderr.endswith("1 picture measured, 1 failed\n")
    assert len(json.loads(Path("report.json").read_text())["failures"]) == 1
    result = run("benchmark", "bad.png", "in.png", *args[2:], "--force", "--no-keep-going")
    assert (result.exit_code, result.stdout) == (3, "")


def test_an_interrupted_benchmark_keeps_what_it_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are written as results come."""
    seen: list[bool] = []

    def stop(path: Path, *args: object) -> object:
        seen.append(Path("report.csv").exists())
        if path.name == "gray.png":
            raise KeyboardInterrupt
        return measured(path, *args)

    measured = benchmark._file
    monkeypatch.setattr(benchmark, "_file", stop)
    result = run("benchmark", "in.png", "gray.png", "-m", "uniform", "--no-peers", "--report", "report.csv")
    assert result.exit_code == 130
    assert seen == [False, True]
    assert "in.png" in result.stdout
    assert "in.png" in Path("report.csv").read_text()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def stderr_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not as a fixture: pytest sets standard error anew for the test."""
    monkeypatch.setattr("sys.stderr", found := Terminal())
    monkeypatch.setattr(progress, "_LEAST", -1)  # show every step
    return found


def shown(terminal: Terminal) -> list[tuple[str, int, str]]:
    """Name, per cent and time left of all bars that were shown."""
    found = re.findall(r"\r([^:\r]+): +(\d+)%[^\r]*\| [\d:]+, (\S+) left", terminal.getvalue())
    return [(name, int(part), left) for name, part, left in found]


def test_progress_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there before any work is done, and its time goes on; coding and verifying are two halves of one way."""
    terminal = stderr_is_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "_PAUSE", 0.01)
    with progress.bar("in.png", wanted=True, passes=2) as advance:
        assert advance is not None
        while len(shown(terminal)) < 4:
            time.sleep(0.01)
        assert set(shown(terminal)) == {("in.png", 0, "?")}
        ridecodec.compress(RGB, model="uniform", tile=4, progress=advance)
    parts = [part for _, part, _ in shown(terminal)]
    assert parts == sorted(parts)
    assert {0, 50, 100} < set(parts)
    assert shown(terminal)[-1][2] == "00:00"
    assert terminal.getvalue().endswith("\r")
    for stream, wanted in ((terminal, False), (StringIO(), True)):
        monkeypatch.setattr("sys.stderr", stream)
        with progress.bar("in.png", wanted) as advance:
            assert advance is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_of_many_files(jobs: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bar for all, by their sizes; with several processes too. Lines of files come between."""
    terminal = stderr_is_a_terminal(monkeypatch)
    files = [Job("in.png", "a"), Job("gray.png", "b")]
    batches.run(files, Steps(), Batch(processes=jobs), Summary(quiet=False, verbose=False, as_json=False))
    found = shown(terminal)
    assert {"1/2 in.png", "2/2 gray.png"} == {name for name, _, _ in found}
    parts = [part for _, part, _ in found]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 100)
    assert len(set(parts)) > 4


@dataclass(frozen=True)
class Steps:
    """Work that is told in steps, and gone through twice."""

    passes = 2

    def check_job(self, job: Job) -> None:
        pass

    def __call__(self, job: Job, advance: Callable[[Progress], None] | None) -> Done:
        assert advance is not None
        for done in [*range(0, 101, 50)] * 2:
            time.sleep(0.21 * (multiprocessing.parent_process() is not None))  # they tell at most every 0.2 s
            advance(Progress(done, 100, 0.0, 1))
        return Done(job.input, "", {})


def test_no_bytes_to_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(UsageError, match="terminal"):
        files.check(files.Job("in.png", "-"), force=False)


def test_help() -> None:
    text = run("--help").stdout
    for code in (*range(8), 130):
        assert re.search(rf"^\s+{code}  ", text, re.MULTILINE)
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE)
        assert run(command, "--help").exit_code == 0
    assert run("--version").stdout == f"ridecodec {ridecodec.__version__}\n"


def test_help_as_a_command() -> None:
    for words in ((), ("compress",), ("train", "ride"), ("corpora", "list")):
        asked = run("help", *words)
        assert (asked.exit_code, asked.stdout) == (0, run(*words, "--help").stdout)
    assert_fails(run("help", "nosuch"), 2, "no such command 'nosuch'")
    assert_fails(run("help", "compress", "nosuch"), 2, "no such command 'compress nosuch'")


def test_a_name_that_looks_like_an_option(folder: Path) -> None:
    """As a pattern gives it: -d would be --output-dir."""
    for name in ("-dash.png", "--dash.png"):
        Path("in.png").rename(name)
        assert_fails(compress(name, "gray.png"), 2, f"{name} is a file", "put -- before the file names", f"./{name}")
        assert compress("-f", "--", name).exit_code == 0
        assert Path(name).with_suffix(".rdc").exists()
        Path(name).rename("in.png")
    assert_fails(compress("-q.png"), 2, "-.")


def test_one_of_a_thing(folder: Path) -> None:
    assert counted(1, "byte") == "1 byte"
    assert counted(2000, "byte") == "2,000 bytes"
    Path("dot.rdc").write_bytes(ridecodec.compress(RGB[:1, :1] % 2))
    Image.new("1", (1, 1)).save("bit.png")
    assert run("compress", "bit.png", "--archive", "x.rdca").exit_code == 0
    assert run("compress", "bit.png").exit_code == 0
    for name in ("dot.rdc", "bit.rdc", "x.rdca"):
        said = run("info", name).output + run("verify", "-v", name).output
        assert not re.search(r"\b1 +(bytes|bits|pixels|pictures|tiles)\b", said), said


def test_tif_beside_tiff(folder: Path) -> None:
    assert_fails(run("decompress", "done.rdc", "x.foo"), 2, ".tif, .tiff,")
    assert run("decompress", "done.rdc", "--format", "tif").exit_code == 0
    assert Path("done.tif").read_bytes()[:2] == b"II"


def test_info_says_the_forms_and_models_of_tiles(folder: Path) -> None:
    pixels = np.zeros((16, 48, 4), np.uint8)
    pixels[:, 16:32, :3] = crop("astronaut", 16, 16)
    pixels[:, 32:] = np.random.default_rng(1).integers(0, 2, (16, 16, 1)) * 255
    Path("x.rdc").write_bytes(ridecodec.compress(pixels, tile=16))
    text = run("info", "x.rdc").stdout
    found = json.loads(run("info", "--json", "x.rdc").stdout)
    forms = [tile["form"] for tile in found["tiles"]]
    assert sum(found["forms"].values()) == len(forms) == 3
    assert all(f"coded as {form}" in text for form in forms)
    assert forms[0] == "constant"
    assert forms[1].startswith("apart(constant, ")
    assert found["models"] == sorted({m for tile in found["tiles"] for m in tile["models"]}, key=found["models"].index)
    assert all(model in text for model in found["models"])
    data = bytearray(Path("x.rdc").read_bytes())
    data[-1] ^= 1
    Path("x.rdc").write_bytes(data)
    result = run("info", "--json", "x.rdc")
    assert result.exit_code == 4
    assert json.loads(result.stdout.splitlines()[0])["tiles"][-1]["form"] is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    assert "_RIDECODEC_COMPLETE" in run("completion", shell).stdout


def test_completion_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_RIDECODEC_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", "ridecodec compress --model un")
    monkeypatch.setenv("COMP_CWORD", "un")
    assert "uniform" in run().stdout
