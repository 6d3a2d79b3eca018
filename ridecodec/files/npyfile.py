"""NumPy's .npy files."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from ridecodec.errors import InputError
from ridecodec.files.pilimages import one_line
from ridecodec.files.source import Source
from ridecodec.picture import Picture, check_pixels

SIGNATURE = b"\x93NUMPY"
_PIECE = 1 << 20


def is_npy(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(SIGNATURE)


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type; raises whatever damage leads to."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read_header(stream)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read an array of bool, [H, W], or of uint8 or uint16, [H, W] or [H, W, C] (see `Source`)."""
    try:
        shape, fortran_order, dtype = _header(stream)
    except Exception as error:  # the header is Python source, so nearly anything can be wrong with it
        raise InputError(f"the .npy header is damaged: {one_line(error)}") from error
    if dtype.kind not in "bu" or dtype.itemsize > 2 or len(shape) not in (2, 3):
        raise InputError(
            f".npy arrays of {dtype} and shape {shape} are not supported, only bool, uint8 and uint16 of HxW and HxWxC"
        )
    if min(shape) < 0:
        raise InputError(f"the .npy header is damaged: the shape {shape} is negative")
    check_pixels(shape[1], shape[0], max_pixels)
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    position = stream.tell()
    if size != stream.seek(0, io.SEEK_END) - position:
        raise InputError(f"the .npy data is damaged: its size does not match the shape {shape}")
    stream.seek(position)
    held = np.empty(size, np.uint8)
    filled = 0
    while filled < size:
        piece = stream.read(min(size - filled, _PIECE))
        if not piece:
            raise InputError("the .npy data is cut short")
        held[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    lost = ("its axis of one channel",) if len(shape) == 3 and shape[2] == 1 else ()
    if dtype.kind == "b" and held.size and held.max() > 1:
        raise InputError("the .npy data is damaged: a bool is more than 1")
    samples = held.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    picture = Picture.from_numpy(samples[..., 0] if lost and dtype.kind == "b" else samples)
    return Source(picture, lost)
