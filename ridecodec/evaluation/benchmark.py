"""The benchmark: every picture through every codec and back, sizes, times and rates."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ridecodec
from ridecodec.errors import RidecodecError, UsageError, VerificationError
from ridecodec.evaluation import corpora
from ridecodec.evaluation import peers as others
from ridecodec.evaluation.peers import PNG_AS_GIVEN, Pixels, timed
from ridecodec.evaluation.results import ImageResult, Measurement, Results
from ridecodec.formats.pngchunks import SIGNATURE
from ridecodec.modelfield import AUTO
from ridecodec.models import registry
from ridecodec.picture import Picture

__all__ = ["Results", "pictures", "run"]

S = TypeVar("S", np.uint8, np.float32)

PREVIEW_SIDE = 768
PACKAGES = ("torch", "constriction", "pillow", "pillow-jxl-plugin")


@dataclass(frozen=True)
class _Options:
    models: tuple[str, ...]
    peers: tuple[str, ...]
    device: str
    threads: int
    tile: int
    likelihood: bool


def run(
    paths: Sequence[str | Path] = (),
    corpus: str | None = None,
    models: Sequence[str] = (AUTO, "photo"),
    peers: Sequence[str] | None = None,
    limit: int | None = None,
    device: str = "auto",
    threads: int = 0,
    tile: int = 0,
    likelihood: bool = True,
    say: Callable[[str], None] | None = None,
    gray: bool = False,
) -> Results:
    """Compress and decompress pictures with `models` and with other codecs, compare every pixel, and measure.

    Pictures are files, folders of files and the named `corpus`, the first `limit` of them; `gray` converts them to
    8-bit gray.  `peers` are names of `ridecodec.evaluation.peers`, None for all that are installed.  `device`,
    `threads` and `tile` are those of `ridecodec.compress`; `likelihood` also runs the float models.  `say` is given
    one line before each picture.

    Times are CPU seconds of calls in this process, without verification, from and to pixels in memory, after one call
    on a small picture, so that neither imports nor the loading of models count.

    Raises `UsageError`, `InputError`, and `VerificationError` where any codec does not give the pixels back.
    """
    chosen = others.choose(None if peers is None else tuple(peers))
    options = _Options(tuple(dict.fromkeys(models)), chosen, device, threads, tile, likelihood)
    settings = _settings(options, gray)
    files = pictures(paths, corpus, limit)
    images: list[ImageResult] = []
    warm: set[int] = set()
    for i, path in enumerate(files):
        if say:
            say(f"{i + 1}/{len(files)} {path}")
        try:
            data = path.read_bytes() if path.is_file() else b""
            pixels = _pixels(path, gray)
            if pixels.ndim not in warm:
                _measure_all(np.ascontiguousarray(pixels[:8, :8]), options)
                warm.add(pixels.ndim)
            given = data if data.startswith(SIGNATURE) and not gray else None
            images.append(_image(path.name, pixels, given, options))
        except RidecodecError as error:
            raise type(error)(f"{path}: {error}") from error
    labels = {name: others.LABELS[name] for name in chosen} | {name: f"ridecodec {name}" for name in options.models}
    return Results(tuple(images), labels, settings)


def pictures(paths: Sequence[str | Path], corpus: str | None, limit: int | None) -> list[Path]:
    """The files that `run` measures; raises `UsageError` where there are none."""
    files = []
    for path in map(Path, paths):
        files += corpora.pictures_in(path) if path.is_dir() else [path]
    if corpus is not None:
        files += corpora.find(corpus)
    if not files:
        raise UsageError(f"no pictures: give files, folders, or one of the corpora {', '.join(corpora.NAMES)}")
    return files[:limit]


def _pixels(path: Path, gray: bool) -> Pixels:
    picture = Picture.open(path, pixels=True)
    planes = picture.plain()
    if gray:
        return np.asarray(picture.to_pil().convert("L"))
    return np.ascontiguousarray(planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0))


def _image(name: str, pixels: Pixels, given: bytes | None, options: _Options) -> ImageResult:
    measured, heat_maps = _measure_all(pixels, options)
    if given is not None:
        reference = others.measure_given(given, pixels)
        if PNG_AS_GIVEN in options.peers:
            measured.insert(0, reference)
    else:
        optimized = [m for m in measured if m.codec == "png-optimize"]
        reference = optimized[0] if optimized else others.measure(others.PEERS["png-optimize"], pixels)
    height, width = pixels.shape[:2]
    channels = pixels.size // (height * width)
    return ImageResult(name, width, height, channels, reference.size, tuple(measured), _reduced(pixels), heat_maps)


def _measure_all(pixels: Pixels, options: _Options) -> tuple[list[Measurement], dict[str, NDArray[np.float32]]]:
    measured = [
        others.measure(others.PEERS[name], pixels)
        for name in options.peers
        if name != PNG_AS_GIVEN and max(pixels.shape) <= others.PEERS[name].largest_side
    ]
    heat_maps = {}
    for model in options.models:
        measurement, bits_map = _measure_model(model, pixels, options)
        measured.append(measurement)
        if bits_map is not None:
            heat_maps[model] = bits_map
    return measured, heat_maps


def _measure_model(model: str, pixels: Pixels, options: _Options) -> tuple[Measurement, NDArray[np.float32] | None]:
    """A model's sizes, times and rates, and its bits a pixel; `AUTO`, which is many models, has no rates and no map."""
    from ridecodec.evaluation import rates

    device, threads, tile = options.device, options.threads, options.tile
    data, encode = timed(
        lambda: ridecodec.compress(pixels, model=model, device=device, threads=threads, tile=tile, verify=False)
    )
    picture, decode = timed(lambda: ridecodec.decompress(data, device=device, threads=threads))
    if not np.array_equal(picture.to_numpy(), pixels):
        raise VerificationError(f"model {model}: the decoded pixels are not those of the picture")
    measurement = Measurement(model, pixels.shape[0] * pixels.shape[1], pixels.size, len(data), encode, decode)
    if model == AUTO:
        return measurement, None
    found = rates.evaluate(
        Picture.from_numpy(pixels),
        model=model,
        device=device,
        threads=threads,
        tile=tile,
        floats=options.likelihood,
    )
    if found.data != data:
        raise VerificationError(f"model {model}: the rates belong to a file other than the one compressed")
    likelihood = None if found.likelihood is None else found.likelihood * pixels.size
    return replace(measurement, likelihood=likelihood, ideal=found.ideal * pixels.size), _reduced(found.bits_map)


def _reduced(array: NDArray[S]) -> NDArray[S]:
    """Means over squares, so that the longer side is at most `PREVIEW_SIDE`; the array itself where it is already."""
    factor = math.ceil(max(array.shape[:2]) / PREVIEW_SIDE)
    return array if factor == 1 else np.asarray(Image.fromarray(array).reduce(factor))


def _settings(options: _Options, gray: bool) -> dict[str, str]:
    settings = {
        "ridecodec": ridecodec.__version__,
        **{f"model {name}": registry.current(name).hash for name in options.models},
        "threads": str(options.threads or "all"),
        "device": options.device,
        "tile": str(options.tile or "default"),
        "pictures": "converted to gray" if gray else "as they are",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    return settings | {name: version for name in PACKAGES if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
