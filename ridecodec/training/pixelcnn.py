"""Trains PixelCNN and its kin on sets of small pictures of one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.errors import UsageError
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import Encoder
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.pixelcnn.network import PixelNetwork
from ridecodec.training.arithmetic import arithmetic
from ridecodec.training.distributed import Workers, workers
from ridecodec.training.learning_rates import decay, rise
from ridecodec.training.muon import Muon
from ridecodec.training.pictureset import Pictures, PictureTask, fit, split
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.sketch import sketch
from ridecodec.training.task import Place, Report

_CPU = torch.device("cpu")
_HELD_BATCH = 64
_FLAT = 0.3
"""Share of a training after which its learning rates fall."""
_CODER = 0.01
"""An encoder's and a painter's learning rate, in Adam's of the network: at more of it their units die."""
LAYOUT = ("kind", "channels", "maps", "layers", "reach", "first", "head")
"""Settings that a network shares with the one that it begins with."""


class PixelTask(PictureTask):
    """A model and its pictures, for the trainer."""

    def __init__(
        self, model: PixelModel, data: Pictures, schedule: PixelSchedule, group: Workers, held: Pictures | None = None
    ) -> None:
        super().__init__(model, data, schedule, group, held)
        self.model: PixelModel = model
        parts = _parts(model)
        if schedule.optimizer == "adam":
            parts[:2] = [[*parts[0], *parts[1]], []]
        groups = [{"params": part, "matrices": index == 1} for index, part in enumerate(parts)]
        self.optimizer = Muon(groups)

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        """Mean bits a sub-pixel; where asked for, the products in bfloat16."""
        assert isinstance(model, PixelModel)
        with torch.autocast(data.device.type, torch.bfloat16, enabled=self.schedule.bf16):
            return self._rate(model, data)

    def _rate(self, model: PixelModel, data: Tensor) -> Tensor:
        pictures, behind = self.parted(data)
        return model.each(pictures, behind[:, 0] if model.config.classes else None).mean()

    def rates(self, place: Place) -> tuple[float, ...]:
        factor = rise(place.step, self.schedule.warmup, self.schedule.steps) * decay(place.fraction, _FLAT)
        adam = self.schedule.rate * factor
        rates = (adam, self.schedule.muon_rate * factor, _CODER * adam)
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
    start: PixelModel | None = None,
) -> PixelModel:
    """Train on pictures ``pixels``, uint8 [N, C, H, W] in coding order; the weights that did best on those held out.

    ``labels`` [N] are for networks that know classes; ``encoder`` is taken as it is, and learns nothing; what
    the network shares with ``start`` begins as it is there. A ``checkpoint`` that exists is resumed, unless ``fresh``.
    Under torchrun the processes share every step's pictures. UsageError where ``encoder`` or ``start`` do not fit.
    """
    with workers(device) as group, arithmetic(schedule.threads, group.device):
        torch.manual_seed(schedule.seed)
        model = PixelModel(config)
        for part in _contexts(model):  # at random they would disturb the network for thousands of steps
            nn.init.zeros_(part)
        taught = set[str]() if start is None else _begin(model, start)
        if encoder is not None:
            if model.encoder is None or [p.shape for p in model.encoder.parameters()] != [
                p.shape for p in encoder.parameters()
            ]:
                raise UsageError("the code of the network does not match the encoder; leave out vector and encoder")
            model.encoder.load_state_dict(encoder.state_dict())
            model.encoder.requires_grad_(False)
        model.to(group.device)
        data, held = split(pixels, labels, schedule.validation, group.device)
        coder = {id(part) for part in _coder(model)}
        untaught = [name for name, part in model.named_parameters() if id(part) in coder and name not in taught]
        if untaught and schedule.sketch and (fresh or checkpoint is None or not checkpoint.exists()):
            error = sketch(model, data, schedule.sketch, schedule.seed)
            if group.first:
                say(f"{schedule.sketch:,} steps of sketches  mean squared error {error:.4f} of values / 256")
        task = PixelTask(model, data, schedule, group, held)
        fit(task, config, checkpoint, say, progress, fresh)
    return model


def _begin(model: PixelModel, start: PixelModel) -> set[str]:
    """Take the weights of ``start`` and return their names; those of another shape, such as the outputs of another
    head, begin at random."""
    for name in LAYOUT:
        if getattr(model.config, name) != getattr(start.config, name):
            raise UsageError(f"the network to start from has {name} {getattr(start.config, name)}; give it the same")
    shapes = {name: part.shape for name, part in model.state_dict().items()}
    fitting = {name: part for name, part in start.state_dict().items() if shapes.get(name) == part.shape}
    model.load_state_dict(fitting, strict=False)
    return set(fitting)


def _parts(model: PixelModel) -> list[list[nn.Parameter]]:
    """What Adam learns, the inputs' and outputs' weights among it; matrices between them; encoder and painter."""
    ends = {id(part) for net in (model.network, model.smaller) if net is not None for part in _ends(net)}
    if model.config.classes or model.config.vector:  # one label at a time is told, which Muon's even steps suit worse
        ends |= {id(part) for part in _contexts(model)} | {id(part) for part in _learning(model.painter)}
    coder = _coder(model)
    parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    apart = {id(part) for part in coder}
    for parameter in model.parameters():
        if parameter.requires_grad and id(parameter) not in apart:
            parts[parameter.ndim == 4 and id(parameter) not in ends].append(parameter)
    return [*parts, coder] if coder else list(parts)


def _contexts(model: PixelModel) -> list[nn.Parameter]:
    """What turns labels, codes or maps into a part of the gates' sums."""
    return [part for name, part in model.named_parameters() if ".context." in name]


def _coder(model: PixelModel) -> list[nn.Parameter]:
    """An encoder that learns, and what paints its code."""
    encoder = _learning(model.encoder)
    return encoder and [*encoder, *_learning(model.painter)]


def _learning(part: nn.Module | None) -> list[nn.Parameter]:
    return [] if part is None else [parameter for parameter in part.parameters() if parameter.requires_grad]


def _ends(net: PixelNetwork) -> list[nn.Parameter]:
    return [*net.layers[0].parameters(), *net.last.parameters()]
