"""Histories 2 to 5 and 7 of docs/format.md, for the second decoder: a pixel at a time."""

from __future__ import annotations

import zlib
from itertools import product
from typing import Any

import numpy as np

SAMPLINGS = [
    (d, a, smooth, t, left)
    for d, a in ((1, 1), (2, 2), (1, 2), (2, 1), (1, 4), (4, 1), (2, 4), (4, 2), (4, 4))
    for smooth in ((False, True) if max(d, a) == 2 else (False,))
    for t, left in product(range(d), range(a))
]
SWSCALE = [
    (76309, 16, 326, 104597, -25675, -53279, 132201),
    (65536, 0, 384, 91881, -22553, -46801, 116129),
    (76309, 16, 326, 117489, -13975, -34925, 138438),
    (65536, 0, 384, 103206, -12276, -30679, 121608),
]
CHANNELS = (1, 4, 3, 1, 2, 4, 4, 2)
"""By colour type."""
Size = tuple[int, int, int, int]
"""Width, height, colour type, bits."""


def numbers(data: bytes, count: int) -> tuple[list[int], bytes]:
    """Some varints, and what follows them."""
    found = []
    for _ in range(count):
        size = next(k for k, byte in enumerate(data) if byte < 128) + 1
        found.append(sum((byte & 127) << 7 * k for k, byte in enumerate(data[:size])))
        data = data[size:]
    return found, data


