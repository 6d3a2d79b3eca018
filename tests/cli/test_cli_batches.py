"""The command line with many files: folders, patterns, processes, and what is said at the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import RGB, assert_fails, compress, names, pixels, program, run
from PIL import Image

PLACES = ("one.png", "in/two.tif", "in/deep/three.bmp")


@pytest.fixture
def tree(folder: Path) -> Path:
    """The folder `tree` of pictures, in folders too, of a JPEG file and of something else."""
    for number, place in enumerate(PLACES):
        path = Path("tree", place)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RGB[number:]).save(path)
    Image.fromarray(RGB).save("tree/in/photo.jpg")
    Path("tree/notes.txt").touch()
    return folder


def outputs(folder: str, ending: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob(f"*{ending}")}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_tree_and_back(tree: Path, jobs: str) -> None:
    result = compress("-r", "tree", "-d", "packed", "--jobs", jobs)
    assert result.exit_code == 0, result.output
    assert outputs("packed", "") == {"in", "in/deep", "one.rdc", "in/two.rdc", "in/deep/three.rdc"}
    assert "other files in the folders are skipped (1 .txt, 1 lossy .jpg); --pixels accepts lossy" in result.stderr
    read = sum(Path("tree", place).stat().st_size for place in PLACES)
    written = sum(path.stat().st_size for path in Path("packed").rglob("*.rdc"))
    assert result.stderr.endswith(f"\n3 done, 0 skipped, 0 failed; {read:,} -> {written:,} bytes\n")
    result = run("decompress", "--recursive", "packed", "-d", "back", "--jobs", jobs, "--json")
    assert {json.loads(line)["output"] for line in result.stdout.splitlines()} == {
        str(Path("back", place).with_suffix(".png")) for place in PLACES
    }
    assert result.stderr == ""
    for number, place in enumerate(PLACES):
        np.testing.assert_array_equal(pixels(Path("back", place).with_suffix(".png")), RGB[number:])


def test_beside_and_with_jpeg(tree: Path) -> None:
    Path("tree/notes.txt").unlink()
    result = compress("-r", "tree", "--pixels", "-q")
    assert "photo.jpg: loses everything but its pixels" in result.stderr
    assert outputs("tree", ".rdc") == {"one.rdc", "in/two.rdc", "in/deep/three.rdc", "in/photo.rdc"}


def test_patterns(tree: Path) -> None:
    assert compress("tree/*.png", "tree/**/t*.bmp", "-d", "packed").exit_code == 0
    assert outputs("packed", "") == {"one.rdc", "three.rdc"}
    assert run("decompress", "packed/*.rdc", "-d", "back").exit_code == 0
    assert outputs("back", "") == {"one.png", "three.png"}
    assert_fails(compress("tree/*.xyz"), 3, "tree/*.xyz: no such file")


def test_a_folder_needs_recursive(tree: Path) -> None:
    assert_fails(compress("tree"), 3, "tree: ", "--recursive")
    assert_fails(run("decompress", "tree", "-d", "back"), 3, "tree: ", "--recursive")
    assert_fails(run("verify", "tree"), 3, "tree: ", "--recursive")
    assert_fails(compress("-r", "tree", "-o", "x.rdc"), 2, "--output-dir")


def test_outputs_that_would_be_the_same(tree: Path) -> None:
    """Nothing is done, or all but these, whichever is there already."""
    Image.fromarray(RGB).save("tree/one.bmp")
    said = "tree/one.bmp and tree/one.png would both become new/one.rdc"
    assert_fails(compress("-r", "tree", "-d", "new"), 2, said)
    assert not Path("new").exists()
    for more in ((), ("--skip-existing",)):
        result = compress("-r", "tree", "-d", "new", "-k", "--delete-source", *more)
        assert result.exit_code == 2
        assert result.stderr.count(said) == 2
        assert outputs("new", ".rdc") == {"in/two.rdc", "in/deep/three.rdc"}
    assert outputs("tree", "") >= {"one.bmp", "one.png"}
    assert not {"in/two.png", "in/deep/three.bmp"} & outputs("tree", "")


def test_folders_without_pictures(tree: Path) -> None:
    Path("empty").mkdir()
    assert_fails(compress("-r", "empty", "-d", "new"), 3, "empty: no files that end in .png")
    assert compress("-r", "empty", "tree", "-d", "new").exit_code == 0


def test_jpeg_files_are_refused(tree: Path) -> None:
    assert_fails(compress("tree/in/photo.jpg"), 3, "photo.jpg: is a JPEG file", "--pixels")
    data = Path("tree/in/photo.jpg").read_bytes()
    assert_fails(compress("-", stdin=data), 3, "standard input: is a JPEG file")
    assert_fails(compress("--archive", "x.rdca", "tree/in"), 3, "photo.jpg: is a JPEG file")
    assert compress("tree/in/photo.jpg", "--pixels", "x.rdc").exit_code == 0


def test_skip_existing_goes_on_where_it_stopped(tree: Path) -> None:
    assert compress("tree/one.png", "-d", "packed").exit_code == 0
    before = Path("packed/one.rdc").stat()
    result = compress("-r", "tree", "-d", "packed", "--skip-existing")
    assert result.exit_code == 0
    assert "tree/one.png -> packed/one.rdc: skipped, the output exists\n" in result.stderr
    assert "\n2 done, 1 skipped, 0 failed; " in result.stderr
    assert Path("packed/one.rdc").stat().st_mtime_ns == before.st_mtime_ns
    result = compress("-r", "tree", "-d", "packed", "--skip-existing", "--json")
    assert [json.loads(line)["skipped"] for line in result.stdout.splitlines()] == [True] * 3
    assert_fails(compress("in.png", "--skip-existing", "--force"), 2, "--skip-existing and --force")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_batch_goes_on_after_failures(tree: Path, jobs: str) -> None:
    Path("tree/bad.png").write_bytes(b"no picture")
    result = compress("-r", "tree", "-d", "packed", "--keep-going", "--jobs", jobs)
    assert result.exit_code == 3
    assert "ridecodec: tree/bad.png: is damaged, or not a picture" in result.stderr
    assert "\n3 done, 0 skipped, 1 failed; " in result.stderr
    assert outputs("packed", ".rdc") == {"one.rdc", "in/two.rdc", "in/deep/three.rdc"}


def test_the_batch_stops_at_a_failure_and_says_so(tree: Path) -> None:
    result = compress("nosuch.png", "in.png", "gray.png")
    assert result.exit_code == 3
    said = "0 done, 0 skipped, 1 failed, 2 not tried (--keep-going continues after a failure); 0 bytes\n"
    assert result.stderr.endswith(said)
    assert compress("-q", "nosuch.png", "in.png").stderr.count("\n") == 1


def test_dry_run(tree: Path) -> None:
    Path("packed/in").mkdir(parents=True)
    Path("packed/in/two.rdc").touch()
    before = names(tree)
    result = compress("-r", "tree", "-d", "packed", "--dry-run", "--skip-existing", "-q")
    assert result.exit_code == 0
    assert set(result.stdout.splitlines()) == {
        "tree/one.png -> packed/one.rdc",
        "tree/in/two.tif -> packed/in/two.rdc: skipped, the output exists",
        "tree/in/deep/three.bmp -> packed/in/deep/three.rdc",
    }
    result = compress("-n", "in.png", "done.rdc", "--json")
    assert (result.exit_code, json.loads(result.stdout)["exit_code"]) == (5, 5)
    result = compress("-n", "nosuch.png", "in.png", "gray.png", "-d", "new")
    assert (result.exit_code, result.stdout) == (3, "in.png -> new/in.rdc\ngray.png -> new/gray.rdc\n")
    assert compress("-n", "--archive", "x.rdca", "in.png").stdout == "in.png -> x.rdca\n"
    assert names(tree) == before


def test_dry_run_of_an_archive(tree: Path) -> None:
    assert run("compress", "-m", "gradient", "--archive", "x.rdca", "in.png", "gray.png").exit_code == 0
    before = names(tree)
    result = run("decompress", "x.rdca", "new", "-n")
    assert result.stdout == "x.rdca: in -> new/in.png\nx.rdca: gray -> new/gray.png\n"
    assert names(tree) == before


def test_processes_make_the_same_archive(folder: Path) -> None:
    random = np.random.default_rng(1)
    np.save("many.npy", random.integers(0, 9, (530, 2, 3), np.uint8))
    for jobs in ("1", "2"):
        assert compress("--archive", f"{jobs}.rdca", "many.npy", "--jobs", jobs, "-m", "uniform").exit_code == 0
    assert Path("1.rdca").read_bytes() == Path("2.rdca").read_bytes()


@pytest.mark.parametrize("more", [("-r",), ("--skip-existing",), ("--preserve",), ("--delete-source",)])
def test_what_an_archive_does_not_go_with(tree: Path, more: tuple[str, ...]) -> None:
    option = {"-r": "--recursive"}.get(more[0], more[0])
    assert_fails(compress("--archive", "x.rdca", "in.png", *more), 2, option)


def test_standard_streams_are_for_one_process(tree: Path) -> None:
    assert_fails(compress("-", "in.png", "--jobs", "2", stdin=b""), 2, "--jobs")


def test_a_killed_process_costs_one_file(tree: Path) -> None:
    """The process that looks at a certain file kills itself, as the system does where memory runs out."""
    shutil.copy("in.png", "tree/doomed.png")
    Path("sitecustomize.py").write_text("""import os, signal
stat = os.stat
def look(path, *args, **options):
    if str(path).endswith("doomed.png"):
        os.kill(os.getpid(), signal.SIGKILL)
    return stat(path, *args, **options)
os.stat = look
""")
    with program("compress", "-m", "uniform", "-r", "tree", "-d", "packed", "--jobs", "2", "-k") as process:
        errors = process.communicate()[1].decode()
    assert process.returncode == 1
    assert "ridecodec: tree/doomed.png: the worker process ended" in errors
    assert "\n3 done, 0 skipped, 1 failed; " in errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_of_several_processes(tree: Path, number: signal.Signals, code: int) -> None:
    """Two stop where their outputs are written but not in place; then all get the signal, as from a terminal."""
    Path("sitecustomize.py").write_text("""import os, time
def wait(descriptor):
    os.write(1, b"writing\\n")
    time.sleep(600)
os.fsync = wait
""")
    before = names(tree)
    args = ("compress", "-m", "uniform", "-r", "tree", "--jobs", "2")
    with program(*args, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"writing\n"] * 2
        assert len(names(tree)) == len(before) + 2
        os.killpg(process.pid, number)
        errors = process.communicate()[1]
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert names(tree) == before
