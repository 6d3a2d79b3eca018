"""Fills the table of the gradient baseline: the best two logistics for the residuals of every context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.reference import Reference
from ridecodec.exact.families import Logistics
from ridecodec.exact.families.base import sigmoid
from ridecodec.exact.ranges import Int64
from ridecodec.models import registry
from ridecodec.models.gradient import CONTEXTS, ERROR_BINS, GRADIENT_BINS, GREEN_BINS, KINDS, define, kind, recorded
from ridecodec.models.programs import save
from ridecodec.training.photos import load, split

_REACH = 255
_PRIOR = 20.0
_NARROW, _WIDER = np.arange(16, Logistics.SCALES, 4), np.array([16, 32, 48])
"""Scales that are tried: of the narrow logistic, and how much wider the other one is."""
_SHARES = np.array([512, 704, 864, 960, 1000]) / Logistics.WEIGHT_TOTAL
"""Weights of the narrow logistic that are tried."""

Float64 = NDArray[np.float64]


def train(folder: Path, out: Path) -> Path:
    """Fit to the training photographs in ``folder`` and write the model file and its card."""
    counts = np.zeros((KINDS * CONTEXTS, 2 * _REACH + 1))
    for path in split(folder)[0]:
        for channels in (1, 3):
            counts += _histogram(load(path, channels))
    data = save({channels: define(channels, *_best(counts)) for channels in (1, 3)})
    registry.write(out, data, "gradient", "fast baseline: median edge predictor")
    return out


def _histogram(planes: NDArray[np.uint8]) -> Float64:
    """Residuals by context, [KINDS * CONTEXTS, 511]."""
    counts = np.zeros(KINDS * CONTEXTS * (2 * _REACH + 1))
    blank = np.zeros((KINDS * CONTEXTS, 2), np.int64)
    ops, found = recorded(len(planes), blank, blank)
    for at, values in Reference().open(ops.program()).evaluate(planes, ()):
        for c, (predicted, context) in enumerate(found):
            residual = planes[c].reshape(-1)[at].astype(np.int64) - values[predicted.number][0]
            rows = kind(len(planes), c) * CONTEXTS + values[context.number][0]
            counts += np.bincount(rows * (2 * _REACH + 1) + residual + _REACH, minlength=len(counts))
    return counts.reshape(KINDS * CONTEXTS, -1)


def _best(counts: Float64) -> tuple[Int64, Int64]:
    """Scales and logits [rows, 2] that code ``counts`` [rows, 511] in the fewest bits."""
    alike = counts.reshape(KINDS * ERROR_BINS, -1, counts.shape[1]).sum(1)  # rare contexts borrow from their error bin
    prior = _PRIOR * alike / alike.sum(1, keepdims=True).clip(min=1)
    counts = counts + prior.repeat(GRADIENT_BINS * GREEN_BINS, 0)
    narrow, wider, share = (axis.reshape(-1) for axis in np.meshgrid(_NARROW, _WIDER, _SHARES, indexing="ij"))
    scales = np.stack([narrow, (narrow + wider).clip(max=Logistics.SCALES - 1)], 1).astype(np.int64)
    odds = np.rint(Logistics.LOGIT_UNIT * np.log(share / (1 - share))).astype(np.int64)
    logits = np.stack([odds.clip(max=0), (-odds).clip(max=0)], 1)
    bits = np.stack([_bits(*choice) for choice in zip(scales, logits, strict=True)])  # [choices, 511]
    best = (counts @ bits.T).argmin(1)
    return scales[best], logits[best]


def _bits(scales: Int64, logits: Int64) -> Float64:
    """Code lengths of all residuals [511] under two logistics around 0."""
    width = np.exp2((scales[:, None] - Logistics.SCALE_ZERO) / Logistics.SCALE_UNIT)
    ends = np.arange(-_REACH, _REACH + 2) - 0.5
    mass = np.diff(sigmoid(ends / width), axis=1)
    weights = Logistics.gate(logits[:, None].astype(np.float64))
    return np.asarray(-np.log2((weights * mass).sum(0) + 2.0**-22), np.float64)
