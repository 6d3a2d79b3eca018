"""Torch on one thread in the thread that asks for it, while its host's other threads keep what they have.

`torch.set_num_threads` also sets what every thread takes over that uses torch for the first time. The libraries below
it keep a number for each thread, and are asked themselves.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

Swap = Callable[[int], int]
"""Sets the number of threads of the thread that calls it, and returns the one before."""


@contextmanager
def one_thread() -> Iterator[None]:
    """One intra-op thread for what this thread does in the block; the number before is put back after it."""
    torch.get_num_threads()  # where torch is new to this thread, it sets the number now, and not in the block
    before = [(swap, swap(1)) for swap in _swaps()]
    try:
        yield
    finally:
        for swap, number in before:
            swap(number)


@cache
def _swaps() -> list[Swap]:
    """Of OpenMP and, where it is there, MKL; of torch itself where it uses another library."""
    library = ctypes.CDLL(torch._C.__file__)  # and what it depends on
    if not hasattr(library, "omp_set_num_threads"):
        return [_swap_torch]

    def swap_openmp(number: int) -> int:
        before: int = library.omp_get_max_threads()
        library.omp_set_num_threads(number)
        return before

    mkl = "MKL_Set_Num_Threads_Local"
    return [swap_openmp, getattr(library, mkl)] if hasattr(library, mkl) else [swap_openmp]


def _swap_torch(number: int) -> int:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    return before
