"""What the functions of ridecodec take: data, file objects and paths."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from ridecodec.errors import InputError

BytesLike: TypeAlias = bytes | bytearray | memoryview
DataLike: TypeAlias = "BytesLike | BinaryIO | str | os.PathLike[str]"
"""The bytes of a file, a binary file object, or a path."""


def file_bytes(data: Any) -> bytes | memoryview:
    """The bytes themselves, what is left of a binary file object, or the file at a path.

    Raises InputError where they cannot be read, and TypeError for anything else.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, (str, os.PathLike)):
        try:
            return Path(data).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if is_file(data):
        return _read(data)
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"takes the bytes of an .rdc file, a binary file object or a path, not {_kind(data)}") from None


def stream_of(image: Any) -> BinaryIO | None:
    """A picture file's bytes as a stream, or the binary file object that it is; None for anything else."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return io.BytesIO(image)
    if not is_file(image):
        return None
    _read(image, 0)
    return cast("BinaryIO", image)


def is_file(given: Any) -> bool:
    """Whether it can be read from."""
    return callable(getattr(given, "read", None))


def refuse(image: Any) -> TypeError:
    """The error for what is no picture."""
    taken = "a path, the bytes of a picture file, a binary file object, a Pillow image, an array or a Picture"
    return TypeError(f"takes {taken}, not {_kind(image)}")


def _kind(given: Any) -> str:
    """Its type, in words."""
    return "None" if given is None else f"an object of type {type(given).__name__}"


def _read(file: Any, size: int = -1) -> bytes:
    try:
        data = file.read(size)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if isinstance(data, str):
        raise InputError("the file object gives text: open it in binary mode, 'rb'")
    return bytes(cast("bytes", data))
