"""Decoding with caches and fronts against the naive way: the whole network once a sub-pixel.

    python benchmarks/decoding.py [--model gated-cifar] [--images 64] [--sub-pixels 60]

The pictures are 32x32 parts of scikit-image's photographs. Naive is what `Backend.rows` computes, once for every
sub-pixel of an image, one image after another; it is timed on some sub-pixels of the first image, whose tables are
compared with the decoder's, and multiplied. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.coding.exact import exact_arithmetic
from ridecodec.coding.tables import intervals
from ridecodec.engines.tilecoder import decode_tiles, encode_tile
from ridecodec.engines.torch.adapter import TorchCodec
from ridecodec.models import registry
from ridecodec.models.base import Backend, Rows

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


def naive(backend: Backend, tile: NDArray[np.uint8], count: int) -> float:
    """CPU seconds of a whole image, from ``count`` of its sub-pixels, whose intervals must be the encoder's."""
    planes = torch.from_numpy(tile).float()
    side = backend.side_information(planes)
    wanted = _intervals(backend, planes, side)
    spent = 0.0
    for number in np.linspace(0, planes.numel() - 1, count).astype(int):
        pixel, channel = divmod(int(number), len(planes))
        seen = planes.clone()
        seen.flatten(1)[channel:, pixel] = 0
        seen.flatten(1)[:, pixel + 1 :] = 0
        begun = time.process_time()
        rows = list(backend.rows(seen, side))
        spent += time.process_time() - begun
        seen.flatten(1)[channel, pixel] = planes.flatten(1)[channel, pixel]
        found = _values(rows, seen)
        if not torch.equal(found[:, channel, pixel], wanted[:, channel, pixel]):
            raise SystemExit(f"sub-pixel {number} differs")
    return spent / count * planes.numel()


def _intervals(backend: Backend, planes: Tensor, side: bytes) -> Tensor:
    return _values(list(backend.rows(planes, side)), planes)


def _values(rows: list[Rows], planes: Tensor) -> Tensor:
    """Starts and widths of both steps of every sub-pixel, [4, C, H * W]."""
    parts = []
    for each in rows:
        found = [
            intervals(distribution, planes[c, each.y0 : each.y1].reshape(-1).int())
            for c, distribution in enumerate(each.channels)
        ]
        parts.append(torch.stack([torch.cat([one.start, one.width]) for one in found], 1))
    return torch.cat(parts, 2)


def cached(backend: Backend, tiles: list[NDArray[np.uint8]]) -> float:
    """CPU seconds to decode a batch."""
    codec = TorchCodec(backend)
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
    torch.set_num_threads(1)
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
        backend = registry.backend(card, "cpu")
        tiles = parts(options.images, max(card.channels))
        with exact_arithmetic():
            slow = naive(backend, tiles[0], options.sub_pixels)
        cached(backend, tiles[:1])
        one, many = cached(backend, tiles[:1]), cached(backend, tiles) / len(tiles)
        lines.append(f"| {name} | {slow:.1f} | {one:.2f} | {slow / one:.0f} | {many:.3f} | {slow / many:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    options.to.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
