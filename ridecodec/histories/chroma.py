"""Samples of chroma from what pixels show of them: averages with the smoothing undone, and then mended one by one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import native
from ridecodec.histories.conversions import Conversion
from ridecodec.histories.lattice import Flags, Found, Integers, fitting
from ridecodec.histories.sampling import Plane, Sampling
from ridecodec.histories.window import AxisNumbers, Judge, Moves, Window

_GUESSES = 5
"""How often clipped channels are guessed, each time from better chroma."""
_NEAR = np.array(list(product((0, -1, 1), repeat=2)))
_WIDE = np.array(sorted(product(range(-3, 4), repeat=2), key=lambda step: step[0] ** 2 + step[1] ** 2))
_PAIR = [(a, b) for a, b in product((-2, -1, 1, 2), repeat=2)]


def _pairs() -> NDArray[np.int64]:
    """Steps of two samples beside one another, of Cb or of Cr, and none: [moves, planes, samples]."""
    found = np.zeros((1 + 2 * len(_PAIR), 2, 2), np.int64)
    found[1 : 1 + len(_PAIR), 0] = found[1 + len(_PAIR) :, 1] = _PAIR
    return found


_SWEEPS = (
    *(_NEAR[:, :, None, None],) * 2,
    _WIDE[:, :, None, None],
    _pairs()[:, :, :, None],
    _pairs()[:, :, None],
    _WIDE[:, :, None, None],
)
"""Steps of Cb and Cr that are tried in turn where colours do not come out."""
_MOST = 3
"""What a pixel's chroma counts at most: one that was changed later says nothing."""
_MOST_OF_COLOURS = 12
"""What its colours count at most."""


def _alternating(*patterns: list[list[int]]) -> NDArray[np.int64]:
    """These steps with both signs, and none: [moves, rows, columns]."""
    found = np.array(patterns)
    return np.concatenate([np.zeros((1, *found.shape[1:]), np.int64), found, -found])


_ONE = _alternating([[1]])
_CORNERS = _alternating(
    *([[1, -1], [-1, 1]], [[1, -1], [-1, 0]], [[1, -1], [0, 1]], [[-1, 0], [1, -1]], [[0, 1], [1, -1]]),
    *([[1, 0], [0, -1]], [[0, 1], [-1, 0]], [[1, 0], [0, 1]], [[0, 1], [1, 0]]),
)


def _moves(sampling: Sampling) -> list[NDArray[np.int64]]:
    """What is tried in turn: most errors that averages leave have signs that alternate."""
    axes = [axis for axis, factor in enumerate((sampling.down, sampling.across)) if factor == 2]
    chains = {k: [_chain(k, axis) for axis in axes] for k in range(2, 7)}
    found = [_ONE, *chains[2], _ONE, *chains[2], *chains[3]]
    if len(axes) == 2:
        return [*found, _CORNERS, _ONE]
    return [*found, *chains[4], *chains[5], *chains[6]]


def _chain(length: int, axis: int) -> NDArray[np.int64]:
    signs = np.resize([1, -1], length)
    return _alternating((signs[:, None] if axis == 0 else signs[None]).tolist())


def recover(sampling: Sampling, conversion: Conversion, colours: NDArray[np.uint8], found: Found) -> NDArray[np.uint8]:
    """Cb and Cr [2, rows, columns] of a picture [3, H, W] whose pixels are as ``found``, so that most are right."""
    height, width = colours.shape[1:]
    window = Window(sampling, height, width)
    seen = np.clip(np.stack([found.cb, found.cr]), 0, 255)
    unknown = np.flatnonzero(~found.known)
    if sampling.down * sampling.across > 1 and len(unknown):
        _declip(window, conversion, colours.reshape(3, -1)[:, unknown], unknown, seen, found)
    planes = np.stack([solve(window, each, found.known) for each in seen])
    if len(unknown):
        fit(window, conversion, colours, planes, found)
    return planes


