"""How long a training is, and the stages it has. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A training's length, and where on the way its stages end; fractions are of the steps or of the seconds."""

    steps: int | None
    """None: the clock decides."""
    seconds: float
    ends: tuple[tuple[float, float], ...]
    """Of each stage: until when gradient steps are taken, and until when `Task.polish` may go on."""
