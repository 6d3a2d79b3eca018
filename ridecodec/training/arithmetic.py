"""What torch is set to while a training runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def arithmetic(threads: int, device: torch.device, tf32: bool = False) -> Iterator[None]:
    """Threads, TF32 and torch's own random numbers of a training; afterwards as they were."""
    before, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if gpu else []):
        try:
            torch.set_num_threads(threads)
            if tf32 and gpu:
                torch.set_float32_matmul_precision("high")
            yield
        finally:
            torch.set_num_threads(before)
            torch.set_float32_matmul_precision(precision)