def ycbcr_sources(frame: Any) -> list[Size]:
    d, a, _, t, left = SAMPLINGS[frame.parameters[1]]
    plane = (-(-(frame.width + left) // a), -(-(frame.height + t) // d), 0, 8)
    return [plane, plane] + [(frame.width, frame.height, 0, 8)] * (CHANNELS[frame.colour] - 2)


def ycbcr(frame: Any, planes: list[np.ndarray]) -> np.ndarray:
    sampling = SAMPLINGS[frame.parameters[1]]
    out = np.empty((3, frame.height, frame.width), int)
    for y, x in np.ndindex(frame.height, frame.width):
        cb, cr = (chroma(sampling, plane[0].astype(int), y, x) for plane in planes[:2])
        out[:, y, x] = colour(frame.parameters[0], int(planes[2][0, y, x]), cb, cr)
    return np.concatenate([out, *planes[3:]])


def chroma(sampling: tuple[int, int, bool, int, int], plane: np.ndarray, y: int, x: int) -> int:
    d, a, smooth, t, left = sampling
    v, u = y + t, x + left
    if not smooth:
        return int(plane[v // d, u // a])
    i, j = v // 2, u // 2
    beside = [
        min(max(k, 0), n - 1) for k, n in ((i + 2 * (v % 2) - 1, len(plane)), (j + 2 * (u % 2) - 1, len(plane[0])))
    ]
    if (d, a) == (2, 2):
        near = 9 * plane[i, j] + 3 * plane[beside[0], j] + 3 * plane[i, beside[1]] + plane[beside[0], beside[1]]
        return int(near + 8 - u % 2) // 16
    if (d, a) == (1, 2):
        return int(3 * plane[v, j] + plane[v, beside[1]] + 1 + u % 2) // 4
    return int(3 * plane[i, u] + plane[beside[0], u] + 1 + v % 2) // 4


def colour(number: int, y: int, cb: int, cr: int) -> list[int]:
    x, z = cb - 128, cr - 128
    if number == 0:
        s, light = 16, 65536 * y
        parts = [91881 * z + 32768, -22554 * x - 46802 * z + 32768, 116130 * x + 32768]
    elif number == 1:
        s, light, parts = 14, 16384 * y + 8192, [22987 * z, -5636 * x - 11698 * z, 29049 * x]
    elif number == 2:
        s, light = 20, 1220542 * max(y - 16, 0) + 524288
        parts = [1673527 * z, -409993 * x - 852492 * z, 2116026 * x]
    else:
        luma, k, o, *of = SWSCALE[(number - 3) % 4]
        r, g, h, b = of
        if number < 7:
            short = [(p + 4) // 8 for p in (luma, r, g, h, b)]
            s, light = 0, 8 * (y - k) * short[0] // 65536
            red, from_x, from_z, blue = (8 * c * p // 65536 for c, p in zip((z, x, z, x), short[1:], strict=True))
            parts = [red, from_x + from_z, blue]
        elif number < 11:
            s, light = 16, luma * (y + o) - 25165824 - 65536 * k + 32768
            red, from_x, from_z, blue = (moved(luma, p, c) for p, c in ((r, cr), (g, cb), (h, cr), (b, cb)))
            parts = [red, from_x + from_z, blue]
        else:
            luma, r, g, h, b = ((p + 4) // 8 for p in (luma, r, g, h, b))
            s, light = 22, 512 * (y - k) * luma + 2097152
            parts = [512 * z * r, 512 * (x * g + z * h), 512 * x * b]
    sums = [(light + part + 2**31) % 2**32 - 2**31 if number > 10 else light + part for part in parts]
    return [min(max(value >> s, 0), 255) for value in sums]


def moved(luma: int, p: int, c: int) -> int:
    q = 65536 * p + 32768
    q = abs(q) // luma * (1 if q > 0 else -1)
    return luma * (q * c // 65536 - q // 512)


def enlarged_sources(frame: Any) -> list[Size]:
    (n, m, f, *columns), _ = numbers(frame.parameters, 6)
    height = ((frame.height - 1) * n + f) // m + 1
    n, m, f = columns
    return [(((frame.width - 1) * n + f) // m + 1, height, frame.colour, frame.depth)]


def enlarged(frame: Any, planes: list[np.ndarray]) -> np.ndarray:
    (n, m, f, *columns), _ = numbers(frame.parameters, 6)
    rows = [(y * n + f) // m for y in range(frame.height)]
    n, m, f = columns
    return planes[0][:, rows][:, :, [(x * n + f) // m for x in range(frame.width)]]


def repeated_sources(frame: Any) -> list[Size]:
    (height, width), _ = numbers(frame.parameters, 2)
    return [(width, height, frame.colour, frame.depth)]


def repeated(frame: Any, planes: list[np.ndarray]) -> np.ndarray:
    _, height, width = planes[0].shape
    return planes[0][:, [y % height for y in range(frame.height)]][:, :, [x % width for x in range(frame.width)]]


def tables(frame: Any) -> tuple[bytes, list[int], list[list[int]]]:
    """The channels, the values of each of the source's, and the tables."""
    channels, rest = frame.parameters[: CHANNELS[frame.colour]], frame.parameters[CHANNELS[frame.colour] :]
    counts, rest = numbers(rest, max(channels) + 1)
    steps = np.frombuffer(zlib.decompress(rest, -15), "<u2").tolist()
    found = []
    for channel in channels:
        table, steps = steps[: counts[channel]], steps[counts[channel] :]
        found.append([sum(table[: k + 1]) % 65536 for k in range(len(table))])
    return channels, counts, found


def mapped_sources(frame: Any) -> list[Size]:
    _, counts, _ = tables(frame)
    return [(frame.width, frame.height, (0, 4, 2, 6)[len(counts) - 1], 16 if max(counts) > 256 else 8)]


def mapped(frame: Any, planes: list[np.ndarray]) -> np.ndarray:
    channels, _, found = tables(frame)
    out = np.empty((len(channels), frame.height, frame.width), int)
    for c, y, x in np.ndindex(out.shape):
        out[c, y, x] = found[c][min(int(planes[0][channels[c], y, x]), len(found[c]) - 1)]
    return out


def packed_sources(frame: Any) -> list[Size]:
    return [(frame.width, frame.height, 0, 16), (frame.width, frame.height, 0, 8)][: 1 + frame.parameters[0]]


def packed(frame: Any, planes: list[np.ndarray]) -> np.ndarray:
    split, *base = frame.parameters
    out = np.empty((3, frame.height, frame.width), int)
    for y, x in np.ndindex(frame.height, frame.width):
        number = int(planes[0][0, y, x])
        if split:
            number = 256 * number + int(planes[1][0, y, x])
        number += base[0] * 65536 + base[1] * 256 + base[2]
        out[:, y, x] = [number // 65536 % 256, number // 256 % 256, number % 256]
    return out


SOURCES = {
    2: (ycbcr_sources, ycbcr),
    3: (enlarged_sources, enlarged),
    4: (repeated_sources, repeated),
    5: (mapped_sources, mapped),
    7: (packed_sources, packed),
}
"""By number: the sizes of a picture's sources, and how it is made of them."""
