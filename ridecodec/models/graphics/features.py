"""What the graphics model's network sees of a pixel: which colours around are the same, and how sure the memory is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ridecodec.models.graphics.memory import ENDS, MOST, UNKNOWN, Found

SPATIAL = 4
"""Neighbours that are candidates themselves."""
CANDIDATES = SPATIAL + 2 * len(ENDS)
LEVELS = torch.tensor([0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 6, 7])
"""Of a count: 0 to `MOST`, and `UNKNOWN`."""
_LEVELS = 8
_SHAPE = ((0, 4), (1, 5), (2, 7), (2, 8), (4, 9), (3, 6), (6, 10))
"""Pairs of neighbours, by number, whose equality says how the lines run."""
_FIRST = SPATIAL + len(ENDS)
"""Candidates whose equality with each other counts: the neighbours, and what came last."""
KINDS = 4
"""1 to 4 channels."""
_BITS = 9
"""Bits of the largest value, told of the first channel only."""
INPUTS = len(ENDS) * _LEVELS + _FIRST * (_FIRST - 1) // 2 + len(_SHAPE) + KINDS + _BITS
LATER = INPUTS + CANDIDATES + KINDS
"""Inputs for a channel after the first: also which candidates agree with what is known, and which channel it is."""


@dataclass
class Seen:
    """Of m pixels."""

    candidates: Tensor
    """Whole colours, int64 [CANDIDATES, m]; -1 for none."""
    inputs: Tensor
    """0 or 1, float32 [INPUTS, m]"""


def see(neighbours: Tensor, found: Found, channels: int, top: Tensor) -> Seen:
    """From colours int64 [neighbours, m] and what the memory has; ``top``: largest value of a sample, int64 [m]."""
    m = neighbours.shape[1]
    device = neighbours.device
    candidates = torch.cat([neighbours[:SPATIAL], found.latest, found.before])
    levels = LEVELS.to(device)[found.counts]  # [contexts, m]
    sure = levels[:, None] == torch.arange(_LEVELS, device=device)[:, None]  # [contexts, levels, m]
    first, second = torch.triu_indices(_FIRST, _FIRST, 1, device=device)
    alike = candidates[first] == candidates[second]
    one, other = torch.tensor(_SHAPE, device=device).T
    lines = neighbours[one] == neighbours[other]
    kind = torch.zeros(KINDS, m, dtype=torch.bool, device=device)
    kind[channels - 1] = True
    bits = (top >> torch.arange(_BITS, device=device)[:, None]) > 0
    return Seen(candidates, torch.cat([sure.flatten(0, 1), alike, lines, kind, bits]).float())


assert MOST + 2 == len(LEVELS) == UNKNOWN + 1
