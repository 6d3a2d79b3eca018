"""The files that a model consists of, which somebody else may have named: regular files of bounded size only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ridecodec.errors import ModelRefusedError

MOST_CARD, MOST_WEIGHTS = 1 << 20, 1 << 30
"""Bytes of the largest card and of the largest file of weights."""


def is_name(text: object) -> bool:
    """Whether this is the name of a file, and none that leads out of its folder."""
    return isinstance(text, str) and text not in ("", ".", "..") and not set(text) & set("/\\:\0")


def read(path: Path, most: int, *, links: bool) -> bytes:
    """The bytes of a regular file, or with ``links`` of one that a link points to.

    Raises ModelRefusedError for a device, a pipe, a folder, a link or more than ``most`` bytes, and OSError.
    """
    extra = getattr(os, "O_NONBLOCK", 0) | (0 if links else getattr(os, "O_NOFOLLOW", 0))
    if not links and path.is_symlink():
        raise ModelRefusedError(f"{path} is a link; use the file itself")
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | extra)) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelRefusedError(f"{path} is not a regular file")
        if status.st_size > most:
            raise ModelRefusedError(f"{path} has {status.st_size:,} bytes, more than the {most:,} that are allowed")
        return stream.read(status.st_size)
