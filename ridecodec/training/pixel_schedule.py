"""How networks of the PixelCNN family are trained. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.errors import UsageError
from ridecodec.models.fields import check, setting


@dataclass(frozen=True)
class PixelSchedule:
    """How long and how fast to train."""

    minutes: float | None = setting(
        60.0, "Total training time in minutes, including earlier runs of the checkpoint.", 0.001
    )
    steps: int | None = setting(None, "Total number of gradient steps, instead of a time.", 1)
    images: int = setting(4, "Pictures per step, over all processes.", 1)
    optimizer: str = setting("muon", "Optimizer.", choices=("muon", "adam"))
    rate: float = setting(
        1.5e-3, "Highest learning rate of Adam; with Muon, of all weights that are not inner matrices.", 0
    )
    muon_rate: float = setting(6e-3, "Highest learning rate of Muon.", 0)
    sketch: int = setting(800, "Steps before training that teach an encoder what pictures look like.", 0)
    warmup: int = setting(100, "Steps over which the learning rate rises.", 0)
    clip: float = setting(2.0, "Limit of the gradient's length, relative to its usual length; 0 for no limit.", 0)
    flips: int = setting(2, "Orientations of the pictures: 1, or 2 (also mirrored).", choices=(1, 2))
    validation: float = setting(0.025, "Fraction of the pictures held out for validation.", 0)
    evaluations: int = setting(30, "Number of validations, evenly spread; 0 for one at the end.", 0)
    patience: int | None = setting(None, "Stop after this number of validations without improvement.", 1)
    bf16: bool = setting(True, "Use bfloat16 for matrix products, which is faster on modern CPUs and GPUs.")
    threads: int = setting(1, "Number of CPU threads.", 1, 1024)
    seed: int = setting(1, "Random seed.", 0, 2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
        if self.validation >= 1:
            raise UsageError(f"validation is {self.validation}; it must be less than 1")
        if self.steps is None and self.minutes is None:
            raise UsageError("the length of the training is missing; give steps or minutes")
