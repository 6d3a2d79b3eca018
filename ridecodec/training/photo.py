"""Trains the photo model: random pixels, AdamW, a learning rate that falls over the time given."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ridecodec.models.photo.image_experts import Coefficients
from ridecodec.models.photo.network import Inputs, PhotoConfig, PhotoNet
from ridecodec.training import photos
from ridecodec.training.rates import decay

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    minutes: float = 30.0
    batch: int = 4096
    rate: float = 2e-3
    linear_rate: float = 5e-4
    warmup: int = 500
    history: float = 0.35
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

    ``limit`` bounds the number of pictures (for trials). Returns the checkpoint's path.
    """
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(1)  # the products are small: more threads lose more than they gain
    paths, _ = photos.split(folder)
    paths = paths[:limit]
    model = PhotoNet(config).to(device)
    network = [p for n, p in model.named_parameters() if not n.startswith("linear")]
    rates = [schedule.rate, schedule.linear_rate]
    groups = [{"params": p, "lr": rate} for p, rate in zip((network, list(model.linear)), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-4)
    step, spent = 0, 0.0
    default: Coefficients
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["seconds"]
        default = [d.cpu().numpy() for d in state["default"]]
    else:
        default = photos.default_experts(paths[:: max(1, len(paths) // 160)], config.channels, photos.workers())
    generator = torch.Generator(device).manual_seed(schedule.seed + step)
    round_ = int(spent / 60 / schedule.refresh)
    total = schedule.minutes * 60
    data = _load(paths, config, default, schedule, round_, device, say)
    average, clock, saved = math.nan, time.monotonic(), time.monotonic()
    while spent < total:
        fraction = spent / total
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / schedule.warmup) * decay(fraction, 0.3)
        loss = _step(model, optimizer, *data.draw(schedule.batch, generator), bf16=schedule.bf16 and fraction < 0.7)
        step += 1
        average = loss if math.isnan(average) else average + (loss - average) * max(0.002, 1 / (step + 1))
        now = time.monotonic()
        spent, clock = spent + now - clock, now
        if step % 500 == 0:
            say(f"step {step}  {spent / 60:.1f} min  {average:.4f} bpsp  {step * schedule.batch / spent:,.0f} pixels/s")
        if now - saved > 120 or spent >= total:
            _save(checkpoint, model, optimizer, step, spent, default, config, schedule, average)
            saved = time.monotonic()
        if int(spent / 60 / schedule.refresh) > round_ and fraction < 0.95:
            round_ += 1
            data = _load(paths, config, default, schedule, round_, device, say)
            clock = time.monotonic()
    return checkpoint


def _step(model: PhotoNet, optimizer: torch.optim.Optimizer, inputs: Inputs, values: Tensor, bf16: bool) -> float:
    with torch.autocast(values.device.type, torch.bfloat16, enabled=bf16):
        loss = model.bits(inputs, values).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _load(
    paths: list[Path],
    config: PhotoConfig,
    default: Coefficients,
    schedule: Schedule,
    round_: int,
    device: torch.device,
    say: Callable[[str], None],
) -> photos.Pixels:
    begun = time.monotonic()
    seed = schedule.seed * 1000 + round_
    data = photos.Pixels(paths, config.channels, default, seed, schedule.history, photos.workers(), device)
    say(f"prepared {len(paths)} crops in {time.monotonic() - begun:.0f} s")
    return data


def _save(
    path: Path,
    model: PhotoNet,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
    default: Coefficients,
    config: PhotoConfig,
    schedule: Schedule,
    rate: float,
) -> None:
    part = path.with_suffix(".part")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "seconds": seconds,
        "default": [torch.from_numpy(d) for d in default],
        "config": asdict(config),
        "schedule": asdict(schedule),
        "rate": rate,
    }
    torch.save(state, part)
    part.replace(path)
    path.with_suffix(".json").write_text(json.dumps({"step": step, "minutes": seconds / 60, "rate": rate}) + "\n")
