"""Pictures of every type, small ones, and files that hold them without any of ridecodec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from historypictures import photo_cd, with_logo
from pictures import TYPES, crop

from ridecodec.picture import Chunk, ColourType, Picture

TILES = {"large-deep": 40, "large-drawing": 24}
"""Sides of their tiles, where it is not the default."""
_TEXT = Chunk(b"tEXt", b"Comment\0made for tests")


def pictures() -> dict[str, Picture]:
    """One of every colour type and depth, photographs and drawings by turns, with metadata before and after; two
    that are large enough for models to fit themselves to, one that has a history, and one that is folded."""
    found = {f"{c.name.lower().replace('_', '-')}-{d}": _picture(c, d, k) for k, (c, d) in enumerate(TYPES)}
    deep = crop("camera", 48, 52).astype(np.uint16) * 200 + crop("coins", 48, 52)
    found["large-deep"] = Picture(deep[None], ColourType.GRAY, 16)
    found["large-drawing"] = Picture.from_numpy(crop("rocket", 48, 52) // 64 * 64)
    found["photo-cd"] = with_logo(photo_cd(33, 36))
    found["thin"] = Picture.from_numpy((crop("chelsea", 110, 2) // 64 * 64).repeat(4, 0).repeat(2, 1))
    return found


def _picture(colour: ColourType, depth: int, seed: int) -> Picture:
    """A piece of a photograph, in few values where ``seed`` is odd; alpha is nothing, half or all."""
    photo = crop("astronaut", 11, 14, 60 + 9 * seed, 150).astype(np.uint16)
    if seed % 2:
        photo = photo // 80 * 80
    planes = [photo[:, :, c % 3] for c in (1, 0, 2, 1)][: colour.channels] if colour.channels > 1 else [photo[:, :, 1]]
    if colour in (ColourType.GRAY_ALPHA, ColourType.RGBA, ColourType.PALETTE_ALPHA):
        planes[-1] = planes[-1] // 100 * 127
    if depth == 16:
        planes = [plane * 257 - plane // 3 for plane in planes]
    samples = np.stack(planes) >> (8 - depth if depth < 8 else 0)
    metadata = [_TEXT, Chunk(b"IDAT", b""), Chunk(b"tIME", bytes(7))]
    if colour.indexed:
        palette = np.random.default_rng(seed).integers(0, 256, 3 << min(depth, 5), np.uint8)
        samples[0] %= 1 << min(depth, 5)
        metadata.insert(0, Chunk(b"PLTE", palette.tobytes()))
    if colour is ColourType.PALETTE:
        metadata.insert(1, Chunk(b"tRNS", bytes([0, 128])))
    return Picture(samples.astype(np.uint16 if depth == 16 else np.uint8), colour, depth, tuple(metadata))


def write(path: Path, picture: Picture) -> None:
    kinds = np.frombuffer(b"".join(chunk.kind for chunk in picture.metadata), "S4")
    data = [np.frombuffer(chunk.data, np.uint8) for chunk in picture.metadata]
    np.savez(path, *data, planes=picture.planes, type=[picture.colour, picture.bit_depth], kinds=kinds)


def read(path: Path) -> Picture:
    with np.load(path) as held:
        chunks = [Chunk(bytes(kind), held[f"arr_{k}"].tobytes()) for k, kind in enumerate(held["kinds"])]
        colour, depth = map(int, held["type"])
        return Picture(held["planes"], ColourType(colour), depth, tuple(chunks))
