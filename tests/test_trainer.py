"""The trainer's loop, on a toy."""

from __future__ import annotations

import itertools
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trainings import CPU, interrupt, quietly

from ridecodec.errors import UsageError
from ridecodec.training.distributed import Workers
from ridecodec.training.interruption import Interruption
from ridecodec.training.plan import Plan, Settings
from ridecodec.training.task import Batch, Place, Report, Task
from ridecodec.training.trainer import Trainer


class Toy(Task):
    """Learns the mean of what it draws; `held` says what each validation finds."""

    def __init__(self, held: list[float], rounds: int = 0) -> None:
        torch.manual_seed(1)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.found = iter(held)
        self.seen: list[Tensor] = []
        self.rounds = rounds

    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        return Batch(torch.rand(4, 2, generator=generator), 4)

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        value: Tensor = (model(data) - 1).square().mean()
        return value

    def rates(self, place: Place) -> tuple[float]:
        return (0.1,)

    def validate(self) -> float | None:
        self.seen.append(self.model.weight.detach().clone())
        return next(self.found, None)

    def polish(self, place: Place, turn: int, enough: Callable[[], bool]) -> None:
        with torch.no_grad():
            self.model.weight += 1


def loop(task: Task, steps: int = 8, ends: int = 1, **options: Any) -> Trainer:
    stages = tuple(((k + 1) / ends,) * 2 for k in range(ends))
    return Trainer(task, Plan(steps, math.inf, stages), Settings(**options), Workers(CPU), say=quietly)


def test_the_weights_that_validated_best_are_kept() -> None:
    task = Toy([5.0, 3.0, 4.0, 6.0])
    loop(task, evaluations=4).run()
    assert torch.equal(task.model.weight, task.seen[1])
    assert len(task.seen) == 4


def test_without_validation_the_last_weights_are_kept() -> None:
    task = Toy([])
    trainer = loop(task, evaluations=4, patience=1)
    trainer.run()
    assert trainer.at.step == 8
    assert torch.equal(task.model.weight, task.seen[-1])


def test_patience_ends_training_early() -> None:
    task = Toy([5.0, 3.0, 4.0, 3.5, 1.0])
    trainer = loop(task, evaluations=8, patience=2)
    trainer.run()
    assert trainer.at.step == 4
    assert torch.equal(task.model.weight, task.seen[1])


def test_a_stage_without_gain_ends_training() -> None:
    task = Toy([5.0, 3.0, 4.0, 1.0])
    trainer = loop(task, ends=4, evaluations=0, patience=1)
    trainer.run()
    assert trainer.at.step == 6
    assert torch.equal(task.model.weight, task.seen[1])


def test_polishing_that_makes_it_worse_is_undone() -> None:
    task = Toy([5.0, 4.0, 4.5], rounds=3)
    trainer = loop(task, evaluations=0)
    trainer.run()
    assert torch.equal(task.model.weight, task.seen[0] + 1)  # the first turn stays, the second is undone
    assert trainer.at.held == 4.0


def test_a_rate_that_is_no_number_ends_training(tmp_path: Path) -> None:
    task = Toy([])
    task.rates = lambda _: (1e30,)  # type: ignore[method-assign, assignment]
    with pytest.raises(UsageError, match="lower learning rates"):
        loop(task).run()


def test_a_wild_gradient_is_left_out_and_a_long_one_cut() -> None:
    class Wild(Toy):
        def draw(self, place: Place, generator: torch.Generator) -> Batch:
            self.seen.append(self.model.weight.detach().clone())
            data, pixels = super().draw(place, generator)
            return Batch(data * {5: 1e3, 6: 4.0}.get(place.step, 1.0), pixels)

    task = Wild([])
    task.optimizer = torch.optim.SGD(task.model.parameters(), lr=0.01)
    task.rates = lambda _: (0.01,)  # type: ignore[method-assign, assignment]
    trainer = loop(task, evaluations=0, clip=1.0)
    trainer.run()
    moved = [float((b - a).norm()) for a, b in itertools.pairwise(task.seen[:8])]
    assert moved[5] == 0
    assert 0 < moved[6] <= 0.01 * 1.001 * trainer.at.usual * 2


def test_a_second_interruption_takes_effect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Interruption() as interruption:
        interrupt()
        interrupt()  # at once after the first: the same
        assert interruption.noted == signal.SIGINT
        monkeypatch.setattr("ridecodec.training.interruption.PATIENCE", -1.0)
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ridecodec.training.trainer.REPORT_SECONDS", -1.0)
    seen: list[Report] = []
    trainer = loop(Toy([2.0]), evaluations=0)
    trainer.progress = seen.append
    trainer.run()
    assert [report.step for report in seen if report.doing == "training"][:8] == list(range(1, 9))
    assert seen[3].fraction == 0.5
    assert seen[-1].held == 2.0
    assert seen[-1].seconds_left == 0
    assert all(report.pixels_per_second > 0 and math.isfinite(report.rate) for report in seen[1:])
