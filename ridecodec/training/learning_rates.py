"""How learning rates rise and fall: factors of the highest."""

from __future__ import annotations

import math


def rise(step: int, warmup: int, steps: int | None) -> float:
    """A line up to 1 over ``warmup`` steps, or over a tenth of a training of fewer than ten times as many."""
    warmup = warmup if steps is None else min(warmup, steps // 10)
    return min(1.0, (step + 1) / max(1, warmup))


def decay(fraction: float, flat: float) -> float:
    """1 for the first ``flat`` of the way, then a cosine down to 1 %."""
    late = max(0.0, (fraction - flat) / (1 - flat))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, late)))
