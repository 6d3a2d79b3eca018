"""Training patches of pictures held in memory: random places, random flips and rotations, noise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ridecodec.engines.orientations import WAYS, transform
from ridecodec.errors import InputError

SUFFIXES = {".webp", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".gif"}


def pictures(folder: Path) -> list[Path]:
    """The picture files of a folder, by name; InputError where there is none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder}: there are no pictures in this folder")
    return found


def hold_out(paths: list[Path], share: float) -> tuple[list[Path], list[Path]]:
    """(training, validation) files: evenly spread over the sorted names, about ``share`` of the pictures are kept
    apart, at least one and never all. ``NAME-0`` and ``NAME-1`` are crops of one picture and stay together."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(paths):
        groups.setdefault(re.sub(r"-[01]$", "", path.stem), []).append(path)
    count = min(max(1, round(share * len(groups))), len(groups) - 1) if share else 0
    apart = {(2 * k + 1) * len(groups) // (2 * count) for k in range(count)}
    parts: tuple[list[Path], list[Path]] = ([], [])
    for number, group in enumerate(groups.values()):
        parts[number in apart].extend(group)
    return parts


def load(path: Path, channels: int) -> NDArray[np.uint8]:
    """Pixels in coding order, uint8 [C, H, W]: gray (Pillow's `L`), or green, red, blue."""
    try:
        with Image.open(path) as image:
            if channels == 1:
                return np.array(image.convert("L"))[None]
            pixels: NDArray[np.uint8] = np.array(image.convert("RGB"))
    except Exception as error:  # a plugin raises whatever the damage makes it run into
        raise InputError(f"{path}: not a picture that Pillow can read ({error})") from error
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[[1, 0, 2]])


class Patches:
    """All pictures of a training set, each with its border repeated around it; draws random square patches."""

    def __init__(self, arrays: Iterable[NDArray[np.uint8]], margin: int, device: torch.device) -> None:
        """``arrays``: uint8 [C, H, W] each; ``margin``: pixels around a patch that its neighbourhoods reach.

        `pixels` counts them all without the borders; `smallest` is the shortest side of any picture."""
        padded = [np.pad(a, ((0, 0), (margin, margin), (margin, margin)), mode="edge") for a in arrays]
        self.margin = margin
        self.shape = torch.tensor([a.shape[1:] for a in padded], device=device)
        sizes = torch.tensor([a[0].size for a in padded])
        self.start = (sizes.cumsum(0) - sizes).to(device)
        self.flat = torch.from_numpy(np.concatenate([a.reshape(len(a), -1) for a in padded], 1)).to(device)  # [C, all]
        inner = [(h - 2 * margin, w - 2 * margin) for h, w in self.shape.tolist()]
        self.pixels = sum(h * w for h, w in inner)
        self.smallest = min(min(size) for size in inner)

    def require(self, size: int) -> None:
        """InputError where patches of ``size`` x ``size`` pixels do not fit every picture."""
        if self.smallest < size:
            raise InputError(
                f"patches of {size} x {size} pixels do not fit a picture whose shorter side is {self.smallest} pixels; "
                "leave such pictures out, or choose smaller patches"
            )

    def draw(self, count: int, size: int, generator: torch.Generator, ways: int = WAYS) -> Tensor:
        """``count`` patches of ``size`` squared pixels and their margin above, left and right:
        float32 integers [count, C, margin + size, size + 2 margin]. ``ways``: transforms to choose from."""
        self.require(size)
        device, outer = self.flat.device, size + 2 * self.margin
        room = self.shape - outer + 1  # [pictures, 2]
        which = torch.multinomial(room.prod(1).double(), count, replacement=True, generator=generator)
        unit = torch.rand(2, count, generator=generator, dtype=torch.float64, device=device)
        y, x = (unit * room[which].T).long()
        stride = self.shape[which, 1]
        first = self.start[which] + y * stride + x
        steps = torch.arange(outer, device=device)
        index = first[:, None, None] + steps[:, None] * stride[:, None, None] + steps  # [count, outer, outer]
        found = self.flat[:, index.view(-1)].view(-1, *index.shape).transpose(0, 1).float()  # [count, C, outer, outer]
        turned = torch.randint(ways, (WAYS,), generator=generator, device=device).tolist()
        parts = [turn(part, way) for part, way in zip(found.chunk(WAYS), turned, strict=False)]
        return torch.cat(parts)[:, :, : self.margin + size].contiguous()


def turn(planes: Tensor, way: int) -> Tensor:
    """Flip or rotate planes [..., H, W] by one of the 8 ways of `engines.orientations`."""
    height, width = planes.shape[-2:]
    index = transform(np.arange(height * width).reshape(height, width), way)
    return planes.flatten(-2)[..., torch.from_numpy(index.copy()).to(planes.device)]
