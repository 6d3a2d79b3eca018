"""Densities of small square patches whose mean is removed (RIDE paper, Table 1, 8x8 patches).

A patch of n x n noisy pixels x loses its mean, then its last pixel: z, n^2 - 1 values, keeps all but the mean. Both
models code z in raster order. `Innovations` replaces every pixel by what linear regression on *all* pixels before it
leaves, in its standard deviations: conditional whitening (eq. 7) at every position at once, by one triangular matrix.

With m the mean, x = (z + m, m - sum z) has the Jacobian determinant n^2, hence ``ln p(x) = ln p(z) + ln p(m) - ln n^2``
where the mean is independent of the rest.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.models.ride.network import Ride, RideConfig

_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
_CACHE = 1 << 17
"""Elements of a mixture worked on at a time, so that they stay in the processor's cache."""


def remove_mean(patches: Tensor) -> Tensor:
    """[m, n, n] -> z [m, n^2 - 1]."""
    flat = patches.flatten(1)
    return (flat - flat.mean(1, keepdim=True))[:, :-1]


def restore(z: Tensor) -> Tensor:
    """The patches without mean, [m, n, n], of z [m, n^2 - 1]: the last pixel makes the sum zero."""
    side = math.isqrt(z.shape[1] + 1)
    return torch.cat([z, -z.sum(1, keepdim=True)], 1).view(-1, side, side)


