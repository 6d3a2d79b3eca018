"""Fills the tables of the 16-bit model: how wide and how likely its logistics are in each context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ridecodec import sets
from ridecodec.coding.exact import exact_arithmetic
from ridecodec.models import registry
from ridecodec.models.deep.backend import (
    COMPONENTS,
    ENERGY_BINS,
    KINDS,
    SLOPE_BINS,
    Deep,
    joined,
    median_edge,
)
from ridecodec.models.deep.mixture import MEAN_UNIT, SCALE_UNIT, SCALE_ZERO, SCALES, TOP, WEIGHT_TOTAL, DeepTables
from ridecodec.models.deep.parting import parted
from ridecodec.picture import CODING_ORDER
from ridecodec.training.photos import load, split
from ridecodec.training.rates import decay

_CONTEXTS = KINDS * ENERGY_BINS * SLOPE_BINS
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
        kind = rows // (ENERGY_BINS * SLOPE_BINS)
        energy = rows // SLOPE_BINS % ENERGY_BINS / 8 - 2
        steep = rows % SLOPE_BINS / 4 - 1.5
        told = torch.cat([functional.one_hot(kind, KINDS), torch.stack([energy, steep], 1)], 1).float()
        logits, widths = self.out(torch.tanh(self.hidden(told))).chunk(2, 1)
        start = energy[:, None] * 4 + 5 + torch.tensor([0.0, 2.0, 0.5])
        top = (SCALES - 1 - SCALE_ZERO) / SCALE_UNIT
        return functional.log_softmax(logits, 1), (start + 4 * widths).clamp(_LEAST, top)


def blank() -> dict[str, Tensor]:
    """The model file's tensors, all contexts alike."""
    tensors = {f"tables.{name}": table for name, table in DeepTables.make().items()}
    tensors["scales"] = torch.full((_CONTEXTS, COMPONENTS), SCALE_ZERO, dtype=torch.int16)
    weights = torch.tensor([WEIGHT_TOTAL // 2, WEIGHT_TOTAL // 4, WEIGHT_TOTAL // 4], dtype=torch.int16)
    return tensors | {"weights": weights.repeat(_CONTEXTS, 1)}


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
    tensors = blank()
    model = Deep(safetensors.torch.save(tensors), torch.device("cpu"))
    rows, misses = (torch.cat(parts) for parts in zip(*(_misses(model, p) for p in found), strict=True))
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
        logits, widths = net(torch.arange(_CONTEXTS))
    share = (logits.exp() * WEIGHT_TOTAL).round().clamp(1, WEIGHT_TOTAL)
    share[torch.arange(_CONTEXTS), share.argmax(1)] += WEIGHT_TOTAL - share.sum(1)
    tensors["weights"] = share.to(torch.int16)
    tensors["scales"] = (SCALE_ZERO + SCALE_UNIT * widths).round().clamp(0, SCALES - 1).to(torch.int16)
    return safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})


def _bits(net: Widths, rows: Tensor, misses: Tensor) -> Tensor:
    """Code lengths of samples [m] whose distances to the means are ``misses`` [m, COMPONENTS]."""
    logits, widths = net(rows)
    scale = torch.exp2(widths)
    upper, lower = (misses + 0.5) / scale, (misses - 0.5) / scale
    mass = torch.sigmoid(upper.minimum(-lower)) - torch.sigmoid(lower.minimum(-upper))  # without cancellation
    return -torch.log2((logits.exp() * mass).sum(1) + 2.0**-30)


@torch.no_grad()
def _misses(model: Deep, picture: NDArray[np.uint16]) -> tuple[Tensor, Tensor]:
    """Contexts [m], and distances of the samples to the components' means [m, COMPONENTS]."""
    planes = torch.from_numpy(parted(picture.astype(np.uint16))).float()
    rows, misses = [], []
    width = planes.shape[2]
    with exact_arithmetic():
        for y0, _, state in model.states(planes, model.side_information(planes)):
            m = state.near.shape[2]
            part = slice(y0 * width, y0 * width + m)
            values = joined(planes).flatten(1)[:, part]
            for c in range(len(picture)):
                rows.append(model.rows_of(state, c))
                model.distribution(state, 2 * c)
                assert state.predicted is not None
                edge = median_edge(state.near, values[:c], c)
                means = torch.stack([state.predicted / MEAN_UNIT, state.predicted / MEAN_UNIT, edge], 1)
                misses.append((values[c][:, None] - means).float())
                for k in range(2):
                    model.observe(state, 2 * c + k, planes[2 * c + k].reshape(-1)[part])
    return torch.cat(rows), torch.cat(misses)


def write(path: Path, data: bytes, record: dict[str, Any]) -> registry.ModelCard:
    """Write the model file and its card, which has ``record`` of the training."""
    return registry.write(path, data, "deep", "samples of 16 bits", record, channels=(2, 6))
