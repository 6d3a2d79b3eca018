"""What another machine would do: compresses the pictures of a folder with every model, and decodes the files in it.

    python tests/elsewhere.py FOLDER

reads FOLDER/PICTURE.npy, or of other types .npz, decodes FOLDER/PICTURE.MODEL.rdc and compares, and writes its own
files to FOLDER/own/. The environment variables that it is started with say which processor to imitate. Prints what
torch takes it for, and the number of files decoded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import typed
from checker import MODELS, QUICK, fit, label
from pictures import identical

import ridecodec

TILES = {"tiled": 12}


def compress_all(folder: Path, out: Path) -> None:
    """Every picture with every model, those of other types by ``auto``."""
    for path in sorted(folder.glob("*.npz")):
        (out / f"{path.stem}.auto.rdc").write_bytes(ridecodec.compress(typed.read(path), verify=False))
    for path in sorted(folder.glob("*.npy")):
        for model in MODELS:
            array, tile = fit(model, np.load(path), QUICK), TILES.get(path.stem, 0)
            data = ridecodec.compress(array, model=model, tile=tile, label=label(model), verify=False)
            (out / f"{path.stem}.{model}.rdc").write_bytes(data)


def decode_all(folder: Path) -> int:
    """Number of files, all of which decode to their pictures."""
    paths = sorted(folder.glob("*.rdc"))
    for path in paths:
        name, model, _ = path.name.split(".")
        found = ridecodec.decompress(path.read_bytes())
        if model == "auto":
            alike = identical(found, typed.read(folder / f"{name}.npz"))
        else:
            alike = np.array_equal(found.to_numpy(), fit(model, np.load(folder / f"{name}.npy"), QUICK))
        if not alike:
            raise SystemExit(f"{path.name} decodes to other pixels")
    return len(paths)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    own = here / "own"
    own.mkdir(exist_ok=True)
    compress_all(here, own)
    print(torch.backends.cpu.get_cpu_capability(), decode_all(here))
