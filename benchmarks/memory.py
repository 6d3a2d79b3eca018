"""Peak resident memory of the command line on a large picture, its pixels verified.

    python benchmarks/memory.py --megapixels 100

The picture is made of photographs, each turned and mirrored at random and continued by reflection to a square. The
reported peaks are those of the processes `ridecodec compress` and `ridecodec decompress`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import children

CELL = 512


def make(target: Path, megapixels: float, sources: list[Path], seed: int) -> tuple[int, int]:
    """Write the picture; returns its width and height."""
    import numpy as np
    from PIL import Image

    from ridecodec.evaluation import corpora

    photographs = []
    for path in sources or corpora.find("skimage"):
        with Image.open(path) as image:
            if image.mode == "RGB":
                photographs.append(np.asarray(image)[:CELL, :CELL])
    rng = np.random.default_rng(seed)
    width = math.ceil(math.sqrt(1.5e6 * megapixels))
    height = math.ceil(1e6 * megapixels / width)
    picture = np.empty((height, width, 3), np.uint8)
    for y in range(0, height, CELL):
        for x in range(0, width, CELL):
            photograph = photographs[rng.integers(len(photographs))]
            rows, columns = photograph.shape[:2]
            cell = np.pad(photograph, ((0, CELL - rows), (0, CELL - columns), (0, 0)), mode="symmetric")
            cell = np.rot90(cell, rng.integers(4))[:, :: rng.choice([-1, 1])]
            picture[y : y + CELL, x : x + CELL] = cell[: height - y, : width - x]
    Image.MAX_IMAGE_PIXELS = None
    Image.fromarray(picture).save(target, compress_level=1)
    return width, height


def equal(first: Path, second: Path) -> bool:
    """Whether two files show the same pixels."""
    from PIL import Image, ImageChops

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(first) as a, Image.open(second) as b:
        return a.size == b.size and a.mode == b.mode and ImageChops.difference(a, b).getbbox() is None


def elsewhere(call: Any, *arguments: Any) -> Any:
    """Result of `call` in a fresh process, so that this one stays small."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def main() -> None:
    """Make, compress, decompress, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, help="RGB photographs (default: those of scikit-image)")
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--tile", type=int, default=0, help="0: the default")
    parser.add_argument("--verify", action="store_true", help="let compress decode its own result, too")
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    threads = ["--threads", str(options.threads)]
    coding = [*threads, "--model", options.model, "--verify" if options.verify else "--no-verify"]
    if options.tile:
        coding += ["--tile", str(options.tile)]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        picture, packed, unpacked = (Path(folder) / name for name in ("in.png", "out.rdc", "out.ppm"))
        width, height = elsewhere(make, picture, options.megapixels, options.pictures, options.seed)
        print(f"{width} x {height} RGB, {width * height / 1e6:.1f} megapixels", flush=True)
        usages = {
            "compress": children.run(children.ridecodec("compress", "-q", *coding, picture, packed)),
            "decompress": children.run(children.ridecodec("decompress", "-q", *threads, packed, unpacked)),
        }
        print(f"{8 * packed.stat().st_size / (3 * width * height):.3f} bpsp")
        if not elsewhere(equal, picture, unpacked):
            raise SystemExit("the decompressed pixels differ from the picture")
        for name, usage in usages.items():
            speed = 1e6 * usage.cpu / (width * height)
            print(f"{name:<10}  peak {usage.peak / 1e6:,.0f} MB resident  {speed:.2f} CPU s/MP")
        print(f"pixels equal; nothing under {children.own_peak() / 1e6:.0f} MB could be seen")


if __name__ == "__main__":
    main()
