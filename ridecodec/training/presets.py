"""How RIDE and the MCGSM are trained: every setting, and the presets. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ridecodec.errors import UsageError
from ridecodec.models.fields import check, setting
from ridecodec.training.learning_rates import decay, rise
from ridecodec.training.plan import Plan

FLAT = 0.2
"""Share of a training after which its learning rates fall."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train, on what, and what for. The defaults are RIDE's modern preset.

    `steps` decides the length where it is given, else `minutes`, else `epochs`; `epochs` 0 leaves L-BFGS alone. Every
    size of `sizes` is a stage.
    """

    minutes: float | None = setting(
        30.0, "Total training time in minutes, including earlier runs of the checkpoint.", 0.001
    )
    steps: int | None = setting(None, "Total number of gradient steps, instead of a time.", 1)
    epochs: float | None = setting(None, "Passes through the pictures in each stage.", 0)
    objective: str = setting(
        "density",
        "Train the density of noisy pixels or the likelihood of integer pixels.",
        choices=("density", "likelihood"),
    )
    optimizer: str = setting("adam", "Optimizer.", choices=("adam", "sgd"))
    sizes: tuple[int, ...] = setting((16, 24, 32, 40, 48), "Side of the square patches in each stage.", 1)
    pixels: int = setting(12_288, "Pixels per step, over all processes.", 1)
    patches: int | None = setting(None, "Patches per step, whatever their size, instead of --pixels.", 1)
    rate: float = setting(1e-2, "Highest learning rate of the spatial LSTMs.", 0)
    mcgsm_rate: float = setting(1e-2, "Highest learning rate of the MCGSM.", 0)
    rates: tuple[float, ...] = setting((), "Learning rate of each stage, instead of the decaying ones.", 0)
    warmup: int = setting(200, "Steps over which the learning rate rises.", 0)
    momentum: float = setting(0.9, "Momentum (Adam's first beta).", 0)
    clip: float = setting(2.0, "Limit of the gradient's length, relative to its usual length; 0 for no limit.", 0)
    flips: int = setting(
        8,
        "Orientations of the patches: 1, 2 (also mirrored), 4 (also upside down), 8 (also turned).",
        choices=(1, 2, 4, 8),
    )
    lbfgs: int = setting(0, "Iterations of L-BFGS on the MCGSM after each stage.", 0)
    lbfgs_pixels: int = setting(100_000, "Number of pixels that L-BFGS uses.", 1)
    validation: float = setting(0.1, "Fraction of the pictures held out for validation.", 0)
    evaluations: int = setting(30, "Number of validations, evenly spread; 0 for one after each stage.", 0)
    patience: int | None = setting(None, "Stop after this number of validations without improvement.", 1)
    tf32: bool = setting(False, "Use TF32 for matrix products, on GPUs that support it.")
    threads: int = setting(1, "Number of CPU threads.", 1, 1024)
    seed: int = setting(1, "Random seed.", 0, 2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
        if not self.sizes:
            raise UsageError("sizes is empty; give at least one patch size")
        if self.rates and len(self.rates) != len(self.sizes):
            counts = f"{len(self.rates)} and {len(self.sizes)}"
            raise UsageError(f"rates and sizes differ in number, {counts}; give one rate per size")
        if self.validation >= 1:
            raise UsageError(f"validation is {self.validation}; it must be less than 1")
        if self.momentum >= 1:
            raise UsageError(f"momentum is {self.momentum}; it must be less than 1")
        if self.steps is None and self.minutes is None and self.epochs is None:
            raise UsageError("the length of the training is missing; give steps, minutes or epochs")
        if self.epochs == 0 and (self.steps or not self.lbfgs):
            raise UsageError("with epochs 0, only L-BFGS trains; give its iterations (lbfgs) and no steps")

    def drawn(self, stage: int) -> int:
        """Patches a step in a stage."""
        return self.patches or max(1, self.pixels // self.sizes[stage] ** 2)


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "ride": {
        "modern": {},
        "paper": {
            "minutes": None,
            "epochs": 1.0,
            "optimizer": "sgd",
            "sizes": (8, 10, 12, 14, 16, 18, 20, 22),
            "patches": 50,
            "rates": (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005),
            "warmup": 0,
            "clip": 0.0,
            "flips": 2,
            "lbfgs": 500,
            "evaluations": 0,
            "patience": 2,
        },
    },
    "mcgsm": {
        "modern": {"sizes": (8,), "pixels": 16_384, "mcgsm_rate": 0.02},
        "paper": {
            "minutes": None,
            "epochs": 0.0,  # L-BFGS alone
            "sizes": (8,),
            "flips": 1,
            "lbfgs": 3000,
            "lbfgs_pixels": 1_000_000,
            "evaluations": 0,
        },
    },
}
"""Of each command the presets: what differs from `Schedule`'s defaults."""

_LBFGS_SHARE = 0.3
"""Of a stage, where the clock decides."""


def plan(schedule: Schedule, pixels: int) -> Plan:
    """For a training set of so many pixels."""
    count = len(schedule.sizes)
    if schedule.steps is None and schedule.minutes is not None:
        share = 1.0 if not schedule.lbfgs else 0.0 if schedule.epochs == 0 else 1 - _LBFGS_SHARE
        ends = tuple(((k + share) / count, (k + 1) / count) for k in range(count))
        return Plan(None, 60 * schedule.minutes, ends)
    if schedule.epochs == 0:
        return Plan(0, math.inf, ((0.0, 1.0),) * count)
    passes = schedule.epochs or 1.0
    lengths = [
        math.ceil(passes * pixels / (schedule.drawn(stage) * size**2)) for stage, size in enumerate(schedule.sizes)
    ]
    ends = tuple((sum(lengths[: k + 1]) / sum(lengths),) * 2 for k in range(count))
    return Plan(sum(lengths) if schedule.steps is None else schedule.steps, math.inf, ends)


def learning_rates(schedule: Schedule, step: int, fraction: float, stage: int) -> tuple[float, float]:
    """Of the spatial LSTMs and of the MCGSM, for gradients of bits a pixel."""
    if schedule.rates:
        # the paper's are for nats; Adam does not mind
        rate = schedule.rates[stage] * (math.log(2) if schedule.optimizer == "sgd" else 1.0)
        return rate, rate
    up, down = rise(step, schedule.warmup, schedule.steps), decay(fraction, FLAT)
    return schedule.rate * up * down, schedule.mcgsm_rate * up * down
