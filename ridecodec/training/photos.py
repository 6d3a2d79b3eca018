"""Training pixels of the photo model: photographs with their image experts, as random contexts."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ridecodec.coding.order import RasterLayout
from ridecodec.models.photo.features import ERROR_TAPS, EXPERT_SETS, FAN, Features, place
from ridecodec.models.photo.image_experts import Coefficients, Covariances, covariances, fit
from ridecodec.models.photo.linear_experts import predictions
from ridecodec.models.photo.network import Inputs, assemble

CROP = 320
SUFFIXES = {".webp", ".png", ".ppm", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"}


def pictures(folder: Path) -> dict[str, list[Path]]:
    """Files by picture: ``name-0.webp`` and ``name-1.webp`` are crops of one picture ``name``."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            found.setdefault(path.stem.split("-")[0], []).append(path)
    return found


def split(folder: Path, held_out: int = 40) -> tuple[list[Path], list[Path]]:
    """(training, held out) files; ``held_out`` pictures evenly spread over the sorted names are kept apart."""
    groups = list(pictures(folder).values())
    step = max(1, len(groups) // held_out) if held_out else len(groups) + 1
    kept = set(range(0, len(groups), step)[:held_out]) if held_out else set()
    train = [path for i, group in enumerate(groups) if i not in kept for path in group]
    return train, [path for i in sorted(kept) for path in groups[i]]


def load(path: Path, channels: int) -> NDArray[np.uint8]:
    """Pixels in coding order, uint8 [C, H, W]: gray, or green, red, blue."""
    with Image.open(path) as image:
        if channels == 1:
            return np.array(image.convert("L"))[None]
        pixels: NDArray[np.uint8] = np.array(image.convert("RGB"))
        return np.stack([pixels[:, :, 1], pixels[:, :, 0], pixels[:, :, 2]])


def with_history(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as if its chroma had been stored at half resolution and interpolated (Photo CD, 4:2:0 JPEG)."""
    green, red, blue = torch.from_numpy(pixels.astype(np.float32))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack([blue - luma, red - luma])[None]  # [1, 2, H, W]
    dy, dx = rng.integers(0, 2, 2)
    chroma = torch.roll(chroma, (int(dy), int(dx)), (2, 3))
    small = torch.nn.functional.avg_pool2d(chroma, 2)
    mode, corners = [("bilinear", False), ("bilinear", True), ("bicubic", False)][rng.integers(0, 3)]
    chroma = torch.nn.functional.interpolate(small, size=luma.shape, mode=mode, align_corners=corners)
    chroma = torch.roll(chroma, (-int(dy), -int(dx)), (2, 3))[0]
    blue, red = chroma[0] + luma, chroma[1] + luma
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.stack([green, red, blue]).round().clamp(0, 255).byte().numpy()


def augment(pixels: NDArray[np.uint8], rng: np.random.Generator, history: float) -> NDArray[np.uint8]:
    """Random flip or rotation, and with probability ``history`` an interpolated chroma."""
    if rng.random() < 0.5:
        pixels = pixels.transpose(0, 2, 1)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    pixels = np.ascontiguousarray(pixels[:, :CROP, :CROP])
    return with_history(pixels, rng) if len(pixels) == 3 and rng.random() < history else pixels


@dataclass(frozen=True)
class Crop:
    """One prepared crop: extended planes, errors of the image experts, and its size."""

    pixels: NDArray[np.uint8]  # [C, size]
    errors: NDArray[np.int16]  # [C * EXPERT_SETS, size], eighths of a pixel
    height: int
    width: int


def _covariances(path: Path, channels: int) -> Covariances:
    torch.set_num_threads(1)
    return covariances(Features(channels), torch.from_numpy(load(path, channels)[:, :CROP, :CROP].astype(np.float32)))


def default_experts(paths: list[Path], channels: int, workers: int) -> Coefficients:
    """Coefficients fitted to all of ``paths`` together: what a tile without its own uses."""
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(partial(_covariances, channels=channels), paths))
    total = Covariances(
        [np.sum([p.sums[c] / p.sums[c][0, :, -1, -1].sum() for p in parts], 0) * 1e9 for c in range(channels)],
        np.sum([p.pixels for p in parts], 0),
    )
    zero = [np.zeros(s[:, :, 0, :-1].shape, dtype=np.int64) for s in total.sums]
    return fit(total, zero, [[2] * EXPERT_SETS] * channels)


def prepare(path: Path, seed: int, channels: int, default: Coefficients, history: float) -> Crop:
    """Load, augment, fit the image experts and predict every pixel with them."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, *path.name.encode()])
    pixels = augment(load(path, channels), rng, history)
    planes = torch.from_numpy(pixels.astype(np.float32))
    features = Features(channels)
    level = rng.choice([0, 1, 2], p=[0.15, 0.1, 0.75])  # small pictures are coded with the default experts
    levels = [[int(level)] * EXPERT_SETS] * channels
    chosen = default if level == 0 else fit(covariances(features, planes), default, levels)
    errors = 8 * planes.repeat_interleave(EXPERT_SETS, 0) - predictions(features, planes, chosen)
    layout = RasterLayout(features.hood, *pixels.shape[1:])
    return Crop(
        layout.extend(planes, 128.0).byte().numpy(),
        layout.extend(errors.clamp(-32768, 32767), 0.0).short().numpy(),
        pixels.shape[1],
        pixels.shape[2],
    )


class Pixels:
    """All training pixels in memory; draws random ones with their inputs."""

    def __init__(
        self,
        paths: list[Path],
        channels: int,
        default: Coefficients,
        seed: int,
        history: float,
        workers: int,
        device: torch.device,
    ) -> None:
        self.features = Features(channels).to(device)
        self.channels = channels
        self.device = device
        with ProcessPoolExecutor(workers) as pool:
            task = partial(prepare, seed=seed, channels=channels, default=default, history=history)
            crops = list(pool.map(task, paths, chunksize=4))
        sizes = np.array([c.pixels.shape[1] for c in crops])
        self.start = torch.from_numpy(np.cumsum(sizes) - sizes).to(device)
        self.shape = torch.tensor([[c.height, c.width] for c in crops], device=device)
        self.pixels = torch.from_numpy(np.concatenate([c.pixels for c in crops], 1)).to(device)
        self.errors = torch.from_numpy(np.concatenate([c.errors for c in crops], 1)).to(device)
        self.area = (self.shape[:, 0] * self.shape[:, 1]).double()

    def draw(self, count: int, generator: torch.Generator, border: float = 0.06) -> tuple[Inputs, Tensor]:
        """Inputs and values [count, C] of random pixels, a share ``border`` of them near a border."""
        crop = torch.multinomial(self.area, count, replacement=True, generator=generator)
        height, width = self.shape[crop, 0], self.shape[crop, 1]
        unit = torch.rand(2, count, generator=generator, dtype=torch.float64, device=self.device)
        y, x = (unit[0] * height).long(), (unit[1] * width).long()
        edge = torch.rand(count, generator=generator, device=self.device)
        near = torch.randint(0, 3, (count,), generator=generator, device=self.device)
        y = torch.where(edge < border / 3, near, y)
        x = torch.where((edge >= border / 3) & (edge < 2 * border / 3), near, x)
        x = torch.where((edge >= 2 * border / 3) & (edge < border), width - 1 - near, x)
        return self.inputs(crop, y, x)

    def inputs(self, crop: Tensor, y: Tensor, x: Tensor) -> tuple[Inputs, Tensor]:
        """Inputs and values of chosen pixels."""
        hood, c = self.features.hood, self.channels
        width = self.shape[crop, 1]
        left = hood.left + hood.slope * hood.top
        stride = left + width + hood.right
        at = (self.start[crop] + (y + hood.top) * stride + x + left)[:, None]
        fan = torch.tensor(FAN, device=self.device)
        shift = fan[:, 0] * stride[:, None] + fan[:, 1]  # [m, taps]
        taps = torch.cat([self.pixels[k].take(at + shift) for k in range(c)], 1).T.float()
        near = torch.tensor(ERROR_TAPS, device=self.device)
        shift = near[:, 0] * stride[:, None] + near[:, 1]
        errors = torch.cat([e.take(at + shift) for e in self.errors], 1).T.float()
        values = self.pixels[:, at[:, 0]].float()  # [C, m]
        predicted = 8 * values.repeat_interleave(EXPERT_SETS, 0) - self.errors[:, at[:, 0]].float()
        return assemble(self.features, taps, errors, place(y, x, width), values, predicted), values.T


def workers() -> int:
    """Processes for preparing crops."""
    return max(1, os.cpu_count() or 1)
