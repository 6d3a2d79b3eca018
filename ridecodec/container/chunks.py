"""The bytes of metadata: chunks, back to back, deflated where that is shorter."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.picture import MOST_CHUNKS, Chunk

_PACKED = b"\0"
"""What deflated metadata begins with, and no chunk's kind does."""
_LARGEST = 1 << 24
"""Bytes of chunks that are deflated: a small file cannot make a reader take more memory."""


def write(metadata: Sequence[Chunk]) -> bytes:
    """The section that `read` takes apart; ValueError for a kind that no chunk can have."""
    for chunk in metadata:
        if not _valid_kind(chunk.kind):
            raise ValueError(f"a chunk cannot be of kind {chunk.kind!r}")
    if len(metadata) > MOST_CHUNKS:
        raise ValueError(f"a picture cannot have more than {MOST_CHUNKS} chunks of metadata")
    section = b"".join(chunk.kind + write_varint(len(chunk.data)) + chunk.data for chunk in metadata)
    if len(section) > _LARGEST:
        return section
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    packed = packer.compress(section) + packer.flush()
    return min(section, _PACKED + write_varint(len(section)) + packed, key=len)


def read(section: memoryview) -> tuple[Chunk, ...]:
    """The chunks of a section; DamagedError where it is none."""
    reader, found = Reader(_unpacked(section)), []
    while reader.left:
        kind = bytes(reader.take(4, "metadata"))
        data = bytes(reader.take(reader.varint("metadata"), "metadata"))
        if not _valid_kind(kind):
            raise DamagedError("the metadata is damaged: a chunk has no valid kind")
        found.append(Chunk(kind, data))
        if len(found) > MOST_CHUNKS:
            raise DamagedError(f"the metadata is damaged: it has more than {MOST_CHUNKS} chunks")
    return tuple(found)


def _unpacked(section: memoryview) -> memoryview:
    """The chunks, where they are deflated; no larger than they can be."""
    if section[: len(_PACKED)] != _PACKED:
        return section
    reader = Reader(section[len(_PACKED) :])
    length = reader.varint("metadata")
    packed = reader.take(reader.left, "metadata")
    if length > _LARGEST:
        raise DamagedError("the metadata is damaged: it claims more than its bytes can hold")
    unpacker = zlib.decompressobj(-15)
    try:
        data = unpacker.decompress(packed, length + 1)
    except zlib.error as error:
        raise DamagedError(f"the metadata is damaged ({error})") from error
    if len(data) != length or not unpacker.eof or unpacker.unused_data:
        raise DamagedError("the metadata is damaged: it is not as long as it says")
    return memoryview(data)


def _valid_kind(kind: bytes) -> bool:
    return len(kind) == 4 and all(0x20 <= byte <= 0x7E for byte in kind)
