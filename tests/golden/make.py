"""Writes the golden files of this version: tiny pictures (.npy, of all types .npz), their .rdc from every
model, and archives of them.

    python tests/golden/make.py

Once a version is tagged, its folder stays as it is for ever: files outlive versions.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

import typed  # noqa: E402
from checker import MODELS, QUICK, fit, side  # noqa: E402
from pictures import Array, crop, extremes, noise, ramp, woven  # noqa: E402

import ridecodec  # noqa: E402
from ridecodec.files.sets import Entry  # noqa: E402
from ridecodec.picture import Picture  # noqa: E402
from ridecodec.tiles import setcodec  # noqa: E402

TILED = 9
ARCHIVED = ("gradient", "gated-cifar")
"""Models of the archives."""


def pictures() -> dict[str, Array]:
    return {
        "black": np.zeros((5, 4), np.uint8),
        "dot": np.array([[[200, 30, 77]]], np.uint8),
        "dot-gray": np.array([[129]], np.uint8),
        "edges": extremes((6, 11), 1),
        "noise": noise((7, 5, 3), 1),
        "photo": crop("astronaut", 32, 32, 80, 200),
        "photo-gray": crop("camera", 32, 37),
        "photo-tiled": crop("chelsea", 20, 25),
        "photo-tiled-gray": crop("coins", 19, 12),
        "ramp": ramp((1, 40, 3), 2),
        "woven": woven((64, 64, 3), 1),
        "woven-gray": woven((64, 64), 2),
    }


def tile_of(name: str) -> int:
    """Tile size of a golden picture."""
    return TILED if "tiled" in name else 0


def main() -> None:
    folder = FOLDER / ridecodec.__version__
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, array in pictures().items():
        np.save(folder / f"{name}.npy", array)
        for model in MODELS:
            data = ridecodec.compress(fit(model, array, QUICK), model=model, tile=side(model, tile_of(name)))
            (folder / f"{name}.{model}.rdc").write_bytes(data)
    for name, picture in typed.pictures().items():
        typed.write(folder / f"{name}.npz", picture)
        (folder / f"{name}.auto.rdc").write_bytes(ridecodec.compress(picture, tile=typed.TILES.get(name, 0)))
    for model in ARCHIVED:
        entries = [Entry(name, Picture.from_numpy(fit(model, array, QUICK))) for name, array in pictures().items()]
        (folder / f"{model}.rdca").write_bytes(setcodec.encode(entries, model=model, device="cpu", threads=1))
    entries = [Entry(name, picture) for name, picture in typed.pictures().items()]
    (folder / "auto.rdca").write_bytes(setcodec.encode(entries, model="auto", device="cpu", threads=1))


if __name__ == "__main__":
    main()
