"""How an encoder first learns to say what a picture looks like.

A network that has seen all pixels before the next one gains so little by a code that an encoder taught by the
network's loss alone falls silent before the network has learned to listen.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ridecodec.models.pixelcnn.context import Painter
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.training.learning_rates import decay, rise
from ridecodec.training.pictureset import Pictures

_BATCH = 64
_RATE = 1e-3
_WARMUP = 100
_FLAT = 0.3
_LAST = 20
_RANGE = 256


def sketch(model: PixelModel, pictures: Pictures, steps: int, seed: int) -> float:
    """Teach ``model``'s encoder and painter to paint pictures' channels / 256, coarsely: of the painted maps the first.

    Where a code is told as it is, it is painted for as long as this takes. Returns the mean squared error of the last
    steps.
    """
    encoder, config = model.encoder, model.config
    assert encoder is not None
    painter = model.painter or Painter(config.vector, config.channels).to(pictures.pixels.device)
    channels = min(config.channels, config.painted or config.channels)
    assert painter.deconvolve.bias is not None
    nn.init.constant_(painter.deconvolve.bias, 0.5)  # a cell that is below zero for all pictures learns nothing
    generator = torch.Generator(pictures.pixels.device).manual_seed(seed)
    optimizer = torch.optim.Adam([*encoder.parameters(), *painter.parameters()])
    errors = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * rise(step, _WARMUP, steps) * decay(step / steps, _FLAT)
        chosen = torch.randint(len(pictures.pixels), (_BATCH,), generator=generator, device=pictures.pixels.device)
        x = pictures.pixels[chosen].float()
        painted = painter(encoder(x)[:, :, None, None], *x.shape[2:])
        error = functional.mse_loss(painted[:, :channels], x[:, :channels] / _RANGE)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.detach())
    return float(torch.stack(errors[-_LAST:]).mean())
