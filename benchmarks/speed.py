"""CPU time of ridecodec against JPEG XL's encoder at effort 9, on the same pictures, in one run, one thread each.

    python benchmarks/speed.py [PICTURES] [--tile 256 --tile 2048]

Whole processes: user and system time of `ridecodec compress --no-verify`, `ridecodec decompress` (to PPM), and of a
Python process that reads the picture with Pillow and saves it as JPEG XL, all of their starting included.
In one process: the calls alone, from and to pixels in memory, after a first one that is not counted.
The three take turns, and the numbers are medians over repeats, summed over pictures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import children
import numpy as np

import ridecodec
from ridecodec.errors import InputError
from ridecodec.evaluation import corpora
from ridecodec.evaluation.peers import PEERS, timed
from ridecodec.picture import ColourType, Picture

JXL = "JPEG XL -e 9"
JXL_PROCESS = """
import sys
import pillow_jxl
from PIL import Image
with Image.open(sys.argv[1]) as image:
    image.save(sys.argv[2], lossless=True, effort=9, num_threads=0)
"""
Times = dict[str, float]


def default_pictures() -> list[Path]:
    """The first picture of Kodak, or else scikit-image's astronaut."""
    try:
        return corpora.find("kodak")[:1]
    except InputError:
        return corpora.find("skimage")[:1]


def names(tile: int) -> tuple[str, str]:
    """Names of compressing and decompressing with a tile size, in the table."""
    suffix = f", tile {tile}" if tile else ""
    return f"compress{suffix}", f"decompress{suffix}"


def whole_processes(path: Path, model: str, tiles: list[int], folder: Path) -> Times:
    """CPU seconds of one round of processes on one picture."""
    gray = Picture.open(path, pixels=True).colour is ColourType.GRAY
    packed, unpacked = folder / "out.rdc", folder / ("out.pgm" if gray else "out.ppm")
    times = {JXL: children.run([sys.executable, "-c", JXL_PROCESS, path, folder / "out.jxl"]).cpu}
    for tile in tiles:
        coding = ["--model", model, "--no-verify", "--threads", "1", *(["--tile", str(tile)] if tile else [])]
        compress, decompress = names(tile)
        command = children.ridecodec("compress", "-q", "--force", *coding, path, packed)
        times[compress] = children.run(command).cpu
        command = children.ridecodec("decompress", "-q", "--force", "--threads", "1", packed, unpacked)
        times[decompress] = children.run(command).cpu
    return times


def calls(path: Path, model: str, tiles: list[int]) -> Times:
    """CPU seconds of one round of calls in this process on one picture."""
    pixels = Picture.open(path, pixels=True).to_numpy()
    times = {JXL: timed(lambda: PEERS["jxl-e9"].encode(pixels))[1]}
    for tile in tiles:
        compress, decompress = names(tile)
        data, times[compress] = timed(
            lambda tile=tile: ridecodec.compress(pixels, model=model, tile=tile, threads=1, verify=False)
        )
        picture, times[decompress] = timed(lambda data=data: ridecodec.decompress(data, threads=1))
        if not np.array_equal(picture.to_numpy(), pixels):
            raise SystemExit(f"{path}: the decompressed pixels differ")
    return times


def medians(rounds: list[list[Times]]) -> Times:
    """Medians over repeats, summed over pictures; `rounds` holds pictures, each a list of repeats."""
    total: defaultdict[str, float] = defaultdict(float)
    for repeats in rounds:
        for name in repeats[0]:
            total[name] += statistics.median(times[name] for times in repeats)
    return total


def table(title: str, times: Times, megapixels: float) -> str:
    """Seconds a megapixel, and relative to JPEG XL."""
    lines = [f"| {title} | CPU s/MP | x {JXL} |", "|---|---:|---:|"]
    lines += [f"| {name} | {t / megapixels:.3f} | {t / times[JXL]:.3f} |" for name, t in times.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--tile", type=int, action="append", help="tile size, several to compare (0: the default)")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    tiles = options.tile or [0]
    pictures = options.pictures or default_pictures()
    sizes = [Picture.open(path, pixels=True) for path in pictures]
    megapixels = sum(picture.width * picture.height for picture in sizes) / 1e6
    print(f"{', '.join(path.name for path in pictures)}: {megapixels:.3f} megapixels, {options.repeats} repeats\n")
    processes, inside = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in pictures:
            calls(path, options.model, tiles)
            both = [
                (whole_processes(path, options.model, tiles, Path(folder)), calls(path, options.model, tiles))
                for _ in range(options.repeats)
            ]
            processes.append([first for first, _ in both])
            inside.append([second for _, second in both])
    print(table("whole processes", medians(processes), megapixels))
    print(table("calls in one process", medians(inside), megapixels))


if __name__ == "__main__":
    main()
