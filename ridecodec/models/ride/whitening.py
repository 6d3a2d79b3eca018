"""Conditional whitening (RIDE paper, eq. 7): a fixed linear short cut from the neighbourhood to the pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Whitening(nn.Module):
    """``x^ = Cxx^-1/2 (x - mx)`` and ``y^ = (y - my - Cyx Cxx^-1 (x - mx)) / sd``, fitted once and then frozen."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("matrix", torch.eye(inputs))  # Cxx^-1/2, symmetric
        self.register_buffer("predictor", torch.zeros(inputs))  # Cyx Cxx^-1
        self.register_buffer("middle", torch.zeros(()))  # my
        self.register_buffer("deviation", torch.ones(()))  # of what the predictor leaves of y
        self.mean: Tensor
        self.matrix: Tensor
        self.predictor: Tensor
        self.middle: Tensor
        self.deviation: Tensor

    def fit(self, x: Tensor, y: Tensor, least: float = 1e-4) -> None:
        """From samples ``x`` [m, inputs] and ``y`` [m]; directions of less than ``least`` variance count as that."""
        x, y = x.double(), y.double()
        mean, middle = x.mean(0), y.mean()
        centred, rest = x - mean, y - middle
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
        values = values.clamp(min=least)
        predictor = vectors @ ((vectors.T @ (centred.T @ rest / len(x))) / values)
        self.mean.copy_(mean)
        self.matrix.copy_((vectors * values.rsqrt()) @ vectors.T)
        self.predictor.copy_(predictor)
        self.middle.copy_(middle)
        self.deviation.copy_((rest - centred @ predictor).square().mean().clamp(min=least).sqrt())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` [..., inputs] -> (x^ [..., inputs], expected [...]): ``y^ = (y - expected) / deviation``."""
        centred = x - self.mean
        return centred @ self.matrix, self.middle + centred @ self.predictor

    def around(self, middle: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of inputs that are told as offsets from ``middle`` [inputs], in float64: what `forward` gives as weight and
        bias of x^, and as weight and bias of what is expected."""
        middle = middle.double() - self.mean.double()
        matrix, predictor = self.matrix.double(), self.predictor.double()
        return matrix.T, middle @ matrix, predictor, self.middle.double() + middle @ predictor
