"""Fills the table of the gradient baseline: the best two logistics for the residuals of every context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.reference import Reference
from ridecodec.exact.families import Logistics
from ridecodec.exact.ranges import Int64
from ridecodec.models import programs, registry
from ridecodec.models.gradient import CONTEXTS, ERROR_BINS, GRADIENT_BINS, GREEN_BINS, KINDS, define, recorded
from ridecodec.training.photos import load, split

Float64 = NDArray[np.float64]
_REACH = 255
_RESIDUALS = 2 * _REACH + 1
_PRIOR = 20.0


def train(folder: Path, out: Path) -> Path:
    """Fit to the training photographs in ``folder`` and write the model file and its card."""
    rows = KINDS * CONTEXTS
    counts = np.zeros((rows, _RESIDUALS))
    counter = {channels: _Counter(channels) for channels in (1, 3)}
    for path in split(folder)[0]:
        for channels in (1, 3):
            counter[channels].add(counts, load(path, channels))
    scales, logits = _best(counts)
    data = programs.save({channels: define(channels, scales, logits) for channels in (1, 3)})
    purpose = "fast baseline: median edge predictor"
    registry.write(out, data, "gradient", purpose, family=programs.FAMILY)
    return out


class _Counter:
    """Counts the residuals of pictures by context."""

    def __init__(self, channels: int) -> None:
        blank = np.zeros((KINDS * CONTEXTS, 2), np.int64)
        recorder, found = recorded(channels, blank + Logistics.SCALE_ZERO, blank)
        self.runner = Reference().open(recorder.program())
        self.found = [(predicted.number, context.number) for predicted, context in found]

    def add(self, counts: Float64, planes: NDArray[np.uint8]) -> None:
        """Count a picture [C, H, W] in ``counts`` [KINDS * CONTEXTS, residuals]."""
        flat = counts.reshape(-1)
        for at, values in self.runner.evaluate(planes, ()):
            for c, (predicted, context) in enumerate(self.found):
                kind = 0 if len(planes) == 1 else 1 + c
                residual = planes[c].reshape(-1)[at] - values[predicted][0].astype(np.int64)
                index = (kind * CONTEXTS + values[context][0].astype(np.int64)) * _RESIDUALS + residual + _REACH
                np.add.at(flat, index, 1.0)


def _best(counts: Float64) -> tuple[Int64, Int64]:
    """Scales and logits [rows, 2] that code ``counts`` [rows, residuals] in the fewest bits."""
    alike = counts.reshape(KINDS * ERROR_BINS, -1, _RESIDUALS).sum(1)  # rare contexts borrow from their error bin
    prior = _PRIOR * alike / np.maximum(alike.sum(1, keepdims=True), 1)
    counts = counts + prior.repeat(GRADIENT_BINS * GREEN_BINS, 0)
    narrow = np.arange(16, Logistics.SCALES, 4)
    choices = np.stack(np.meshgrid(narrow, [16, 32, 48], [0, 25, 54, 87, 119], indexing="ij"), -1).reshape(-1, 3)
    scales = np.stack([choices[:, 0], np.minimum(choices[:, 0] + choices[:, 1], Logistics.SCALES - 1)], 1)
    logits = np.stack([np.zeros(len(choices), np.int64), -choices[:, 2]], 1)  # the narrow one has most
    gate = np.exp(logits / Logistics.LOGIT_UNIT)
    gate /= gate.sum(1, keepdims=True)
    width = np.exp2((scales - Logistics.SCALE_ZERO) / Logistics.SCALE_UNIT)[:, :, None]  # [choices, 2, 1]
    edges = np.arange(-_REACH, _REACH + 2) - 0.5
    below = 0.5 * (1 + np.tanh(edges / width / 2))
    mass = (gate[:, :, None] * np.diff(below)).sum(1)  # [choices, residuals]
    best = (counts @ -np.log2(mass + 2.0**-22).T).argmin(1)
    return scales[best], logits[best]
