"""Which YCbCr a colour was: a conversion leaves most colours out, and what it gives it gives from one YCbCr alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import native
from ridecodec.histories.conversions import WORDS, Conversion, conversion

Integers = NDArray[np.int32]
Flags = NDArray[np.bool_]

_FAR = np.int64(1) << 40
"""Beyond all sums of a conversion."""


@dataclass(frozen=True)
class Found:
    """The YCbCr of colours, int32; where it is not ``known``, about what it may have been."""

    y: Integers
    cb: Integers
    cr: Integers
    known: Flags


def find(of: Conversion, colours: NDArray[np.uint8]) -> Found:
    """Of colours [3, ...]. Not known are those with a channel of 0 or 255, and those that no YCbCr gives."""
    shape = colours.shape[1:]
    if native.compiled:
        tables = of.lights, of.blues, of.inverse
        flat = np.ascontiguousarray(colours).reshape(3, -1)
        planes, sure = native.module.found(of.packed, *tables, flat)
        luma, blue, red = planes.reshape(3, *shape)
        return Found(luma, blue, red, sure.reshape(shape))
    r, g, b = (each.reshape(-1).astype(np.int32) for each in colours)
    guess = of.guess(r, g, b)
    y, cb, cr = (np.clip(each, 0, 255) for each in guess)
    known = np.zeros(len(r), np.bool_)
    rest: NDArray[np.int64] | slice = slice(None)
    for step in (0, 1, -1):
        red = np.clip(guess[2][rest] + step, 0, 255)
        light = of.lights[r[rest] << 8 | red]
        blue = of.blues[b[rest] << 8 | light & 255]
        green = of.light[light] + of.green_b[blue] + of.green_r[red] >> of.shift
        hit = (green == g[rest]) & (light >= 0) & (blue >= 0)
        at = np.flatnonzero(hit) if isinstance(rest, slice) else rest[hit]
        y[at], cb[at], cr[at], known[at] = light[hit], blue[hit], red[hit], True
        rest = np.flatnonzero(~known)
    known &= (g > 0) & (g < 255)
    return Found(y.reshape(shape), cb.reshape(shape), cr.reshape(shape), known.reshape(shape))


def shares(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of colours [3, n], the share that each conversion gives, by number: what `find` knows of them."""
    tables = _Tables.stacked()
    r, g, b = (each.astype(np.int32) for each in colours)
    every = np.arange(len(WORDS))[:, None]
    guess = tables.cr[:, :1] * r + tables.cr[:, 1:2] * g + tables.cr[:, 2:3] * b + tables.cr[:, 3:] >> 12
    known = np.zeros(guess.shape, np.bool_)
    for step in (0, 1, -1):
        red = np.clip(guess + step, 0, 255)
        light = tables.lights[every, r << 8 | red]
        blue = tables.blues[every, b << 8 | light & 255]
        sums = tables.light[every, light] + tables.green_b[every, blue] + tables.green_r[every, red]
        known |= (sums >> tables.shift == g) & (light >= 0) & (blue >= 0)
    found: NDArray[np.float64] = (known & (g > 0) & (g < 255)).mean(1)
    return found


@dataclass(frozen=True)
class _Tables:
    """Those of all conversions, [conversions, ...]; ``cr`` is what guesses Cr."""

    cr: Integers
    lights: Integers
    blues: Integers
    light: Integers
    green_b: Integers
    green_r: Integers
    shift: Integers

    @staticmethod
    @cache
    def stacked() -> _Tables:
        every = [conversion(number) for number in range(len(WORDS))]
        return _Tables(
            cr=np.stack([each.inverse[2] for each in every]),
            lights=np.stack([each.lights for each in every]),
            blues=np.stack([each.blues for each in every]),
            light=np.stack([each.light for each in every]),
            green_b=np.stack([each.green_b for each in every]),
            green_r=np.stack([each.green_r for each in every]),
            shift=np.array([[each.shift] for each in every], np.int32),
        )


def fitting(
    of: Conversion, colours: NDArray[np.uint8], cb: NDArray[np.integer[Any]], cr: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The least and the most Y with which chroma gives colours [3, ...], and how far it is from doing so at all.

    The least is above the most where no Y does; the distance is 0 where one does, else about the values that miss.
    """
    if native.compiled:
        chroma_b, chroma_r = (each.astype(np.uint8).reshape(-1) for each in (cb, cr))
        flat = np.ascontiguousarray(colours).reshape(3, -1)
        first, last, missed = native.module.fitting(of.packed, flat, chroma_b, chroma_r)
        return first.reshape(cb.shape), last.reshape(cb.shape), missed.reshape(cb.shape)
    low, high = np.full(colours.shape[1:], -_FAR), np.full(colours.shape[1:], _FAR)
    chroma = (of.red[cr], of.green_b[cb] + of.green_r[cr], of.blue[cb])
    for colour, part in zip(colours, chroma, strict=True):
        least = (colour.astype(np.int64) << of.shift) - part
        low = np.maximum(low, np.where(colour == 0, -_FAR, least))
        high = np.minimum(high, np.where(colour == 255, _FAR, least + (1 << of.shift) - 1))
    first, last = of.first(low), of.first(high + 1) - 1
    return first, last, np.where(first <= last, 0, 1 + (np.maximum(low - high, 0) >> of.shift))
