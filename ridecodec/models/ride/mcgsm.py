"""Mixture of conditional Gaussian scale mixtures (RIDE paper, https://arxiv.org/abs/1506.03478, section 2.1; eq. 2, 3
and 5): in floating point, and as a part of programs.

``p(y|x) = sum_cs p(c,s|x) N(y; a_c x + m_c, e^-alpha_cs)`` with the gate
``p(c,s|x) ~ exp(eta_cs - e^alpha_cs / 2 * x^T K_c x)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.exact.families import Gaussians
from ridecodec.exact.ranges import Int64
from ridecodec.exact.recorder import Recorder, Value

_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
_FAR = 1e4
FEATURE_UNIT, FEATURE_LIMIT = 1 << 12, (1 << 20) - 1
_SHORT = (1 << 15) - 1
_SUMS, _WIDE_SUMS, _WIDE = 1 << 30, 1 << 51, 1 << 24
"""What layers of 16-bit weights sum up to; what the gate does, of squares, and the largest of its weights."""


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

    def record(
        self,
        ops: Recorder,
        name: str,
        x: Value,
        weight: Tensor,
        bias: Tensor,
        expected: tuple[Value, Tensor, Tensor],
        deviation: Tensor,
    ) -> tuple[dict[str, Value], dict[str, Int64]]:
        """The mixture in a program: parts and tables of a channel's `Gaussians`.

        ``weight`` [inputs, len(x)] and ``bias`` [inputs] make the inputs of ``x``. Means are in units of ``deviation``
        around what is ``expected``: the pixels, their weight [pixels] and a bias.
        """
        features, costs = self._costs()
        pixels, linear, constant = expected
        found = ops.linear(
            f"{name}.features",
            x,
            (features @ weight).numpy(),
            (features @ bias).numpy(),
            unit=FEATURE_UNIT,
            capacity=_SUMS,
            largest=_SHORT,
        ).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
        logits = ops.linear(
            f"{name}.gate",
            found * found,
            -costs.numpy(),
            self.priors.double().flatten().numpy(),
            unit=Gaussians.LOGIT_UNIT,
            capacity=_WIDE_SUMS,
            largest=_WIDE,
        ).clamp(-Gaussians.LOGIT_LIMIT, Gaussians.LOGIT_LIMIT)
        predictors = self.predictors.double() * deviation
        matrix, around = predictors @ weight, linear.expand(len(predictors), -1)
        if x is pixels:
            matrix = matrix + around
        else:
            matrix, x = torch.cat([matrix, around], 1), ops.concatenate([x, pixels])
        means = ops.linear(
            f"{name}.means",
            x,
            matrix.numpy(),
            (predictors @ bias + self.means.double() * deviation + constant).numpy(),
            unit=Gaussians.MEAN_UNIT,
            capacity=_SUMS,
            largest=_SHORT,
        ).clamp(-Gaussians.MEAN_LIMIT, Gaussians.MEAN_LIMIT)
        deviations = deviation * torch.exp(-0.5 * self.precisions.double())
        tables = Gaussians.make_tables() | {"inverse": Gaussians.inverse(deviations.numpy())}
        return {"logits": logits, "means": means}, tables

    def _costs(self) -> tuple[Tensor, Tensor]:
        """Features b [N, inputs] of unit length, and what their squares cost each gate: e^alpha / 2 * beta^2
        [C * S, N]."""
        if self.full:
            features = self.factors.double().tril().transpose(1, 2).flatten(0, 1)  # [C * inputs, inputs]
            count = len(self.means)
            weights = torch.eye(count).double().repeat_interleave(len(features) // count, 1)
        else:
            features, weights = self.features.double(), self.weights.double().square()
        length = features.norm(dim=1).clamp(min=1e-12)
        costs = 0.5 * self.precisions.double().exp()[:, :, None] * (weights * length.square())[:, None]  # [C, S, N]
        return features / length[:, None], costs.flatten(0, 1)
