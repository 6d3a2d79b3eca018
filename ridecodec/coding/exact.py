"""Exact arithmetic: integers held in float tensors, and the proof that they stay exact.

A matrix product of integers in floating point is exact in any order of summation while every partial sum stays
below 2^24 (float32) or 2^53 (float64). `ExactLinear` proves that bound from its weights when a model is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ridecodec.errors import ModelRefusedError

_CAPACITY = {torch.float32: 2.0**24, torch.float64: 2.0**53}
_guard = threading.Lock()
_inside = 0
_before: tuple[int, str, bool] = (1, "highest", False)


class ExactLinear:
    """``floor((weight @ x + bias) / 2^exponent)`` in integers, for x with ``|x| <= limit``."""

    def __init__(
        self,
        name: str,
        weight: Tensor,
        bias: Tensor,
        exponent: Tensor,
        limit: Tensor | float,
        plus: Tensor | float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Prove the bound and pick float32, or float64 where float32 does not hold; ``dtype`` asks for one.

        ``weight`` [out, in], ``bias`` [out] and ``exponent`` [out] hold integers, ``limit`` is a number or one for
        each input, ``plus`` bounds what a caller puts in the bias's place. Raises ModelRefusedError, naming the
        layer, where the bound does not hold or a weight is no integer.
        """
        weight, bias, exponent = weight.double(), bias.double(), exponent.double()
        for values in (weight, bias, exponent):
            if not torch.isfinite(values).all() or (values != values.round()).any():
                raise ModelRefusedError(f"layer {name} has weights that are not integers; export the model again")
        if (exponent < 0).any() or (exponent > 52).any():
            raise ModelRefusedError(f"layer {name} has exponents out of range; export the model again")
        limits = torch.as_tensor(limit, dtype=torch.float64).expand(weight.shape[1])
        self.bound = float((weight.abs() @ limits + bias.abs() + plus).max())
        fitting = [d for d, capacity in _CAPACITY.items() if self.bound < capacity]
        if not fitting or (dtype is not None and dtype not in fitting):
            wanted = dtype or torch.float64
            raise ModelRefusedError(
                f"layer {name} is not exact in {str(wanted)[6:]}: partial sums reach {self.bound:.4g}, "
                f"the bound is {_CAPACITY[wanted]:.4g}; export the model with smaller weights"
            )
        self.name = name
        self.dtype = dtype or fitting[0]
        self.weight, self.bias = weight.to(self.dtype), bias.to(self.dtype)[:, None]
        self.scale = torch.tensor([1 / (1 << int(e)) for e in exponent], dtype=self.dtype)[:, None]

    def to(self, device: torch.device) -> ExactLinear:
        """Move the weights."""
        self.weight, self.bias, self.scale = (x.to(device) for x in (self.weight, self.bias, self.scale))
        return self

    def __call__(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """[in, m] -> [out, m], integers in the layer's dtype. ``plus`` [out, m] takes the bias's place."""
        start = self.bias if plus is None else plus.to(self.dtype)
        return torch.addmm(start, self.weight, x.to(self.dtype)).mul_(self.scale).floor_()


def quantise(weight: Tensor, bias: Tensor, limit: Tensor | float, plus: Tensor | float = 0.0) -> dict[str, Tensor]:
    """Integers for an `ExactLinear` in float32 that computes ``round(weight @ x + bias)`` as well as it can.

    ``weight`` [out, in] takes integer inputs within ``limit`` to the output's integer units; ``plus`` bounds what is
    added to each output. Each row gets the largest exponent whose bound holds. Returns weight, bias, exponent.
    """
    weight, bias = weight.detach().double(), bias.detach().double()
    limits = torch.as_tensor(limit, dtype=torch.float64).expand(weight.shape[1])
    reach = weight.abs() @ limits + bias.abs() + plus + 1
    exponent = torch.floor(torch.log2(2.0**24 * 0.99 / reach)).clamp(0, 16)
    unit = torch.exp2(exponent)
    half = torch.where(exponent > 0, unit / 2, 0.0)
    return {
        "weight": torch.round(weight * unit[:, None]),
        "bias": torch.round(bias * unit + half),
        "exponent": exponent,
    }


def check_products(device: torch.device) -> None:
    """Multiply integers close to float32's bound; ModelRefusedError where the device's products are not exact.

    Settings outside of torch (oneDNN's or a vendor's) can force products of reduced precision.
    """
    with exact_arithmetic():
        numbers = (torch.arange(64 * 64, device=device) * 40503 % 1021 - 510).view(64, 64)
        wanted = (numbers[:, None] * numbers.T[None]).sum(2)
        found = numbers.to(torch.float32) @ numbers.to(torch.float32)
        if not torch.equal(found.long(), wanted):
            raise ModelRefusedError(
                f"matrix products on the device {str(device)!r} are not exact: reduced precision is forced; unset "
                "ONEDNN_DEFAULT_FPMATH_MODE, NVIDIA_TF32_OVERRIDE and the like, or choose another --device"
            )


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Torch as the coded path wants it: no gradients, no reduced precision, no autocast, one intra-op thread.

    The settings are the process's; they are put back when the last user leaves.
    """
    global _inside, _before
    with _guard:
        if _inside == 0:
            _before = (
                torch.get_num_threads(),
                torch.get_float32_matmul_precision(),
                torch.backends.cuda.matmul.allow_tf32,
            )
            torch.set_num_threads(1)
            torch.set_float32_matmul_precision("highest")
            torch.backends.cuda.matmul.allow_tf32 = False
        _inside += 1
    try:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        with _guard:
            _inside -= 1
            if _inside == 0:
                torch.set_float32_matmul_precision(_before[1])
                torch.backends.cuda.matmul.allow_tf32 = _before[2]
                torch.set_num_threads(_before[0])
