"""Exact arithmetic: torch set so that products of integers held in floats are exact, and a check that they are.

A matrix product of integers in floating point is exact in any order of summation while every partial sum stays
below 2^24 (float32) or 2^53 (float64).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ridecodec.engines.torch.one_thread import one_thread
from ridecodec.errors import ModelRefusedError


def check_products(device: torch.device) -> None:
    """Multiply integers close to float32's bound; ModelRefusedError where the device's products are not exact.

    Settings outside of torch (oneDNN's or a vendor's) can force products of reduced precision.
    """
    with exact_arithmetic():
        numbers = (torch.arange(64 * 64, device=device) * 40503).view(64, 64)
        long, short = numbers % 16381 - 8190, numbers % 63 - 31  # TF32 keeps 11 bits, of which `long` has more
        wanted = (long[:, None] * short.T[None]).sum(2)
        found = long.to(torch.float32) @ short.to(torch.float32)
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
