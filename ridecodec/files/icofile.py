"""Icons and cursors of one picture, which is a PNG file or half of a BMP file."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError
from ridecodec.files import bmpfile, bmpheader, bmprows, pngfile
from ridecodec.files.bmpheader import Header
from ridecodec.files.source import Source, gaps
from ridecodec.picture import Chunk, ColourType, Picture, check_pixels

_SIGNATURES = (b"\0\0\1\0", b"\0\0\2\0")
_DIRECTORY = 22


def is_ico(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(_SIGNATURES) and start[4:6] != b"\0\0"


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read an icon or a cursor of one picture (see `Source`); transparent pixels become alpha."""
    head = stream.read(_DIRECTORY)
    if len(head) < _DIRECTORY:
        raise _damaged("its directory is cut short")
    kind, count = struct.unpack_from("<HH", head, 2)
    if count != 1:
        raise InputError(f"an icon of several pictures ({count} of them) is not supported")
    width, height, _, _, x, y, length, begin = struct.unpack_from("<4B2H2I", head, 6)
    stream.seek(begin)
    data = stream.read(length)
    if begin < _DIRECTORY or len(data) < length:
        raise _damaged("its picture is cut short")
    part = io.BytesIO(data)
    found = pngfile.read(part, max_pixels) if pngfile.is_png(data[:32]) else _bitmap(part, max_pixels)
    lost, notes = gaps(stream, [(0, _DIRECTORY), (begin, begin + length)])
    if kind == 2 and (x or y):
        lost += ("its hotspot",)
    if (width or 256, height or 256) != (found.picture.width, found.picture.height):
        lost += ("the other size that its directory claims",)
    return replace(found, lost=found.lost + lost, notes=found.notes + notes)


def _bitmap(stream: BinaryIO, max_pixels: int) -> Source:
    """The picture of half of a BMP file: its header claims the height of the pixels and of the mask behind them."""
    whole = bmpheader.parse(stream, 0)
    if whole.height % 2:
        raise _damaged("its picture has no mask")
    header = replace(whole, height=whole.height // 2)
    check_pixels(header.width, header.height, max_pixels)
    found, end = bmpfile.pixels(stream, header, header.palette_end)
    found = replace(found, notes=(), picture=replace(found.picture, metadata=header.chunks + found.picture.metadata))
    mask, last, clean = _mask(stream, header, end)
    lost, notes = gaps(stream, [(0, last)])
    lost += () if clean else ("the bits between the rows of its mask",)
    masked = _masked(found.picture, mask.astype(np.bool_))
    return replace(masked, lost=found.lost + masked.lost + lost, notes=found.notes + notes)


def _mask(stream: BinaryIO, header: Header, begin: int) -> tuple[NDArray[np.uint8], int, bool]:
    """The mask [H, W], where it ends, and whether the padding of its rows is all zeros.

    32-bit pixels have alpha, and need none; the rows that Pillow writes have no padding.
    """
    left = stream.seek(0, io.SEEK_END) - begin
    tight = (header.width + 7) // 8
    if left == 0 and header.bits == 32:
        return np.zeros((header.height, header.width), np.uint8), begin, True
    if left == header.height * tight:
        stream.seek(begin)
        rows = np.frombuffer(stream.read(left), np.uint8).reshape(header.height, tight)
        return np.unpackbits(rows, axis=1, count=header.width)[::-1], begin + left, True
    return bmprows.indices(stream, Header(header.width, header.height, 1), begin)


def _masked(picture: Picture, mask: NDArray[np.bool_]) -> Source:
    """The picture with an alpha of 0 where the mask is set."""
    if picture.colour is ColourType.RGBA:
        told = picture.planes[3] == 0
        same = not mask.any() or np.array_equal(mask, told)
        return Source(picture, () if same else ("its mask, as it has alpha",))
    if not mask.any():
        return Source(picture)
    hidden = np.unique(picture.planes[0][mask])
    if picture.colour is ColourType.PALETTE and len(hidden) == 1 and not (picture.planes[0][~mask] == hidden).any():
        chunk = Chunk(b"tRNS", b"\xff" * int(hidden[0]) + b"\0")
        return Source(replace(picture, metadata=(*picture.metadata, chunk)))
    chunks, lost = picture.metadata, tuple[str, ...]()
    planes = picture.planes
    if picture.palette is not None:
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(picture.palette)] = picture.palette
        planes = colours[planes[0]].transpose(2, 0, 1)
        chunks = tuple(chunk for chunk in chunks if chunk.kind != b"PLTE")
        lost = ("its palette, as pixels of its colours are transparent",)
    elif picture.bit_depth < 8:
        planes = planes * np.uint8(255 // ((1 << picture.bit_depth) - 1))
        lost = ("the depth of its pixels",)
    most = np.iinfo(planes.dtype).max
    planes = np.concatenate([planes, np.where(mask, 0, most).astype(planes.dtype)[None]])
    chunks = tuple(Chunk(b"sBIT", chunk.data + b"\1") if chunk.kind == b"sBIT" else chunk for chunk in chunks)
    colour = ColourType.GRAY_ALPHA if len(planes) == 2 else ColourType.RGBA
    return Source(Picture(planes, colour, 8 * planes.itemsize, chunks), lost)


def _damaged(what: str) -> InputError:
    return InputError(f"the icon is damaged: {what}")
