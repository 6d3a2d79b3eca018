"""The rows of a PNG: samples packed into bytes, interlacing, and the filters of rows, all exact both ways."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ridecodec.picture import Samples

FILTERS = 5
"""Filter types: 0 none, 1 left, 2 up, 3 average, 4 Paeth's."""

_BAND_BYTES = 1 << 20
_LANES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Pass:
    """Every `dx`-th column from `x` on of every `dy`-th row from `y` on; they make `height` rows of `row_bytes`."""

    x: int
    y: int
    dx: int
    dy: int
    width: int
    height: int
    row_bytes: int

    def of(self, samples: Samples) -> Samples:
        """The pixels of this pass, a view of `samples` [H, W] or [H, W, C]."""
        return samples[self.y :: self.dy, self.x :: self.dx]

    def bands(self) -> Iterator[slice]:
        """Cut the rows into bands of about a megabyte."""
        return bands(self.height, self.row_bytes)


def passes(width: int, height: int, pixel_bits: int, interlaced: bool) -> list[Pass]:
    """The passes that a picture is stored in, those without pixels left out; one if it is not interlaced."""
    found = []
    for x, y, dx, dy in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
        if columns > 0 and rows > 0:
            found.append(Pass(x, y, dx, dy, columns, rows, (columns * pixel_bits + 7) // 8))
    return found


def bands(height: int, row_bytes: int) -> Iterator[slice]:
    """Cut rows into bands of about a megabyte, so that what is computed with them stays in the cache."""
    rows = max(1, _BAND_BYTES // max(1, row_bytes))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def packed(samples: Samples, bit_depth: int) -> Bytes:
    """Turn samples [h, w] or [h, w, C] into rows of bytes as PNG stores them, uint8 [h, row_bytes]."""
    if bit_depth == 16:
        return np.ascontiguousarray(samples).astype(">u2").view(np.uint8).reshape(len(samples), -1)
    rows = np.ascontiguousarray(samples, np.uint8).reshape(len(samples), -1)
    if bit_depth == 8:
        return rows
    bits = np.unpackbits(rows.astype(np.uint8, copy=False)[..., None], axis=2)[..., 8 - bit_depth :]
    return np.packbits(bits.reshape(len(rows), -1), axis=1)


def unpacked(rows: Bytes, shape: tuple[int, ...], bit_depth: int) -> Samples:
    """Turn rows of bytes into samples of `shape`, [h, w] or [h, w, C]; the inverse of `packed`."""
    if bit_depth == 16:
        return np.ascontiguousarray(rows).view(">u2").astype(np.uint16).reshape(shape)
    if bit_depth == 8:
        return rows.reshape(shape)
    bits = np.unpackbits(rows, axis=1)[:, : shape[1] * bit_depth]
    samples: Bytes = np.packbits(bits.reshape(*shape, bit_depth), axis=-1)[..., 0] >> np.uint8(8 - bit_depth)
    return samples


def filtered_rows(
    rows: Bytes, bpp: int, kind: int | Bytes | None = None, above: Bytes | None = None
) -> tuple[Bytes, Bytes]:
    """Filter `rows`, uint8 [H, row_bytes], of `bpp` bytes a pixel (1 if it has fewer bits), as PNG does.

    `kind` is one filter type, or one for each row, uint8 [H]; without it each row takes the type of the least sum of
    absolute differences, and the lowest of these.  `above` is the row above the first, uint8 [row_bytes], zeros if
    None.  Returns the types, uint8 [H], and the filtered bytes, uint8 [H, row_bytes].  Raises `ValueError` for a type
    that there is not.
    """
    types = np.zeros(len(rows), np.uint8)
    if kind is not None:
        types[:] = kind
        _check_types(types)
    out = np.empty(rows.shape, np.uint8)
    for band in bands(*rows.shape):
        inside = rows[band]
        up = np.empty_like(inside)
        up[0] = (0 if above is None else above) if band.start == 0 else rows[band.start - 1]
        up[1:] = inside[:-1]
        if kind is None:
            types[band], out[band] = _least(inside, up, bpp)
            continue
        for used in np.unique(types[band]):
            chosen = types[band] == used
            out[band][chosen] = inside[chosen] - _predicted(int(used), inside[chosen], up[chosen], bpp)
    return types, out


def unfiltered(types: Bytes, rows: Bytes, bpp: int, above: Bytes | None = None) -> Bytes:
    """Undo `filtered_rows`: the rows, uint8 [H, row_bytes], of their filter types and filtered bytes.

    `bpp` must divide the bytes of a row.  Raises `ValueError` for a filter type that there is not.
    """
    _check_types(types)
    out = np.empty(rows.shape, np.uint8)
    for band in bands(*rows.shape):
        if band.start:
            above = out[band.start - 1]
        for lane in range(0, bpp, 4):
            part = slice(lane, min(lane + 4, bpp))
            out[band].reshape(band.stop - band.start, -1, bpp)[..., part] = _undone(
                types[band],
                rows[band].reshape(band.stop - band.start, -1, bpp)[..., part],
                None if above is None else above.reshape(-1, bpp)[:, part],
            )
    return out


def _undone(types: Bytes, filtered: Bytes, above: Bytes | None) -> Bytes:
    """Undo the filters of pixels, uint8 [h, w, 1 to 4]: Pillow does it when it is told that they are a PNG's."""
    height, width, bpp = filtered.shape
    raster = np.zeros((height + 1, 1 + width * bpp), np.uint8)
    if above is not None:
        raster[0, 1:] = above.reshape(-1)
    raster[1:, 0] = types
    raster[1:, 1:] = filtered.reshape(height, -1)
    mode = _LANES[bpp]
    image = Image.frombytes(mode, (width, height + 1), zlib.compress(raster.data, 0), "zip", mode, 0)
    return np.asarray(image).reshape(height + 1, width, bpp)[1:]


def _least(rows: Bytes, up: Bytes, bpp: int) -> tuple[Bytes, Bytes]:
    types, out = np.zeros(len(rows), np.uint8), rows.copy()
    least = _magnitudes(rows)
    for kind in range(1, FILTERS):
        filtered = rows - _predicted(kind, rows, up, bpp)
        sums = _magnitudes(filtered)
        better = sums < least
        types[better], out[better], least[better] = kind, filtered[better], sums[better]
    return types, out


def _magnitudes(filtered: Bytes) -> NDArray[np.int64]:
    sums: NDArray[np.int64] = np.minimum(filtered, np.negative(filtered)).sum(axis=1, dtype=np.int64)
    return sums


def _predicted(kind: int, rows: Bytes, up: Bytes, bpp: int) -> Bytes:
    if kind == 0:
        return np.zeros_like(rows)
    if kind == 2:
        return up
    left = _moved(rows, bpp)
    if kind == 1:
        return left
    if kind == 3:
        return (left & up) + ((left ^ up) >> 1)
    a, b, c = left.astype(np.int16), up.astype(np.int16), _moved(up, bpp).astype(np.int16)
    near_a, near_b, near_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    from_b = np.where(near_b <= near_c, b, c)
    return np.where((near_a <= near_b) & (near_a <= near_c), a, from_b).astype(np.uint8)


def _moved(rows: Bytes, bpp: int) -> Bytes:
    moved = np.zeros_like(rows)
    moved[:, bpp:] = rows[:, :-bpp]
    return moved


def _check_types(types: Bytes) -> None:
    if types.size and types.max() >= FILTERS:
        raise ValueError(f"it has the filter type {types.max()}, which does not exist")
