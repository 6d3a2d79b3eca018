"""Fills the tables of the 16-bit model: how wide and how likely its logistics are in each context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec.engines.choose import engine_for
from ridecodec.exact.families import WideHigh
from ridecodec.exact.families.wide import TOP
from ridecodec.files import sets
from ridecodec.models import registry
from ridecodec.models.deep.definition import (
    COMPONENTS,
    CONTEXTS,
    ENERGY_BINS,
    KINDS,
    SLOPE_BINS,
    define,
    kind,
    recorded,
)
from ridecodec.models.deep.parting import parted
from ridecodec.models.programs import save
from ridecodec.picture import CODING_ORDER
from ridecodec.training.learning_rates import decay
from ridecodec.training.photos import load, split

_HIDDEN = 24
_PHOTOS = 16
"""One in so many photographs learns."""
_SIDE = 128
_BATCH = 8192
_RATE = 5e-3
_LEAST = -4.0
"""Narrowest scale, in octaves."""


class Widths(nn.Module):
    """Scales and weights as smooth functions of the context, so that rare contexts learn from others."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(KINDS + 2, _HIDDEN)
        self.out = nn.Linear(_HIDDEN, 2 * COMPONENTS)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Log-weights and scales in octaves, [m, COMPONENTS] each, of contexts int64 [m]."""
        which = rows // (ENERGY_BINS * SLOPE_BINS)
        energy = rows // SLOPE_BINS % ENERGY_BINS / 8 - 2
        steep = rows % SLOPE_BINS / 4 - 1.5
        told = torch.cat([functional.one_hot(which, KINDS), torch.stack([energy, steep], 1)], 1).float()
        logits, widths = self.out(torch.tanh(self.hidden(told))).chunk(2, 1)
        start = energy[:, None] * 4 + 5 + torch.tensor([0.0, 2.0, 0.5])
        top = (WideHigh.SCALES - 1 - WideHigh.SCALE_ZERO) / WideHigh.SCALE_UNIT
        return functional.log_softmax(logits, 1), (start + 4 * widths).clamp(_LEAST, top)


def pictures(photos: Path, paths: Sequence[Path], seed: int) -> Iterator[NDArray[np.uint16]]:
    """Pictures uint16 [C, H, W] in coding order, of 1 or 3 channels.

    Some photographs at half their size, as they are or with more bits made up; waves with noise of all strengths; and
    those of 16 bits among ``paths`` and in their folders.
    """
    rng = np.random.default_rng(seed)
    for path in split(photos)[0][::_PHOTOS]:
        whole = load(path, 3).astype(np.int64)
        whole = whole[:, : whole.shape[1] // 2 * 2, : whole.shape[2] // 2 * 2]
        halved = whole[:, ::2, ::2] + whole[:, 1::2, ::2] + whole[:, ::2, 1::2] + whole[:, 1::2, 1::2]
        more = int(rng.choice([1, 1, 4, 16, 64]))
        deep = (halved * more + rng.integers(0, more, halved.shape)).astype(np.uint16)
        yield deep
        yield deep[:1]
    for strength in (0, 1, 3, 10, 40, 200, 1000, 5000, 15000, 32767):
        y, x = np.mgrid[:_SIDE, :_SIDE]
        waves = np.sin(x / rng.uniform(5, 40)) * np.cos(y / rng.uniform(5, 40))
        noisy = 32768 + (32767 - strength) * waves + rng.uniform(-1, 1, (3, _SIDE, _SIDE)) * strength
        for planes in (noisy, noisy[:1]):
            yield planes.clip(0, TOP).astype(np.uint16)
    for picture in sets.readable(paths):
        if picture.bit_depth == 16 and picture.channels in (1, 3):
            yield np.ascontiguousarray(picture.planes[CODING_ORDER[picture.channels]], np.uint16)


def train(found: Iterable[NDArray[np.uint16]], steps: int, say: Callable[[str], None] = print, seed: int = 1) -> bytes:
    """The model file, from pictures uint16 [C, H, W] in coding order, of 1 or 3 channels."""
    torch.manual_seed(seed)
    rows, misses = (torch.cat(parts) for parts in zip(*map(_misses, found), strict=True))
    say(f"{len(rows):,} samples")
    net = Widths()
    optimizer = torch.optim.Adam(net.parameters(), _RATE)
    mean = 0.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = _RATE * decay(step / steps, 0.0)
        chosen = torch.randint(len(rows), (_BATCH,))
        loss = _bits(net, rows[chosen], misses[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean += 0.01 * (float(loss.detach()) - mean)
        if step % 500 == 499:
            say(f"step {step + 1}: {mean:.4f} bits")
    with torch.no_grad():
        logits, widths = (each.double().numpy() for each in net(torch.arange(KINDS * CONTEXTS)))
    whole = np.rint(WideHigh.LOGIT_UNIT * (logits - logits.max(1, keepdims=True))).astype(np.int64)
    scales = np.rint(WideHigh.SCALE_ZERO + WideHigh.SCALE_UNIT * widths).astype(np.int64)
    return save({2 * c: define(c, scales.clip(0, WideHigh.SCALES - 1), whole) for c in (1, 3)})


def _bits(net: Widths, rows: Tensor, misses: Tensor) -> Tensor:
    """Code lengths of samples [m] whose distances to the means are ``misses`` [m, COMPONENTS]."""
    logits, widths = net(rows)
    scale = torch.exp2(widths)
    upper, lower = (misses + 0.5) / scale, (misses - 0.5) / scale
    mass = torch.sigmoid(upper.minimum(-lower)) - torch.sigmoid(lower.minimum(-upper))  # without cancellation
    return -torch.log2((logits.exp() * mass).sum(1) + 2.0**-30)


def _misses(picture: NDArray[np.uint16]) -> tuple[Tensor, Tensor]:
    """Contexts [m], and distances of the samples to the components' means [m, COMPONENTS]."""
    blank = np.zeros((KINDS * CONTEXTS, COMPONENTS), np.int64)
    ops, found = recorded(len(picture), blank, blank)
    program, planes = ops.program(), parted(picture)
    wanted = [each.number for pair in found for each in pair]
    values = engine_for([program]).open(program).values(planes, (), wanted).reshape(len(found), -1, planes[0].size)
    rows, misses = [], []
    for c, (context, *means) in enumerate(values):
        rows.append(kind(len(picture), c) * CONTEXTS + context.astype(np.int64))
        misses.append(picture[c].reshape(-1) - np.stack(means) / WideHigh.MEAN_UNIT)
    return torch.from_numpy(np.concatenate(rows)), torch.from_numpy(np.concatenate(misses, 1).T).float()


def write(path: Path, data: bytes, record: dict[str, Any]) -> registry.ModelCard:
    """Write the model file and its card, which has ``record`` of the training."""
    return registry.write(path, data, "deep", "samples of 16 bits", record, (2, 6))
