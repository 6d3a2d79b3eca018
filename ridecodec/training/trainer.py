"""The training loop of every model: stages of gradient steps, validation, checkpoints that resume bit for bit.

A `Task` says what is trained; a `Plan` how long. With a number of steps nothing depends on the clock, so that a run
that was interrupted and resumed ends with the same bits as one that was not. With seconds the clock decides, and two
runs differ. In several processes (`distributed`) each draws its own part of a step's data.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ridecodec.errors import InputError, UsageError
from ridecodec.models import checkpoints
from ridecodec.training.distributed import Workers
from ridecodec.training.interruption import Interruption
from ridecodec.training.plan import Counters, Plan, Settings
from ridecodec.training.task import Place, Report, Task

SAVE_SECONDS = 120.0
REPORT_SECONDS = 0.5
LEAST_SECONDS = 30.0
"""Between two validations, where the clock decides."""
WILD = 10.0
"""A gradient so many times longer than usual says nothing: maps of an LSTM can explode."""
_STREAM = 0x9E3779B97F4A7C15
"""Between the seeds of two processes."""


class _Objective(nn.Module):
    """Model and loss as one module: gradients of several processes meet only in a forward pass of the wrapper."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model = task.model
        self._loss = task.loss

    def forward(self, data: Tensor) -> Tensor:
        return self._loss(self.model, data)


