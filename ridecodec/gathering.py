"""Files that names stand for: themselves, those that match a pattern, and those in folders."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ridecodec.errors import InputError


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


def files(names: Iterable[str], endings: Collection[str], *, recursive: bool = False) -> list[Found]:
    """The files that names and patterns stand for; ``recursive``: those in folders too, if they have such endings.

    Links to folders are not followed.  Raises `InputError` for a folder that cannot be read or has no such file.
    """
    found: list[Found] = []
    for name in expanded(names):
        if recursive and os.path.isdir(name):
            below = list(_below(name, endings))
            if not below:
                raise InputError(f"{name}: no file in this folder ends in {', '.join(endings)}")
            found += below
        else:
            found.append(Found(name, os.path.basename(name)))
    return found


def number(names: Iterable[str], endings: Collection[str]) -> int:
    """How many files in folders have such endings."""
    return sum(1 for name in expanded(names) if os.path.isdir(name) for _ in _below(name, endings))


def _below(folder: str, endings: Collection[str]) -> Iterator[Found]:
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        folders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in endings:
                path = os.path.join(parent, name)
                yield Found(path, os.path.relpath(path, folder))


def _unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
