"""Torch's devices by the names that the command line has."""

from __future__ import annotations

import torch

from ridecodec.errors import UsageError


def check_cuda() -> None:
    """UsageError where there is no CUDA device."""
    if not torch.cuda.is_available():
        raise UsageError("PyTorch finds no CUDA device; use --device cpu")


def torch_device(name: str) -> torch.device:
    """The device of ``auto``, ``cpu`` or ``cuda``; auto: CUDA where it is there. UsageError where there is none."""
    if name == "cuda":
        check_cuda()
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())
