"""Training in several processes at once, one a GPU, as `torchrun` starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")
_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Workers:
    """This process among those that train one model; alone, every method costs nothing."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process reads the clock, says and saves."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with the first process's weights, and gradients that are the mean over all processes."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module)

    def mean(self, value: Tensor) -> Tensor:
        """Its mean over the processes, the same bits in each of them."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.size
        return value

    def largest(self, *values: float) -> list[float]:
        """The largest of each value over the processes."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        found: list[float] = shared.tolist()
        return found

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        found = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(found, value)
        return found


@contextlib.contextmanager
def workers(device: torch.device) -> Iterator[Workers]:
    """Join the processes that torchrun started (gloo, or nccl on GPUs, each with its own); else work alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or any(name not in os.environ for name in _SET_BY_TORCHRUN):
        yield Workers(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(device, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
