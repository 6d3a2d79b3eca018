"""The entropy coder: constriction's range coder, fed with exact tables.

``Categorical(perfect=False)`` on float32 integers that sum to ``2^24 - K`` gives symbol s the probability
``(w[s] + 1) / 2^24`` exactly. A known symbol's interval can therefore be coded through a table of three, with the
same bits as through its whole table: what is below it, itself, what is above.
"""

from __future__ import annotations

import constriction
import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import DamagedError

_FAMILY = constriction.stream.model.Categorical(perfect=False)
_ONE = 1 << 24
_STATE = 1 << 64
_AHEAD = 8
"""Bytes beyond its code that a decoder reads at most, as `Encoder.finish` leaves out no more; they count as zeros."""


class Encoder:
    """Codes intervals, in order."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, start: NDArray[np.int64], width: NDArray[np.int64]) -> None:
        """Code intervals [n] of 2^24: ``start`` the mass below, ``width`` > 0 the mass of each symbol."""
        if not len(start):
            return
        above = _ONE - start - width
        first, last = start == 0, above == 0
        table = np.stack([start - 1, width - 1, above - 1], 1)
        table[first] = np.stack([width, above - 1, np.ones_like(above)], 1)[first] - 1
        table[last] = np.stack([start - 1, np.ones_like(start), width], 1)[last] - 1
        symbols = np.where(first, 0, np.where(last, 2, 1)).astype(np.int32)
        self._coder.encode(symbols, _FAMILY, table.astype(np.float32))

    def finish(self) -> bytes:
        """The code: the shortest bytes that decode to the symbols, its 32-bit words big-endian."""
        if self._coder.is_empty():
            return b""
        count, (low, width) = self._coder.pos()
        size = 4 * (count + 2)
        found = self._coder.get_compressed().astype(">u4").tobytes()[:size].ljust(size, b"\0")
        point = int.from_bytes(found, "big")
        least = point - (point - low) % _STATE  # any number from here on, below least + width, will do
        for kept in range(9):
            unit = _STATE >> (8 * kept)
            shortest = -(-least // unit) * unit
            if shortest < least + width:
                break
        code: bytes = shortest.to_bytes(size, "big")
        return code[: size - 8 + kept]


class Decoder:
    """Decodes symbols from tables, in the encoder's order."""

    def __init__(self, code: bytes) -> None:
        words = np.frombuffer(code + bytes(-len(code) % 4), dtype=">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)
        self._echo = constriction.stream.queue.RangeEncoder()  # knows how far the decoder has read, which does not say
        self._most = len(code) + _AHEAD

    def decode(self, table: NDArray[np.float32]) -> NDArray[np.int32]:
        """Symbols [n] of tables [n, 16] (C-contiguous); DamagedError where the code cannot have come from any, and
        where it ends before them."""
        try:
            symbols: NDArray[np.int32] = self._coder.decode(_FAMILY, table)
        except AssertionError as error:  # constriction's, for data that no encoder gives
            raise DamagedError("the pixel data is damaged: it is not a code") from error
        self._echo.encode(symbols, _FAMILY, table)
        if 4 * (self._echo.pos()[0] + 2) > self._most:
            raise DamagedError("the pixel data is damaged: its code ends before the pixels do")
        return symbols
