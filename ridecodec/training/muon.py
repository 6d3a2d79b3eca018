"""Muon: momentum whose steps are orthogonalised, matrix by matrix (Jordan et al., 2024); the rest by Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_TINY = 1e-8


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T [m, n], by Newton-Schulz iterations in bfloat16."""
    a, b, c = _COEFFICIENTS
    tall = len(matrix) > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + _TINY)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = (x.T if tall else x).to(matrix)
    return found


class Muon(torch.optim.Optimizer):
    """Groups with ``matrices`` True take orthogonal steps: weights [outputs, ...], flattened; the others Adam's."""

    def __init__(self, groups: list[dict[str, Any]], momentum: float = 0.95) -> None:
        defaults = {"lr": 1.0, "matrices": False, "momentum": momentum, "betas": (0.9, 0.999)}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step; no closure is called."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move = self._orthogonal if group["matrices"] else self._adam
                    parameter.sub_(move(group, parameter), alpha=group["lr"])

    def _orthogonal(self, group: dict[str, Any], parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean = state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
        ahead = parameter.grad.lerp(mean, group["momentum"]).flatten(1)  # type: ignore[union-attr]
        rows, columns = ahead.shape
        return orthogonal(ahead).view_as(parameter) * float(max(1.0, rows / columns) ** 0.5)

    def _adam(self, group: dict[str, Any], parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        first, second = group["betas"]
        state["step"] += 1
        grad = parameter.grad
        assert grad is not None
        mean = state["mean"].lerp_(grad, 1 - first)
        square = state["square"].mul_(second).addcmul_(grad, grad, value=1 - second)
        steps = float(state["step"])
        move: Tensor = (mean / (1 - first**steps)) / ((square / (1 - second**steps)).sqrt() + _TINY)
        return move
