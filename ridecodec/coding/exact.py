"""Exact arithmetic: integers held in float tensors, and the proof that they stay exact.

A matrix product of integers in floating point is exact in any order of summation while every partial sum stays
below 2^24 (float32) or 2^53 (float64). `ExactLinear` proves that bound from its weights when a model is loaded. What
is divided by a power of two afterwards may be divided before: the digits are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from ridecodec.coding.one_thread import one_thread
from ridecodec.errors import ModelRefusedError

_CAPACITY = {torch.float32: 2.0**24, torch.float64: 2.0**53}
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
LARGEST = 1 << 53
"""Integers up to here are the same in float64."""
LARGEST_EXPONENT = 52


def whole(name: str, values: Tensor, shape: Sequence[int | None], least: int, most: int) -> Tensor:
    """A tensor of a model file as int64; ModelRefusedError, naming it, where it has another type, shape or range.

    A length of None in ``shape`` is any but 0.
    """
    if values.dtype not in _WHOLE:
        raise ModelRefusedError(f"{name} holds {str(values.dtype)[6:]}, not integers; export the model again")
    fits = [n > 0 if wanted is None else n == wanted for n, wanted in zip(values.shape, shape, strict=False)]
    if values.ndim != len(shape) or not all(fits):
        wanted = " x ".join("n" if n is None else str(n) for n in shape)
        found = " x ".join(map(str, values.shape)) or "no dimension"
        raise ModelRefusedError(f"{name} has the wrong shape, {found} instead of {wanted}; export the model again")
    values = values.long()
    if values.numel() and (int(values.min()) < least or int(values.max()) > most):
        raise ModelRefusedError(f"{name} is out of range; export the model again")
    return values


def whole_layer(
    tensors: Mapping[str, Tensor], name: str, outputs: int | None, inputs: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, bias and exponent of an `ExactLinear` in a model file, int64; raises what `whole` does, and KeyError."""
    weight = whole(f"layer {name}: weight", tensors[f"{name}.weight"], (outputs, inputs), -LARGEST, LARGEST)
    bias = whole(f"layer {name}: bias", tensors[f"{name}.bias"], weight.shape[:1], -LARGEST, LARGEST)
    exponent = whole(f"layer {name}: exponent", tensors[f"{name}.exponent"], weight.shape[:1], 0, LARGEST_EXPONENT)
    return weight, bias, exponent


