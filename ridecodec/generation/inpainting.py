"""Filling holes of pictures by Metropolis-within-Gibbs (RIDE paper, section 3.4, eq. 9).

Several ancestral fills, the densest kept; then sweeps over overlapping blocks. A block's proposal is drawn
ancestrally; it is accepted by the densities of a window around the block, spatial LSTMs starting from zero at the
window's border. Blocks whose windows do not reach one another's blocks are updated together, which is the same as
one after another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.engines.torch.arithmetic import exact_arithmetic
from ridecodec.errors import UsageError
from ridecodec.generation.ancestral import Limits, code_lengths, draw, neighbourhood, reach
from ridecodec.models.ride.network import Ride

BLOCK = 5
"""Side of the squares that are proposed at once."""
WINDOW = 19
"""Side of the square around a block whose density decides."""
STRIDE = 3
"""From a block to the next: they overlap."""
BEFORE = (WINDOW - BLOCK) // 2
"""Pixels from a window's border to its block."""
CONTEXT = 24
"""Pixels around the hole that fills see and that count in the density reported."""
_TOGETHER = 64


@dataclass(frozen=True)
class Settings:
    """How to fill."""

    fills: int = 5
    sweeps: int = 100
    flips: bool = True
    """Whether each sweep sees the picture flipped at random, upside down and left to right."""
    seed: int = 0
    limits: Limits = (0, 255)


@dataclass(frozen=True)
class Report:
    """Where the chain is."""

    sweep: int
    """0: the densest fill."""
    log_density: float
    """log2 of the mass of the hole's pixels and those around it."""
    acceptance: float
    """Share of this sweep's proposals that were accepted."""
    planes: NDArray[np.uint8]
    """The picture as it is now [C, H, W]."""


def inpaint(
    nets: Sequence[Ride], picture: NDArray[np.uint8], mask: NDArray[np.bool_], settings: Settings
) -> Iterator[Report]:
    """Fill ``picture`` uint8 [C, H, W], channels in coding order, where ``mask`` [H, W] is true.

    Reports the best fill, then every sweep. Raises UsageError where picture, mask and networks do not fit together.
    """
    if mask.shape != picture.shape[1:]:
        sizes = (f"{size[1]}x{size[0]}" for size in (mask.shape, picture.shape[1:]))
        raise UsageError("the mask has {} pixels and the picture has {}; they must be equal".format(*sizes))
    if not mask.any():
        raise UsageError("the mask is empty: it must be white (128 or more) where the picture is to be filled")
    if mask.all():
        raise UsageError("the mask covers the whole picture; use `ridecodec sample` to draw new pictures")
    if len(nets) != len(picture):
        names = {1: "gray", 3: "RGB"}
        raise UsageError(f"the model is for {names[len(nets)]} pictures and this one is {names[len(picture)]}")
    chain = Chain(nets, picture, mask, settings)
    chain.start()
    yield Report(0, chain.log_density(), 1.0, chain.picture())
    for sweep in range(1, settings.sweeps + 1):
        acceptance = chain.sweep()
        yield Report(sweep, chain.log_density(), acceptance, chain.picture())


