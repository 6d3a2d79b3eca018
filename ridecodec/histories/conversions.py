"""YCbCr to RGB as programs compute it: every conversion is five tables of 32-bit integers, two sums and a shift.

    R = clip((light[Y] + red[Cr]) >> shift)
    G = clip((light[Y] + green_b[Cb] + green_r[Cr]) >> shift)
    B = clip((light[Y] + blue[Cb]) >> shift)

Sums are of 32 bits and wrap, shifts are floors, clip is to 0..255. Each conversion is tested against its program.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32]

_CODES = np.arange(256, dtype=np.int64)
_LEVELS = 1 << 12
"""Light stays within as many steps of R, G and B, and rises by one a step of Y or more, or by none."""
_OFF = _CODES - 128
"""Chroma without its offset."""

_SWSCALE = {"601": (104597, 132201, 25675, 53279), "709": (117489, 138438, 13975, 34925)}
"""Of Cr in R, Cb in B, Cb in G and Cr in G, times 2^16, for luma of 219 steps and chroma of 224."""


@dataclass(frozen=True)
class Conversion:
    """A conversion; tables are int32 [256]."""

    shift: int
    light: Integers
    red: Integers
    green_b: Integers
    green_r: Integers
    blue: Integers

    def rgb(self, y: NDArray[np.uint8], cb: NDArray[np.uint8], cr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The colours [3, ...] of samples of one shape."""
        light = self.light[y]
        sums = (light + self.red[cr], light + (self.green_b[cb] + self.green_r[cr]), light + self.blue[cb])
        return np.stack([np.clip(each >> self.shift, 0, 255).astype(np.uint8) for each in sums])

    @cached_property
    def lights(self) -> Integers:
        """Y for R and Cr, [256 R x 256 Cr]; -1 where there is none, or R is clipped."""
        sums = (self.light[:, None] + self.red) >> self.shift
        found = np.full(1 << 16, -1, np.int32)
        y, cr = np.nonzero((sums > 0) & (sums < 255))
        found[sums[y, cr] << 8 | cr] = y
        return found

    @cached_property
    def blues(self) -> Integers:
        """Cb for B and Y, [256 B x 256 Y]; -1 where there is none, or B is clipped."""
        sums = (self.light[:, None] + self.blue) >> self.shift
        found = np.full(1 << 16, -1, np.int32)
        y, cb = np.nonzero((sums > 0) & (sums < 255))
        found[sums[y, cb] << 8 | y] = cb
        return found

    def first(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first Y whose light is not below ``sums``; 256 where there is none."""
        levels, light, brighter = self._levels
        found = levels[np.clip(sums >> self.shift, -_LEVELS, _LEVELS - 1) + _LEVELS]
        return np.asarray(np.where(light[found] < sums, brighter[found], found))

    @cached_property
    def _levels(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The first Y not below each multiple of what a shift drops; the light of all and of 256, and what is above."""
        light = np.append(self.light.astype(np.int64), 1 << 60)
        levels = np.searchsorted(light, np.arange(-_LEVELS, _LEVELS) << self.shift)
        return levels, light, np.searchsorted(light, light, "right")

    @cached_property
    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.int16], int]:
        """For the compiled module: tables [5, 256], the first Y not below each multiple, and the shift."""
        tables = np.stack([self.light, self.red, self.green_b, self.green_r, self.blue])
        return tables, self._levels[0].astype(np.int16), self.shift

    def guess(self, r: Integers, g: Integers, b: Integers) -> tuple[Integers, Integers, Integers]:
        """About the Y, Cb and Cr of colours, which may be out of range."""
        y, cb, cr = (each[0] * r + each[1] * g + each[2] * b + each[3] >> 12 for each in self.inverse)
        return y, cb, cr

    @cached_property
    def inverse(self) -> NDArray[np.int32]:
        """Times 2^12, of least squares over a grid of YCbCr, and a half more, as all is floored: [YCbCr, RGB and 1]."""
        grid = [each.reshape(-1).astype(np.uint8) for each in np.mgrid[40:220:13, 70:190:11, 70:190:11]]
        colours = self.rgb(*grid)
        inside = ((colours > 0) & (colours < 255)).all(0)
        known = np.concatenate([colours[:, inside].astype(np.float64), np.ones((1, int(inside.sum())))])
        wanted = np.stack(grid)[:, inside].astype(np.float64)
        found = 4096 * np.linalg.lstsq(known.T, wanted.T, rcond=None)[0].T + [0, 0, 0, 2048]
        scaled: Integers = np.rint(found).astype(np.int32)
        return scaled


