"""What a reader of picture files gives: the picture, and an account of all else that the file holds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from ridecodec.picture import Picture

_PIECE = 1 << 16


@dataclass(frozen=True)
class Source:
    """A picture file that was read. Every byte of it is in the picture, or is named here.

    A reader has one function, ``read(stream, max_pixels)``. The stream is at its start and can seek. It raises
    `InputError` for damage, for what a `Picture` cannot hold, and for more pixels than ``max_pixels``, before it takes
    memory for them.
    """

    picture: Picture
    lost: tuple[str, ...] = ()
    """What of the file is not kept, each as a noun phrase: "the bytes after its end"."""
    notes: tuple[str, ...] = ()
    """What is worth saying although nothing is lost, each as a clause that follows the file's name and a colon."""
    partial: str = ""
    """Why there may be more in the file than the reader knows of, as a clause; "" where it accounts for everything.

    Such a file is taken with ``--pixels`` only."""


Reader: TypeAlias = Callable[[BinaryIO, int], Source]


def behind(stream: BinaryIO, end: int) -> tuple[str, ...]:
    """Bytes behind where the picture ends, in words."""
    return ("the bytes after its end",) if stream.seek(0, io.SEEK_END) > end else ()


def gaps(stream: BinaryIO, known: Iterable[tuple[int, int]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Bytes of a file that are in none of the ranges ``known``: what is lost, and notes on zeros, which are not."""
    size, done = stream.seek(0, io.SEEK_END), 0
    lost, notes = list[str](), list[str]()
    for begin, end in sorted([*known, (size, size)]):
        if begin > done:
            where = "after its end" if begin == size else "between its parts"
            if _zeros(stream, done, begin):
                notes.append(f"{begin - done:,} zero bytes {where} are left out")
            else:
                lost.append(f"the bytes {where}")
        done = max(done, end)
    return tuple(dict.fromkeys(lost)), tuple(notes)


def _zeros(stream: BinaryIO, begin: int, end: int) -> bool:
    stream.seek(begin)
    return all(not any(stream.read(min(_PIECE, end - at))) for at in range(begin, end, _PIECE))
