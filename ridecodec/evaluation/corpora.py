"""Named sets of pictures for benchmarks: photographs of scikit-image, and the Kodak set where it is at hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from ridecodec.errors import InputError, UsageError

NAMES = ("skimage", "kodak")
DATA_VARIABLE = "RIDECODEC_DATA"
SUFFIXES = {".png", ".ppm", ".pgm", ".pnm", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg", ".npy"}

# The photographs among the files that the package itself contains: the others are drawings, scans and microscopy,
# or come by download.
SKIMAGE_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "brick.png",
    "camera.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "moon.png",
)


def find(name: str) -> list[Path]:
    """Files of the corpus `name`.

    Raises `UsageError` for an unknown name, `InputError` where its pictures are not on this machine.
    """
    if name == "skimage":
        return _skimage()
    if name == "kodak":
        return pictures_in(data_folder("kodak"))
    raise UsageError(f"there is no corpus {name!r}; choose one of: {', '.join(NAMES)}")


def pictures_in(folder: Path) -> list[Path]:
    """Picture files directly in `folder`, sorted by name; `InputError` where there are none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from error
    if not found:
        raise InputError(f"{folder}: no pictures in this folder")
    return found


def data_folder(name: str) -> Path:
    """Folder `name` under $RIDECODEC_DATA, or else under ../shared/data; `InputError` where neither is there."""
    roots = [Path(os.environ[DATA_VARIABLE])] if os.environ.get(DATA_VARIABLE) else []
    for root in [*roots, Path("../shared/data")]:
        if (root / name).is_dir():
            return root / name
    raise InputError(
        f"the pictures {name!r} are not available: set {DATA_VARIABLE} to the folder that contains {name}/"
    )


def _skimage() -> list[Path]:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise InputError("the corpus 'skimage' needs scikit-image: pip install 'ridecodec[bench]'")
    folder = Path(spec.origin).parent / "data"
    found = [folder / name for name in SKIMAGE_PHOTOGRAPHS if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder}: this scikit-image contains no photographs: pip install -U 'ridecodec[bench]'")
    return found
