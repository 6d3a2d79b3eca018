"""Dead leaves: pictures of disks that cover one another, as Lee, Mumford and Huang describe (2001).

They have the edges, the occlusions and the long-range dependence of photographs. The process, from the front back:

- Every disk is solid, its gray value uniform from 0 to 255; a pixel shows the first disk that contains its centre.
- The density of the radius r is proportional to r^-3 from `SMALLEST` to `LARGEST`: the power with which pictures look
  alike at every scale between these.
- The centre is uniform, in steps of 1/`UNIT` pixel, over the picture and a margin of `LARGEST` around it, so that the
  border is as crowded as the middle.
- Disks are added until they cover every pixel.

Random numbers are the raw 64-bit words of PCG64, which numpy keeps from version to version, seeded with (seed, index);
all else is integer arithmetic. So a picture is the same on every machine, and independent of the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 256
"""Side of the papers' pictures, in pixels."""
UNIT = 128
"""Lengths are in fractions 1/UNIT of a pixel, where nothing else is said."""
SMALLEST = UNIT // 2
LARGEST = 64 * UNIT

_BATCH = 16384
"""Disks drawn at a time, at `SIZE`; the picture does not depend on it."""
_UNCOVERED = np.iinfo(np.int32).max
_HALVES = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, LARGEST // UNIT])
"""Disks are drawn in squares of 2n + 1 pixels around them, where n is the first of these that is not below the radius,
in pixels; those of a kind go together."""
_SQUARES = (_HALVES * UNIT) ** 2

Integers = NDArray[np.int64]


def picture(seed: int, index: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Picture number ``index`` of the series ``seed``, both from 0 up: uint8 [size, size]."""
    words = np.random.PCG64(np.random.SeedSequence((seed, index)))
    shown = np.full((size, size), _UNCOVERED, np.int32)  # the number of the disk that each pixel shows
    values: list[NDArray[np.uint8]] = []
    batch = _BATCH * max(1, size // SIZE) ** 2
    while (shown == _UNCOVERED).any():
        x, y, square, value = _disks(words.random_raw(2 * batch).astype(np.uint64), size)
        _draw(shown, x, y, square, batch * len(values))
        values.append(value.astype(np.uint8))
    painted: NDArray[np.uint8] = np.concatenate(values)[shown]
    return painted


def squared_radii(uniform: NDArray[np.uint64]) -> Integers:
    """Squared radii, int64 [n], for whole numbers below 2^32, uint64 [n].

    The inverse of the distribution: r^2 = SMALLEST^2 / (1 - u (1 - SMALLEST^2 / LARGEST^2)), u from 0 to 1.
    """
    span = np.uint64((1 << 32) - (SMALLEST**2 << 32) // LARGEST**2)
    below = np.uint64(1 << 40) - (uniform * span >> np.uint64(24))
    squares: Integers = (np.uint64(SMALLEST**2 << 40) // below).astype(np.int64)
    return squares


def _disks(words: NDArray[np.uint64], size: int) -> tuple[Integers, Integers, Integers, Integers]:
    """Centres x and y from the picture's corner, squared radii and gray values of the disks in ``words``, two each."""
    low, half, byte = (np.uint64(n) for n in (0xFFFFFFFF, 32, 56))
    place, look = words[::2], words[1::2]
    span = np.uint64(size * UNIT + 2 * LARGEST)
    x, y = ((part * span >> half).astype(np.int64) - LARGEST for part in (place & low, place >> half))
    return x, y, squared_radii(look & low), (look >> byte).astype(np.int64)


def _draw(shown: NDArray[np.int32], x: Integers, y: Integers, square: Integers, first: int) -> None:
    """Put disks behind those that are ``shown`` already, int32 [size, size]; they are numbered from ``first`` on."""
    size = len(shown)
    kind = np.searchsorted(_SQUARES, square)
    half = _HALVES[kind]
    left, right, top, bottom = ((at // UNIT + step).clip(0, size) for at in (x, y) for step in (-half, half + 1))
    before = np.zeros((size + 1, size + 1), np.int32)  # how many uncovered pixels are above and left of each corner
    np.cumsum(np.cumsum(shown == _UNCOVERED, axis=0, dtype=np.int32), axis=1, out=before[1:, 1:])
    uncovered = before[bottom, right] - before[top, right] - before[bottom, left] + before[top, left]
    (useful,) = np.nonzero(uncovered)
    for number, each in enumerate(_HALVES):
        disks = useful[kind[useful] == number]
        side = min(2 * int(each) + 1, size)  # a square that reaches out is moved in
        rows, columns = (np.minimum(start[disks], size - side)[:, None] + np.arange(side) for start in (top, left))
        dy, dx = ((at * UNIT + UNIT // 2 - c[disks, None]).astype(np.int32) for at, c in ((rows, y), (columns, x)))
        limit = square[disks].astype(np.int32)
        within = (dx * dx)[:, None, :] + (dy * dy)[:, :, None] <= limit[:, None, None]
        pixels = (rows * size)[:, :, None] + columns[:, None, :]
        numbers = np.broadcast_to((first + disks).astype(np.int32)[:, None, None], within.shape)
        np.minimum.at(shown.reshape(-1), pixels[within], numbers[within])
