"""Sets of small pictures: folders, mosaics cut into equal parts, and .npy arrays."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError, UsageError
from ridecodec.gathering import PICTURE_ENDINGS
from ridecodec.picture import CODING_ORDER, Picture, check_pixels, check_total
from ridecodec.preparing import Wishes, prepare


@dataclass(frozen=True)
class Entry:
    """A picture of a set, and its name there."""

    name: str
    picture: Picture


_ANY = Wishes(pixels=True)


def entries(
    paths: Sequence[Path], cut: tuple[int, int] | None = None, count: int | None = None, wishes: Wishes = _ANY
) -> Iterator[Entry]:
    """The pictures of folders, picture files and arrays, one after another.

    A file's picture has its name without the extension. ``cut`` (width, height): every picture is a mosaic of parts of
    this size, in rows from the top. An array is uint8 [N, H, W] or [N, H, W, 3]. Parts and an array's pictures have the
    file's name and a number. Only the first ``count`` are given. ``wishes`` says which files are taken, and how many
    pixels all may have. Raises InputError, naming the file.
    """
    found = pixels = 0
    for entry in itertools.islice(itertools.chain.from_iterable(_of(path, cut, wishes) for path in paths), count):
        found += 1
        pixels += entry.picture.width * entry.picture.height
        check_total(pixels, wishes.max_pixels)
        yield entry
    if count is not None and found < count:
        raise InputError(f"there are {found} pictures, and {count} were asked for")


def readable(paths: Sequence[Path]) -> Iterator[Picture]:
    """The pictures of all types that can be read among files and in folders, in the order of their names."""
    for file in sorted(each for path in paths for each in (path.iterdir() if path.is_dir() else [path])):
        with contextlib.suppress(InputError):
            yield Picture.open(file, pixels=True)


def _of(path: Path, cut: tuple[int, int] | None, wishes: Wishes) -> Iterator[Entry]:
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURE_ENDINGS)
        if not found:
            raise InputError(f"{path}: there are no pictures in this folder")
        for each in found:
            yield from _of(each, cut, wishes)
    elif path.suffix.lower() == ".npy":
        if cut is not None:
            raise UsageError(f"{path}: an array is not cut; leave out --cut")
        array = _array(path, wishes)
        for number, part in enumerate(array):
            yield Entry(_numbered(path, number, len(array)), Picture.from_numpy(part))
    else:
        picture = _open(path, wishes)
        if cut is None:
            yield Entry(path.stem, picture)
            return
        parts = _cut(path, picture, *cut)
        for number, part in enumerate(parts):
            yield Entry(_numbered(path, number, len(parts)), part)


def _array(path: Path, wishes: Wishes) -> NDArray[np.uint8]:
    try:
        array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not an array that NumPy can read ({error})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: holds several arrays; wanted is one")
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[3:] not in ((), (3,)) or not array.size:
        raise InputError(f"{path}: an array of {array.dtype} {array.shape}; wanted is uint8 [N, H, W] or [N, H, W, 3]")
    try:
        check_pixels(array.shape[2], array.shape[1], wishes.max_pixels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return array


def _open(path: Path, wishes: Wishes) -> Picture:
    try:
        with path.open("rb") as stream:
            picture = prepare(stream, wishes).picture
        return Picture(picture.plain(), picture.colour)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _cut(path: Path, picture: Picture, width: int, height: int) -> list[Picture]:
    if picture.height % height or picture.width % width:
        size = f"{picture.width} x {picture.height}"
        raise InputError(f"{path}: {size} pixels cannot be cut into parts of {width} x {height}")
    return [
        Picture(np.ascontiguousarray(picture.planes[:, y : y + height, x : x + width]), picture.colour)
        for y in range(0, picture.height, height)
        for x in range(0, picture.width, width)
    ]


def _numbered(path: Path, number: int, count: int) -> str:
    return f"{path.stem}-{number:0{len(str(count - 1))}}"


def stacked(found: Sequence[Entry], channels: int) -> NDArray[np.uint8]:
    """Pictures of one size as uint8 [N, C, H, W], channels in coding order (gray: 1, else green, red, blue).

    InputError names the first that has another size or type than the first.
    """
    if not found:
        raise InputError("there are no pictures")
    shape = found[0].picture.planes.shape
    for entry in found:
        if entry.picture.planes.shape != shape or shape[0] != channels:
            size = " x ".join(map(str, entry.picture.planes.shape[::-1]))
            raise InputError(f"{entry.name}: {size} samples where the others have {shape[2]} x {shape[1]} x {channels}")
    pixels: NDArray[np.uint8] = np.stack([entry.picture.plain()[CODING_ORDER[channels]] for entry in found])
    return pixels


def labels(path: Path, classes: int) -> NDArray[np.uint8]:
    """Labels in a .npy file, whole numbers below ``classes``: uint8 [N]; InputError for others."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not an array that NumPy can read ({error})") from error
    fits = isinstance(found, np.ndarray) and found.ndim == 1 and found.size and np.issubdtype(found.dtype, np.integer)
    if not fits or not 0 <= found.min() <= found.max() < classes:
        raise InputError(f"{path}: wanted are labels from 0 to {classes - 1}, whole numbers [N]")
    return np.asarray(found, np.uint8)