def _declip(
    window: Window,
    conversion: Conversion,
    colours: NDArray[np.uint8],
    unknown: NDArray[np.int64],
    seen: NDArray[np.int32],
    found: Found,
) -> None:
    """Guess what the chroma of unknown pixels was: clipped channels are replaced by what the samples around say."""
    y = np.clip(found.y.reshape(-1)[unknown], 0, 255)
    for _ in range(_GUESSES):
        planes = (window.sharp(each, found.known) for each in seen)
        cb, cr = (window.spread(each).reshape(-1)[unknown] for each in planes)
        chroma = (conversion.red[cr], conversion.green_b[cb] + conversion.green_r[cr], conversion.blue[cb])
        full = []
        for colour, part in zip(colours.astype(np.int32), chroma, strict=True):
            value = conversion.light[y] + part >> conversion.shift
            value = np.where(colour == 255, np.maximum(value, 255), np.where(colour == 0, np.minimum(value, 0), colour))
            full.append(value)
        y, *seen_now = (np.clip(each, 0, 255) for each in conversion.guess(*full))
        for each, now in zip(seen, seen_now, strict=True):
            each.reshape(-1)[unknown] = now


@dataclass(frozen=True)
class _Shown(Judge):
    """Chroma of a plane should be as that ``seen`` [H, W], where it is ``known``."""

    seen: Integers
    known: Flags

    def wrong(self, values: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.int32]:
        missed = np.minimum(np.abs(values[0] - self.seen.reshape(-1)[places]), _MOST)
        return np.asarray(missed * self.known.reshape(-1)[places])

    def mend(
        self,
        planes: NDArray[np.uint8],
        axes: tuple[AxisNumbers, AxisNumbers],
        blocks: tuple[NDArray[np.int64], NDArray[np.int64]],
        moves: Moves,
    ) -> None:
        native.module.mend_chroma(planes, *axes, *blocks, moves, _MOST, self.seen, self.known)


@dataclass(frozen=True)
class _Fitting(Judge):
    """Cb and Cr should give the colours [3, H, W] with some Y."""

    conversion: Conversion
    colours: NDArray[np.uint8]

    def wrong(self, values: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.int32]:
        wanted = np.broadcast_to(self.colours.reshape(3, -1)[:, None, places], (3, *values.shape[1:]))
        return np.minimum(fitting(self.conversion, wanted, values[0], values[1])[2], _MOST_OF_COLOURS)

    def mend(
        self,
        planes: NDArray[np.uint8],
        axes: tuple[AxisNumbers, AxisNumbers],
        blocks: tuple[NDArray[np.int64], NDArray[np.int64]],
        moves: Moves,
    ) -> None:
        native.module.mend_colours(
            planes, *axes, *blocks, moves, _MOST_OF_COLOURS, self.conversion.packed, self.colours
        )


def solve(window: Window, seen: Integers, known: Flags) -> Plane:
    """The plane whose pixels are as those ``seen`` [H, W], which are about right where they are not ``known``."""
    planes = window.sharp(seen, known)[None]
    if not window.sampling.smooth:
        found: Plane = planes[0]
        return found

    judge = _Shown(seen, known)
    for moves in _moves(window.sampling):
        wrong = known & (window.spread(planes[0]) != seen)
        window.mend(planes, wrong, moves[:, None], judge)
    return np.asarray(planes[0])


def fit(
    window: Window, conversion: Conversion, colours: NDArray[np.uint8], planes: NDArray[np.uint8], found: Found
) -> None:
    """Change samples of Cb and Cr [2, rows, columns] so that more of the colours [3, H, W], as ``found``, have a Y."""
    judge = _Fitting(conversion, colours)
    among: Flags | None = None
    for steps in _SWEEPS:
        cb, cr = (window.spread(each) for each in planes)
        wrong = ~found.known | (cb != found.cb) | (cr != found.cr)
        wrong[wrong] = fitting(conversion, colours[:, wrong], cb[wrong], cr[wrong])[2] > 0
        among = window.mend(planes, wrong, steps, judge, among if len(steps) == len(_NEAR) else None)
