"""A tile's payload: its side information, with its length before it, and the code."""

from __future__ import annotations

from ridecodec.container.varint import read_varint, write_varint
from ridecodec.errors import DamagedError


def join_payload(side: bytes, code: bytes) -> bytes:
    """The payload of side information and code."""
    return write_varint(len(side)) + side + code


def split_payload(payload: bytes | memoryview) -> tuple[bytes, bytes]:
    """(side information, code); raises DamagedError where the length does not fit."""
    at, end = side_place(payload)
    return bytes(payload[at:end]), bytes(payload[end:])


def side_place(payload: bytes | memoryview) -> tuple[int, int]:
    """Where the side information begins and ends; raises DamagedError where the length does not fit."""
    length, at = read_varint(payload, 0, "pixel data")
    if length > len(payload) - at:
        raise DamagedError("the pixel data is damaged: its side information is longer than the tile")
    return at, at + length
