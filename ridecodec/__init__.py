"""ridecodec: lossless image compression driven by learned density models.

The whole public interface: `compress`, `decompress`, `read_info`, `evaluate`, the `Picture` they give and take, and
the errors they raise. Importing this does not import torch; the first picture does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ridecodec.errors import (
    DamagedError,
    InputError,
    ModelMissingError,
    ModelRefusedError,
    OutputError,
    OutputExistsError,
    RidecodecError,
    UsageError,
    VerificationError,
)
from ridecodec.info import Info, file_bytes, read_info
from ridecodec.picture import ColourType, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from ridecodec.evaluation.rates import Rates
    from ridecodec.parallel import Progress

    ImageLike: TypeAlias = Image.Image | NDArray[np.uint8] | str | os.PathLike[str] | Picture

__version__ = "0.1.0"


def compress(
    image: ImageLike,
    *,
    model: str = "photo",
    device: str = "auto",
    threads: int = 0,
    tile: int = 0,
    label: int | None = None,
    verify: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> bytes:
    """Compress a picture without loss and return the .rdc data.

    Args:
        image: a Pillow image (mode L or RGB), a uint8 array [H, W] or [H, W, 3], a path, or a `Picture`.
        model: name of the density model; see ``ridecodec models``.
        device: ``auto``, ``cpu`` or ``cuda``; the data is the same.
        threads: workers, 0 for all cores; the data is the same.
        tile: side of the square tiles, 0 for the default.
        label: the picture's class, for models that know some; None: the one that costs least.
        verify: decode the data and compare before it is returned.
        progress: called now and then with a `Progress`.

    Raises:
        InputError: the picture cannot be read, or is of a type that is not supported.
        UsageError: an option makes no sense.
        VerificationError: the data does not decode to the picture.
    """
    from ridecodec import codec

    picture = as_picture(image)
    data = codec.encode(picture, model=model, device=device, threads=threads, tile=tile, label=label, progress=progress)
    if verify:
        codec.verify(picture, data, device=device, threads=threads, progress=progress)
    return data


def decompress(
    data: bytes | str | os.PathLike[str],
    *,
    device: str = "auto",
    threads: int = 0,
    region: tuple[int, int, int, int] | None = None,
    preview: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Picture:
    """Decompress .rdc data.

    Args:
        data: the whole file's bytes, or its path.
        device: ``auto``, ``cpu`` or ``cuda``; the pixels are the same.
        threads: workers, 0 for all cores; the pixels are the same.
        region: (x, y, width, height) in pixels; only the tiles that it touches are decoded.
        preview: decode only every second pixel of every second row, which some models code first.
        progress: called now and then with a `Progress`.

    Raises:
        InputError: the file cannot be read, or its type of picture is not supported.
        DamagedError: the data is damaged or no .rdc data.
        ModelMissingError: the model that it was compressed with is not at hand.
        UsageError: an option makes no sense, or the region is not inside of the picture.
    """
    from ridecodec import codec

    held = file_bytes(data)
    if preview:
        if region is not None:
            raise UsageError("a preview is of the whole picture: leave out the region")
        return codec.preview(held, device=device, threads=threads, progress=progress)
    return codec.decode(held, device=device, threads=threads, region=region, progress=progress)


def evaluate(image: ImageLike, *, model: str = "photo", device: str = "auto", threads: int = 0, tile: int = 0) -> Rates:
    """Likelihood rate, ideal length and achieved rate of a picture, and where its bits go.

    Raises what `compress` raises.
    """
    from ridecodec.evaluation import rates

    return rates.evaluate(as_picture(image), model=model, device=device, threads=threads, tile=tile)


def as_picture(image: Any) -> Picture:
    """A `Picture` of anything that `compress` takes."""
    if isinstance(image, Picture):
        return image
    if isinstance(image, (str, os.PathLike)):
        return Picture.open(image)
    from PIL import Image

    return Picture.from_pil(image) if isinstance(image, Image.Image) else Picture.from_numpy(image)


__all__ = [
    "ColourType",
    "DamagedError",
    "Info",
    "InputError",
    "ModelMissingError",
    "ModelRefusedError",
    "OutputError",
    "OutputExistsError",
    "Picture",
    "RidecodecError",
    "UsageError",
    "VerificationError",
    "__version__",
    "compress",
    "decompress",
    "evaluate",
    "read_info",
]
