"""ridecodec: lossless image compression driven by learned density models.

The public interface: `compress`, `decompress`, `read_info`, `evaluate`, their argument and result types, and the errors
they raise. Importing this package does not import PyTorch, and registers the .rdc format with Pillow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from ridecodec.container import rdc
from ridecodec.errors import (
    DamagedError,
    InputError,
    LossWarning,
    ModelMissingError,
    ModelRefusedError,
    OutputError,
    OutputExistsError,
    RidecodecError,
    UsageError,
    VerificationError,
)
from ridecodec.evaluation.results import Rates
from ridecodec.files.inputs import file_bytes, refuse, stream_of
from ridecodec.files.ways import FileWays
from ridecodec.picture import MAX_PIXELS, ColourType, Picture, check_pixels
from ridecodec.picture import register as _register_files
from ridecodec.plugins.pillow import register as _register_with_pillow
from ridecodec.tiles import precheck
from ridecodec.tiles.info import Info, read_info
from ridecodec.tiles.progress import Progress
from ridecodec.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from ridecodec.files.inputs import BytesLike, DataLike

    Array: TypeAlias = NDArray[np.uint8 | np.uint16 | np.bool_]
    ImageLike: TypeAlias = BytesLike | BinaryIO | str | os.PathLike[str] | Image.Image | Array | Picture

_register_files(FileWays())


def compress(
    image: ImageLike,
    *,
    model: str = "auto",
    device: str = "auto",
    threads: int = 0,
    tile: int = 0,
    history: str = "auto",
    label: int | None = None,
    verify: bool = True,
    pixels: bool = False,
    max_pixels: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> bytes:
    """Compress a picture without loss and return the .rdc data.

    Args:
        image: a picture file, as a path, its bytes or a binary file object; a Pillow image; an array of uint8 or
            uint16, [H, W] or [H, W, C] of 1 to 4 channels, or of bool, [H, W]; or a `Picture`.
        model: ``auto``, which codes every picture with the cheapest model or form for each tile, or the name of a
            density model, for 8-bit gray and RGB; see ``ridecodec models``.
        device: ``auto``, ``cpu`` or ``cuda`` (needs PyTorch); the data is the same.
        threads: workers, 0 for all cores; the data is the same.
        tile: side of the square tiles, 0 for the default.
        history: ``auto`` looks for what was done to the picture, and codes what was there before where that is smaller;
            ``off`` does not; the name of a history, such as ``photo-cd``, looks for that one only. Only for the model
            ``auto``.
        label: the class of the picture, for models with classes; None for the one that gives the smallest data.
        verify: decode the data and compare before it is returned.
        pixels: also accept files of which only the pixels are kept: lossy formats, PSD and others.
        max_pixels: refuse larger pictures, files before memory is allocated; None for the limit of the format.
        progress: called repeatedly with a `Progress`.

    A `LossWarning` names the parts of a file that are not kept.

    Raises:
        InputError: the picture cannot be read, or is of a type that is not supported.
        UsageError: an option is not valid.
        ModelMissingError: the model needs PyTorch, which is not installed.
        VerificationError: the data does not decode to the picture.
        TypeError: the type of the image is not supported.
    """
    picture = as_picture(image, max_pixels, pixels)
    precheck.check_options(picture, model, device, threads, tile, label, history)
    from ridecodec.tiles import codec  # after the cheap checks, as it loads the models' code

    data = codec.encode(
        picture,
        model=model,
        device=device,
        threads=threads,
        tile=tile,
        history=history,
        label=label,
        progress=progress,
    )
    if verify:
        codec.verify(picture, data, device=device, threads=threads, progress=progress)
    return data


def decompress(
    data: DataLike,
    *,
    device: str = "auto",
    threads: int = 0,
    region: tuple[int, int, int, int] | None = None,
    preview: bool = False,
    max_pixels: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Picture:
    """Decompress .rdc data.

    Args:
        data: a whole .rdc file, as its bytes, a binary file object or a path.
        device: ``auto``, ``cpu`` or ``cuda``; the pixels are the same.
        threads: workers, 0 for all cores; the pixels are the same.
        region: (x, y, width, height) in pixels; only the tiles that overlap it are decoded.
        preview: decode only every second pixel of every second row, which some models code first.
        max_pixels: refuse to decode a larger picture, region or tile, before memory is allocated; None for the limit of
            the format.
        progress: called repeatedly with a `Progress`.

    Raises:
        InputError: the file cannot be read, claims too many pixels, or a picture type that its model does not code.
        DamagedError: the data is damaged or is not .rdc data.
        ModelMissingError: the model of the data is not available, or needs PyTorch, which is not installed.
        UsageError: an option is not valid, or the region is not inside the picture.
        TypeError: the type of the data is not supported.
    """
    limit = _limit(max_pixels)
    precheck.check_work(device, threads)
    held = rdc.read(file_bytes(data))
    precheck.check_decoding(held.header, region, preview, limit)
    from ridecodec.tiles import codec

    if preview:
        return codec.preview(held, device=device, threads=threads, max_pixels=limit, progress=progress)
    return codec.decode_held(held, device=device, threads=threads, region=region, max_pixels=limit, progress=progress)


def evaluate(
    image: ImageLike,
    *,
    model: str = "auto",
    device: str = "auto",
    threads: int = 0,
    tile: int = 0,
    history: str = "auto",
) -> Rates:
    """Return the likelihood, ideal and achieved rates of a picture and a map of its bits, for the file that `compress`
    makes with the same options.

    With ``auto``, the first two rates are None if the file uses several forms, as for drawings. Only density models
    have them, such as ``photo``, which codes 8-bit gray and RGB. Raises the same errors as `compress`.
    """
    picture = as_picture(image, pixels=True)
    precheck.check_options(picture, model, device, threads, tile, None, history)
    from ridecodec.evaluation import rates

    return rates.evaluate(picture, model=model, device=device, threads=threads, tile=tile, history=history)


def as_picture(image: Any, max_pixels: int | None = None, pixels: bool = False) -> Picture:
    """Convert anything that `compress` accepts to a `Picture`; ``pixels`` as for `compress`."""
    limit = _limit(max_pixels)
    from PIL import Image

    if isinstance(image, Image.Image):
        check_pixels(*image.size, limit)
        return Picture.from_pil(image)
    source = image if isinstance(image, (str, os.PathLike)) else stream_of(image)
    if source is not None:
        return Picture.open(source, max_pixels=limit, pixels=pixels)
    if not isinstance(image, Picture) and not hasattr(image, "__array__"):
        raise refuse(image)
    picture = image if isinstance(image, Picture) else Picture.from_numpy(image)
    check_pixels(picture.width, picture.height, limit)
    return picture


def _limit(max_pixels: int | None) -> int:
    if max_pixels is not None and max_pixels < 1:
        raise UsageError(f"max_pixels is {max_pixels}; it must be 1 or more, or None for the format's limit")
    return MAX_PIXELS if max_pixels is None else max_pixels


_register_with_pillow(compress)

__all__ = [
    "ColourType",
    "DamagedError",
    "Info",
    "InputError",
    "LossWarning",
    "ModelMissingError",
    "ModelRefusedError",
    "OutputError",
    "OutputExistsError",
    "Picture",
    "Progress",
    "Rates",
    "RidecodecError",
    "UsageError",
    "VerificationError",
    "__version__",
    "compress",
    "decompress",
    "evaluate",
    "read_info",
]
