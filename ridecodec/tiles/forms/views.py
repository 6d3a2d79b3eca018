"""What a part can be turned into before it is coded: indices of few colours, ranks of few values, colours shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ridecodec.tiles.forms import folding, indexing
from ridecodec.tiles.forms.members import DEEP, GRAPHICS, MEMBERS, PHOTO
from ridecodec.tiles.forms.part import Samples, Shape

_FEW = 0.75
"""Share of the values up to the largest one below which ranks may be cheaper."""
_SMALL = 4096
"""Pixels of a part that may be a drawing whatever it looks like."""
_FLAT = 0.995
"""Share of pixels that repeat a neighbour from which on nothing is like a photograph."""
_FEWEST = 16
"""Values that no photograph has."""


@dataclass(frozen=True)
class View:
    """A part that stands for the one that is to be coded; ``head`` are the forms around it."""

    head: bytes
    part: Samples
    shape: Shape
    indices: bool = False
    """Whether it comes of a palette, or of few colours."""
    folded: bool = False

    @cached_property
    def _repeats(self) -> tuple[float, float]:
        return repeats(self.part)

    @property
    def drawn(self) -> bool:
        """Whether it may be a drawing: most pixels repeat a neighbour, or many more do exactly than nearly."""
        same, near = self._repeats
        small = self.shape.pixels <= _SMALL and not self.folded
        return self.indices or small or same >= min(0.5, 2 * near)

    def members(self) -> Iterator[int]:
        """Models that it may go to."""
        photographic = self.shape.values > _FEWEST and self._repeats[0] < _FLAT
        plain = [PHOTO] * photographic + [GRAPHICS] * (self.drawn and not folding.thin(self.shape))
        for member in plain if self.shape.values <= 256 else [DEEP]:
            if self.shape.channels in MEMBERS[member].channels:
                yield member


def views(part: Samples, shape: Shape) -> Iterator[View]:
    """The part itself, and all others; thin ones folded, too."""
    for view in _views(View(b"", part, shape, indices=shape.colours is not None)):
        yield view
        if folding.thin(view.shape):
            head, folded, inner = folding.fold(view.part, view.shape)
            yield replace(view, head=view.head + head, part=folded, shape=inner, folded=True)


def _views(view: View) -> Iterator[View]:
    yield view
    part, shape = view.part, view.shape
    if shape.colours is not None:
        light = bytes([indexing.LIGHT])
        yield View(view.head + light, indexing.inverse(indexing.lights(shape))[part], shape.of(1, shape.values), True)
        shown = indexing.displayed(part, shape)
        if shown is not None and shape.values > 64:
            yield View(view.head + bytes([indexing.DISPLAYED]), shown, shape.of(3, 256), True)
    size = 2 if shape.values > 256 else 1
    values = np.flatnonzero(np.bincount(part.reshape(-1), minlength=1)).astype(np.uint16)
    if len(values) < _FEW * (int(values[-1]) + 1):
        rank = np.zeros(int(values[-1]) + 1, np.uint16)
        rank[values] = np.arange(len(values))
        table = indexing.write_table(indexing.RANKS, values[None], size)
        ranks = View(view.head + table, rank[part], shape.of(shape.channels, len(values)), view.indices)
        yield from _views(ranks) if len(values) <= 256 < shape.values else [ranks]
    found = indexing.colours(part) if shape.channels > 1 else None
    if found is not None:
        table = indexing.write_table(indexing.COLOURS, found[0], size)
        yield View(view.head + table, found[1], shape.of(1, found[0].shape[1]), True)


def repeats(part: Samples) -> tuple[float, float]:
    """Shares of the pixels that are as the one to the left or above; that differ from it by no more than 1."""
    planes = part.astype(np.int32)
    nearest = np.full(part.shape[1:], 1 << 16, np.int32)
    nearest[:, 1:] = np.abs(planes[:, :, 1:] - planes[:, :, :-1]).max(0)
    nearest[1:] = np.minimum(nearest[1:], np.abs(planes[:, 1:] - planes[:, :-1]).max(0))
    return float((nearest == 0).mean()), float((nearest == 1).mean())
