"""How networks of the PixelCNN family are trained. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.errors import UsageError
from ridecodec.fields import check, setting


@dataclass(frozen=True)
class PixelSchedule:
    """How long and how fast to train."""

    minutes: float | None = setting(60.0, "How long in all, earlier runs of the checkpoint included.", 0.001)
    steps: int | None = setting(None, "Gradient steps in all; the clock then plays no part.", 1)
    images: int = setting(4, "Pictures a step, all processes together.", 1)
    optimizer: str = setting("muon", "What takes the gradient steps.", choices=("muon", "adam"))
    rate: float = setting(1.5e-3, "Highest learning rate of Adam, Muon's for what is no inner matrix.", 0)
    muon_rate: float = setting(6e-3, "Highest learning rate of Muon's matrices.", 0)
    sketch: int = setting(800, "Steps before all others that teach an encoder to say what a picture looks like.", 0)
    warmup: int = setting(100, "Steps over which the learning rate rises.", 0)
    clip: float = setting(2.0, "Longest gradient, in usual ones; 0: any.", 0)
    flips: int = setting(2, "Ways a picture may lie: 1, or 2 (mirrored too).", choices=(1, 2))
    validation: float = setting(0.025, "Share of the pictures that is held out for validation.", 0)
    evaluations: int = setting(30, "Validations in all, evenly spread; 0: at the end only.", 0)
    patience: int | None = setting(None, "Validations without gain after which training ends.", 1)
    bf16: bool = setting(True, "Products in bfloat16, which processors and GPUs of today do faster.")
    threads: int = setting(1, "Processor threads.", 1, 1024)
    seed: int = setting(1, "Seed of everything random.", 0, 2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
        if self.validation >= 1:
            raise UsageError(f"validation is {self.validation}; the share held out is less than 1")
        if self.steps is None and self.minutes is None:
            raise UsageError("nothing says how long to train; give steps or minutes")
