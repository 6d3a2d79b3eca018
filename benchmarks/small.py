"""Many small pictures: a folder of 32x32 ones to an archive and to files of their own, and back.

    python benchmarks/small.py [--pictures 10000] [--workers 2] [--model auto]

The pictures are overlapping parts of scikit-image's photographs at a half, a third and a quarter of their size, PNG.
Each command is run as a process, with its check of the result.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

SIDE, STEP = 32, 5
REDUCED = (2, 3, 4)
RESULTS = Path(__file__).parent / "results"


def parts() -> Iterator[NDArray[np.uint8]]:
    """Parts of photographs, [32, 32, 3]."""
    for photo in (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()):
        for image in (np.asarray(Image.fromarray(photo).reduce(by)) for by in REDUCED):
            for y in range(0, image.shape[0] - SIDE + 1, STEP):
                for x in range(0, image.shape[1] - SIDE + 1, STEP):
                    yield image[y : y + SIDE, x : x + SIDE]


def made(folder: Path, count: int) -> int:
    """Write so many pictures, spread over all parts; their size in bytes."""
    every = list(parts())
    if count > len(every):
        raise SystemExit(f"there are {len(every)} pictures; ask for no more")
    folder.mkdir()
    for k in range(count):
        Image.fromarray(every[k * len(every) // count]).save(folder / f"{k:05}.png")
    return sum(each.stat().st_size for each in folder.iterdir())


def ran(*arguments: str) -> tuple[float, float]:
    """Run a command; the seconds that it took, and those of all its processors."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ridecodec", *arguments, "--quiet"], check=True)
    took = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=2, help="threads or processes")
    parser.add_argument("--model", action="append", dest="models", help="default: auto and photo")
    parser.add_argument("--to", type=Path, default=RESULTS / "small.md")
    options = parser.parse_args()
    called = " ".join(["benchmarks/small.py", *sys.argv[1:]])
    lines = [
        f"# {options.pictures:,} pictures of {SIDE}x{SIDE}",
        "",
        f"`python {called}`; whole processes, with the check of the result",
        "",
        "| model | command | bpsp | pictures a second | CPU ms a picture |",
        "|---|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder / "png", options.pictures)
        source, threads, jobs = str(folder / "png"), f"--threads={options.workers}", f"--jobs={options.workers}"
        for model in options.models or ["auto", "photo"]:
            archive, files, back = (str(folder / f"{model}.{ending}") for ending in ("rdca", "files", "back"))
            for words, *command in (
                (f"compress --archive {jobs}", "compress", "--archive", archive, source, jobs),
                (f"decompress {threads}", "decompress", archive, "-d", back, threads),
                (f"compress {jobs}", "compress", "-r", source, "-d", files, jobs),
            ):
                took, spent = ran(*command, *(["--model", model] if command[0] == "compress" else []))
                written = Path(archive).stat().st_size
                if files in command:
                    written = sum(each.stat().st_size for each in Path(files).rglob("*.rdc"))
                rate = 8 * written / (options.pictures * SIDE * SIDE * 3)
                speed, each = options.pictures / took, 1000 * spent / options.pictures
                lines.append(f"| {model} | `{words}` | {rate:.3f} | {speed:.0f} | {each:.1f} |")
                print(lines[-1], file=sys.stderr, flush=True)
    options.to.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
