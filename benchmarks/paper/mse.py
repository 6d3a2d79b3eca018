"""An auto-encoder that minimises the squared error: what Figure 6 of the Conditional PixelCNN paper stands beside."""

from __future__ import annotations

import itertools
from pathlib import Path

import common
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import Encoder
from ridecodec.training.distributed import Workers, workers
from ridecodec.training.learning_rates import decay
from ridecodec.training.pictureset import Pictures, PictureTask, fit
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.task import Place

_CPU = torch.device("cpu")
_START = 4


class MseAutoEncoder(nn.Module):
    """The PixelCNN auto-encoder's own encoder, and deconvolutions that draw 32x32 pixels of its code at once."""

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        maps = config.encoder
        self.maps = 2 * maps
        self.encoder = Encoder(config.channels, maps, config.vector)
        self.first = nn.Linear(config.vector, 2 * maps * _START**2)
        widths = (2 * maps, 2 * maps, maps, config.channels)
        self.deconvolutions = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Integers [B, C, 32, 32] -> the same, as far as the code says them, real numbers."""
        found = self.first(self.encoder(x)).view(-1, self.maps, _START, _START)
        for layer in self.deconvolutions:
            found = layer(functional.relu(found))
        drawn: Tensor = 127.5 + 127.5 * found
        return drawn


class MseTask(PictureTask):
    """Pictures and the squared error, for the trainer."""

    def __init__(self, model: MseAutoEncoder, data: Pictures, schedule: PixelSchedule, group: Workers) -> None:
        super().__init__(model, data, schedule, group)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1.0)

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        x, _ = self.parted(data)
        return functional.mse_loss(model(x) / 127.5, x / 127.5)

    def rates(self, place: Place) -> tuple[float]:
        return (self.schedule.rate * decay(place.fraction, 0.0),)


def train(pixels: NDArray[np.uint8], config: PixelConfig, schedule: PixelSchedule, path: Path) -> MseAutoEncoder:
    """The auto-encoder of pictures uint8 [N, C, 32, 32], from its checkpoint where that is done."""
    with workers(_CPU) as group:
        torch.manual_seed(schedule.seed)
        model = MseAutoEncoder(config)
        fit(MseTask(model, Pictures(torch.from_numpy(pixels)), schedule, group), config, path, common.say)
    return model.eval()
