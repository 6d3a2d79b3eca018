"""Fills the table of the gradient baseline: the best two logistics for the residuals of every context."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ridecodec.models import registry
from ridecodec.models.gradient import (
    CONTEXTS,
    ERROR_BINS,
    GRADIENT_BINS,
    GREEN_BINS,
    KINDS,
    Gradient,
    error_bins,
)
from ridecodec.models.logistic import SCALE_UNIT, SCALE_ZERO, SCALES, WEIGHT_TOTAL, LogisticTables
from ridecodec.training.photos import load, split

_REACH = 255
_PRIOR = 20.0


def train(folder: Path, out: Path) -> Path:
    """Fit to the training photographs in ``folder`` and write the model file and its card."""
    tensors = {f"tables.{k}": v for k, v in LogisticTables.make().items()}
    tensors["bins"] = error_bins()
    tensors["scales"] = torch.full((KINDS * CONTEXTS, 2), SCALE_ZERO, dtype=torch.uint8)
    tensors["weight"] = torch.zeros(KINDS * CONTEXTS, dtype=torch.int16)
    model = Gradient(safetensors.torch.save(tensors), torch.device("cpu"))
    counts = torch.zeros(KINDS * CONTEXTS * (2 * _REACH + 1))
    for path in split(folder)[0]:
        for channels in (1, 3):
            counts += _histogram(model, torch.from_numpy(load(path, channels)).float())
    tensors["scales"], tensors["weight"] = _best(counts.view(KINDS * CONTEXTS, -1))
    data = safetensors.torch.save(tensors)
    registry.write(out, data, "gradient", "fast baseline: median edge predictor")
    return out


def _histogram(model: Gradient, planes: Tensor) -> Tensor:
    """Residuals by context, flat [KINDS * CONTEXTS * 511]."""
    counts = torch.zeros(KINDS * CONTEXTS * (2 * _REACH + 1))
    for y0, y1, state in model.states(planes, b""):
        for c in range(len(planes)):
            rows, predicted = model.rows_of(state, c)
            values = planes[c, y0:y1].reshape(-1)
            state.predicted.append(predicted)
            model.observe(state, c, values)
            index = rows * (2 * _REACH + 1) + (values - predicted).long() + _REACH
            counts += torch.bincount(index, minlength=len(counts))
    return counts


def _best(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Scales uint8 [rows, 2] and narrow weights int16 [rows] that code ``counts`` [rows, 511] in the fewest bits."""
    alike = counts.view(KINDS * ERROR_BINS, -1, counts.shape[1]).sum(1)  # rare contexts borrow from their error bin
    prior = _PRIOR * alike / alike.sum(1, keepdim=True).clamp(min=1)
    counts = counts + prior.repeat_interleave(GRADIENT_BINS * GREEN_BINS, 0)
    narrow = torch.arange(16, SCALES, 4)
    choices = torch.cartesian_prod(narrow, torch.tensor([16, 32, 48]), torch.tensor([512, 704, 864, 960, 1000]))
    scales = torch.stack([choices[:, 0], (choices[:, 0] + choices[:, 1]).clamp(max=SCALES - 1)], 1)
    share = choices[:, 2:] / WEIGHT_TOTAL
    width = torch.exp2((scales - SCALE_ZERO) / SCALE_UNIT)[:, :, None]  # [choices, 2, 1]
    residual = torch.arange(-_REACH, _REACH + 1)
    mass = torch.sigmoid((residual + 0.5) / width) - torch.sigmoid((residual - 0.5) / width)
    mass = (torch.cat([share, 1 - share], 1)[:, :, None] * mass).sum(1)  # [choices, 511]
    best = (counts @ -torch.log2(mass + 2.0**-22).T).argmin(1)
    return scales[best].to(torch.uint8), choices[best, 2].to(torch.int16)
