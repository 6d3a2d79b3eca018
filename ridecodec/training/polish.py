"""L-BFGS on the MCGSM alone: all that is below it stands still (RIDE paper, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ridecodec.training.distributed import Workers

ITERATIONS = 100
"""Of one call; what L-BFGS has learned of the curvature does not outlast it."""
_AT_A_TIME = 10
_CHUNK = 8192


def lbfgs(
    parameters: list[torch.nn.Parameter],
    score: Callable[..., Tensor],
    rows: tuple[Tensor, ...],
    iterations: int,
    group: Workers,
    enough: Callable[[], bool],
) -> None:
    """Raise the mean of ``score(*rows)``, whose arguments and result have one row a pixel, by so many iterations.

    ``enough`` is asked now and then whether to stop early. In several processes each has rows of its own, and all end
    with the same parameters.
    """
    count = len(rows[0])
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=_AT_A_TIME, max_eval=25 * _AT_A_TIME, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros((), device=rows[0].device)
        for part in zip(*(each.split(_CHUNK) for each in rows), strict=True):
            value = score(*part).sum() / -count
            value.backward()
            total += value.detach()
        if group.size > 1:
            grads = [p.grad for p in parameters if p.grad is not None]
            shared = group.mean(torch.cat([total.view(1), *(grad.flatten() for grad in grads)]))
            total, *parts = shared.split([1, *(grad.numel() for grad in grads)])
            for grad, part in zip(grads, parts, strict=True):
                grad.copy_(part.view_as(grad))
            total = total[0]
        return total

    done = 0
    while done < iterations and not enough():
        optimizer.param_groups[0]["max_iter"] = min(_AT_A_TIME, iterations - done)
        optimizer.step(closure)
        taken = optimizer.state[parameters[0]]["n_iter"] - done
        done += taken
        if taken < optimizer.param_groups[0]["max_iter"]:
            return  # converged