def powers(exponent: Tensor) -> Tensor:
    """``2^exponent`` in float64, for integers from 0 to `LARGEST_EXPONENT`; by shifts, since exp2 may be rounded."""
    shifts = exponent.long().clamp(0, LARGEST_EXPONENT)
    return torch.bitwise_left_shift(torch.ones_like(shifts), shifts).double()


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
        layer, where the bound does not hold, a weight is no integer or the shapes do not fit.
        """
        if weight.ndim != 2 or not weight.numel() or not weight.shape[:1] == bias.shape == exponent.shape:
            shapes = ", ".join(" x ".join(map(str, x.shape)) for x in (weight, bias, exponent))
            raise ModelRefusedError(
                f"layer {name} has weights, biases and exponents that do not fit each other ({shapes}); "
                "export the model again"
            )
        weight, bias, exponent = weight.double(), bias.double(), exponent.double()
        for values in (weight, bias, exponent):
            if not torch.isfinite(values).all() or (values != values.round()).any():
                raise ModelRefusedError(f"layer {name} has weights that are not integers; export the model again")
        if (exponent < 0).any() or (exponent > LARGEST_EXPONENT).any():
            raise ModelRefusedError(f"layer {name} has exponents out of range; export the model again")
        limits = torch.as_tensor(limit, dtype=torch.float64)
        if limits.ndim and limits.shape != weight.shape[1:]:
            raise ModelRefusedError(
                f"layer {name} takes {weight.shape[1]} inputs where there are {limits.numel()}; export the model again"
            )
        limits = limits.expand(weight.shape[1])
        sums = weight.abs() @ limits + bias.abs() + plus
        self.bound = float(sums.max())
        self.reach = float((sums / powers(exponent)).max()) + 1
        """No output is larger than this."""
        fitting = [d for d, capacity in _CAPACITY.items() if self.bound < capacity]
        if not fitting or (dtype is not None and dtype not in fitting):
            wanted = dtype or torch.float64
            raise ModelRefusedError(
                f"layer {name} is not exact in {str(wanted)[6:]}: partial sums reach {self.bound:.4g}, "
                f"the bound is {_CAPACITY[wanted]:.4g}; export the model with smaller weights"
            )
        self.name = name
        self.dtype = dtype or fitting[0]
        self.scale = torch.tensor([1 / (1 << int(e)) for e in exponent], dtype=self.dtype)[:, None]
        self.weight = weight.to(self.dtype) * self.scale
        self.bias = bias.to(self.dtype)[:, None] * self.scale

    def to(self, device: torch.device) -> ExactLinear:
        """Move the weights."""
        self.weight, self.bias, self.scale = (x.to(device) for x in (self.weight, self.bias, self.scale))
        return self

    def __call__(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """[in, m] -> [out, m], integers in the layer's dtype. ``plus`` [out, m], integers times `scale`, takes the
        bias's place."""
        return self.sums(x, plus).floor_()

    def sums(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """As a call, but not rounded down: multiples of `scale`."""
        return torch.addmm(self.bias if plus is None else plus.to(self.dtype), self.weight, x.to(self.dtype))


def quantise(
    weight: Tensor,
    bias: Tensor,
    limit: Tensor | float,
    plus: Tensor | float = 0.0,
    capacity: float = _CAPACITY[torch.float32],
    half: bool = True,
) -> dict[str, Tensor]:
    """Integers for an `ExactLinear` that computes ``weight @ x + bias`` as well as it can, rounded; without ``half``
    rounded down.

    ``weight`` [out, in] takes integer inputs within ``limit`` to the output's integer units; ``plus`` bounds what is
    added to each output. Each row gets the largest exponent whose sums stay below ``capacity`` and, beyond
    float32's, whose weights fit 24 bits. Returns weight, bias, exponent.
    """
    weight, bias = weight.detach().double(), bias.detach().double()
    limits = torch.as_tensor(limit, dtype=torch.float64).expand(weight.shape[1])
    reach = weight.abs() @ limits + bias.abs() + plus + 1
    exponent = torch.floor(torch.log2(capacity * 0.99 / reach)).clamp(0, 16)
    if capacity > _CAPACITY[torch.float32]:
        room = torch.floor(24 - torch.log2(weight.abs().amax(1).clamp(min=1e-300)))
        exponent = torch.floor(torch.log2(capacity * 0.99 / reach)).minimum(room).clamp(0, LARGEST_EXPONENT)
    unit = powers(exponent)
    up = torch.where(exponent > 0, unit / 2, 0.0) if half else torch.zeros_like(unit)
    return {
        "weight": torch.round(weight * unit[:, None]),
        "bias": torch.round(bias * unit + up),
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


class _Settings:
    """Torch's settings of float32 products while somebody needs them exact, and what they were before.

    They are the process's own, so that a host sees them meanwhile: its products are then exact, too.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before: list[tuple[Any, str, Any, Any]] = []

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.before = [(owner, name, exact, getattr(owner, name)) for owner, name, exact in _products()]
                for owner, name, exact, _ in self.before:
                    setattr(owner, name, exact)
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            for owner, name, exact, value in self.before if self.users == 0 else ():
                if getattr(owner, name) == exact:  # else the host has set it since
                    setattr(owner, name, value)


def _products() -> list[tuple[Any, str, Any]]:
    """(owner, attribute, exact value) of the settings; torch has them by backend since 2.9."""
    owners: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    if all(hasattr(owner, "fp32_precision") for owner in owners):
        return [(owner, "fp32_precision", "ieee") for owner in owners]
    return [(_Legacy(), "precision", "highest"), (owners[0], "allow_tf32", False)]


class _Legacy:
    """The one setting of torch before 2.9, as an attribute."""

    @property
    def precision(self) -> str:
        return torch.get_float32_matmul_precision()

    @precision.setter
    def precision(self, value: str) -> None:
        torch.set_float32_matmul_precision(value)


_settings = _Settings()


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Torch as the coded path wants it: no gradients, no reduced precision, no autocast, one intra-op thread.

    New tensors are made on the CPU unless a device is named, whatever the caller's default device. All is of the
    calling thread alone but the precision, which is put back when the last user leaves.
    """
    _settings.enter()
    try:
        with ExitStack() as stack:
            stack.enter_context(one_thread())
            stack.enter_context(torch.inference_mode())
            for device in ("cpu", "cuda"):
                stack.enter_context(torch.autocast(device, enabled=False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        _settings.leave()
