"""What a network's last layer says of a sub-pixel: a softmax over its values, or a mixture of discretised logistics."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ridecodec.exact.families import Logistics, Softmax
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.config import VALUES
from ridecodec.models.pixelcnn.integers import Floats, product

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


def record_output(ops: Recorder, name: str, x: Value, weight: Floats, bias: Floats, mixtures: int) -> None:
    """Write the last layer of a channel down, and the distribution that it says; ``x``: what the layer takes."""
    if not mixtures:
        logits = product(ops, name, [(x, weight)], bias, Softmax.LOGIT_UNIT)
        ops.output("softmax", {"logits": logits}, Softmax.make_tables())
        return
    means = slice(mixtures, 2 * mixtures)
    weight, bias = weight.copy(), bias.copy()
    weight[means] *= 1 << MEAN_BITS
    bias[means] = bias[means] * (1 << MEAN_BITS) + MIDDLE
    bias[means.stop :] += Logistics.SCALE_ZERO / Logistics.SCALE_UNIT
    units = np.repeat([Logistics.LOGIT_UNIT, Logistics.MEAN_UNIT, Logistics.SCALE_UNIT], mixtures)
    found = product(ops, name, [(x, weight)], bias, units)
    low, high = (round(Logistics.SCALE_ZERO + Logistics.SCALE_UNIT * end) for end in SCALE_RANGE)
    limit = Logistics.MEAN_LIMIT
    parts = {
        "logits": found[:mixtures],
        "means": found[means].clamp(-limit, limit),
        "scales": found[means.stop :].clamp(low, high),
    }
    ops.output("logistics", parts, Logistics.make_tables())
