"""Photo CD's colours: RGB of Y, C1 and C2, and what is known of them from RGB.

    R = floor((13584 Y + 18215 (C2 - 137)) / 10000)
    G = floor((13584 Y - 1940 u - 5090 v) / 10000)
    B = floor((13584 Y + 22179 (C1 - 156)) / 10000)

with u and v what is added to 13584 Y in B and in R, by 10000, rounded down; each is clipped to 0 .. 255.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import native
from ridecodec.picture import Samples

Integers = NDArray[np.int32]
Chroma = NDArray[Any]
"""Values of 0 to 255, of any type of integers."""

_UNIT, _LUMA, _BLUE, _RED = 10000, 13584, 22179, 18215
_BLUE_ZERO, _RED_ZERO = 156, 137
_FAR = 1 << 30

_values = np.arange(256, dtype=np.int32)
_blue = _BLUE * (_values - _BLUE_ZERO)
_red = _RED * (_values - _RED_ZERO)
_green_of_first = -1940 * (_blue // _UNIT)
_green_of_second = -5090 * (_red // _UNIT)

_lowest = np.where(_values > 0, _UNIT * _values, -_FAR).astype(np.int32)
_highest = np.where(_values < 255, _UNIT * (_values + 1), _FAR).astype(np.int32)
"""Between which a sum gives each value: the first of them, and the first above."""


def _added(first: Chroma, second: Chroma) -> tuple[Integers, Integers, Integers]:
    """What C1 and C2 add to red, green and blue."""
    return _red[second], _green_of_first[first] + _green_of_second[second], _blue[first]


def colours(luma: Chroma, first: Chroma, second: Chroma) -> Samples:
    """Red, green and blue of Y, C1 and C2, uint8 [3, ...]."""
    light = luma.astype(np.int32) * _LUMA
    out = np.empty((3, *luma.shape), np.uint8)
    for plane, added in zip(out, _added(first, second), strict=True):
        added += light
        added //= _UNIT
        np.clip(added, 0, 255, out=added)
        plane[...] = added
    return out


def clipped(planes: Samples) -> NDArray[np.bool_]:
    """Where one of the three channels may be clipped."""
    inside: NDArray[np.bool_] = (planes.min(0) == 0) | (planes.max(0) == 255)
    return inside


def luma_range(planes: Samples, first: Chroma, second: Chroma) -> tuple[Integers, Integers]:
    """The least and the greatest Y that give these colours with C1 and C2; there is none where the least is greater."""
    if native.compiled:
        return native.module.photo_cd_ranges(
            *(np.ascontiguousarray(each, np.uint8) for each in (planes, first, second))
        )
    least, greatest = _sums(planes, first, second)
    low = np.maximum((least + (_LUMA - 1)) // _LUMA, 0)
    high = np.minimum((greatest - 1) // _LUMA, 255)
    return low, high


def comes_out(planes: Samples, first: Chroma, second: Chroma) -> NDArray[np.bool_]:
    """Whether some Y gives these colours with C1 and C2."""
    least, greatest = _sums(planes, first, second)
    low = np.maximum((least + (_LUMA - 1)) // _LUMA, 0)
    found: NDArray[np.bool_] = (low <= 255) & (low * _LUMA < greatest)
    return found


def _sums(planes: Samples, first: Chroma, second: Chroma) -> tuple[Integers, Integers]:
    """What 13584 Y is at least, and what it is below."""
    least = greatest = None
    for plane, added in zip(planes, _added(first, second), strict=True):
        low, high = _lowest[plane] - added, _highest[plane] - added
        least = low if least is None else np.maximum(least, low, out=least)
        greatest = high if greatest is None else np.minimum(greatest, high, out=greatest)
    assert least is not None
    assert greatest is not None
    return least, greatest


def nearest_luma(green: Samples, first: Chroma, second: Chroma) -> Integers:
    """The Y whose green comes near, with C1 and C2."""
    sums = _UNIT * green.astype(np.int32) + _UNIT // 2 - _green_of_first[first] - _green_of_second[second]
    found: Integers = np.clip(sums // _LUMA, 0, 255)
    return found


def inverted(planes: Samples) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """C1 and C2 of colours [3, ...], and where they are known: nothing is clipped, and they give the colours."""
    shape = planes.shape[1:]
    flat = planes.reshape(3, -1)
    if native.compiled:
        one, two, sure = native.module.photo_cd_inverted(np.ascontiguousarray(flat, np.uint8)[:, None])
        return one.reshape(shape), two.reshape(shape), sure.reshape(shape)
    first, second = np.zeros((2, flat.shape[1]), np.int32)
    known = np.zeros(flat.shape[1], bool)
    left = np.flatnonzero(~clipped(flat))
    wanted = flat[:, left]
    red, green, blue = wanted.astype(np.int32)
    about = (2990 * red + 5870 * green + 1140 * blue + 3063 + _LUMA // 2) // _LUMA
    for step in (0, 1, -1):
        luma = np.clip(about + step, 0, 255)
        one = _BLUE_ZERO + (_UNIT * blue + _UNIT // 2 - _LUMA * luma + _BLUE // 2) // _BLUE
        two = _RED_ZERO + (_UNIT * red + _UNIT // 2 - _LUMA * luma + _RED // 2) // _RED
        possible = (np.minimum(one, two) >= 0) & (np.maximum(one, two) <= 255)
        one, two = np.clip(one, 0, 255), np.clip(two, 0, 255)
        hit = possible & (colours(luma, one, two) == wanted).all(0)
        at = left[hit]
        first[at], second[at], known[at] = one[hit], two[hit], True
        left, wanted, about, red, blue = left[~hit], wanted[:, ~hit], about[~hit], red[~hit], blue[~hit]
    return first.reshape(shape), second.reshape(shape), known.reshape(shape)
