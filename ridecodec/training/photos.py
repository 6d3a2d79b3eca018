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

from ridecodec.engines.board import Board, margins, outside
from ridecodec.engines.torch.engine import Torch
from ridecodec.engines.torch.steps import Pixels
from ridecodec.errors import InputError
from ridecodec.exact.program import Program
from ridecodec.models.photo.definition import EXPERT_SETS, feature_table
from ridecodec.models.photo.image_experts import Coefficients, Covariances, covariances, fit
from ridecodec.models.photo.side import parameters

_CPU = torch.device("cpu")
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
    """(training, held out) files; InputError where there are none.

    ``held_out`` pictures evenly spread over the sorted names are kept apart, of few pictures at most a tenth.
    """
    groups = list(pictures(folder).values())
    if not groups:
        raise InputError(f"{folder}: there are no photographs in this folder")
    count = min(held_out, len(groups) // 10)
    kept = set(range(0, len(groups), len(groups) // count)[:count]) if count else set()
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
    """One prepared crop."""

    planes: NDArray[np.int16]  # [planes of the program, size]: samples and kept values, with what stands around them
    experts: list[NDArray[np.int16]]  # for each channel [EXPERT_SETS, GROUPS, n]
    height: int
    width: int


def _covariances(path: Path, channels: int) -> Covariances:
    return covariances(load(path, channels)[:, :CROP, :CROP], feature_table(channels))


def default_experts(paths: list[Path], channels: int, workers: int) -> Coefficients:
    """Coefficients fitted to all of ``paths`` together: what a tile without its own uses."""
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(partial(_covariances, channels=channels), paths))
    sums = [
        np.sum([1e9 * p.sums[c] / max(p.sums[c][0, :, -1, -1].sum(), 1.0) for p in parts], 0) for c in range(channels)
    ]
    total = Covariances(sums, np.sum([p.pixels for p in parts], 0))
    zero = [np.zeros(s[:, :, 0, :-1].shape, dtype=np.int64) for s in total.sums]
    return fit(total, zero, [[2] * EXPERT_SETS] * channels)


def prepare(path: Path, seed: int, program: Program, default: Coefficients, history: float) -> Crop:
    """Load, augment, fit the image experts and compute what the program keeps of every pixel."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, *path.name.encode()])
    channels = program.channels
    pixels = augment(load(path, channels), rng, history)
    level = rng.choice([0, 1, 2], p=[0.15, 0.1, 0.75])  # small pictures are coded with the default experts
    levels = [[int(level)] * EXPERT_SETS] * channels
    chosen = default if level == 0 else fit(covariances(pixels, feature_table(channels)), default, levels)
    _, height, width = pixels.shape
    board = Board(program.hood, height, width, outside(program), np.int16)
    board.fill(0, pixels)
    board.fill(channels, Torch(_CPU).open(program).kept(pixels, parameters(chosen)))
    planes = board.values.reshape(len(board.values), -1)
    return Crop(planes, [c.astype(np.int16) for c in chosen], height, width)


class Crops:
    """All training pixels in memory; draws random ones."""

    def __init__(
        self,
        paths: list[Path],
        program: Program,
        default: Coefficients,
        seed: int,
        history: float,
        workers: int,
        device: torch.device,
    ) -> None:
        self.hood, self.device = program.hood, device
        with ProcessPoolExecutor(workers) as pool:
            task = partial(prepare, seed=seed, program=program, default=default, history=history)
            crops = list(pool.map(task, paths, chunksize=4))
        sizes = np.array([c.planes.shape[1] for c in crops])
        self.start = torch.from_numpy(np.cumsum(sizes) - sizes).to(device)
        self.shape = torch.tensor([[c.height, c.width] for c in crops], device=device)
        self.planes = torch.from_numpy(np.concatenate([c.planes for c in crops], 1)).to(device)
        chosen = zip(*(crop.experts for crop in crops), strict=True)
        self.experts = [torch.from_numpy(np.stack(each)).to(device).float() for each in chosen]
        self.area = (self.shape[:, 0] * self.shape[:, 1]).double()

    def draw(self, count: int, generator: torch.Generator, border: float = 0.06) -> Drawn:
        """Random pixels, a share ``border`` of them near a border."""
        crop = torch.multinomial(self.area, count, replacement=True, generator=generator)
        height, width = self.shape[crop, 0], self.shape[crop, 1]
        unit = torch.rand(2, count, generator=generator, dtype=torch.float64, device=self.device)
        y, x = (unit[0] * height).long(), (unit[1] * width).long()
        edge = torch.rand(count, generator=generator, device=self.device)
        near = torch.randint(0, 3, (count,), generator=generator, device=self.device)
        y = torch.where(edge < border / 3, near, y)
        x = torch.where((edge >= border / 3) & (edge < 2 * border / 3), near, x)
        x = torch.where((edge >= 2 * border / 3) & (edge < border), width - 1 - near, x)
        return Drawn(self, crop, y, x)


class Drawn(Pixels):
    """Some pixels of crops."""

    def __init__(self, crops: Crops, crop: Tensor, y: Tensor, x: Tensor) -> None:
        self.crops, self.crop, self.y, self.x = crops, crop, y, x
        self.height, self.width = crops.shape[crop].unbind(1)
        left, right = margins(crops.hood)
        self.stride = left + self.width + right
        self.at = crops.start[crop] + (y + crops.hood.top) * self.stride + x + left

    def tap(self, planes: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        held = self.crops.planes
        index = self.at[:, None] + dy * self.stride[:, None] + (planes * held.shape[1] + dx)  # [m, n]
        return held.take(index).T.contiguous().float()

    def sample(self, channel: int) -> Tensor:
        return self.crops.planes[channel, self.at].float()

    def parameter(self, number: int) -> Tensor:
        return self.crops.experts[number][self.crop].flatten(1).T

    def fitted(self, number: int, x: Tensor) -> Tensor:
        matrix = self.crops.experts[number][self.crop].flatten(1, 2)  # [m, sets * groups, n]
        return torch.bmm(matrix, x.T.unsqueeze(2))[:, :, 0].T


def workers() -> int:
    """Processes for preparing crops."""
    return max(1, os.cpu_count() or 1)
