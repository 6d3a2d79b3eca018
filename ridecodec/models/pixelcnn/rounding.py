"""A network as a model file, and what of it the coder computes with: weights of 16 bits, and exact products of them.

Every row of a weight is an int16 vector and an exponent, every bias an integer over 2^16. The float network with these
very numbers is the model behind the coder, so that the file holds each weight once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ridecodec.coding.exact import ExactLinear, powers, whole
from ridecodec.errors import ModelRefusedError
from ridecodec.models.pixelcnn.context import Square
from ridecodec.models.pixelcnn.masked import Conv

WEIGHT_TOP = (1 << 15) - 1
BIAS_BITS = 16
BIAS_TOP = (1 << 24) - 1
_EXPONENTS = (4, 30)


def pack(net: nn.Module, config: Any, tables: dict[str, Tensor]) -> bytes:
    """The bytes of a model file of ``net``, whose settings ``config`` (a dataclass) and integer ``tables`` go along."""
    tensors = {f"tables.{name}": table for name, table in tables.items()}
    for name, value in net.state_dict().items():
        value = value.detach().double().cpu()
        if name.endswith("bias"):
            tensors[name] = torch.round(value * (1 << BIAS_BITS)).clamp(-BIAS_TOP, BIAS_TOP).int()
            continue
        top = value.flatten(1).abs().amax(1).clamp(min=1e-9)
        exponent = torch.floor(torch.log2(WEIGHT_TOP / top)).clamp(*_EXPONENTS)
        rows = powers(exponent).view(-1, *[1] * (value.ndim - 1))
        tensors[name] = torch.round(value * rows).clamp(-WEIGHT_TOP, WEIGHT_TOP).short()
        tensors[f"{name}.exponent"] = exponent.to(torch.uint8)
    tensors["config"] = torch.frombuffer(bytearray(json.dumps(asdict(config)).encode()), dtype=torch.uint8)
    return safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})


def check_shapes(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """ModelRefusedError where a model file's weights are not of the shapes that ``net`` has."""
    for name, wanted in net.state_dict().items():
        if tensors[name].shape != wanted.shape:
            raise ModelRefusedError(f"{name} is {list(tensors[name].shape)} in the model file, not as its settings say")


def fill(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give ``net`` the weights of a model file; ModelRefusedError for others than `pack` makes."""
    state = {}
    for name, wanted in net.state_dict().items():
        if name.endswith("bias"):
            found = whole(name, tensors[name], wanted.shape, -BIAS_TOP, BIAS_TOP)
            state[name] = found.float() / (1 << BIAS_BITS)
            continue
        found = whole(name, tensors[name], wanted.shape, -WEIGHT_TOP, WEIGHT_TOP)
        exponent = whole(f"{name}.exponent", tensors[f"{name}.exponent"], wanted.shape[:1], *_EXPONENTS)
        state[name] = found.float() / powers(exponent).float().view(-1, *[1] * (wanted.ndim - 1))
    net.load_state_dict(state)


@dataclass(frozen=True)
class Part:
    """Inputs of a product: what a convolution takes, integers within ``top`` in 1/2^``bits``."""

    conv: Conv | Square
    bits: int
    top: int
    columns: int | None = None
    """Only the first of a 1x1 convolution's inputs; the mask hides the others from these rows."""


def product(name: str, parts: Sequence[Part], bits: int, rows: Tensor | None = None, plus: float = 0.0) -> ExactLinear:
    """The sum of convolutions, rounded to integers in 1/2^``bits``, in float64; of the outputs ``rows`` only.

    The inputs stand part by part, in a part tap by tap; weights are where the network is. ModelRefusedError where the
    sums do not stay exact, ``plus``, the most that a caller adds to them, included.
    """
    chosen = slice(None) if rows is None else rows
    weights = [part.conv.matrix.detach().double().cpu()[chosen, : part.columns] for part in parts]
    bias = torch.zeros(len(weights[0]), dtype=torch.float64)
    for part in parts:
        if part.conv.bias is not None:
            bias += part.conv.bias.detach().double().cpu()[chosen]
    exponent = torch.full((len(weights[0]),), float(max(BIAS_BITS, bits + 1)), dtype=torch.float64)
    for weight, part in zip(weights, parts, strict=True):
        exponent = torch.maximum(exponent, _digits(name, weight) + part.bits)
    pairs = list(zip(weights, parts, strict=True))
    scaled = [weight * powers(exponent - part.bits)[:, None] for weight, part in pairs]
    limit = torch.cat([torch.full((weight.shape[1],), float(part.top)) for weight, part in pairs])
    half = powers(exponent - bits - 1)
    weight, bias = torch.cat(scaled, 1), bias * powers(exponent) + half
    made = ExactLinear(name, weight, bias, exponent - bits, limit, plus * powers(exponent - bits), torch.float64)
    return made.to(parts[0].conv.weight.device)


def _digits(name: str, weight: Tensor) -> Tensor:
    """Binary digits behind the point that each row needs, float64 [rows]."""
    digits = torch.zeros(len(weight), dtype=torch.float64)
    for _ in range(_EXPONENTS[1]):
        left = weight * powers(digits)[:, None]
        digits += (left != left.round()).any(1)
    left = weight * powers(digits)[:, None]
    if (left != left.round()).any():
        raise ModelRefusedError(f"layer {name} has weights that are too fine; export the model again")
    return digits
