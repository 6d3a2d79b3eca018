"""What a network's last layer says of a sub-pixel: a softmax over its values, or a mixture of discretised logistics."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ridecodec.models.pixelcnn.config import VALUES

MIDDLE = 127.5
MEAN_BITS = 7
"""A mixture's means are in 2^7 values, from the middle; its scales are powers of two."""
SCALE_RANGE = (-5.0, 8.5)


def softmax_bits(logits: Tensor, x: Tensor) -> Tensor:
    """Code length of every sub-pixel x [B, C, H, W] from logits [B, C, 256, H, W], bits [B, C, H, W]."""
    return functional.cross_entropy(logits.transpose(1, 2), x.long(), reduction="none") / math.log(2)


def mixture_bits(numbers: Tensor, x: Tensor) -> Tensor:
    """The same from K logits, K means and K scales, [B, C, 3 K, H, W]. Values 0 and 255 take the tails."""
    gate, means, scales = numbers.unflatten(2, (3, -1)).unbind(2)  # [B, C, K, H, W]
    value = x.float()[:, :, None]
    offset = value - MIDDLE - means * (1 << MEAN_BITS)
    width = torch.exp2(scales.clamp(*SCALE_RANGE))
    low, high = (offset - 0.5) / width, (offset + 0.5) / width
    below = functional.logsigmoid(high).masked_fill(value == VALUES - 1, 0.0)
    above = functional.logsigmoid(-low).masked_fill(value == 0, 0.0)
    inside = torch.log(-torch.expm1(-1 / width)).masked_fill((value == 0) | (value == VALUES - 1), 0.0)
    mass = torch.logsumexp(gate.log_softmax(2) + below + above + inside, 2)
    return mass / -math.log(2)
