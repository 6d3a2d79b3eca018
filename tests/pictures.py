"""Pictures for tests: made up ones of every kind, and crops of scikit-image's photographs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ridecodec.evaluation import corpora
from ridecodec.picture import Chunk, ColourType, Picture

Array = NDArray[np.uint8]
SIDE = 70
"""Largest side of the pictures that `arrays` draws."""
_PHOTOGRAPHS = {False: ("camera", "coins", "gravel"), True: ("astronaut", "chelsea", "rocket")}


@cache
def photograph(name: str) -> Array:
    """A photograph of scikit-image, uint8 [H, W] or [H, W, 3]."""
    (path,) = (p for p in corpora.find("skimage") if p.stem == name)
    return np.asarray(Picture.open(path, pixels=True).to_numpy(), np.uint8)


def crop(name: str, height: int, width: int, top: int = 100, left: int = 120) -> Array:
    """A piece of a photograph."""
    return photograph(name)[top : top + height, left : left + width].copy()


def noise(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def constant(shape: tuple[int, ...], seed: int) -> Array:
    return np.full(shape, (0, 255, seed % 256)[seed % 3], np.uint8)


def ramp(shape: tuple[int, ...], seed: int) -> Array:
    """A gradient, another one in each channel; it wraps around, so it has edges too."""
    rows, columns, start = np.random.default_rng(seed).integers(-9, 10, (3, *shape[2:]))
    y, x = np.mgrid[: shape[0], : shape[1]].reshape(2, *shape[:2], *(1 for _ in shape[2:]))
    return (start + rows * y + columns * x).astype(np.uint8)


def extremes(shape: tuple[int, ...], seed: int) -> Array:
    """Black and white at random, in runs: what a model trained on photographs expects least."""
    bits = np.random.default_rng(seed).random(shape) < (0.5, 0.03)[seed % 2]
    return np.where(np.logical_xor.accumulate(bits, axis=1), 255, 0).astype(np.uint8)


def woven(shape: tuple[int, ...], seed: int) -> Array:
    """Noise, of which every second row nearly repeats; red and blue follow green. No model knows such a rule
    beforehand."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, 200, shape[:2])
    for y in range(2, shape[0]):
        out[y] = (out[y - 2] + rng.integers(-2, 3, shape[1])).clip(0, 255)
    if len(shape) == 3:
        out = np.stack([out // 2 + 40, out, 255 - out], 2)
    return out.astype(np.uint8)


def piece(shape: tuple[int, ...], seed: int) -> Array:
    """A crop of a photograph."""
    rng = np.random.default_rng(seed)
    whole = photograph(str(rng.choice(_PHOTOGRAPHS[len(shape) == 3])))
    top, left = (int(rng.integers(0, whole.shape[i] - shape[i] + 1)) for i in (0, 1))
    return whole[top : top + shape[0], left : left + shape[1]].copy()


KINDS = (noise, constant, ramp, extremes, woven, piece)


def arrays(side: int = SIDE) -> st.SearchStrategy[Array]:
    """Gray and RGB pictures of every kind, from 1 x 1 up."""
    shapes = st.tuples(st.integers(1, side), st.integers(1, side), st.sampled_from([(), (3,)]))
    return st.builds(
        lambda kind, shape, seed: kind((*shape[:2], *shape[2]), seed),
        st.sampled_from(KINDS),
        shapes,
        st.integers(0, 2**16),
    )


TYPES = [(colour, depth) for colour in ColourType for depth in colour.depths]
_CHUNKS = [
    Chunk(b"gAMA", bytes((0, 0, 0xB1, 0x8F))),
    Chunk(b"pHYs", bytes((0, 0, 0x0B, 0x13, 0, 0, 0x0B, 0x13, 1))),
    Chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0"),
    Chunk(b"tEXt", b"Title\0a picture"),
    Chunk(b"tIME", bytes(7)),
    Chunk(b"prVt", b""),
]


def typed(side: int = 20, types: Sequence[tuple[ColourType, int]] = TYPES) -> st.SearchStrategy[Picture]:
    """Pictures of all colour types and depths, with a palette where they need one, and some metadata."""
    numbers = st.integers(1, side)
    return st.builds(_typed, st.sampled_from(types), numbers, numbers, st.integers(0, 2**16), st.booleans())


def _typed(kind: tuple[ColourType, int], height: int, width: int, seed: int, after: bool) -> Picture:
    colour, depth = kind
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 2**depth, (colour.channels, height, width), np.uint16)
    planes[:, seed % height :] = planes[:, seed % height, :1, None]
    metadata = [_CHUNKS[i] for i in rng.permutation(len(_CHUNKS))[: seed % 4]]
    if colour.indexed:
        metadata.append(Chunk(b"PLTE", rng.bytes(3 * int(rng.integers(1, 2**depth + 1)))))
    if seed % 3 == 0 and colour in (ColourType.GRAY, ColourType.RGB, ColourType.PALETTE):
        transparent = rng.bytes(1) if colour.indexed else np.asarray(planes[:, 0, 0], ">u2").tobytes()
        metadata.append(Chunk(b"tRNS", transparent))
    if after:
        metadata += [Chunk(b"IDAT", b""), Chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"at the end"))]
    return Picture(planes if depth == 16 else planes.astype(np.uint8), colour, depth, tuple(metadata))


def same(one: Picture, other: Picture) -> bool:
    """Whether two pictures have the same type and samples."""
    types = [(p.colour, p.bit_depth, p.planes.dtype) for p in (one, other)]
    return types[0] == types[1] and np.array_equal(one.planes, other.planes)


def identical(one: Picture, other: Picture) -> bool:
    """Whether they have the same metadata, too."""
    return same(one, other) and one.metadata == other.metadata
