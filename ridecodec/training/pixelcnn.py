"""Trains PixelCNN and its kin on sets of small pictures of one size."""

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

from ridecodec.errors import InputError, UsageError
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import Encoder
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.pixelcnn.network import PixelNetwork
from ridecodec.training import checkpoints
from ridecodec.training.distributed import Workers, workers
from ridecodec.training.muon import Muon
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.plan import Plan, Settings
from ridecodec.training.task import Batch, Place, Report, Task
from ridecodec.training.trainer import Trainer

_CPU = torch.device("cpu")
_HELD_BATCH = 64


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


class PixelTask(Task):
    """A model and its pictures, for the trainer."""

    def __init__(
        self, model: PixelModel, data: Pictures, schedule: PixelSchedule, group: Workers, held: Pictures | None = None
    ) -> None:
        self.model: PixelModel = model
        self.data, self.held, self.schedule, self.group = data, held, schedule, group
        self.shape = data.pixels.shape[1:]
        parts = _parts(model) if schedule.optimizer == "muon" else [list(model.parameters())]
        groups = [{"params": part, "matrices": index > 0} for index, part in enumerate(parts)]
        self.optimizer = Muon(groups)

    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        count, device = max(1, self.schedule.images // self.group.size), self.group.device
        chosen = torch.randint(len(self.data.pixels), (count,), generator=generator, device=device)
        mirrored = torch.rand(count, generator=generator, device=device) < 0.5 if self.schedule.flips == 2 else None
        return Batch(self.data.packed(chosen, mirrored), count * self.shape[1] * self.shape[2])

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        """Mean bits a sub-pixel; where asked for, the products in bfloat16."""
        assert isinstance(model, PixelModel)
        with torch.autocast(data.device.type, torch.bfloat16, enabled=self.schedule.bf16):
            return self._rate(model, data)

    def _rate(self, model: PixelModel, data: Tensor) -> Tensor:
        size = math.prod(self.shape)
        labels = data[:, size] if model.config.classes else None
        return model.each(data[:, :size].unflatten(1, self.shape), labels).mean()

    def rates(self, place: Place) -> tuple[float, ...]:
        steps, warmup = self.schedule.steps, self.schedule.warmup
        warmup = warmup if steps is None else min(warmup, steps // 10)
        rise = min(1.0, (place.step + 1) / max(1, warmup))
        late = min(1.0, max(0.0, (place.fraction - 0.3) / 0.7))
        factor = rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * late)))
        rates = (self.schedule.rate * factor, self.schedule.muon_rate * factor)
        return rates[: len(self.optimizer.param_groups)]

    @torch.no_grad()
    def validate(self) -> float | None:
        if self.held is None:
            return None
        total, count = 0.0, 0
        for k in range(self.group.rank * _HELD_BATCH, len(self.held.pixels), _HELD_BATCH * self.group.size):
            part = self.held.packed(slice(k, k + _HELD_BATCH))
            total += float(self._rate(self.model, part)) * len(part)
            count += len(part)
        both = torch.tensor([total, count], dtype=torch.float64, device=self.group.device)
        total, count = self.group.mean(both).tolist()
        return float(total / count)


def train(
    pixels: NDArray[np.uint8],
    config: PixelConfig,
    schedule: PixelSchedule,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
    labels: NDArray[np.uint8] | None = None,
    device: torch.device = _CPU,
    progress: Callable[[Report], None] | None = None,
    fresh: bool = False,
    encoder: Encoder | None = None,
) -> PixelModel:
    """Train on pictures ``pixels``, uint8 [N, C, H, W] in coding order; the weights that did best on those held out.

    ``labels`` [N] are for networks that know classes; ``encoder`` is taken as it is, and learns nothing. A
    ``checkpoint`` that exists is resumed, unless ``fresh``. Under torchrun the processes share every step's pictures.
    """
    with workers(device) as group:
        torch.set_num_threads(schedule.threads)
        torch.manual_seed(schedule.seed)
        model = PixelModel(config)
        if encoder is not None:
            if model.encoder is None or [p.shape for p in model.encoder.parameters()] != [
                p.shape for p in encoder.parameters()
            ]:
                raise UsageError("the network's code is not that of the encoder; leave out vector and encoder")
            model.encoder.load_state_dict(encoder.state_dict())
            model.encoder.requires_grad_(False)
        model.to(group.device)
        data, held = split(pixels, labels, schedule.validation, group.device)
        task = PixelTask(model, data, schedule, group, held)
        plan = Plan(schedule.steps, math.inf if schedule.minutes is None else 60 * schedule.minutes, ((1.0, 1.0),))
        settings = Settings(schedule.evaluations, schedule.patience, schedule.clip, schedule.seed)
        record = {"config": asdict(config), "schedule": asdict(schedule)}
        trainer = Trainer(task, plan, settings, group, checkpoint, record, say, progress)
        if checkpoint is not None and checkpoint.exists() and not fresh:
            resume(trainer, checkpoints.read(checkpoint), config, checkpoint)
        trainer.run()
    return model


def resume(trainer: Trainer, state: dict[str, Any], config: PixelConfig, checkpoint: Path) -> None:
    """Go on from a checkpoint; InputError where it is of something else."""
    if state.get("config") != asdict(config):
        raise InputError(f"{checkpoint}: not a checkpoint of this network; name another file")
    try:
        trainer.resume(state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{checkpoint}: a checkpoint of another training, which this one cannot go on with") from error


def _parts(model: PixelModel) -> list[list[nn.Parameter]]:
    """What Adam learns, the inputs' and outputs' weights among it, and the matrices between them."""
    ends = {id(part) for net in (model.network, model.smaller) if net is not None for part in _ends(net)}
    parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for parameter in model.parameters():
        if parameter.requires_grad:
            parts[parameter.ndim == 4 and id(parameter) not in ends].append(parameter)
    return list(parts)


def _ends(net: PixelNetwork) -> list[nn.Parameter]:
    return [*net.layers[0].parameters(), *net.last.parameters()]


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
