"""Files that names stand for: themselves, those that match a pattern, and those in folders."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ridecodec.errors import InputError

PICTURE_ENDINGS = (
    *(".png", ".apng", ".ppm", ".pgm", ".pnm", ".pbm", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".webp", ".avif"),
    *(".tga", ".pcx", ".qoi", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".im", ".msp", ".xbm"),
    *(".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".jpc", ".jpg", ".jpeg", ".jpe", ".jfif"),
)
"""Of files that hold a picture, and no more than that: icons of several sizes and layers are left out."""
_PARTIAL_ENDINGS = (".pcx", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".im", ".msp", ".xbm")
"""Of those, the endings of formats of which only the pixels are kept."""


Left = Callable[[str], str]
"""Why a file of a right ending is not taken, in a word; "" where it is."""


@dataclass(frozen=True)
class Found:
    """A file, and its place in the tree that outputs form: its path below the folder that was named, or its name."""

    path: str
    place: str


def is_pattern(name: str) -> bool:
    """Whether a name is a pattern that shells expand, and there is no file of that very name."""
    return glob.has_magic(name) and not os.path.lexists(name)


def expanded(names: Iterable[str]) -> Iterator[str]:
    """Names, with what matches in place of patterns; a pattern that nothing matches stays."""
    for name in names:
        matches = sorted(glob.glob(name, recursive=True)) if is_pattern(name) else []
        yield from matches or [name]


def partial(path: str) -> str:
    """Why only the pixels of a picture file can be kept, in a word; "" where more can be, or only reading it tells."""
    from ridecodec.files.lossy import lossy

    try:
        with open(path, "rb") as stream:
            if lossy(stream):
                return "lossy"
    except OSError:
        return ""
    return "partial" if path.lower().endswith(_PARTIAL_ENDINGS) else ""


def files(
    names: Iterable[str], endings: Collection[str], left: Left | None = None, *, recursive: bool = False
) -> list[Found]:
    """The files that names and patterns stand for; ``recursive``: those in folders too, if they have such endings and
    are not ``left`` as they are.

    Links to folders are not followed. A folder that cannot be read stands for itself. Raises `InputError` where there
    are no files but those of other endings.
    """
    found: list[Found] = []
    for name in expanded(names):
        if recursive and os.path.isdir(name):
            found += (each for each in _below(name) if not _left(each.path, endings, left) or os.path.isdir(each.path))
        else:
            found.append(Found(name, os.path.basename(name)))
    if not found:
        raise InputError(f"{', '.join(names)}: no files that end in {', '.join(endings)}")
    return found


def others(names: Iterable[str], endings: Collection[str], left: Left | None = None) -> Counter[str]:
    """How many files in folders have other endings, by ending, or are ``left`` as they are."""
    below = (each.path for name in expanded(names) if os.path.isdir(name) for each in _below(name))
    return Counter(why for path in below if (why := _left(path, endings, left)) and not os.path.isdir(path))


def _left(path: str, endings: Collection[str], left: Left | None) -> str:
    """Why a file in a folder is not taken, in words; "" where it is."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in endings:
        return ending or "without an extension"
    word = left(path) if left is not None else ""
    return word and f"{word} {ending}"


def _below(folder: str) -> Iterator[Found]:
    """The files below a folder, and the folders that cannot be read."""
    closed: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            yield Found(path, os.path.relpath(path, folder))
    yield from (Found(path, os.path.basename(path)) for path in closed)