class Innovations(nn.Module):
    """``u = L^-1 (z - mean)``, L the Cholesky factor of z's covariance; fitted once and then frozen."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("matrix", torch.eye(inputs))  # L^-1, lower triangular
        self.mean: Tensor
        self.matrix: Tensor

    def fit(self, z: Tensor) -> None:
        """From samples ``z`` [m, inputs]."""
        z = z.double()
        centred = z - z.mean(0)
        factor = torch.linalg.cholesky(centred.T @ centred / len(z))
        self.mean.copy_(z.mean(0))
        self.matrix.copy_(torch.linalg.solve_triangular(factor, torch.eye(len(factor)).double(), upper=False))

    def forward(self, z: Tensor) -> Tensor:
        """[m, inputs] -> u [m, inputs]; u_k depends on z_0 ... z_k alone."""
        return (z - self.mean) @ self.matrix.T

    @property
    def log_determinant(self) -> Tensor:
        """``ln |du / dz|``."""
        return self.matrix.diagonal().log().sum()


class _Mixtures(torch.autograd.Function):
    """Sums over samples of the log-densities of many positions, with the gradient, chunk by chunk of positions."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, expert: Tensor, priors: Tensor, precisions: Tensor) -> Tensor:
        """Energies [P, C, B] of the gate, and with the residual's square added; parameters [P, C, S]. A scalar."""
        total = gate.new_zeros((), dtype=torch.float64)
        count, components, samples = gate.shape
        scales = priors.shape[2]
        eta, alpha = (value.transpose(1, 2).contiguous() for value in (priors, precisions))  # [P, S, C]
        half = 0.5 * alpha.exp()
        to_energies = torch.zeros_like(gate), torch.zeros_like(gate)
        to_offset, to_half = torch.zeros_like(half), torch.zeros_like(half)
        to_bonus = torch.zeros_like(half)
        size = max(1, _CACHE // (components * scales * samples))
        for begin in range(0, count, size):
            own = slice(begin, begin + size)
            for k, (energies, offset, sign) in enumerate(((expert, eta + 0.5 * alpha, 1.0), (gate, eta, -1.0))):
                energy = energies[own, None]  # [p, 1, C, B]
                terms = torch.addcmul(offset[own, :, :, None], half[own, :, :, None], energy, value=-1)
                flat = terms.view(len(terms), -1, samples)
                top = flat.amax(1, keepdim=True)
                mass = flat.sub_(top).exp_().sum(1, keepdim=True)
                total += sign * (top + mass.log()).double().sum()
                flat.div_(mass)
                part = terms.sum(3) * sign
                to_offset[own] += part
                if k == 0:
                    to_bonus[own] = 0.5 * part
                for s in range(scales):
                    to_energies[k][own].addcmul_(terms[:, s], half[own, s, :, None], value=-sign)
                to_half[own] -= sign * terms.mul_(energy).sum(3)
        ctx.save_for_backward(*to_energies, to_offset, to_bonus + to_half * half)
        return total - _LOG_ROOT_2PI * count * samples

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        to_expert, to_gate, to_priors, to_precisions = (saved * grads[0].float() for saved in ctx.saved_tensors)
        return to_gate, to_expert, to_priors.transpose(1, 2), to_precisions.transpose(1, 2)


class PatchMCGSM(nn.Module):
    """A factorised MCGSM for every position, given all pixels before it.

    ``tied``: all positions share one MCGSM of the innovations around them, missing ones 0: a start that learns from
    every pixel of a patch, for `untie`.
    """

    def __init__(self, side: int = 8, components: int = 32, scales: int = 4, features: int = 32, tied: bool = False):
        super().__init__()
        self.side, self.tied = side, tied
        count = side * side - 1
        self.innovations = Innovations(count)
        y, x = torch.arange(count) // side, torch.arange(count) % side
        before = torch.arange(count)[:, None] > torch.arange(count)
        offsets = (y[:, None] - y) * (2 * side - 1) + x[:, None] - x  # 1 ... side (2 side - 1) - 1 where before
        self.register_buffer("mask", before.float()[:, None], persistent=False)  # [P, 1, P]
        self.register_buffer("offsets", offsets.clamp(min=0), persistent=False)  # [P, P]
        self.mask: Tensor
        self.offsets: Tensor
        sets, taps = (1, side * (2 * side - 1)) if tied else (count, count)
        self.priors = nn.Parameter(torch.zeros(sets, components, scales))
        self.precisions = nn.Parameter(torch.empty(sets, components, scales).uniform_(-1, 1))
        self.means = nn.Parameter(torch.zeros(sets, components))
        self.predictors = nn.Parameter(torch.randn(sets, components, taps) / 20)
        self.features = nn.Parameter(torch.randn(sets, features, taps) / math.sqrt(taps))
        self.weights = nn.Parameter(torch.rand(sets, components, features) * 0.5)

    def _by_position(self, filters: Tensor) -> Tensor:
        """Filters [sets, n, taps] as [P, n, P], 0 where there is nothing to see."""
        if self.tied:
            filters = filters[0, :, self.offsets].transpose(0, 1)
        return filters * self.mask

    @torch.no_grad()
    def untie(self) -> PatchMCGSM:
        """The same density with parameters of its own for every position."""
        shape = self.weights.shape[1], self.priors.shape[2], self.weights.shape[2]
        free = PatchMCGSM(self.side, *shape)
        free.innovations.load_state_dict(self.innovations.state_dict())
        for name in ("priors", "precisions", "means", "weights"):
            value = getattr(self, name)
            getattr(free, name).copy_(value.expand(len(free.means), *value.shape[1:]))
        free.predictors.copy_(self._by_position(self.predictors))
        free.features.copy_(self._by_position(self.features))
        return free

    def _energies(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the mixtures are made of: energies of gate and expert [P, C, B], priors and precisions [P, C, S]."""
        count, columns = u.shape[1], u.T
        filters, predictors = self._by_position(self.features), self._by_position(self.predictors)
        seen = (filters.flatten(0, 1) @ columns).view(count, -1, len(u)).square()
        gate = self.weights.square().expand(count, -1, -1) @ seen
        expected = (predictors.flatten(0, 1) @ columns).view(count, -1, len(u)) + self.means[:, :, None]
        expert = gate + (columns[:, None] - expected).square()
        return gate, expert, self.priors.expand(count, -1, -1), self.precisions.expand(count, -1, -1)

    def total(self, z: Tensor) -> Tensor:
        """Sum of `log_density` over [m, P]: a scalar with a cheap gradient, for training."""
        found: Tensor = _Mixtures.apply(*self._energies(self.innovations(z)))  # type: ignore[no-untyped-call]
        return found + len(z) * self.innovations.log_determinant

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density of z, in units of z; [m, P] -> [m]."""
        gate, expert, priors, precisions = self._energies(self.innovations(z))
        half = 0.5 * precisions.exp()[..., None]
        ends = []
        for energies, offset in ((expert, priors + 0.5 * precisions), (gate, priors)):
            terms = torch.addcmul(offset[..., None], half, energies[:, :, None], value=-1)
            ends.append(terms.flatten(1, 2).logsumexp(1))  # [P, B]
        each = ends[0] - ends[1] - _LOG_ROOT_2PI
        return each.sum(0) + self.innovations.log_determinant


class PatchRide(nn.Module):
    """RIDE on the innovations of a patch; what a neighbourhood lacks is 0, and marked as padding."""

    def __init__(self, config: RideConfig, side: int = 8) -> None:
        super().__init__()
        self.side = side
        self.innovations = Innovations(side * side - 1)
        # its whitening leaves the innovations as they are
        self.network = Ride(replace(config, indicators=True), padding=0.0)

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density of z, in units of z; [m, P] -> [m]."""
        u = self.innovations(z)
        maps = functional.pad(u, (0, 1)).view(-1, 1, self.side, self.side)
        each = self.network.log_density(maps)  # [n, n, m]
        return each.flatten(0, 1)[:-1].sum(0) + self.innovations.log_determinant

    def total(self, z: Tensor) -> Tensor:
        """Sum of `log_density` over [m, P], for training."""
        return self.log_density(z).sum()
