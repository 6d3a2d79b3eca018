"""Sets of small pictures: folders, mosaics cut into equal parts, and .npy arrays."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.counting import counted
from ridecodec.errors import InputError, UsageError
from ridecodec.files import npyfile
from ridecodec.files.gathering import PICTURE_ENDINGS
from ridecodec.files.preparing import Wishes, prepare
from ridecodec.picture import CODING_ORDER, Picture, check_pixels, check_total


@dataclass(frozen=True)
class Entry:
    """A picture of a set, and its name there."""

    name: str
    picture: Picture
    source: str = ""
    """The file that it is from."""
    notes: tuple[str, ...] = ()
    """What is worth saying of the file, as what of it is lost."""
    position: float = 1.0
    """What part of the set has been read, this picture included."""


@dataclass(frozen=True)
class Loose:
    """A picture file that is in memory, as from standard input; ``name`` is that of its picture."""

    name: str
    label: str
    data: bytes


Failed = Callable[[str, InputError | UsageError], None]
_ANY = Wishes(pixels=True)


def entries(
    sources: Sequence[Path | Loose],
    cut: tuple[int, int] | None = None,
    count: int | None = None,
    wishes: Wishes = _ANY,
    failed: Failed | None = None,
) -> Iterator[Entry]:
    """The pictures of folders, picture files and arrays, one after another.

    A file's picture has its name without the extension. ``cut`` (width, height): every picture is a mosaic of parts of
    this size, in rows from the top. An array is uint8, uint16 or bool, [N, H, W] or [N, H, W, 1 to 4], or [H, W] for a
    single picture. Parts and an array's pictures have the file's name and a number. Only the first ``count`` are given.
    ``wishes`` says which files are taken, how, and how many pixels all may have. A file that cannot be read is told to
    ``failed`` and left out; without that it raises `InputError` that names the file.
    """
    found = pixels = 0
    for entry in itertools.islice(_entries(sources, cut, wishes, failed), count):
        found += 1
        pixels += entry.picture.width * entry.picture.height
        check_total(pixels, wishes.max_pixels)
        yield entry
    if count is not None and found < count:
        raise InputError(
            f"{count:,} pictures were requested, but there {'is' if found == 1 else 'are'} {counted(found, 'picture')}"
        )


def readable(paths: Sequence[Path]) -> Iterator[Picture]:
    """The pictures of all types that can be read among files and in folders, in the order of their names."""
    for file in sorted(each for path in paths for each in (path.iterdir() if path.is_dir() else [path])):
        with contextlib.suppress(InputError):
            yield Picture.open(file, pixels=True)


def _entries(
    sources: Sequence[Path | Loose], cut: tuple[int, int] | None, wishes: Wishes, failed: Failed | None
) -> Iterator[Entry]:
    def tell(name: str, error: InputError | UsageError) -> None:
        if failed is None:
            raise type(error)(f"{name}: {error}") from error
        failed(name, error)

    files: list[Path | Loose] = []
    for each in sources:
        if not isinstance(each, Path) or not each.is_dir():
            files.append(each)
            continue
        inside = sorted(file for file in each.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)
        if not inside:
            tell(str(each), InputError("there are no pictures in this folder"))
        files += inside
    sizes = [len(each.data) if isinstance(each, Loose) else _size(each) for each in files]
    read = 0
    for file, size in zip(files, sizes, strict=True):
        label = file.label if isinstance(file, Loose) else str(file)
        try:
            for number, count, entry in _of(file, cut, wishes):
                position = (read + size * (number + 1) / count) / max(1, sum(sizes))
                yield replace(entry, source=label, position=max(position, 1e-9))
        except (InputError, UsageError) as error:
            tell(label, error)
        read += size


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _of(file: Path | Loose, cut: tuple[int, int] | None, wishes: Wishes) -> Iterator[tuple[int, int, Entry]]:
    """Pictures of a file, each with its number and how many there are."""
    name = file.name if isinstance(file, Loose) else file.stem
    with contextlib.ExitStack() as stack:
        try:
            stream = io.BytesIO(file.data) if isinstance(file, Loose) else stack.enter_context(file.open("rb"))
            is_array = stream.read(len(npyfile.SIGNATURE)) == npyfile.SIGNATURE
            stream.seek(0)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error
        array = _array(file, wishes) if is_array else None
        if array is not None and cut is not None:
            raise UsageError("--cut cannot be used with arrays")
        if array is not None and array.ndim == 2:
            yield 0, 1, Entry(name, Picture.from_numpy(array))
            return
        if array is not None:
            for number, part in enumerate(array):
                yield number, len(array), Entry(_numbered(name, number, len(array)), Picture.from_numpy(part))
            return
        prepared = prepare(stream, wishes)
    if cut is None:
        yield 0, 1, Entry(name, prepared.picture, notes=prepared.notes)
        return
    parts = _cut(prepared.picture, *cut)
    for number, part in enumerate(parts):
        notes = () if number else prepared.notes
        yield number, len(parts), Entry(_numbered(name, number, len(parts)), part, notes=notes)


def _array(file: Path | Loose, wishes: Wishes) -> NDArray[Any]:
    try:
        if isinstance(file, Loose):
            array: NDArray[Any] = np.load(io.BytesIO(file.data), allow_pickle=False)
        else:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"not an array that NumPy can read ({error})") from error
    fits = array.ndim in (2, 3) or (array.ndim == 4 and 1 <= array.shape[3] <= 4 and array.dtype != np.bool_)
    if array.dtype not in (np.uint8, np.uint16, np.bool_) or not fits or not array.size:
        raise InputError(
            f"an array of {array.dtype} {array.shape}; it must be uint8 or uint16, [N, H, W] or [N, H, W, 1 to 4]"
        )
    height, width = array.shape[:2] if array.ndim == 2 else array.shape[1:3]
    check_pixels(width, height, wishes.max_pixels)
    return array


def _cut(picture: Picture, width: int, height: int) -> list[Picture]:
    if picture.height % height or picture.width % width:
        size = f"{picture.width} x {picture.height}"
        raise InputError(f"{size} pixels cannot be cut into parts of {width} x {height}")
    return [
        replace(picture, planes=np.ascontiguousarray(picture.planes[:, y : y + height, x : x + width]))
        for y in range(0, picture.height, height)
        for x in range(0, picture.width, width)
    ]


def _numbered(name: str, number: int, count: int) -> str:
    return f"{name}-{number:0{len(str(count - 1))}}"


def stacked(found: Sequence[Entry], channels: int) -> NDArray[np.uint8]:
    """Pictures of one size as uint8 [N, C, H, W], channels in coding order (gray: 1, else green, red, blue).

    InputError names the first that has another size or type than the first.
    """
    if not found:
        raise InputError("there are no pictures")
    shape = found[0].picture.planes.shape
    for entry in found:
        try:
            entry.picture.plain()
        except InputError as error:
            raise InputError(f"{entry.source or entry.name}: {error}") from error
        if entry.picture.planes.shape != shape or shape[0] != channels:
            size = " x ".join(map(str, entry.picture.planes.shape[::-1]))
            raise InputError(f"{entry.name}: {size} samples, but the others have {shape[2]} x {shape[1]} x {channels}")
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
        raise InputError(f"{path}: the labels must be whole numbers [N] from 0 to {classes - 1}")
    return np.asarray(found, np.uint8)
