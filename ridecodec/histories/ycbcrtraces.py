"""What of a picture shows that its colours were YCbCr: few colours are left out, and chroma repeats."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import chroma, lattice
from ridecodec.histories.conversions import Conversion, conversion
from ridecodec.histories.sampling import SAMPLINGS, Sampling
from ridecodec.histories.window import Window

_BLOCK, _BLOCKS = 32, 24
"""Side and number of blocks that are looked at."""
_FEW, _COLOURS = 128, 2048
"""Colours that every conversion is tried on, and those that a likely one is."""
_FEWEST = 48
"""Colours that say nothing."""
_LIKELY, _SURE = 0.6, 0.75
"""Share of colours that a conversion gives; of others, it gives a quarter at most."""
_ALIKE, _SAME = 0.98, {2: 0.99, 4: 0.998}
"""Share of pixels that smooth chroma fits, and that have the chroma of the one beside them if it is one sample."""
_FEWER = 0.15
"""How much more seldom chroma changes there than elsewhere."""
_APART = 2
"""Pixels that those which are judged are away from clipped ones, and from the edge."""
_TRIED = 4
"""Blocks on which smooth samplings are tried."""
_WITHIN = 4
"""What rounding makes of a combination that is 0 for smooth chroma."""
_WRONG = 0.1
"""Share of pixels that may come out wrong if chroma is smooth; if it is not, more of those that vary do."""


def traces(colours: NDArray[np.uint8]) -> tuple[int, int] | None:
    """The numbers of the conversion and of the sampling that colours [3, H, W] seem to come of; None if of none."""
    blocks = _blocks(colours)
    number = _converted(np.concatenate([each.reshape(3, -1) for _, each in blocks], 1))
    if number is None:
        return None
    return number, SAMPLINGS.index(_sampled(conversion(number), blocks))


def _blocks(colours: NDArray[np.uint8]) -> list[tuple[tuple[int, int], NDArray[np.uint8]]]:
    """Blocks all over the picture, with their places, which are multiples of 4."""
    height, width = colours.shape[1:]
    across = max(1, min(width // _BLOCK, round((_BLOCKS * width / height) ** 0.5)))
    down = max(1, min(height // _BLOCK, _BLOCKS // across))
    tops, lefts = (
        [4 * (k * (length - _BLOCK) // (4 * max(1, count - 1))) if length > _BLOCK else 0 for k in range(count)]
        for length, count in ((height, down), (width, across))
    )
    return [((y, x), colours[:, y : y + _BLOCK, x : x + _BLOCK]) for y in tops for x in lefts]


def _converted(colours: NDArray[np.uint8]) -> int | None:
    """The conversion that gives most of the colours [3, n] that are neither clipped nor gray."""
    inside = np.flatnonzero(((colours > 0) & (colours < 255)).all(0) & (np.ptp(colours, 0) > 0))
    some = colours[:, np.random.default_rng(0).permutation(inside)[: 2 * _COLOURS]].astype(np.int32)
    packed = np.unique(some[0] << 16 | some[1] << 8 | some[2])
    if len(packed) < _FEWEST:
        return None
    packed = np.random.default_rng(0).permutation(packed)[:_COLOURS]
    telling = np.stack([packed >> 16, packed >> 8 & 255, packed & 255]).astype(np.uint8)
    likely = np.flatnonzero(lattice.shares(telling[:, :_FEW]) > _LIKELY)
    if not likely.size:
        return None
    shares = lattice.shares(telling)[likely]
    return int(likely[shares.argmax()]) if shares.max() > _SURE else None


def _sampled(of: Conversion, blocks: list[tuple[tuple[int, int], NDArray[np.uint8]]]) -> Sampling:
    """How the chroma of blocks was sampled."""
    found = [lattice.find(of, block) for _, block in blocks]
    planes = [(np.stack([each.cb, each.cr]), each.known) for each in found]
    down, top = _repeated([(plane.transpose(0, 2, 1), known.T) for plane, known in planes])
    across, left = _repeated(planes)
    if down * across > 1:
        return Sampling(down, across, False, top, left)
    ranked = sorted(range(len(blocks)), key=lambda k: -_variation(*planes[k]))
    varied = ranked[: -(-len(ranked) // 2) : -(-len(ranked) // (2 * _TRIED))]
    rows = _smooth([(planes[k][0].transpose(0, 2, 1), planes[k][1].T) for k in varied])
    columns = _smooth([planes[k] for k in varied])
    for down, across in ((2, 2), (1, 2), (2, 1)):
        for top, left in product(rows if down == 2 else [0], columns if across == 2 else [0]):
            sampling = Sampling(down, across, True, top, left)
            wrong, counted = np.sum([_wrong(of, sampling, blocks[k][1]) for k in varied], 0)
            if wrong <= _WRONG * counted:
                return sampling
    return SAMPLINGS[0]


def _variation(plane: NDArray[np.int32], known: NDArray[np.bool_]) -> int:
    """How many pixels have another chroma than the pixel beside them."""
    return int(((np.diff(plane, axis=2) != 0).any(0) & known[:, 1:] & known[:, :-1]).sum())


def _repeated(planes: list[tuple[NDArray[np.int32], NDArray[np.bool_]]]) -> tuple[int, int]:
    """How many columns have the same chroma, and how many of the first ones lack: of planes [2, H, W]."""
    same, all_ = np.zeros(4), np.zeros(4)
    for plane, known in planes:
        both = known[:, 1:] & known[:, :-1]
        alike = both & (plane[:, :, 1:] == plane[:, :, :-1]).all(0)
        for k in range(4):
            same[k] += alike[:, (k - 1) % 4 :: 4].sum()
            all_[k] += both[:, (k - 1) % 4 :: 4].sum()
    share = same / np.maximum(all_, 1)
    for factor in (4, 2):
        for left in range(factor):
            within = min(share[k] for k in range(4) if (k + left) % factor)
            between = min(share[k] for k in range(4) if (k + left) % factor == 0)
            if within > _SAME[factor] and 1 - within <= _FEWER * (1 - between):
                return factor, left
    return 1, 0


def _smooth(planes: list[tuple[NDArray[np.int32], NDArray[np.bool_]]]) -> list[int]:
    """Which columns samples may begin at: within one, chroma changes by the average of the changes around it."""
    within, all_ = np.zeros(2), np.zeros(2)
    for plane, known in planes:
        four = known[:, :-3] & known[:, 1:-2] & known[:, 2:-1] & known[:, 3:]
        apart = 3 * (plane[:, :, 2:-1] - plane[:, :, 1:-2]) - (plane[:, :, 3:] - plane[:, :, :-3])
        hit = four & (np.abs(apart) <= _WITHIN).all(0)
        for k in (0, 1):
            within[k] += hit[:, (k - 1) % 2 :: 2].sum()
            all_[k] += four[:, (k - 1) % 2 :: 2].sum()
    share = within / np.maximum(all_, 1)
    return sorted((k for k in (0, 1) if share[k] > _ALIKE), key=lambda k: -share[k])


def _wrong(of: Conversion, sampling: Sampling, block: NDArray[np.uint8]) -> tuple[int, int]:
    """How many pixels of a block come out wrong, and of how many: of those whose chroma is not the same all around."""
    found = lattice.find(of, block)
    height, width = block.shape[1:]
    seen = (found.cb, found.cr)
    window = Window(sampling, height, width)
    wrong, varied = np.zeros((height, width), np.bool_), np.zeros((height, width), np.bool_)
    for plane in seen:
        wrong |= window.spread(chroma.solve(window, np.clip(plane, 0, 255), found.known)) != plane
        varied[:, 1:] |= plane[:, 1:] != plane[:, :-1]
        varied[1:] |= plane[1:] != plane[:-1]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(found.known, _APART), (2 * _APART + 1,) * 2)
    counted = varied & around.all((2, 3))
    return int((wrong & counted).sum()), int(counted.sum())
