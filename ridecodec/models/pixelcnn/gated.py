"""Gated PixelCNN: two stacks without a blind spot (Conditional PixelCNN paper, sections 2.2 to 2.4, Figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask

GAIN = 2.0
"""Gates weaken what goes through; without it the upper vertical layers begin next to dead."""


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the maps times sigmoid of the second: [B, 2p, ...] -> [B, p, ...] (equation 2)."""
    features, gates = x.chunk(2, 1)
    return torch.tanh(features) * torch.sigmoid(gates)


class GatedLayer(nn.Module):
    """A layer of both stacks: ``vertical`` sees the rows above, ``horizontal`` the row to the left as well.

    The vertical stack knows nothing of the pixel's own row, so that its maps need no groups. ``first``: the inputs are
    the picture's channels; there is no residual then. ``context``: maps that condition both gates (equation 4; equation
    5 where they are spatial).
    """

    def __init__(
        self, maps: int, groups: int, reach: int, first: bool = False, inputs: int | None = None, context: int = 0
    ) -> None:
        super().__init__()
        self.first = first
        inputs = maps if inputs is None else inputs
        above = reach - 1 if first else reach
        mask = group_mask(2 * maps, groups if first else maps, groups, strict=first, halves=2)
        if first:  # the last input says where the picture is: no channel
            mask = torch.cat([mask, torch.ones(2 * maps, inputs - groups, dtype=torch.bool)], 1)
        self.vertical = Conv(inputs, 2 * maps, above, reach, reach, shift=first, gain=GAIN)
        self.down = Conv(2 * maps, 2 * maps, bias=False)
        self.horizontal = Conv(inputs, 2 * maps, 0, reach, 0, mask=mask, gain=GAIN)
        self.out = Conv(maps, maps, mask=group_mask(maps, maps, groups, strict=False))
        self.context = Conv(context, 4 * maps, bias=False) if context else None

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Maps of both stacks [B, maps, H, W] -> the same; ``context`` [B, context, H or 1, W or 1]."""
        rows = bounded(self.vertical(vertical))
        row = self.horizontal(horizontal) + self.down(rows)
        if self.context is not None:
            up, beside = self.context(context).chunk(2, 1)
            rows, row = rows + up, row + beside
        found = self.out(gate(row))
        return gate(rows), bounded(found if self.first else found + horizontal)
