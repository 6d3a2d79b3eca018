"""Trains RIDE and the MCGSM on patches of pictures, by a `Schedule` (RIDE paper, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.errors import InputError, UsageError
from ridecodec.models import checkpoints
from ridecodec.models.ride.export import read_checkpoint
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training import polish
from ridecodec.training.arithmetic import arithmetic
from ridecodec.training.distributed import Workers, workers
from ridecodec.training.patches import Patches
from ridecodec.training.plan import Settings
from ridecodec.training.presets import Schedule, learning_rates, plan
from ridecodec.training.task import Batch, Place, Report, Task
from ridecodec.training.trainer import Trainer

__all__ = ["RideTask", "Schedule", "fit_whitening", "grow", "load", "margin", "train", "trim"]

HELD_PIXELS = 196_608
HELD_SIDE = 64
"""Validation is by the paper's protocol: patches of 64x64 from zero state."""
_HELD_BATCH = 8
_CPU = torch.device("cpu")


def margin(config: RideConfig) -> int:
    """Pixels around a patch that are known, whichever way it lies: as far as its neighbourhoods reach, or none."""
    hood = config.hood
    return 0 if config.indicators else max(hood.top, hood.left, hood.right)


def trim(planes: Tensor, config: RideConfig, around: int) -> Tensor:
    """Cut a patch's margin down to what the network's neighbourhood reaches."""
    if config.indicators:
        return planes
    hood = config.hood
    side = max(hood.left, hood.right)
    return planes[:, :, around - hood.top :, around - side : planes.shape[3] - around + side]


def load(path: Path) -> Ride:
    """The network in a checkpoint, on the CPU; InputError where there is none."""
    return read_checkpoint(path)[0]


def grow(model: Ride, start: Ride) -> None:
    """Give a fresh network the whitening and the layers of a trained one, and its MCGSM too where no layer is new."""
    new, old = model.config, start.config
    if new.taps != old.taps or new.layers < old.layers:
        raise UsageError("the network to start from has another neighbourhood, other channels or more layers")
    if old.layers and (new.hidden, new.extended, new.indicators) != (old.hidden, old.extended, old.indicators):
        raise UsageError(
            f"the layers to start from have {old.hidden} hidden units; all layers of a network must be alike"
        )
    model.whitening.load_state_dict(start.whitening.state_dict())
    for mine, theirs in zip(model.layers, start.layers, strict=False):
        mine.load_state_dict(theirs.state_dict())
    if new == old:
        model.mcgsm.load_state_dict(start.mcgsm.state_dict())


