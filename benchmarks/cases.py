"""Every file of a folder, whatever it is: read exactly, read with a note of what is lost, or refused with a reason.

    python benchmarks/cases.py FOLDER [...]

Each file is compressed as the command line does it, with --pixels only where it is refused without, decoded again and
compared. The pixels are also compared with those of Pillow, OpenCV, imagecodecs, tifffile and NumPy, where these are
installed and know the format. As each of them is wrong about some files, one that agrees is enough; where others make
something of a file, and none the same as ridecodec, it is wrong. It is wrong, too, where reading raises an error that
is not ridecodec's own, or prints something on standard error, or where a file does not come back as it was. The exit
code is 1 if some file is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ridecodec
from ridecodec.errors import InputError
from ridecodec.files.preparing import Prepared, Wishes, prepare
from ridecodec.picture import ColourType, Picture

Array = NDArray[Any]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a file: ``kind`` is exact, noted, refused or wrong, ``said`` the notes, or why."""

    kind: str
    said: str
    checked: tuple[str, ...] = ()
    """The readers that agree on the pixels."""
    others: tuple[str, ...] = ()
    """The readers that do not."""


def judge(path: Path) -> Verdict:
    """Take one file all the way."""
    with caught() as printed:
        try:
            prepared = opened(path)
            back = ridecodec.decompress(ridecodec.compress(prepared.picture, threads=1), threads=1)
        except InputError as error:
            prepared, said = None, str(error)
        except Exception as error:  # the very thing that is looked for
            return Verdict("wrong", f"{type(error).__name__}: {error}")
    if printed:
        return Verdict("wrong", f"prints {printed[0]!r}")
    if prepared is None:
        return Verdict("refused", said)
    picture = prepared.picture
    if not np.array_equal(back.planes, picture.planes) or back.metadata != picture.metadata:
        return Verdict("wrong", "does not come back as it was")
    agree, differ = compared(path, picture)
    if differ and not agree:
        return Verdict("wrong", f"has other pixels by {', '.join(differ)}")
    kind = "noted" if prepared.notes else "exact"
    return Verdict(kind, "; ".join(prepared.notes), agree, differ)


def opened(path: Path) -> Prepared:
    """A file as `compress` takes it, and else as ``compress --pixels`` does."""
    with path.open("rb") as stream:
        try:
            return prepare(stream, Wishes())
        except InputError as error:
            if "--pixels" not in str(error):
                raise
        stream.seek(0)
        return prepare(stream, Wishes(pixels=True))


@contextlib.contextmanager
def caught() -> Iterator[list[str]]:
    """The lines that libraries print on standard error meanwhile, those written in C too, and Python's warnings."""
    lines: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()
            lines += [str(each.message) for each in warned]