class Chain:
    """The hole and its surroundings, with room for every window, where need be beyond the picture's border."""

    def __init__(
        self, nets: Sequence[Ride], picture: NDArray[np.uint8], mask: NDArray[np.bool_], settings: Settings
    ) -> None:
        self.nets, self.settings, self.original, self.mask = nets, settings, picture, mask
        self.top, self.side = reach(neighbourhood(nets))
        self.ring = ring = BEFORE + BLOCK + max(self.top, self.side)
        # beyond the border stands the picture's edge, for ever; where that is missing, the mean of what is known
        mean = picture.mean((1, 2), where=~mask, keepdims=True).round()
        padded = np.pad(np.where(mask, mean, picture), ((0, 0), (ring, ring), (ring, ring)), mode="edge")
        self.part = tuple(
            slice(max(0, int(found[0]) + ring - max(ring, CONTEXT)), int(found[-1]) + ring + max(ring, CONTEXT) + 1)
            for found in (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        )
        self.values = torch.from_numpy(padded[:, self.part[0], self.part[1]]).float()  # [C, h, w]
        self.missing = torch.from_numpy(np.pad(mask, ring)[self.part])
        self.inside = torch.from_numpy(np.pad(np.ones_like(mask), ring)[self.part])
        self.generator = torch.Generator().manual_seed(settings.seed)

    @exact_arithmetic()  # one thread: more are slower on steps this small
    def start(self) -> None:
        """Draw the fills and keep the densest."""
        fills = self.values.expand(self.settings.fills, -1, -1, -1)
        rows, columns = (int(self.missing.any(axis).nonzero()[-1]) + 1 for axis in (1, 0))
        missing = self.missing[self.top : rows, self.side : columns].expand(len(fills), -1, -1)
        drawn = draw(
            self.nets, fills[:, :, :rows, : columns + self.side], missing, self.settings.limits, self.generator
        )
        fills = fills.clone()
        fills[:, :, :rows, : columns + self.side] = drawn
        self.values = max(fills, key=self._log_density)

    def log_density(self) -> float:
        """log2 of the mass of all that is in the picture."""
        return self._log_density(self.values)

    @exact_arithmetic()
    def _log_density(self, values: Tensor) -> float:
        lengths = code_lengths(self.nets, values[None], self.settings.limits)[0]
        inside = self.inside[self.top :, self.side : -self.side]
        return -float(lengths[inside].sum(dtype=torch.float64))

    def picture(self) -> NDArray[np.uint8]:
        """The picture with the hole as it is filled now."""
        size = [side + 2 * self.ring for side in self.mask.shape]
        whole = np.zeros((len(self.values), *size), np.uint8)
        whole[:, self.part[0], self.part[1]] = self.values.numpy()
        inner = slice(self.ring, -self.ring)
        return np.where(self.mask, whole[:, inner, inner], self.original)

    @exact_arithmetic()
    def sweep(self) -> float:
        """Propose every block once; the share of proposals that were accepted."""
        turned = torch.randint(2, (2,), generator=self.generator).tolist() if self.settings.flips else [0, 0]
        axes = [axis - 2 for axis in range(2) if turned[axis]]
        self.values, self.missing, self.inside = (x.flip(axes) for x in (self.values, self.missing, self.inside))
        accepted = total = 0
        for blocks in self._groups():
            accepted += self._update(blocks)
            total += len(blocks)
        self.values, self.missing, self.inside = (x.flip(axes) for x in (self.values, self.missing, self.inside))
        return accepted / total

    def _groups(self) -> Iterator[Tensor]:
        """Blocks that may be updated together: the places of their first pixels, int64 [n, 2]."""
        starts = []
        for axis in (1, 0):
            found = self.missing.any(axis).nonzero()
            shift = int(torch.randint(STRIDE, (1,), generator=self.generator))
            starts.append(torch.arange(int(found[0]) - BLOCK + 1 + shift, int(found[-1]) + 1, STRIDE))
        apart = -(-(BLOCK + BEFORE + max(self.top, self.side)) // STRIDE)
        for y, x in product(range(apart), repeat=2):
            blocks = torch.cartesian_prod(starts[0][y::apart], starts[1][x::apart]).view(-1, 2)
            holds = self.missing.view(-1)[self._places(blocks, BLOCK, BLOCK)].flatten(1).any(1)
            yield from (part for part in blocks[holds].split(_TOGETHER) if len(part))

    def _places(self, corners: Tensor, height: int, width: int) -> Tensor:
        """Flat places of the pixels of rectangles with these first pixels [n, 2]: int64 [n, height, width]."""
        y, x = (corners[:, axis, None] + torch.arange(size) for axis, size in enumerate((height, width)))
        return y[:, :, None] * self.missing.shape[1] + x[:, None, :]

    def _update(self, blocks: Tensor) -> int:
        """Propose new values for these blocks and accept or reject them; how many were accepted."""
        top, side, limits = self.top, self.side, self.settings.limits
        flat = self.values.view(len(self.values), -1)
        drawn = self.missing.view(-1)[self._places(blocks, BLOCK, BLOCK)]
        inside = self.inside.view(-1)[self._places(blocks - BEFORE, WINDOW, WINDOW)]
        corners = blocks - BEFORE - torch.tensor([top, side])
        old = flat[:, self._places(corners, top + WINDOW, WINDOW + 2 * side)].transpose(0, 1)
        new = old.clone()
        # what comes after a block has no part in its proposal
        past = (..., slice(top + BEFORE + BLOCK), slice(BEFORE + BLOCK + 2 * side))
        missing = torch.zeros(len(blocks), BEFORE + BLOCK, BEFORE + BLOCK, dtype=torch.bool)
        missing[:, BEFORE:, BEFORE:] = drawn
        new[past] = draw(self.nets, new[past], missing, limits, self.generator)
        ratio = log_acceptance(self.nets, old, new, drawn, inside, limits)
        accept = torch.rand(len(blocks), generator=self.generator).log() < ratio
        own = (..., slice(top + BEFORE, top + BEFORE + BLOCK), slice(side + BEFORE, side + BEFORE + BLOCK))
        flat[:, self._places(blocks[accept], BLOCK, BLOCK)] = new[own][accept].transpose(0, 1)
        return int(accept.sum())


def log_acceptance(
    nets: Sequence[Ride], old: Tensor, new: Tensor, drawn: Tensor, inside: Tensor, limits: Limits
) -> Tensor:
    """Natural logarithm of ``p(x') p(x_ij|x_<ij) / (p(x) p(x'_ij|x_<ij))`` for every window, float64 [n].

    ``old``, ``new``: windows [n, C, WINDOW + top, WINDOW + 2 side]; ``drawn`` bool [n, BLOCK, BLOCK]: what the proposal
    drew; ``inside`` bool [n, WINDOW, WINDOW]: what counts. Every drawn pixel's conditional stands in both p and the
    proposal and cancels, so the ratio is that of the other pixels from the block's first row on.
    """
    counts = inside[:, BEFORE:].clone()
    counts[:, :BLOCK, BEFORE : BEFORE + BLOCK] &= ~drawn
    lengths = code_lengths(nets, torch.cat([old, new]), limits, BEFORE).double()
    before, after = (torch.where(counts, part, 0.0).sum((1, 2)) for part in lengths.chunk(2))
    return math.log(2) * (before - after)
