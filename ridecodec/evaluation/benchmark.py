"""The benchmark: every picture through every codec and back, sizes, times and rates."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ridecodec
from ridecodec.container.modelfield import AUTO
from ridecodec.errors import InputError, RidecodecError, UsageError, VerificationError
from ridecodec.evaluation import corpora
from ridecodec.evaluation import peers as others
from ridecodec.evaluation.peers import PNG_AS_GIVEN, Pixels, timed
from ridecodec.evaluation.results import ImageResult, Measurement, Results
from ridecodec.files.pngchunks import SIGNATURE
from ridecodec.files.preparing import stripped
from ridecodec.models import registry
from ridecodec.picture import ColourType, Picture

__all__ = ["Results", "pictures", "run"]

S = TypeVar("S", np.uint8, np.float32)

PNG = "png-optimize"
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
    step: Callable[[float, Sequence[Path]], None] | None = None,
    gray: bool = False,
    failed: Callable[[Path, Exception], None] | None = None,
    done: Callable[[Results], None] | None = None,
) -> Results:
    """Compress and decompress pictures with `models` and with other codecs, compare every pixel, and measure.

    Pictures are files, folders of files and the named `corpus`, the first `limit` of them; `gray` converts them to
    8-bit gray.  `peers` are names of `ridecodec.evaluation.peers`, None for all that are installed.  `device`,
    `threads` and `tile` are those of `ridecodec.compress`; `likelihood` also runs the float models.  Pictures are
    measured without their metadata, but for the size of PNG files as given.  A codec has no result for a picture of a
    type that it does not take; `auto` takes all.

    `step` is given the number of pictures that are done, and all of them, before each picture, after each codec (a
    fraction then) and at the end; `done` the results so far, after each picture.  A picture that cannot be read or
    measured is told to `failed` and left out.

    Times are CPU seconds of calls in this process, without verification, from and to pixels in memory, after one call
    on a small picture, so that neither imports nor the loading of models count.

    Raises `UsageError`; without `failed` also `InputError`, and `VerificationError` where any codec does not give the
    pixels back.
    """
    chosen = others.choose(None if peers is None else tuple(peers))
    options = _Options(tuple(dict.fromkeys(models)), chosen, device, threads, tile, likelihood)
    settings = _settings(options, gray)
    labels = {name: others.LABELS[name] for name in chosen} | {name: f"ridecodec {name}" for name in options.models}
    files = pictures(paths, corpus, limit)
    images: list[ImageResult] = []
    failures: list[str] = []
    warm: set[tuple[ColourType, int]] = set()
    for number, path in enumerate(files):
        told = partial(_tell, step, number, files)
        told(0.0)
        try:
            images.append(_file(path, gray, options, warm, told))
        except Exception as error:  # whatever one picture meets, the others are measured
            if failed is None and isinstance(error, RidecodecError):
                raise type(error)(f"{path}: {error}") from error
            if failed is None:
                raise
            failures.append(f"{path}: {error}")
            failed(path, error)
        if done:
            done(Results(tuple(images), labels, settings, tuple(failures)))
    _tell(step, len(files), files, 0.0)
    return Results(tuple(images), labels, settings, tuple(failures))


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


def _tell(
    step: Callable[[float, Sequence[Path]], None] | None, number: int, files: Sequence[Path], part: float
) -> None:
    """Part of a picture is done."""
    if step:
        step(number + part, files)


def _file(
    path: Path, gray: bool, options: _Options, warm: set[tuple[ColourType, int]], told: Callable[[float], None]
) -> ImageResult:
    """Measure a picture file."""
    data = path.read_bytes() if path.is_file() else b""
    picture = stripped(Picture.open(path, pixels=True), ["all"])
    if gray:
        picture = _gray(picture)
    _check(picture, options)
    kind = (picture.colour, picture.bit_depth)
    if kind not in warm:
        _measure_all(replace(picture, planes=picture.planes[:, :8, :8]), options, lambda part: None)
        warm.add(kind)
    given = data if data.startswith(SIGNATURE) and not gray else None
    return _image(path.name, picture, given, options, told)


def _gray(picture: Picture) -> Picture:
    """The picture in 8-bit gray, as Pillow converts it; of 16 bits the high eight."""
    if picture.bit_depth == 16:
        high = (picture.planes >> 8).astype(np.uint8)
        picture = replace(picture, planes=high, bit_depth=8, metadata=())
    return Picture.from_numpy(np.asarray(picture.to_pil().convert("L")))


def _check(picture: Picture, options: _Options) -> None:
    """Raise `InputError` where none of the models takes such a picture."""
    if options.models and not any(_codes(model, picture) for model in options.models):
        kind = f"{picture.bit_depth}-bit {picture.colour.words}"
        raise InputError(f"is {kind}, which {' and '.join(options.models)} cannot code; add --model {AUTO}")


def _codes(model: str, picture: Picture) -> bool:
    """Whether a model codes pictures of this type."""
    plain = picture.colour in (ColourType.GRAY, ColourType.RGB) and picture.bit_depth == 8
    return model == AUTO or (plain and picture.channels in registry.current(model).channels)


def _image(
    name: str, picture: Picture, given: bytes | None, options: _Options, told: Callable[[float], None]
) -> ImageResult:
    measured, heat_maps = _measure_all(picture, options, told)
    pixels = others.shown(picture)
    if given is not None:
        reference: Measurement | None = others.measure_given(given, picture, pixels)
        if reference is not None and PNG_AS_GIVEN in options.peers:
            measured.insert(0, reference)
    else:
        optimized = [m for m in measured if m.codec == PNG]
        reference = optimized[0] if optimized else others.measure_png(picture, pixels)
    preview = _preview(picture, pixels)
    size = None if reference is None else reference.size
    return ImageResult(name, picture.width, picture.height, picture.channels, size, tuple(measured), preview, heat_maps)


def _preview(picture: Picture, pixels: Pixels | None) -> NDArray[np.uint8]:
    """The picture in 8-bit gray or RGB, at most `PREVIEW_SIDE` pixels a side."""
    if pixels is None or pixels.dtype == np.uint16:
        planes = picture.planes[:3] if picture.channels > 2 else picture.planes[:1]
        high = (planes >> (8 if picture.bit_depth == 16 else 0)).astype(np.uint8)
        pixels = high.transpose(1, 2, 0) if len(high) > 1 else high[0]
    if pixels.ndim == 3:
        pixels = pixels[:, :, :3] if pixels.shape[2] > 2 else pixels[:, :, 0]
    return _reduced(np.ascontiguousarray(pixels, np.uint8))


def _measure_all(
    picture: Picture, options: _Options, told: Callable[[float], None]
) -> tuple[list[Measurement], dict[str, NDArray[np.float32]]]:
    count = len(options.peers) + len(options.models)
    pixels = others.shown(picture)
    measured = []
    for number, name in enumerate(options.peers):
        if number:
            told(number / count)
        found = None
        if name == PNG:
            found = others.measure_png(picture, pixels)
        elif name != PNG_AS_GIVEN and pixels is not None and others.PEERS[name].takes(pixels):
            found = others.measure(others.PEERS[name], pixels)
        if found is not None:
            measured.append(replace(found, sub_pixels=picture.sub_pixels))
    heat_maps = {}
    for number, model in enumerate(options.models, len(options.peers)):
        if number:
            told(number / count)
        if not _codes(model, picture):
            continue
        measurement, bits_map = _measure_model(model, picture, options)
        measured.append(measurement)
        if bits_map is not None:
            heat_maps[model] = bits_map
    return measured, heat_maps


def _measure_model(model: str, picture: Picture, options: _Options) -> tuple[Measurement, NDArray[np.float32] | None]:
    """A model's sizes, times and rates, and its bits a pixel; `AUTO`, which is many models, has no rates and no map."""
    from ridecodec.evaluation import rates

    device, threads, tile = options.device, options.threads, options.tile
    data, encode = timed(
        lambda: ridecodec.compress(picture, model=model, device=device, threads=threads, tile=tile, verify=False)
    )
    again, decode = timed(lambda: ridecodec.decompress(data, device=device, threads=threads))
    if not np.array_equal(again.planes, picture.planes):
        raise VerificationError(f"model {model}: the decoded pixels differ from the picture")
    count = picture.sub_pixels
    measurement = Measurement(model, picture.width * picture.height, count, len(data), encode, decode)
    if model == AUTO:
        return measurement, None
    found = rates.evaluate(
        picture,
        model=model,
        device=device,
        threads=threads,
        tile=tile,
        floats=options.likelihood,
    )
    if found.data != data:
        raise VerificationError(f"model {model}: the rates belong to a file other than the one compressed")
    likelihood = None if found.likelihood is None else found.likelihood * count
    ideal = None if found.ideal is None else found.ideal * count
    return replace(measurement, likelihood=likelihood, ideal=ideal), _reduced(found.bits_map)


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
