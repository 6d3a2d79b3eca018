"""A small network, pictures that it can learn, and trainings of seconds, for the tests of training."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training.presets import Schedule
from ridecodec.training.ride import train

CPU = torch.device("cpu")
SMALL = RideConfig(layers=1, hidden=6, components=3, scales=2, features=4, width=3)
QUICK: dict[str, Any] = {
    "sizes": (6, 8),
    "pixels": 400,
    "warmup": 5,
    "evaluations": 4,
    "rate": 0.03,
    "mcgsm_rate": 0.03,
}
quietly: Callable[[str], None] = lambda _: None  # noqa: E731


def texture(seed: int, side: int = 40) -> NDArray[np.uint8]:
    """A gray picture of rectangles with little noise, which a mixture predicts well; uint8 [1, side, side]."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side))
    for _ in range(side * 4):
        y, x, height, width = (*rng.integers(0, side, 2), *rng.integers(4, 14, 2))
        picture[y : y + height, x : x + width] = rng.uniform(20, 235)
    return (picture + rng.normal(0, 2, (side, side))).clip(0, 255).astype(np.uint8)[None]


TEXTURES = [texture(seed) for seed in range(3)]


def trained(schedule: Schedule, checkpoint: Path | None = None, config: RideConfig = SMALL, **options: Any) -> Ride:
    return train(TEXTURES, config, schedule, checkpoint, **{"say": quietly, "validation": [texture(9)], **options})


def rate(model: Ride) -> float:
    """Bits a pixel of a texture that no training saw, with noise."""
    generator = torch.Generator().manual_seed(3)
    planes = torch.from_numpy(texture(11)).float()[None]
    with torch.no_grad():
        return float(-model.log_density(planes + torch.rand(planes.shape, generator=generator)).mean() / math.log(2))


def same(first: Any, second: Any) -> bool:
    """Whether two saved states are alike, bit for bit, but for the time they took."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first if key != "seconds")
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    return bool(first == second) or (first != first and second != second)


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)
