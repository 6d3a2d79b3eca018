"""Trains an encoder whose codes of two pictures are near where their labels are the same, by a triplet loss.

(Conditional PixelCNN paper, section 3.3, has its portraits' embeddings from such a network.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.errors import InputError, UsageError
from ridecodec.models import checkpoints
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import Encoder
from ridecodec.training.arithmetic import arithmetic
from ridecodec.training.distributed import Workers, workers
from ridecodec.training.learning_rates import decay
from ridecodec.training.pictureset import Pictures, PictureTask, fit, split
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.task import Place, Report

_CPU = torch.device("cpu")
MARGIN = 0.5
"""By how much a picture of another label is to be further away, in squared distances of codes of length 1."""
_HELD = 256


class EmbeddingTask(PictureTask):
    """An encoder and labelled pictures, for the trainer."""

    least = 2
    unit = "loss"

    def __init__(
        self, model: Encoder, data: Pictures, schedule: PixelSchedule, group: Workers, held: Pictures | None = None
    ) -> None:
        super().__init__(model, data, schedule, group, held)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1.0)

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        """Mean over all triplets of a batch: a picture, one of its label, one of another."""
        pictures, labels = self.parted(data)
        return triplet_loss(functional.normalize(model(pictures), dim=1), labels[:, 0])

    def rates(self, place: Place) -> tuple[float]:
        return (self.schedule.rate * decay(place.fraction, 0.0),)

    @torch.no_grad()
    def validate(self) -> float | None:
        if self.held is None:
            return None
        found = self.loss(self.model, self.held.packed(slice(0, _HELD)))
        return float(found) if found > 0 else None


def triplet_loss(code: Tensor, labels: Tensor) -> Tensor:
    """``max(0, |a - p|^2 - |a - n|^2 + MARGIN)``, the mean over all triplets of codes [N, n] of length 1."""
    distance = 2 - 2 * code @ code.T  # [N, N]
    alike = labels[:, None] == labels
    positive = alike & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    valid = positive[:, :, None] & ~alike[:, None, :]  # [anchor, positive, negative]
    each = (distance[:, :, None] - distance[:, None, :] + MARGIN).clamp(min=0)
    return (each * valid).sum() / valid.sum().clamp(min=1)


def train(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    config: PixelConfig,
    schedule: PixelSchedule,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
    device: torch.device = _CPU,
    progress: Callable[[Report], None] | None = None,
    fresh: bool = False,
) -> Encoder:
    """Train the encoder that ``config`` describes on pictures uint8 [N, C, H, W] in coding order, ``labels`` [N]."""
    if not config.encoder:
        raise UsageError("these settings have no encoder; give vector and encoder")
    with workers(device) as group, arithmetic(schedule.threads, group.device):
        torch.manual_seed(schedule.seed)
        model = Encoder(config.channels, config.encoder, config.vector).to(group.device)
        data, held = split(pixels, labels, schedule.validation, group.device)
        task = EmbeddingTask(model, data, schedule, group, held)
        fit(task, config, checkpoint, say, progress, fresh)
    return model


def load(path: Path) -> tuple[Encoder, PixelConfig]:
    """The encoder in a checkpoint, and its settings; InputError where there is none."""
    state = checkpoints.read(path)
    try:
        config = PixelConfig(**state["config"])
        model = Encoder(config.channels, config.encoder, config.vector)
        model.load_state_dict(state["model"])
    except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise InputError(f"{path}: not a checkpoint of `ridecodec train embedding`") from error
    return model, config
