"""Lossless WebP files: the chunks are walked here, so that nothing in them goes unseen; Pillow unpacks the pixels."""

from __future__ import annotations

import io
from typing import BinaryIO

from ridecodec.errors import InputError
from ridecodec.files import metadata, pilfiles
from ridecodec.files.source import Source, behind
from ridecodec.picture import Chunk, Picture

_EXIF_PREFIX = b"Exif\0\0"
_KNOWN = (b"VP8X", b"ICCP", b"VP8L", b"EXIF", b"XMP ")
_PARTS_OF_FRAMES = (b"ANIM", b"ANMF", b"VP8 ", b"ALPH")
_MOST_CHUNKS = 1 << 14


def is_webp(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start[:4] == b"RIFF" and start[8:12] == b"WEBP"


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a WebP file of one picture (see `Source`); of a lossy one only the pixels."""
    chunks, end = _chunks(stream)
    if any(kind in _PARTS_OF_FRAMES for kind, _ in chunks):
        stream.seek(0)
        return pilfiles.read(stream, max_pixels)
    found: dict[bytes, bytes] = {}
    lost = list[str]()
    for kind, data in chunks:
        if kind not in _KNOWN or kind in found:
            words = "".join(char if char.isprintable() else "?" for char in kind.decode("latin-1"))
            lost.append(f"a chunk of kind {words}")
        else:
            found[kind] = data
    if b"VP8L" not in found:
        raise _damaged("it has no picture")
    picture = _pixels(found[b"VP8L"], max_pixels)
    extended = found.get(b"VP8X")
    if extended is not None and _canvas(extended) != (picture.width, picture.height):
        raise _damaged("its picture has another size than its header says")
    exif, xmp, profile = (found.get(kind, b"") for kind in (b"EXIF", b"XMP ", b"ICCP"))
    said = [Chunk(b"ICC ", profile)] if profile else []
    said += [Chunk(b"eXIf", exif.removeprefix(_EXIF_PREFIX))] if exif else []
    said += [metadata.xmp_chunk(xmp)] if xmp else []
    picture = Picture(picture.planes, picture.colour, metadata=tuple(said))
    return Source(picture, (*dict.fromkeys(lost), *behind(stream, end)))


def _chunks(stream: BinaryIO) -> tuple[list[tuple[bytes, bytes]], int]:
    """Kinds and data of all chunks, and where the file ends as its header says."""
    head = stream.read(12)
    end = 8 + int.from_bytes(head[4:8], "little")
    end += end % 2
    found = list[tuple[bytes, bytes]]()
    at = 12
    while at < end:
        stream.seek(at)
        head = stream.read(8)
        length = int.from_bytes(head[4:8], "little")
        data = stream.read(length)
        if len(head) < 8 or len(data) < length or at + 8 + length > end:
            raise _damaged("it is cut short")
        found.append((head[:4], data))
        if len(found) > _MOST_CHUNKS:
            raise InputError(f"has more than {_MOST_CHUNKS} chunks of metadata")
        at += 8 + length + length % 2
    return found, end


def _pixels(bitstream: bytes, max_pixels: int) -> Picture:
    """The picture alone: what the other chunks say of alpha does not matter to a lossless one."""
    padded = bitstream + bytes(len(bitstream) % 2)
    body = b"WEBPVP8L" + len(bitstream).to_bytes(4, "little") + padded
    file = io.BytesIO(b"RIFF" + len(body).to_bytes(4, "little") + body)
    with pilfiles.opened(file, max_pixels) as image:
        return pilfiles.picture_of(image, max_pixels)


def _canvas(header: bytes) -> tuple[int, int]:
    """Width and height that an extended header says."""
    return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1


def _damaged(what: str) -> InputError:
    return InputError(f"the WebP data is damaged: {what}")
