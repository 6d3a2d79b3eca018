"""Every value equally likely: the smallest backend, for tests and as a floor (8 bits a sub-pixel)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ridecodec.coding.order import Neighbourhood, Tap
from ridecodec.coding.tables import CDF_TOTAL, VALUES, Distribution
from ridecodec.models.base import ContextModel, refuse_side_information


class Flat(Distribution):
    """Equal mass for all values of m sub-pixels."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def cumulative(self, edges: Tensor) -> Tensor:
        return edges.clamp(0, VALUES).int().mul_(CDF_TOTAL // VALUES).expand(-1, self.pixels)


class Uniform(ContextModel):
    """No context at all."""

    name = "uniform"
    hood = Neighbourhood.of([])

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def taps(self, channels: int) -> list[Tap]:
        return []

    def open(self, channels: int, sides: list[bytes], pixels: int) -> int:
        refuse_side_information(sides)
        return len(sides)

    def context(self, opened: int, taps: Tensor, located: Tensor) -> int:
        return taps.shape[1]

    def distribution(self, state: int, channel: int) -> Distribution:
        return Flat(state)

    def observe(self, state: Any, channel: int, values: Tensor) -> None:
        pass
