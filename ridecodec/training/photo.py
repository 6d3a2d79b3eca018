"""Trains the photo model: random pixels, AdamW, a learning rate that falls over the time given."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from ridecodec.engines.torch.network import ProgramNet
from ridecodec.errors import InputError, UsageError
from ridecodec.exact.families import Logistics
from ridecodec.exact.program import Program
from ridecodec.models import checkpoints
from ridecodec.models.photo.definition import define, feature_table
from ridecodec.models.photo.initial import PhotoConfig, initial
from ridecodec.training import photos
from ridecodec.training.learning_rates import decay

_CPU = torch.device("cpu")
_FINE = ("outputs.", "linear.")
"""Layers whose results want more digits than bfloat16 has."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    minutes: float = 30.0
    batch: int = 4096
    rate: float = 2e-3
    linear_rate: float = 5e-4
    warmup: int = 500
    history: float = 0.15
    """Share of the crops whose chroma is interpolated."""
    tone: float = 0.15
    """Share of those with little colour."""
    refresh: float = 45.0
    """Minutes after which the crops are augmented anew."""
    seed: int = 1
    bf16: bool = True
    """bfloat16 products for the first 70 % of the time, then float32."""


def train(
    folder: Path,
    config: PhotoConfig,
    schedule: Schedule,
    checkpoint: Path,
    say: Callable[[str], None] = print,
    limit: int | None = None,
    device: torch.device = _CPU,
) -> Path:
    """Train on the pictures in ``folder`` and write ``checkpoint``; a checkpoint that exists is resumed.

    ``limit`` bounds the number of pictures (for trials). Returns the checkpoint's path. Raises InputError for a
    checkpoint that is none of this model, UsageError for one of other sizes.
    """
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(1)  # the products are small: more threads lose more than they gain
    paths, _ = photos.split(folder)
    paths = paths[:limit]
    weights = initial(config, schedule.seed)
    program = define(config.channels, weights, feature_table(config.channels), Logistics.make_tables())
    model = ProgramNet(program).to(device)
    rates = {False: schedule.rate, True: schedule.linear_rate}
    groups = [
        {"params": [p for name, p in model.named_weights() if name.startswith("linear.") is linear], "lr": rate}
        for linear, rate in rates.items()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-4)
    step, spent = 0, 0.0
    if checkpoint.exists():
        state = checkpoints.read(checkpoint)
        other = [name for name, value in asdict(config).items() if state["config"].get(name) != value]
        if other:
            raise UsageError(f"{checkpoint}: holds a network with other {', '.join(other)}; name another file")
        try:
            model.set_weights(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise InputError(f"{checkpoint}: not a checkpoint of this photo model; train a new one") from error
        step, spent = state["step"], state["seconds"]
    generator = torch.Generator(device).manual_seed(schedule.seed + step)
    round_ = int(spent / 60 / schedule.refresh)
    total = schedule.minutes * 60
    data = _load(paths, program, schedule, round_, device, say)
    average, clock, saved = math.nan, time.monotonic(), time.monotonic()
    while spent < total:
        fraction = spent / total
        for group, rate in zip(optimizer.param_groups, rates.values(), strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / schedule.warmup) * decay(fraction, 0.3)
        loss = _step(model, optimizer, data.draw(schedule.batch, generator), bf16=schedule.bf16 and fraction < 0.7)
        step += 1
        average = loss if math.isnan(average) else average + (loss - average) * max(0.002, 1 / (step + 1))
        now = time.monotonic()
        spent, clock = spent + now - clock, now
        if step % 500 == 0:
            say(f"step {step}  {spent / 60:.1f} min  {average:.4f} bpsp  {step * schedule.batch / spent:,.0f} pixels/s")
        if now - saved > 120 or spent >= total:
            _save(checkpoint, model, optimizer, step, spent, config, schedule, average)
            saved = time.monotonic()
        if int(spent / 60 / schedule.refresh) > round_ and fraction < 0.95:
            round_ += 1
            data = _load(paths, program, schedule, round_, device, say)
            clock = time.monotonic()
    return checkpoint


def _step(model: ProgramNet, optimizer: torch.optim.Optimizer, pixels: photos.Drawn, bf16: bool) -> float:
    rough = [name for name in model.layers if not name.startswith(_FINE)] if bf16 else []
    loss = model(pixels, rough).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def _load(
    paths: list[Path],
    program: Program,
    schedule: Schedule,
    round_: int,
    device: torch.device,
    say: Callable[[str], None],
) -> photos.Crops:
    begun = time.monotonic()
    seed = schedule.seed * 1000 + round_
    data = photos.Crops(paths, program, seed, schedule.history, schedule.tone, photos.workers(), device)
    say(f"prepared {len(paths)} crops in {time.monotonic() - begun:.0f} s")
    return data


def _save(
    path: Path,
    model: ProgramNet,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
    config: PhotoConfig,
    schedule: Schedule,
    rate: float,
) -> None:
    state = {
        "model": {name: torch.from_numpy(value) for name, value in model.weights().items()},
        "optimizer": optimizer.state_dict(),
        "step": step,
        "seconds": seconds,
        "config": asdict(config),
        "schedule": asdict(schedule),
        "rate": rate,
    }
    checkpoints.save(path, state)
    path.with_suffix(".json").write_text(json.dumps({"step": step, "minutes": seconds / 60, "rate": rate}) + "\n")
