"""What stood where the surroundings were the same: a table of contexts that learns as a tile is coded.

A context is the first few rows of a value: colours of neighbours, say. It has a slot that says what followed it: the
last colour, the one before that was another, and how often the last one was right in a row. A pixel sees what the
pixels of the fronts before its own have taught; of two of a front that write one slot, the one further down does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.ranges import Int64

MOST = 15
"""Largest count of a slot."""
UNKNOWN = MOST + 1
"""The count of a context that is new."""
HASH_BITS = 31
VALUE_BITS = 32
"""What is remembered, and what contexts are of, is not negative and below 2^32."""
ROWS = 4
"""Rows of a look for each context: latest, before, count, hash; first all latest ones, then all before and so on."""
_SLOT_BITS = 16
"""Of a table of the largest kind."""
_FACTOR = 0x2C1B3C6D
_SPREAD = 15
_MASK = (1 << HASH_BITS) - 1


def slot_bits(pixels: int) -> int:
    """Of a table of a tile of so many pixels: four slots a pixel at least, where there may be as many."""
    return min(_SLOT_BITS, (4 * pixels - 1).bit_length())


def table_bytes(contexts: int, pixels: int) -> int:
    """Bytes of the tables of a tile of so many pixels."""
    return 3 * 8 * contexts << slot_bits(pixels)


def hashes(x: Int64, ends: Sequence[int]) -> Int64:
    """Hashes below 2^31 [contexts, m] of the first ``ends`` rows of x [n, m]."""
    state = np.ones(x.shape[1], np.int64)
    found = []
    for k, row in enumerate(x[: max(ends)]):
        state = ((state ^ row) & _MASK) * _FACTOR + (row >> 16)  # below 2^62: no product overflows
        state = (state ^ (state >> _SPREAD) ^ (state >> HASH_BITS)) & _MASK
        if k + 1 in ends:
            found.append(state)
    return np.stack(found)


class Memory:
    """The tables of one tile, empty at first: one for each context."""

    def __init__(self, contexts: int, pixels: int) -> None:
        self.contexts, self.bits = contexts, slot_bits(pixels)
        self._first = np.arange(contexts)[:, None] << self.bits
        self._seen = np.full((2, contexts << self.bits), -1, np.int64)
        self._counts = np.full(contexts << self.bits, UNKNOWN, np.int8)
        self._tags = np.full(contexts << self.bits, -1, np.int32)

    def look(self, hashes: Int64) -> NDArray[np.int64]:
        """What the tables say of contexts, [ROWS * contexts, m]: -1, -1 and `UNKNOWN` of a new one."""
        slots, tags = self._places(hashes)
        known = self._tags[slots] == tags
        seen = np.where(known, self._seen[:, slots], -1)
        return np.concatenate([*seen, np.where(known, self._counts[slots], UNKNOWN), hashes])

    def learn(self, found: Int64, values: Int64) -> None:
        """Take in what the pixels of a front were [m], by rising row; ``found``: what `look` said of them."""
        latest, before, counts, hashes = found.reshape(ROWS, self.contexts, -1)
        slots, tags = self._places(hashes)
        right = latest == values
        other = np.where(right, before, latest)
        # NumPy assigns in order: of equal slots the last one stays
        self._seen[0, slots] = values
        self._seen[1, slots] = np.where(other < 0, values, other)
        self._counts[slots] = np.where(right, np.minimum(counts + 1, MOST), 0)
        self._tags[slots] = tags

    def _places(self, hashes: Int64) -> tuple[Int64, Int64]:
        return self._first + (hashes & (1 << self.bits) - 1), hashes >> self.bits
