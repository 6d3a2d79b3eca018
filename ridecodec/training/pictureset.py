"""Sets of small pictures of one size, and what all trainings on them share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.errors import InputError
from ridecodec.models import checkpoints
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.training.distributed import Workers
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.plan import Plan, Settings
from ridecodec.training.task import Batch, Place, Report, Task
from ridecodec.training.trainer import Trainer


@dataclass(frozen=True)
class Pictures:
    """A set of small pictures, and their labels."""

    pixels: Tensor
    """uint8 [N, C, H, W], channels in coding order."""
    labels: Tensor | None = None
    """[N]"""

    def packed(self, index: Tensor | slice, mirrored: Tensor | None = None) -> Tensor:
        """Pictures, and behind the pixels of each its label: float32 [n, C * H * W (+ 1)]."""
        pixels = self.pixels[index].float()
        if mirrored is not None:
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
        parts = [pixels.flatten(1)]
        if self.labels is not None:
            parts.append(self.labels[index].float()[:, None])
        return torch.cat(parts, 1)


class PictureTask(Task):
    """A model and its pictures, for the trainer; a subclass says the loss and has the optimizer."""

    least = 1
    """Pictures that a process draws a step, at least."""
    unit = "bits/dim"

    def __init__(
        self, model: nn.Module, data: Pictures, schedule: PixelSchedule, group: Workers, held: Pictures | None = None
    ) -> None:
        self.model = model
        self.data, self.held, self.schedule, self.group = data, held, schedule, group
        self.shape = data.pixels.shape[1:]

    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        count, device = max(self.least, self.schedule.images // self.group.size), self.group.device
        chosen = torch.randint(len(self.data.pixels), (count,), generator=generator, device=device)
        mirrored = torch.rand(count, generator=generator, device=device) < 0.5 if self.schedule.flips == 2 else None
        return Batch(self.data.packed(chosen, mirrored), count * self.shape[1] * self.shape[2])

    def parted(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """`Pictures.packed` undone: pictures [n, C, H, W], and what stands behind their pixels [n, 0 or 1]."""
        size = math.prod(self.shape)
        return data[:, :size].unflatten(1, self.shape), data[:, size:]


def fit(
    task: PictureTask,
    config: PixelConfig,
    checkpoint: Path | None,
    say: Callable[[str], None],
    progress: Callable[[Report], None] | None = None,
    fresh: bool = False,
) -> None:
    """Train the task's model as its schedule says; a checkpoint that exists is resumed, unless ``fresh``."""
    schedule = task.schedule
    plan = Plan(schedule.steps, math.inf if schedule.minutes is None else 60 * schedule.minutes, ((1.0, 1.0),))
    settings = Settings(schedule.evaluations, schedule.patience, schedule.clip, schedule.seed)
    record = {"config": asdict(config), "schedule": asdict(schedule)}
    trainer = Trainer(task, plan, settings, task.group, checkpoint, record, say, progress)
    if checkpoint is not None and checkpoint.exists() and not fresh:
        _resume(trainer, checkpoints.read(checkpoint), config, checkpoint)
    trainer.run()


def _resume(trainer: Trainer, state: dict[str, Any], config: PixelConfig, checkpoint: Path) -> None:
    """Go on from a checkpoint; InputError where it is of something else."""
    if state.get("config") != asdict(config):
        raise InputError(f"{checkpoint}: not a checkpoint of this network; name another file")
    try:
        trainer.resume(state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{checkpoint}: a checkpoint of a different training, which cannot be continued here"
        ) from error


def split(
    pixels: NDArray[np.uint8], labels: NDArray[np.uint8] | None, share: float, device: torch.device
) -> tuple[Pictures, Pictures | None]:
    """(training, validation) pictures; those held out are spread evenly."""
    count = min(max(1, round(share * len(pixels))), len(pixels) - 1) if share else 0
    apart = np.zeros(len(pixels), np.bool_)
    apart[[(2 * k + 1) * len(pixels) // (2 * count) for k in range(count)]] = True

    def part(chosen: NDArray[np.bool_]) -> Pictures:
        said = None if labels is None else torch.from_numpy(labels[chosen]).to(device)
        return Pictures(torch.from_numpy(pixels[chosen]).to(device), said)

    return part(~apart), part(apart) if count else None
