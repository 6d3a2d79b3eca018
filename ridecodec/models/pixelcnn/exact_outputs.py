"""Distributions from the last layer's integers."""

from __future__ import annotations

import torch
from torch import Tensor

from ridecodec.coding.tables import Distribution
from ridecodec.engines.torch import logistics
from ridecodec.engines.torch.logistics import LogisticMixture, LogisticTables
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.outputs import MEAN_BITS, MIDDLE
from ridecodec.models.softmax import LOGIT_BITS, Softmax, SoftmaxTables

_MIXTURE_BITS = MEAN_BITS + 5
"""So that means come in 1/32 of a value."""


class Outputs:
    """Turns a channel's integers [outputs, m], in 1/2^``bits``, into distributions."""

    def __init__(self, config: PixelConfig, tables: dict[str, Tensor], device: torch.device) -> None:
        self.mixtures = config.mixtures
        self.bits = _MIXTURE_BITS if config.mixtures else LOGIT_BITS
        if config.mixtures:
            self.logistic = LogisticTables(*(tables[name] for name in ("logistic", "inverse", "exponential"))).to(
                device
            )
        else:
            self.softmax = SoftmaxTables(tables["exponential"]).to(device)

    @staticmethod
    def make(config: PixelConfig) -> dict[str, Tensor]:
        """The tables that a model file ships."""
        return LogisticTables.make() if config.mixtures else SoftmaxTables.make()

    def __call__(self, found: Tensor) -> Distribution:
        if not self.mixtures:
            return Softmax(self.softmax, found)
        gate, means, scales = found.unflatten(0, (3, -1)).unbind(0)  # [K, m] each
        weights = self.logistic.weights(_coarser(gate, logistics.LOGIT_UNIT).float())
        centres = means.add(MIDDLE * logistics.MEAN_UNIT).clamp(-logistics.MEAN_LIMIT, logistics.MEAN_LIMIT).float()
        return LogisticMixture(
            self.logistic, weights, centres, _coarser(scales, logistics.SCALE_UNIT) + logistics.SCALE_ZERO
        )


def _coarser(values: Tensor, unit: int) -> Tensor:
    """From 1/2^_MIXTURE_BITS to 1/``unit``, a power of two; rounded."""
    return values.mul(unit / (1 << _MIXTURE_BITS)).add_(0.5).floor_()