def fit_whitening(model: Ride, data: Patches, generator: torch.Generator, samples: int = 500_000) -> None:
    """From pixels with noise, of pictures in all 8 ways."""
    side = 32 if model.config.indicators else 8  # most neighbourhoods are to be whole
    side = min(side, data.smallest)
    planes = _noisy(data.draw(samples // side**2, side, generator), generator)
    x, y = model.gather(trim(planes, model.config, data.margin))
    model.whitening.fit(x.flatten(0, 2), y.flatten())


class RideTask(Task):
    """`Ride` with its patches, for the trainer."""

    def __init__(
        self, model: Ride, data: Patches, schedule: Schedule, group: Workers, held: Patches | None = None
    ) -> None:
        self.model: Ride = model
        self.data, self.schedule, self.group = data, schedule, group
        self.rounds = math.ceil(schedule.lbfgs / polish.ITERATIONS)
        parts: list[dict[str, Any]] = [{"params": list(model.layers.parameters())}]
        parts.append({"params": list(model.mcgsm.parameters())})
        if schedule.optimizer == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(parts, lr=1.0, betas=(schedule.momentum, 0.99))
        else:
            self.optimizer = torch.optim.SGD(parts, lr=1.0, momentum=schedule.momentum)
        self.held: Tensor | None = None
        if held is not None:
            fixed = torch.Generator(group.device).manual_seed(0)
            side = min(HELD_SIDE, held.smallest)
            patches = self._noise(held.draw(max(1, HELD_PIXELS // side**2), side, fixed, 1), fixed)
            self.held = trim(patches, model.config, held.margin)

    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        size = self.schedule.sizes[place.stage]
        count = max(1, self.schedule.drawn(place.stage) // self.group.size)
        return Batch(self._patches(count, size, generator), count * size**2)

    def _patches(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        planes = self._noise(self.data.draw(count, size, generator, self.schedule.flips), generator)
        return trim(planes, self.model.config, self.data.margin)

    def _noise(self, planes: Tensor, generator: torch.Generator) -> Tensor:
        return _noisy(planes, generator) if self.schedule.objective == "density" else planes

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        assert isinstance(model, Ride)
        if self.schedule.objective == "likelihood":
            return model.bits(data).mean()
        return model.log_density(data).mean() / -math.log(2)

    def rates(self, place: Place) -> tuple[float, float]:
        return learning_rates(self.schedule, *place)

    @torch.no_grad()
    def validate(self) -> float | None:
        if self.held is None:
            return None
        total, count = 0.0, 0
        for part in self.held[self.group.rank :: self.group.size].split(_HELD_BATCH):
            total += float(self.loss(self.model, part)) * len(part)
            count += len(part)
        total, count = self.group.mean(torch.tensor([total, count], dtype=torch.float64, device=self.group.device))
        return float(total / count)

    def polish(self, place: Place, turn: int, enough: Callable[[], bool]) -> None:
        """L-BFGS on the MCGSM, on hidden units of patches of the stage's size."""
        size = self.schedule.sizes[place.stage]
        seed = (1_000_003 * (self.schedule.seed + 1) + 1009 * place.stage + self.group.rank) % 2**63
        generator = torch.Generator(self.group.device).manual_seed(seed)
        count = math.ceil(self.schedule.lbfgs_pixels / self.group.size / size**2)
        parts = [self._rows(self._patches(min(count - k, 2048), size, generator)) for k in range(0, count, 2048)]
        rows = tuple(torch.cat(each) for each in zip(*parts, strict=True))
        mcgsm = self.model.mcgsm
        score = mcgsm.log_density if self.schedule.objective == "density" else mcgsm.log_mass
        iterations = min(polish.ITERATIONS, self.schedule.lbfgs - turn * polish.ITERATIONS)
        polish.lbfgs(list(mcgsm.parameters()), score, rows, iterations, self.group, enough)

    @torch.no_grad()
    def _rows(self, planes: Tensor) -> tuple[Tensor, ...]:
        """What the MCGSM is asked for each pixel: its inputs, and a value or the ends of a bin."""
        bins = self.schedule.objective == "likelihood"
        x, y = self.model.gather(planes + 0.5 if bins else planes)
        state, expected = self.model.states(x)
        edges = [y]
        if bins:
            edges = [torch.where(y < 1, -math.inf, y - 0.5), torch.where(y > 255, math.inf, y + 0.5)]
        return state, *(((edge - expected) / self.model.whitening.deviation).flatten() for edge in edges)


def train(
    arrays: list[NDArray[np.uint8]],
    config: RideConfig,
    schedule: Schedule,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
    start: Ride | None = None,
    validation: list[NDArray[np.uint8]] | None = None,
    device: torch.device = _CPU,
    progress: Callable[[Report], None] | None = None,
    fresh: bool = False,
) -> Ride:
    """Train on pictures ``arrays``, uint8 [C, H, W] each; the weights that did best on ``validation``, or the last.

    A ``checkpoint`` that exists is resumed, unless ``fresh``. ``start`` gives its layers to the network (`grow`).
    Under torchrun the processes share every step's patches, and all return the same weights.
    """
    with workers(device) as group, arithmetic(schedule.threads, group.device, schedule.tf32):
        torch.manual_seed(schedule.seed)
        data = Patches(arrays, margin(config), group.device)
        data.require(max(schedule.sizes))
        model = Ride(config).to(group.device)
        state = None if fresh or checkpoint is None or not checkpoint.exists() else checkpoints.read(checkpoint)
        if start is not None:
            grow(model, start)
        elif state is None:
            fit_whitening(model, data, torch.Generator(group.device).manual_seed(schedule.seed))
        held = Patches(validation, margin(config), group.device) if validation else None
        task = RideTask(model, data, schedule, group, held)
        settings = Settings(schedule.evaluations, schedule.patience, schedule.clip, schedule.seed)
        record = {"config": asdict(config), "schedule": asdict(schedule)}
        trainer = Trainer(task, plan(schedule, data.pixels), settings, group, checkpoint, record, say, progress)
        if state is not None:
            _same(state, config, schedule, checkpoint)
            _resume(trainer, state, checkpoint)
        trainer.run()
    return model


def _resume(trainer: Trainer, state: dict[str, Any], checkpoint: Path | None) -> None:
    try:
        trainer.resume(state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{checkpoint}: damaged, or of another version, and cannot be resumed ({text})") from error


def _same(state: dict[str, Any], config: RideConfig, schedule: Schedule, checkpoint: Path | None) -> None:
    """UsageError where a checkpoint to resume is of another network or optimizer."""
    try:
        network = RideConfig(**state["config"])
    except (TypeError, UsageError) as error:
        raise InputError(f"{checkpoint}: not a checkpoint of RIDE or the MCGSM") from error
    if network != config:
        differ = [name for name, value in asdict(network).items() if value != getattr(config, name)]
        raise UsageError(f"{checkpoint}: holds a network with other {', '.join(differ)}; name another file")
    if state["schedule"].get("optimizer", schedule.optimizer) != schedule.optimizer:
        raise UsageError(f"{checkpoint}: was trained with {state['schedule']['optimizer']}; name another file")


def _noisy(planes: Tensor, generator: torch.Generator) -> Tensor:
    return planes + torch.rand(planes.shape, generator=generator, device=planes.device)
