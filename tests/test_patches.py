"""Training patches: where they come from, how they lie."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trainings import CPU, TEXTURES

from ridecodec.engines.orientations import WAYS, transform
from ridecodec.errors import InputError
from ridecodec.training import patches


def test_tensors_are_turned_as_arrays_are() -> None:
    planes = np.arange(24).reshape(2, 3, 4)
    for way in range(WAYS):
        assert np.array_equal(patches.turn(torch.from_numpy(planes), way).numpy(), transform(planes, way))


@pytest.mark.parametrize("ways", [1, 2, 8])
def test_patches_are_pieces_of_the_padded_pictures(ways: int) -> None:
    pictures = [np.random.default_rng(k).integers(0, 256, (2, 7 + k, 9), np.uint8) for k in range(2)]
    data = patches.Patches(pictures, 2, CPU)
    assert (data.pixels, data.smallest) == (7 * 9 + 8 * 9, 7)
    found = data.draw(40, 5, torch.Generator().manual_seed(1), ways)
    assert found.shape == (40, 2, 2 + 5, 2 + 5 + 2)
    padded = [torch.from_numpy(np.pad(p, ((0, 0), (2, 2), (2, 2)), mode="edge")).float() for p in pictures]
    pieces = {
        tuple(patches.turn(whole[:, y : y + 9, x : x + 9], way)[:, :7].flatten().tolist())
        for whole in padded
        for y in range(whole.shape[1] - 8)
        for x in range(whole.shape[2] - 8)
        for way in range(ways)
    }
    assert all(tuple(patch.flatten().tolist()) in pieces for patch in found)


def test_patches_that_do_not_fit_are_refused() -> None:
    data = patches.Patches(TEXTURES, 2, CPU)
    with pytest.raises(InputError, match=r"41 x 41 pixels do not fit .* 40 pixels"):
        data.draw(1, 41, torch.Generator())


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.01, 1), (0.2, 2), (0.99, 9)])
def test_crops_of_a_picture_stay_together(share: float, count: int) -> None:
    paths = [Path(f"p{k}-{crop}.png") for k in range(10) for crop in (0, 1)]
    training, held = patches.hold_out(paths, share)
    assert sorted(training + held) == paths
    assert len(held) == 2 * count
    assert not {p.name[:2] for p in training} & {p.name[:2] for p in held}


def test_one_picture_is_trained_on() -> None:
    assert patches.hold_out([Path("a.png")], 0.1) == ([Path("a.png")], [])


def test_pictures_are_read_in_coding_order(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (3, 4, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").touch()
    (path,) = patches.pictures(tmp_path)
    assert np.array_equal(patches.load(path, 3), rgb.transpose(2, 0, 1)[[1, 0, 2]])
    assert patches.load(path, 1).shape == (1, 3, 4)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a picture"):
        patches.load(path, 1)
    for size in ((1 << 20, 1 << 20), (1, 1)):  # a bomb, and a header alone
        header = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\4bad!" + b"junk" * 2)
        with pytest.raises(InputError, match=r"a\.png: not a picture"):
            patches.load(path, 1)
    path.unlink()
    with pytest.raises(InputError, match="no pictures in this folder"):
        patches.pictures(tmp_path)
