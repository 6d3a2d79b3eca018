"""Convolutions that see only what is coded before (Conditional PixelCNN paper, sections 2.1 and 2.2).

Feature maps are in as many groups as the picture has channels, in coding order: group k may depend on the pixels
before, on the pixel's own channels before k, and behind the first layer on groups up to k.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.exact.order import Offset
from ridecodec.models.pixelcnn.integers import LIMIT


def group_mask(outputs: int, inputs: int, groups: int, strict: bool, halves: int = 1) -> Tensor:
    """Which input maps each output map sees at the pixel itself, bool [outputs, inputs].

    ``strict``: group k sees groups below k only (mask A), else k too (mask B). ``halves``: how many equal parts the
    outputs have, each with all groups. ValueError where maps cannot be divided so.
    """
    if outputs % (groups * halves) or inputs % groups:
        raise ValueError(f"{outputs} maps of {inputs} do not divide into {groups} groups")
    own = torch.arange(groups).repeat_interleave(outputs // groups // halves).repeat(halves)[:, None]
    seen = torch.arange(groups).repeat_interleave(inputs // groups)
    return seen < own if strict else seen <= own


def bounded(x: Tensor) -> Tensor:
    """Within +-LIMIT."""
    return functional.hardtanh(x, -float(LIMIT), float(LIMIT))


def rectified(x: Tensor) -> Tensor:
    """ReLU that stops at LIMIT."""
    return functional.hardtanh(x, 0.0, float(LIMIT))


class Conv(nn.Conv2d):
    """A convolution over rows -``above`` .. 0 and columns -``left`` .. ``right``, zeros around the picture.

    ``shift``: everything a row further up. ``mask`` [outputs, inputs] says what is seen at the pixel itself; all, where
    None; with one, nothing to the right of the pixel is seen in its row. ``gain`` is the outputs' deviation at first,
    for inputs of deviation 1.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        above: int = 0,
        left: int = 0,
        right: int = 0,
        shift: bool = False,
        mask: Tensor | None = None,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__(inputs, outputs, (above + 1, left + right + 1), bias=bias)
        self.pads = (left, right, above, 0)
        self.shift = shift
        keep = torch.ones_like(self.weight)
        if mask is not None:
            keep[:, :, above, left] = mask.to(keep)
            keep[:, :, above, left + 1 :] = 0
        self.register_buffer("keep", keep, persistent=False)
        self.keep: Tensor
        seen = keep.sum((1, 2, 3)).clamp(min=1)
        with torch.no_grad():  # outputs vary ``gain`` times as much as inputs, however many are masked
            self.weight.normal_().mul_(gain / seen.sqrt()[:, None, None, None])

    @property
    def taps(self) -> list[Offset]:
        """(dy, dx) of what is seen, row by row."""
        seen = self.keep.amax((0, 1)).bool()
        left, _, above, _ = self.pads
        return [(int(dy) - above - self.shift, int(dx) - left) for dy, dx in seen.nonzero()]

    @property
    def matrix(self) -> Tensor:
        """The weights of what is seen, [outputs, taps * inputs], tap by tap."""
        return self.kernel.permute(0, 2, 3, 1)[:, self.keep.amax((0, 1)).bool()].flatten(1)

    @property
    def kernel(self) -> Tensor:
        """The weights that count, [outputs, inputs, above + 1, columns]."""
        return self.weight * self.keep

    @property
    def numbers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same weights and the biases, for the recorder."""
        bias = np.zeros(len(self.weight)) if self.bias is None else self.bias.detach().double().cpu().numpy()
        return self.matrix.detach().double().cpu().numpy(), bias

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        if self.shift:
            x = functional.pad(x, (0, 0, 1, 0))[:, :, :-1]
        if any(self.pads):
            x = functional.pad(x, self.pads)
        return functional.conv2d(x, self.kernel, self.bias)