class Trainer:
    """Trains ``task``'s model in place; in the end it has the weights that validated best, or the last ones."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        settings: Settings,
        group: Workers,
        checkpoint: Path | None = None,
        record: dict[str, Any] | None = None,
        say: Callable[[str], None] = print,
        progress: Callable[[Report], None] | None = None,
    ) -> None:
        """``record``: what else the checkpoint holds (`config` and `schedule`). Only the first process says."""
        self.task, self.plan, self.settings, self.group = task, plan, settings, group
        self.checkpoint, self.record = checkpoint, record or {}
        self.say = say if group.first else lambda _: None
        self.progress = progress if group.first else None
        self.generator = torch.Generator(group.device)
        self.generator.manual_seed((settings.seed + group.rank * _STREAM) % 2**63)
        self.at = Counters()
        # a short clock is not to be spent on validation
        seldom = math.inf if plan.steps is not None else plan.seconds / LEAST_SECONDS
        self._evaluations = int(min(settings.evaluations, seldom))
        self._best: dict[str, Tensor] | None = None
        self._mean: Tensor | None = None
        self._pixels, self._stopping = 0, False
        self._stepping = self._reported = self._saved = 0.0

    def run(self) -> None:
        """Train until the plan ends, or patience does. Interrupted between two steps, it saves the checkpoint."""
        objective = self.group.wrap(_Objective(self.task))
        self._before, self._begun = self.at.seconds, time.monotonic()
        self._saved = self.at.seconds
        if self.at.stage == len(self.plan.ends) or self._tired():
            self.say(f"the training is already complete after {self.at.step} steps, {self.at.seconds / 60:.1f} min")
        with Interruption() as self._interruption:
            while self.at.stage < len(self.plan.ends) and not self._tired():
                self._stage(objective)
        if self._best is not None:
            self.task.model.load_state_dict(self._best)

    def _stage(self, objective: nn.Module) -> None:
        end, limit = self.plan.ends[self.at.stage]
        while self.at.turn == 0 and self.fraction < end:
            self._step(objective)
            self._tick()
            if int(self.fraction * self._evaluations) > self.at.evaluated:
                self.at.evaluated = int(self.fraction * self._evaluations)
                self._evaluate(counts=True)
                if self._tired():
                    break
            if self._stopping or self.at.seconds - self._saved > SAVE_SECONDS:
                self.save()
            self._stop_if_asked()
        if self.task.rounds and not self._tired():
            self._polish(limit)
        self._evaluate(counts=self.settings.evaluations == 0)
        self.at.stage, self.at.turn = self.at.stage + 1, 0
        self.save()
        self._stop_if_asked()

    def _step(self, objective: nn.Module) -> None:
        place, begun = self.place, time.monotonic()
        for group, rate in zip(self.task.optimizer.param_groups, self.task.rates(place), strict=True):
            group["lr"] = rate
        batch = self.task.draw(place, self.generator)
        value = objective(batch.data)
        self.task.optimizer.zero_grad()
        value.backward()
        if not self.settings.clip or self._shorten():
            self.task.optimizer.step()
        self.at.step += 1
        self._pixels += batch.pixels * self.group.size
        last = value.detach()
        self._mean = last.clone() if self._mean is None else self._mean.lerp_(last, max(0.005, 1 / self.at.step))
        self._stepping += time.monotonic() - begun

    def _shorten(self) -> bool:
        """Cut the gradient down to ``clip`` times its usual length; False where it is too wild to take the step."""
        gradients = [p.grad for p in self.task.model.parameters() if p.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        length = float(total)
        usual = length if math.isnan(self.at.usual) else self.at.usual
        tame = math.isfinite(length) and length <= WILD * usual
        if tame:
            nn.utils.clip_grads_with_norm_(self.task.model.parameters(), self.settings.clip * usual, total)
        self.at.usual = usual + 0.02 * (min(length, 3 * usual) - usual) if math.isfinite(length) else usual
        return tame

    def _polish(self, limit: float) -> None:
        """Turns of the task's second optimizer; one that makes validation worse is undone and the last."""

        def enough() -> bool:
            self._tick()
            self._report("L-BFGS")
            return self._stopping or (self.plan.steps is None and self.fraction >= limit)

        self._evaluate(counts=False)
        self.save()
        while self.at.turn < self.task.rounds and (self.plan.steps is not None or self.fraction < limit):
            before, held = _copy(self.task.model), self.at.held
            self.task.polish(self.place, self.at.turn, enough)
            self._stop_if_asked()
            self.at.turn, self.at.evaluated_at = self.at.turn + 1, -1
            self._evaluate(counts=False)
            if self.at.held > held:
                self.say(f"which is worse than {held:.4f} and undone")
                self.task.model.load_state_dict(before)
                self.at.held, self.at.turn = held, self.task.rounds
            self.task.optimizer.state.clear()  # its momentum is of other weights
            self.save()
            self._tick()

    @property
    def fraction(self) -> float:
        """How much of the plan is done."""
        if self.plan.steps is None:
            return min(1.0, self.at.seconds / self.plan.seconds)
        return self.at.step / self.plan.steps if self.plan.steps else 1.0

    @property
    def place(self) -> Place:
        return Place(self.at.step, self.fraction, self.at.stage)

    def _tired(self) -> bool:
        return self.settings.patience is not None and self.at.stale >= self.settings.patience

    def _tick(self) -> None:
        """Read the first process's clock, and whether any process is to stop."""
        spent = self._before + time.monotonic() - self._begun if self.group.first else 0.0
        noted = float(self._interruption.noted is not None)
        self.at.seconds, stopping = self.group.largest(spent, noted)
        self._stopping = stopping > 0
        if self.at.seconds - self._reported > REPORT_SECONDS:
            self._report("training")

    def _stop_if_asked(self) -> None:
        if self._stopping:
            self._interruption.act()
            raise KeyboardInterrupt

    def _evaluate(self, counts: bool) -> None:
        """Validate, unless these weights were; keep the best. ``counts``: towards patience."""
        if self.at.evaluated_at != self.at.step:
            self._check()
            self._report("validating")
            found = self.task.validate()
            self.at.evaluated_at = self.at.step
            self.at.held = math.inf if found is None else found
            if found is not None and found < self.at.best:
                self.at.best, self._best = found, _copy(self.task.model)
            held = "" if found is None else f"  held out {found:.4f}"
            speed = f"  {self._speed():,.0f} px/s" if self._pixels else ""
            rate = "" if math.isnan(self.at.rate) else f"  {self.at.rate:.4f} {self.task.unit}"
            self.say(f"step {self.at.step}  {self.at.seconds / 60:.1f} min{rate}{held}{speed}")
            self._tick()
        if counts and math.isfinite(self.at.held):
            self.at.stale = 0 if self.at.best < self.at.mark else self.at.stale + 1
            self.at.mark = self.at.best

    def _check(self) -> None:
        if self._mean is not None:
            self.at.rate = float(self._mean)
            if self.group.largest(float(not math.isfinite(self.at.rate)))[0]:
                raise UsageError(f"the rate is {self.at.rate} after {self.at.step} steps; choose lower learning rates")

    def _speed(self) -> float:
        return self._pixels / max(1e-9, self._stepping)

    def _report(self, doing: str) -> None:
        self._reported = self.at.seconds
        if self.progress is None:
            return
        rate = math.nan if self._mean is None else float(self._mean)
        done = self.fraction
        left = self.plan.seconds - self.at.seconds
        if self.plan.steps is not None:
            left = self.at.seconds * (1 - done) / done if done else math.inf
        held = self.at.held if math.isfinite(self.at.held) else None
        unit, speed = self.task.unit, self._speed()
        self.progress(Report(self.at.step, done, rate, unit, held, speed, max(0.0, left), doing))

    def save(self) -> None:
        """Write the checkpoint, where there is one."""
        self._check()
        self._saved = self.at.seconds
        if self.checkpoint is None:
            return
        random = self.group.gather(checkpoints.random_state(self.generator))
        if self.group.first:
            current = self.task.model.state_dict()
            state = {
                "model": current if self._best is None else self._best,
                "current": current,
                "optimizer": self.task.optimizer.state_dict(),
                "random": random,
                "plan": asdict(self.plan),
                "counters": asdict(self.at),
                "step": self.at.step,
                "seconds": self.at.seconds,
                **self.record,
            }
            checkpoints.save(self.checkpoint, state)

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `save` wrote. Where the plan has changed since, it goes on at the same step or second."""
        if "current" not in state:
            raise InputError("the checkpoint is of an older version, which cannot be resumed; start from it instead")
        if len(state["random"]) != self.group.size:
            raise UsageError(
                f"the checkpoint was trained by {len(state['random'])} processes, and these are {self.group.size}; "
                "resume it with as many"
            )
        self.task.model.load_state_dict(state["current"])
        self.task.optimizer.load_state_dict(state["optimizer"])
        checkpoints.set_random_state(self.generator, state["random"][self.group.rank])
        self.at = Counters(**state["counters"])
        if math.isfinite(self.at.rate):
            self._mean = torch.tensor(self.at.rate, device=self.group.device)
        if math.isfinite(self.at.best):
            self._best = {name: value.to(self.group.device) for name, value in state["model"].items()}
        if state["plan"] != asdict(self.plan):
            self.at.stage = sum(end <= self.fraction for end, _ in self.plan.ends)
            self.at.turn, self.at.stale = 0, 0
            self.at.evaluated = int(self.fraction * self._evaluations)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
