"""Damaged .rdc and .rdca files with their checksums made right again, so that what lies behind them is reached."""

from __future__ import annotations

import zlib

from ridecodec.container import modelfield, rdca
from ridecodec.container.reader import Reader
from ridecodec.errors import RidecodecError

_TILED, _METADATA = 128, 64
_MOST = 1 << 12
"""Entries of an index that are made right."""


def mended(data: bytes) -> bytes:
    """The file, as far as its structure can be followed."""
    try:
        return _archive(data) if rdca.is_archive(data) else _container(data)
    except RidecodecError:
        return data


def _container(data: bytes) -> bytes:
    reader = Reader(memoryview(data))
    reader.take(4, "")
    flags = reader.integer(1, "")
    width, height = reader.varint(""), reader.varint("")
    modelfield.take(reader)
    reader.take(8, "")
    tile = reader.varint("") if flags & _TILED else 0
    length = reader.varint("") if flags & _METADATA else 0
    head = data[: reader.position]
    reader.take(6 if flags & _METADATA else 2, "")
    section = data[reader.position : reader.position + length]
    head += _checksum(section) if flags & _METADATA else b""
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    reader.take(length, "")
    index = _index(reader, width, height, tile) if tile else _checksum(data[reader.position + 4 :])
    return head + section + index + data[reader.position + (0 if tile else 4) :]


def _index(reader: Reader, width: int, height: int, tile: int) -> bytes:
    """The index of a tiled file, and the reader behind it."""
    count = -(-width // tile) * -(-height // tile)
    if count > _MOST:
        reader.take(reader.left + 1, "")
    lengths, parts = [], []
    for _ in range(count):
        start = reader.position
        lengths.append(reader.varint(""))
        parts.append(bytes(reader.data[start : reader.position]))
        reader.take(4, "")
    reader.take(4, "")
    at, index = reader.position, b""
    for part, length in zip(parts, lengths, strict=True):
        index += part + _checksum(reader.data[at : at + length])
        at += length
    return index + _checksum(index)


def _archive(data: bytes) -> bytes:
    reader = Reader(memoryview(data))
    reader.take(4, "")
    count, models, sections, kinds = (reader.varint("") for _ in range(4))
    if max(count, models, sections, kinds) > _MOST:
        return data
    for _ in range(models):
        modelfield.take(reader)
        reader.take(4, "")
    for _ in range(sections):
        reader.take(reader.varint(""), "")
    for _ in range(kinds):
        flags = reader.integer(1, "")
        for _ in range(3 + bool(flags & _TILED) + bool(flags & _METADATA)):
            reader.varint("")
    reader.take(reader.varint(""), "")
    for _ in range(count):
        for _ in range(1 + (1 < kinds < count)):
            reader.varint("")
        reader.take(4, "")
    at = reader.position
    return data[:at] + _checksum(data[:at]) + data[at + 4 :]


def _checksum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")
