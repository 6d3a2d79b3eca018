"""Training pixels of the photo model: photographs with what adaptive experts say of them, as random contexts."""

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

from ridecodec.engines.base import Runner, learnt_values
from ridecodec.engines.board import filled, margins
from ridecodec.engines.choose import engine_for
from ridecodec.engines.torch.steps import Pixels
from ridecodec.errors import InputError
from ridecodec.exact.program import Program

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


def toned(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture with little colour, or with the colours of a tone such as sepia."""
    colours = pixels.astype(np.float64)
    luma = np.tensordot([0.587, 0.299, 0.114], colours, 1)
    tint = rng.normal(0, [0.02, 0.08, 0.12]) if rng.random() < 0.4 else np.zeros(3)
    kept = rng.random() ** 2 * 0.5
    found = luma * (1 + tint[:, None, None]) + kept * (colours - luma)
    rounded: NDArray[np.uint8] = np.rint(found).clip(0, 255).astype(np.uint8)
    return rounded


def augment(pixels: NDArray[np.uint8], rng: np.random.Generator, history: float, tone: float) -> NDArray[np.uint8]:
    """Random flip or rotation, with probability ``history`` an interpolated chroma, and with ``tone`` little of it."""
    if rng.random() < 0.5:
        pixels = pixels.transpose(0, 2, 1)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    pixels = np.ascontiguousarray(pixels[:, :CROP, :CROP])
    if len(pixels) < 3:
        return pixels
    chance = rng.random()
    if chance < history:
        return with_history(pixels, rng)
    return toned(pixels, rng) if chance < history + tone else pixels


@dataclass(frozen=True)
class Crop:
    """One prepared crop."""

    planes: NDArray[np.int16]  # [planes of the program, size]: samples and kept values, with what stands around them
    predictions: NDArray[np.int16]  # [systems of the program, size]
    height: int
    width: int


class _Preparing:
    """The program of a process that prepares crops, made ready once."""

    program: Program
    runner: Runner

    @classmethod
    def begin(cls, program: Program) -> None:
        cls.program, cls.runner = program, engine_for([program]).open(program)


def prepare(path: Path, seed: int, history: float, tone: float) -> Crop:
    """Load, augment, and compute what the program keeps and predicts of every pixel."""
    program = _Preparing.program
    rng = np.random.default_rng([seed, *path.name.encode()])
    pixels = augment(load(path, program.channels), rng, history, tone)
    _, height, width = pixels.shape
    found = learnt_values(program, _Preparing.runner, pixels, ())
    board = filled(program, pixels, found, np.int16)
    said = np.zeros((len(program.systems), *board.values.shape[1:]), np.int16)
    said[:, board.hood.top :, board.left : board.left + width] = [found[k][0] for k in program.systems]
    return Crop(board.values.reshape(len(board.values), -1), said.reshape(len(said), -1), height, width)


class Crops:
    """All training pixels in memory; draws random ones."""

    def __init__(
        self,
        paths: list[Path],
        program: Program,
        seed: int,
        history: float,
        tone: float,
        workers: int,
        device: torch.device,
    ) -> None:
        self.hood, self.device = program.hood, device
        with ProcessPoolExecutor(workers, initializer=_Preparing.begin, initargs=(program,)) as pool:
            task = partial(prepare, seed=seed, history=history, tone=tone)
            crops = list(pool.map(task, paths, chunksize=4))
        sizes = np.array([c.planes.shape[1] for c in crops])
        self.start = torch.from_numpy(np.cumsum(sizes) - sizes).to(device)
        self.shape = torch.tensor([[c.height, c.width] for c in crops], device=device)
        self.planes = torch.from_numpy(np.concatenate([c.planes for c in crops], 1)).to(device)
        self.predictions = torch.from_numpy(np.concatenate([c.predictions for c in crops], 1)).to(device)
        self.systems = {number: k for k, number in enumerate(program.systems)}
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

    def predict(self, number: int) -> Tensor:
        return self.crops.predictions[self.crops.systems[number], self.at].float()[None]


def workers() -> int:
    """Processes for preparing crops."""
    return max(1, os.cpu_count() or 1)
