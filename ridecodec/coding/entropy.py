"""The entropy coder: constriction's range coder, fed with exact tables.

``Categorical(perfect=False)`` on float32 integers that sum to ``2^24 - K`` gives symbol s the probability
``(w[s] + 1) / 2^24`` exactly. A known symbol's interval can therefore be coded through a table of three, with the
same bits as through its whole table: what is below it, itself, what is above.
"""

from __future__ import annotations

import sys

import constriction
import numpy as np
from numpy.typing import NDArray

_FAMILY = constriction.stream.model.Categorical(perfect=False)
_ONE = 1 << 24


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
        """The code: 32-bit words, little-endian, without its trailing zero bytes (the decoder puts them back)."""
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes().rstrip(b"\0")


class Decoder:
    """Decodes symbols from tables, in the encoder's order."""

    def __init__(self, code: bytes) -> None:
        words = np.frombuffer(code + bytes(-len(code) % 4), dtype="<u4")
        if sys.byteorder == "big":
            words = words.astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, table: NDArray[np.float32]) -> NDArray[np.int32]:
        """Symbols [n] of tables [n, 16] (C-contiguous)."""
        symbols: NDArray[np.int32] = self._coder.decode(_FAMILY, table)
        return symbols
