"""Mixture of conditional Gaussian scale mixtures in floating point (RIDE paper, section 2.1; eq. 2, 3 and 5).

``p(y|x) = sum_cs p(c,s|x) N(y; a_c x + m_c, e^-alpha_cs)`` with the gate
``p(c,s|x) ~ exp(eta_cs - e^alpha_cs / 2 * x^T K_c x)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
_FAR = 1e4


class MCGSM(nn.Module):
    """``features`` None is the full model, K_c a matrix by its Cholesky factor; else K_c shares that many features."""

    def __init__(self, inputs: int, components: int, scales: int, features: int | None) -> None:
        super().__init__()
        self.priors = nn.Parameter(torch.zeros(components, scales))  # eta
        self.precisions = nn.Parameter(torch.empty(components, scales).uniform_(-1, 1))  # alpha, logarithmic
        self.predictors = nn.Parameter(torch.randn(components, inputs) / 10)  # a_c
        self.means = nn.Parameter(torch.zeros(components))  # m_c
        if features is None:
            self.factors = nn.Parameter(0.1 * torch.eye(inputs).repeat(components, 1, 1))
        else:
            self.features = nn.Parameter(torch.randn(features, inputs) / math.sqrt(inputs))  # b_n
            self.weights = nn.Parameter(torch.rand(components, features) * 0.5)  # beta_cn
        self.full = features is None

    def energies(self, x: Tensor) -> Tensor:
        """``x^T K_c x`` of every component: [m, inputs] -> [m, components]."""
        if self.full:
            projected = torch.einsum("mi,cij->mcj", x, self.factors.tril())
            return projected.square().sum(2)
        found: Tensor = (x @ self.features.T).square() @ self.weights.T.square()
        return found

    def joint(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of [m, inputs]: the gate's logarithms, not normalised [m, C, S], means [m, C], deviations [C, S]."""
        gate = torch.addcmul(self.priors, self.energies(x)[:, :, None], -0.5 * self.precisions.exp())
        return gate, functional.linear(x, self.predictors, self.means), torch.exp(-0.5 * self.precisions)

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """Natural logarithm of p(y|x): [m, inputs] and [m] -> [m]."""
        half = 0.5 * self.precisions.exp()
        energies = self.energies(x)
        rest = y[:, None] - functional.linear(x, self.predictors, self.means)
        total = torch.addcmul(self.priors + 0.5 * self.precisions, (energies + rest.square())[:, :, None], -half)
        gate = torch.addcmul(self.priors, energies[:, :, None], -half)
        return total.flatten(1).logsumexp(1) - gate.flatten(1).logsumexp(1) - _LOG_ROOT_2PI

    def log_mass(self, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Natural logarithm of p(low < y < high | x); ends may be infinite. [m, inputs], [m], [m] -> [m]."""
        gate, means, deviations = self.joint(x)
        # an infinite end would have no gradient; beyond _FAR nothing is left in floating point
        ends = (edge.clamp(-_FAR, _FAR) for edge in (low, high))
        below, above = ((edge[:, None] - means)[:, :, None] / deviations for edge in ends)
        # both ends on the side of the mean where the tail keeps its precision
        flip = below + above > 0
        below, above = torch.where(flip, -above, below), torch.where(flip, -below, above)
        top, bottom = torch.special.log_ndtr(above), torch.special.log_ndtr(below)
        part = top + torch.log1p(-torch.exp((bottom - top).clamp(max=-1e-6)))
        mass: Tensor = (gate + part).flatten(1).logsumexp(1) - gate.flatten(1).logsumexp(1)
        return mass
