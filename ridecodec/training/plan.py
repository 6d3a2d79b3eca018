"""What a training's loop is told, and what it counts. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A training's length, and where on the way its stages end; fractions are of the steps or of the seconds."""

    steps: int | None
    """None: the clock decides."""
    seconds: float
    ends: tuple[tuple[float, float], ...]
    """Of each stage: until when gradient steps are taken, and until when `Task.polish` may go on."""


@dataclass(frozen=True)
class Settings:
    """Of the loop; `presets.Schedule` has the same names."""

    evaluations: int = 30
    patience: int | None = None
    clip: float = 2.0
    """Longest gradient, in usual ones; 0: any."""
    seed: int = 1


@dataclass
class Counters:
    """All of the trainer's own state; what is saved of it."""

    step: int = 0
    stage: int = 0
    turn: int = 0
    seconds: float = 0.0
    evaluated: int = 0
    evaluated_at: int = -1
    held: float = math.inf
    best: float = math.inf
    mark: float = math.inf
    """The best at the last validation that patience counts."""
    stale: int = 0
    rate: float = math.nan
    usual: float = math.nan
    """Length of the gradient, on the average of the last steps."""
