"""The same file, byte for byte, whatever computes it; and each decodes the others'."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typed
from checker import EITHER, MODELS, QUICK, codec, coding_planes, fit, label, side
from elsewhere import compress_all
from pictures import Array, crop, noise, piece, ramp, woven

import ridecodec
from ridecodec.engines.tilecoder import TileCodec, decode_tiles, encode_tile

HERE = Path(__file__).parent
PICTURES = {
    "gray": crop("camera", 40, 33),
    "rgb": crop("astronaut", 29, 45),
    "tiled": crop("chelsea", 40, 35),
    "noise": noise((9, 12, 3), 1),
    "woven": woven((64, 64, 3), 1),
    "woven-gray": woven((70, 60), 2),
    "wide": crop("rocket", 3, 200),
}
SIMD = " ".join(np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", []))
MACHINES = {
    "plain": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": SIMD,
    },
    "avx2, threads": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "MKL_CBWR": "AVX2",
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
    },
}


def ignore(pixels: int, bits: float) -> None:
    pass


def decode(model: TileCodec, payloads: list[bytes], shape: tuple[int, ...]) -> Array:
    return decode_tiles(model, payloads, *shape, ignore)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, and this process's files of them."""
    folder = tmp_path_factory.mktemp("exact")
    for name, array in PICTURES.items():
        np.save(folder / f"{name}.npy", array)
    for name, picture in typed.pictures().items():
        typed.write(folder / f"{name}.npz", picture)
    compress_all(folder, folder)
    return folder


@pytest.mark.parametrize("machine", MACHINES)
def test_other_machines_write_the_same_files_and_read_ours(machine: str, folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment |= MACHINES[machine] | {"PYTHONPATH": str(Path(ridecodec.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, HERE / "elsewhere.py", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    capability, count = done.stdout.split()
    assert int(count) == len(PICTURES) * len(MODELS) + len(typed.pictures())
    if machine == "plain":
        assert capability in ("DEFAULT", "NO AVX")
    for ours in sorted(folder.glob("*.rdc")):
        theirs = folder / "own" / ours.name
        assert theirs.read_bytes() == ours.read_bytes(), ours.name
        theirs.unlink()


@pytest.mark.parametrize(("model", "name"), [*((m, "astronaut") for m in MODELS), *((m, "camera") for m in EITHER)])
def test_threads(model: str, name: str) -> None:
    array = fit(model, crop(name, 50, 70), QUICK)
    files = {
        ridecodec.compress(array, model=model, tile=side(model, 13), label=label(model), threads=n, verify=False)
        for n in (1, 5)
    }
    assert len(files) == 1
    for n in (1, 5):
        assert np.array_equal(ridecodec.decompress(*files, threads=n).to_numpy(), array)


@pytest.mark.parametrize(
    ("model", "shape"),
    [(m, s) for m in MODELS for s in ((33, 21), (33, 21, 3), (64, 64, 3)) if m in EITHER or s == (33, 21, 3)],
    ids=str,
)
def test_tiles_in_a_batch(model: str, shape: tuple[int, ...]) -> None:
    """Eight tiles at once, or one by one."""
    coder = codec(model)
    tiles = [coding_planes(fit(model, kind(shape, i), QUICK)) for kind in (piece, woven, noise, ramp) for i in (1, 2)]
    payloads = [encode_tile(coder, tile, ignore, label(model)).payload for tile in tiles]
    together = decode(coder, payloads, tiles[0].shape)
    for tile, payload, found in zip(tiles, payloads, together, strict=True):
        assert np.array_equal(found, tile)
        assert np.array_equal(decode(coder, [payload], tile.shape)[0], tile)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("array", [crop("camera", 70, 50), woven((64, 80, 3), 1), noise((9, 12, 3), 1)])
def test_cuda(model: str, array: Array) -> None:
    array = fit(model, array, QUICK)
    for tile in (0, side(model, 13)):
        files = {d: ridecodec.compress(array, model=model, tile=tile, device=d, verify=False) for d in ("cpu", "cuda")}
        assert files["cpu"] == files["cuda"]
        for device in files:
            assert np.array_equal(ridecodec.decompress(files["cpu"], device=device).to_numpy(), array)