def _conversion(shift: int, *tables: NDArray[np.int64]) -> Conversion:
    return Conversion(shift, *(each.astype(np.int32) for each in tables))


def _libjpeg() -> Conversion:
    """`jdcolor.c` and `jdmerge.c`."""
    half = 1 << 15
    return _conversion(16, _CODES << 16, 91881 * _OFF + half, -22554 * _OFF + half, -46802 * _OFF, 116130 * _OFF + half)


def _opencv_full() -> Conversion:
    """`color_yuv.simd.hpp`, YCrCb2RGB."""
    return _conversion(14, (_CODES << 14) + (1 << 13), 22987 * _OFF, -5636 * _OFF, -11698 * _OFF, 29049 * _OFF)


def _opencv_video() -> Conversion:
    """`color_yuv.simd.hpp`, YUV2RGB of I420, NV12, YUY2 and their like."""
    light = 1220542 * np.maximum(_CODES - 16, 0) + (1 << 19)
    return _conversion(20, light, 1673527 * _OFF, -409993 * _OFF, -852492 * _OFF, 2116026 * _OFF)


@dataclass(frozen=True)
class _Swscale:
    """Coefficients times 2^16."""

    light: int
    black: int
    red: int
    green_b: int
    green_r: int
    blue: int

    @classmethod
    def of(cls, matrix: str, full: bool) -> _Swscale:
        red, blue, green_b, green_r = _SWSCALE[matrix]
        if full:
            return cls(1 << 16, 0, *(_toward_zero(each * 224, 255) for each in (red, -green_b, -green_r, blue)))
        return cls((255 << 16) // 219, 16, red, -green_b, -green_r, blue)

    @property
    def short(self) -> tuple[int, int, int, int, int]:
        """Times 2^13, rounded: of light, then of chroma."""
        light, red, green_b, green_r, blue = (
            (each + 4) >> 3 for each in (self.light, self.red, self.green_b, self.green_r, self.blue)
        )
        return light, red, green_b, green_r, blue


def _vectors(matrix: str, full: bool) -> Conversion:
    """`yuv_2_rgb.asm`: upper halves of 16-bit products, each floored."""
    of = _Swscale.of(matrix, full)
    light, *chroma = of.short
    return _conversion(0, 8 * (_CODES - of.black) * light >> 16, *(8 * _OFF * each >> 16 for each in chroma))


def _tables(matrix: str, full: bool) -> Conversion:
    """`yuv2rgb.c`: chroma moves the place in one table of luma."""
    of = _Swscale.of(matrix, full)
    light = of.light * (_CODES + (384 if full else 326)) - (384 << 16) - (of.black << 16) + (1 << 15)
    steps = (_toward_zero((each << 16) + (1 << 15), of.light) for each in (of.red, of.green_b, of.green_r, of.blue))
    return _conversion(16, light, *(of.light * ((step * _CODES >> 16) - (step >> 9)) for step in steps))


def _whole(matrix: str, full: bool) -> Conversion:
    """`output.c`, for chroma of full width."""
    of = _Swscale.of(matrix, full)
    light, *chroma = of.short
    return _conversion(22, 512 * (_CODES - of.black) * light + (1 << 21), *(512 * _OFF * each for each in chroma))


def _toward_zero(number: int, divisor: int) -> int:
    return number // divisor if number >= 0 else -(-number // divisor)


_SWSCALES = tuple(
    (f"BT.{matrix}, {'full' if full else 'limited'} range", way, matrix, full)
    for way in (_vectors, _tables, _whole)
    for matrix in _SWSCALE
    for full in (False, True)
)
WORDS = ("JFIF", "OpenCV's YCrCb", "OpenCV's YUV", *(words for words, *_ in _SWSCALES))
"""What each conversion is called, by its number in files; numbers are never reused."""


@cache
def conversion(number: int) -> Conversion:
    """The conversion of a number below `len(WORDS)`."""
    if number < 3:
        return (_libjpeg, _opencv_full, _opencv_video)[number]()
    _, way, matrix, full = _SWSCALES[number - 3]
    return way(matrix, full)
