"""Running the command line, and what the tests of it look at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

import ridecodec
from ridecodec.cli.app import cli

MAIN = "from ridecodec.cli import main; main()"
RGB = np.random.default_rng(1).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def run(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, args, input=stdin, prog_name="ridecodec")


def compress(*args: str, stdin: bytes | None = None) -> Result:
    return run("compress", "--model", "uniform", *args, stdin=stdin)


def program(*args: str, code: str = MAIN, **options: Any) -> subprocess.Popen[bytes]:
    """The program as a process of its own; a sitecustomize.py in the working folder is for it and its processes."""
    path = os.pathsep.join([str(Path.cwd()), str(Path(ridecodec.__file__).parents[1])])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code, *args], env=environment, stderr=subprocess.PIPE, **options)


def pixels(path: str | Path | BytesIO) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def assert_fails(result: Result, code: int, *said: str) -> None:
    """The exit code is right, one line says so, and every one of ``said`` is in it."""
    assert result.exit_code == code, result.output
    assert re.fullmatch(r"ridecodec: [^\n]+\n", result.stderr)
    assert not result.stdout
    for text in said:
        assert text in result.stderr
