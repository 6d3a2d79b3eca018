"""Pictures that have histories, for tests, and a history that is none of the package's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from pictures import Array, crop, noise

import ridecodec
from ridecodec.box import Box
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame, History
from ridecodec.histories.halves import Halves
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.picture import ColourType, Picture, Samples

RGB = ColourType.RGB
WHOLE = Halves(0)
SIDES = [WHOLE, Halves(1), Halves(1, before=True), Halves(0, after=True), Halves(1, True, True)]


"""Where the samples of chroma may lie."""


def photo_cd(height: int, width: int, rows: Halves = WHOLE, columns: Halves = WHOLE, seed: int = 0) -> Picture:
    """A photograph as a Photo CD would have given it."""
    frame = Frame(width, height, RGB, 8)
    half, _, _ = PhotoCd(rows, columns).sources(frame)
    whole = crop("astronaut", height, width, seed % 60, seed % 50).astype(float)
    small = crop("astronaut", 2 * half.height, 2 * half.width, seed % 60, seed % 50).astype(float)[::2, ::2]
    luma = (whole @ [0.299, 0.587, 0.114] / 1.3584).round()
    light = small @ [0.299, 0.587, 0.114]
    first, second = 156 + (small[..., 2] - light) / 2.2179, 137 + (small[..., 0] - light) / 1.8215
    source = [np.clip(each.round(), 0, 255).astype(np.uint8)[None] for each in (first, second, luma)]
    return Picture(PhotoCd(rows, columns).redo(source, frame, frame.box), RGB)


def compress(picture: Picture | Array, history: str = "auto", tile: int = 0) -> bytes:
    return ridecodec.compress(picture, history=history, tile=tile, threads=1, device="cpu")


def with_logo(picture: Picture) -> Picture:
    """Pixels that no Photo CD gave: a square of noise, and single ones."""
    planes = picture.planes.copy()
    planes[:, 10:18, 20:31] = noise((3, 8, 11), 3)
    planes[1, ::23, ::19] ^= 1
    return replace(picture, planes=planes)


@dataclass(frozen=True)
class Twice(History):
    """Every pixel 2 x 2 times: for tests of what is put on one another."""

    number: ClassVar[int] = 255
    name: ClassVar[str] = "twice"

    @property
    def words(self) -> str:
        return "each pixel 2 x 2 times"

    @classmethod
    def detect(cls, picture: Picture) -> History | None:
        even = picture.width % 2 == picture.height % 2 == 0
        return cls() if even and np.array_equal(picture.planes[:, ::2, ::2], picture.planes[:, 1::2, 1::2]) else None

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> History:
        if parameters or frame.width % 2 or frame.height % 2:
            raise DamagedError("the history is damaged")
        return cls()

    def write(self) -> bytes:
        return b""

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        return (replace(frame, width=frame.width // 2, height=frame.height // 2),)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        return (picture.planes[:, ::2, ::2].copy(),)

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        x, y = box.x // 2, box.y // 2
        return (Box(x, y, (box.x + box.width + 1) // 2 - x, (box.y + box.height + 1) // 2 - y),)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        large = source[0].repeat(2, 1).repeat(2, 2)
        return large[:, box.y % 2 :, box.x % 2 :][:, : box.height, : box.width]
