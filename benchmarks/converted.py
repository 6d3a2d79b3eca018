"""Photographs as people find them: as frames of video and as JPEG files, decoded again."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from kodak import held_out
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from ridecodec.errors import InputError

Array = NDArray[np.uint8]
PHOTOGRAPHS = 10
QUALITIES = (75, 90)
_SIDE = 512
_SKIMAGE = ("astronaut", "coffee", "rocket", "cat", "hubble_deep_field", "retina", "immunohistochemistry")


def photographs(limit: int | None) -> list[tuple[str, Array]]:
    """Names and pixels [H, W, 3] of ten photographs: of those held out from training, or else of scikit-image."""
    try:
        found = [(path.name, np.asarray(Image.open(path).convert("RGB"))) for path in held_out()[:PHOTOGRAPHS]]
    except InputError:
        found = [(name, getattr(data, name)()) for name in _SKIMAGE]
    return [(name, pixels[:_SIDE, :_SIDE]) for name, pixels in found[:limit]]


def frame(pixels: Array) -> Array:
    """A frame of 4:2:0 video of it, by ffmpeg: what swscale makes of RGB, and RGB again of that."""
    layout = {"rgb24": pixels.tobytes()}
    for before, after in (("rgb24", "yuv420p"), ("yuv420p", "rgb24")):
        layout[after] = _swscale(layout[before], before, after, pixels.shape)
    return np.frombuffer(layout["rgb24"], np.uint8).reshape(pixels.shape)


def _swscale(raw: bytes, before: str, after: str, shape: tuple[int, ...]) -> bytes:
    size = f"{shape[1]}x{shape[0]}"
    given = ["-f", "rawvideo", "-pix_fmt", before, "-s", size, "-i", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *given, "-f", "rawvideo", "-pix_fmt", after, "-"]
    return subprocess.run(command, input=raw, capture_output=True, check=True).stdout


def jpeg(pixels: Array, quality: int, subsampling: int) -> Array:
    """What Pillow decodes of the JPEG file that it writes; ``subsampling`` 0 is 4:4:4, 2 is 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


SETS: tuple[tuple[str, Callable[[Array], Iterator[tuple[str, Array]]]], ...] = (
    ("4:2:0 video", lambda pixels: iter([("", frame(pixels))])),
    ("JPEG 4:4:4", lambda pixels: ((f", quality {q}", jpeg(pixels, q, 0)) for q in QUALITIES)),
    ("JPEG 4:2:0", lambda pixels: ((f", quality {q}", jpeg(pixels, q, 2)) for q in QUALITIES)),
)
"""Names, and what becomes of a photograph."""


def converted(limit: int | None) -> Iterator[tuple[str, str, Array]]:
    """Of all sets: its name, the name of a picture, and the pixels."""
    some = photographs(limit)
    for words, make in SETS:
        for name, pixels in some:
            for how, made in make(pixels):
                yield words, f"{Path(name).stem}{how}", made
