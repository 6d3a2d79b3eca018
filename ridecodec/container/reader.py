"""Fields off the front of bytes that nobody trusts."""

from __future__ import annotations

from ridecodec.container.varint import read_varint
from ridecodec.errors import DamagedError


class Reader:
    """Takes fields off the front of a file; DamagedError, naming the part, where it ends too early."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, count: int, part: str) -> memoryview:
        if count > self.left:
            raise DamagedError(f"the {part} is damaged: it is cut short, or a length in it is wrong")
        self.position += count
        return self.data[self.position - count : self.position]

    def integer(self, count: int, part: str) -> int:
        return int.from_bytes(self.take(count, part), "little")

    def varint(self, part: str) -> int:
        value, self.position = read_varint(self.data, self.position, part)
        return value
