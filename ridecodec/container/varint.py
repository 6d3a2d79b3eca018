"""Unsigned LEB128 integers: seven bits a byte, least significant first, the high bit says that more follow."""

from __future__ import annotations

from ridecodec.errors import DamagedError

LIMIT = 2**31
"""Values stay below this."""
_MAX_BYTES = 5


def write_varint(value: int) -> bytes:
    """The shortest form of ``value``; ValueError outside of 0 .. LIMIT - 1."""
    if not 0 <= value < LIMIT:
        raise ValueError(f"{value} is out of the range of the format")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes | memoryview, at: int, part: str) -> tuple[int, int]:
    """(value, position behind it); DamagedError, naming the ``part`` of the file, where it breaks the rules."""
    value = 0
    for count in range(_MAX_BYTES):
        if at + count >= len(data):
            raise DamagedError(f"the {part} is damaged: it is cut short, or a length in it is wrong")
        byte = data[at + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if value >= LIMIT or (count and not byte):
                raise DamagedError(
                    f"the {part} is damaged: it has a number that is too large or not in its shortest form"
                )
            return value, at + count + 1
    raise DamagedError(f"the {part} is damaged: it has a number that is too long")