def compared(path: Path, picture: Picture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The readers that find the same pixels in a file, and those that find others."""
    ours = colours(picture)
    agree, differ = [], []
    for name, read in READERS.items():
        with caught():
            try:
                theirs = read(path)
            except Exception:  # it cannot read the file, or is not installed
                continue
        if theirs is None:
            continue
        (agree if same(ours, theirs) else differ).append(name)
    return tuple(agree), tuple(differ)


def colours(picture: Picture) -> Array:
    """The pixels as they are shown, uint16 [H, W, 4]; those of CMYK and RGBX as they are stored."""
    planes = picture.planes
    samples = planes.astype(np.uint32).transpose(1, 2, 0)
    if picture.palette is not None and picture.colour.indexed:
        table = np.zeros((256, 4), np.uint32)
        table[:, 3] = 255
        table[: len(picture.palette), :3] = picture.palette
        alpha = np.frombuffer(picture.transparency or b"", np.uint8)
        table[: len(alpha), 3] = alpha
        shown = table[planes[0]]
        if picture.colour is ColourType.PALETTE_ALPHA:
            shown[..., 3] = planes[1]
        return shape((shown * 257).astype(np.uint16))
    return shape((samples * 65535 // ((1 << picture.bit_depth) - 1)).astype(np.uint16))


def shape(samples: Array) -> Array:
    """Samples of any number of channels as uint16 [H, W, 4]."""
    samples = samples if samples.ndim == 3 else samples[..., None]
    if samples.dtype == np.bool_:
        samples = samples * np.uint16(65535)
    samples = samples.astype(np.uint16) * 257 if samples.dtype == np.uint8 else samples
    if samples.shape[2] < 3:
        samples = np.concatenate([samples[..., :1]] * 3 + [samples[..., 1:]], axis=2)
    if samples.shape[2] == 3:
        samples = np.concatenate([samples, np.full_like(samples[..., :1], 65535)], axis=2)
    return samples


def same(ours: Array, theirs: Array) -> bool:
    """Whether a reader found the same, as far as it goes: some have 8 bits only, or no alpha."""
    fewer = theirs.dtype == np.uint8
    deep = ours >> 8 if fewer else ours
    wide = theirs if theirs.ndim == 3 else theirs[..., None]
    found = shape(theirs) >> 8 if fewer else shape(theirs)
    if found.shape != deep.shape:
        return False
    channels = 4 if wide.shape[2] in (2, 4) else 3
    visible = np.broadcast_to(deep[..., 3:] > 0, deep.shape) if channels == 4 else np.ones(deep.shape, bool)
    return bool(np.array_equal((found * visible)[..., :channels], (deep * visible)[..., :channels]))


def by_pillow(path: Path) -> Array | None:
    """The colours that Pillow shows; of PCX of two colours those that the header has, which Pillow leaves out."""
    with Image.open(path) as image:
        if image.format == "PCX" and image.mode == "1":
            held = np.frombuffer(path.read_bytes(), np.uint8, 6, 16).reshape(2, 3)
            return held[np.asarray(image).astype(np.uint8)]
        if image.mode == "1":
            return np.asarray(image)
        if image.mode in ("I;16", "I;16B", "I"):
            return np.asarray(image).astype(np.uint16)
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA")  # type: ignore[assignment]
        return np.asarray(image) if image.mode in ("L", "LA", "RGB", "RGBA", "RGBX", "CMYK") else None


def by_opencv(path: Path) -> Array | None:
    """The samples that OpenCV finds."""
    import cv2

    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype not in (np.uint8, np.uint16):
        return None
    if found.ndim == 3 and found.shape[2] > 2:
        found = found[..., [2, 1, 0, 3][: found.shape[2]]]
    return np.asarray(found)


def by_imagecodecs(path: Path) -> Array | None:
    """The samples that imagecodecs finds."""
    import imagecodecs

    kinds = {".jp2": "jpeg2k", ".j2k": "jpeg2k", ".png": "png", ".webp": "webp", ".gif": "gif", ".qoi": "qoi"}
    kind = kinds.get(path.suffix.lower())
    return None if kind is None else np.asarray(getattr(imagecodecs, f"{kind}_decode")(path.read_bytes()))


def by_tifffile(path: Path) -> Array | None:
    """The samples that tifffile finds, of gray and RGB."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        data = page.asarray()
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            return np.asarray(page.colormap.T[data])
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            data = np.invert(data)
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and data.ndim == 3:
            data = data.transpose(1, 2, 0)
        return np.asarray(data) if data.dtype in (np.uint8, np.uint16, np.bool_) else None


def by_numpy(path: Path) -> Array | None:
    """The samples of a .npy file."""
    return np.asarray(np.load(path, allow_pickle=False)) if path.suffix == ".npy" else None


READERS: dict[str, Callable[[Path], Array | None]] = {
    "Pillow": by_pillow,
    "OpenCV": by_opencv,
    "imagecodecs": by_imagecodecs,
    "tifffile": by_tifffile,
    "NumPy": by_numpy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    counts = dict.fromkeys(("exact", "noted", "refused", "wrong"), 0)
    for folder in parser.parse_args().folders:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            verdict = judge(path)
            counts[verdict.kind] += 1
            checked = [f"as by {', '.join(verdict.checked)}"] if verdict.checked else []
            checked += [f"not as by {', '.join(verdict.others)}"] if verdict.others else []
            checked = [f" ({'; '.join(checked)})"] if checked else []
            print(f"{verdict.kind:<8} {path}{''.join(checked)}{': ' * bool(verdict.said)}{verdict.said}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    sys.exit(bool(counts["wrong"]))


if __name__ == "__main__":
    main()
