"""Decoding with caches and fronts against the naive way: the whole network once a sub-pixel.

    python benchmarks/decoding.py [--model gated-cifar] [--images 64] [--sub-pixels 60]

The pictures are 32x32 parts of scikit-image's photographs. Naive is what an encoder computes of a whole image, once
for every sub-pixel; it is timed for some sub-pixels of the first image, and multiplied. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import TileCodec, decode_tiles, encode_tile
from ridecodec.models import registry

SIDE = 32
RESULTS = Path(__file__).parent / "results"


def parts(count: int, channels: int) -> list[NDArray[np.uint8]]:
    """Parts of photographs at a quarter of their size, [C, 32, 32]."""
    found = []
    for photo in (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()):
        small = photo[: photo.shape[0] // 4 * 4, : photo.shape[1] // 4 * 4]
        small = small.reshape(small.shape[0] // 4, 4, small.shape[1] // 4, 4, 3).mean((1, 3)).round().astype(np.uint8)
        for y in range(0, small.shape[0] - SIDE + 1, SIDE // 2):
            for x in range(0, small.shape[1] - SIDE + 1, SIDE // 2):
                part = small[y : y + SIDE, x : x + SIDE].transpose(2, 0, 1)[[1, 0, 2]]
                found.append(np.ascontiguousarray(part[:channels]))
    return found[:count]


def naive(codec: TileCodec, tile: NDArray[np.uint8], count: int) -> float:
    """CPU seconds of a whole image, from ``count`` of its sub-pixels."""
    begun = time.process_time()
    for _ in range(count):
        encode_tile(codec, tile, lambda pixels, bits: None)
    return (time.process_time() - begun) / count * tile.size


def cached(codec: TileCodec, tiles: list[NDArray[np.uint8]]) -> float:
    """CPU seconds to decode a batch."""
    payloads = [encode_tile(codec, tile, lambda pixels, bits: None).payload for tile in tiles]
    begun = time.process_time()
    found = decode_tiles(codec, payloads, *tiles[0].shape, lambda pixels, bits: None)
    spent = time.process_time() - begun
    if not np.array_equal(found, np.stack(tiles)):
        raise SystemExit("the decoded pixels differ")
    return spent


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", dest="models", help="default: gated-cifar and pixelcnn-cifar")
    parser.add_argument("--images", type=int, default=64, help="of the batch")
    parser.add_argument("--sub-pixels", type=int, default=60, help="that the naive way is timed on")
    parser.add_argument("--to", type=Path, default=RESULTS / "decoding.md")
    options = parser.parse_args()
    lines = [
        "# Decoding 32x32 images",
        "",
        "`python " + " ".join(["benchmarks/decoding.py", *sys.argv[1:]]) + "`; CPU seconds of one thread an image",
        "",
        f"| model | naive | one image | ratio | {options.images} images, each | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in options.models or ["gated-cifar", "pixelcnn-cifar"]:
        card = registry.current(name)
        codec = registry.load(card, "cpu")
        tiles = parts(options.images, max(card.channels))
        slow = naive(codec, tiles[0], options.sub_pixels)
        cached(codec, tiles[:1])
        one, many = cached(codec, tiles[:1]), cached(codec, tiles) / len(tiles)
        lines.append(f"| {name} | {slow:.1f} | {one:.2f} | {slow / one:.0f} | {many:.3f} | {slow / many:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    options.to.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
