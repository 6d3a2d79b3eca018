"""What stood where the surroundings were the same: tables of contexts that learn as a tile is coded.

A context is some of a pixel's neighbours, colours whole. Each has an entry that says what followed it: the last
colour, the one before that was another, and how often the last one was right in a row. Pixels of a front do not see
each other's entries; of two that would write the same one, the one further down does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ridecodec.coding.order import Offset

NEIGHBOURS: tuple[Offset, ...] = (
    (0, -1),
    (-1, 0),
    (-1, -1),
    (-1, 1),
    (0, -2),
    (-2, 0),
    (-2, 1),
    (-2, -1),
    (-1, -2),
    (0, -3),
    (-2, 2),
)
ENDS = (1, 2, 4, 6, len(NEIGHBOURS))
"""Contexts: as many of the neighbours, from the first."""
MOST = 15
"""Largest count of an entry."""
UNKNOWN = MOST + 1
"""The count of a context that is new."""
_SLOT_BITS = 16
"""Of a table of the largest kind."""
_HASH_BITS = 31
_FACTOR = 0x2C1B3C6D
_SPREAD = 15


@dataclass
class Found:
    """What the tables say of m pixels."""

    latest: Tensor
    """Colour that followed a context last, int64 [contexts, m]; -1 where it is new."""
    before: Tensor
    """The last other one; the same where there is none."""
    counts: Tensor
    """How often `latest` was right in a row, int64 [contexts, m], 0 to `MOST`, or `UNKNOWN`."""
    keys: Tensor
    """Entries, int64 [contexts, m]."""
    tags: Tensor
    """What tells apart contexts of one entry, int64 [contexts, m]."""

    @classmethod
    def blank(cls, pixels: int, device: torch.device) -> Found:
        """Room for what is said of so many pixels."""
        said = torch.empty(3, len(ENDS), pixels, dtype=torch.int64, device=device)
        return cls(said[0], said[1], said[2], said[:0], said[:0])

    def put(self, index: Tensor, other: Found) -> None:
        """What another says goes to the pixels ``index``, without its entries."""
        self.latest[:, index], self.before[:, index], self.counts[:, index] = other.latest, other.before, other.counts

    def at(self, part: slice) -> Found:
        """Some pixels' part, without the entries."""
        return Found(self.latest[:, part], self.before[:, part], self.counts[:, part], self.keys, self.tags)


def slot_bits(pixels: int) -> int:
    """Of a table of a tile of so many pixels: four slots a pixel at least, where there may be as many."""
    return min(_SLOT_BITS, (4 * pixels - 1).bit_length())


def table_bytes(pixels: int) -> int:
    """Bytes of the tables of a tile of so many pixels."""
    return 5 * 8 * len(ENDS) << slot_bits(pixels)


class Memory:
    """Tables of ``tiles`` tiles of so many pixels each, empty at first."""

    def __init__(self, tiles: int, pixels: int, device: torch.device) -> None:
        self.tiles, self.device, self.bits = tiles, device, slot_bits(pixels)
        size = len(ENDS) * tiles << self.bits
        self.latest = torch.full((size,), -1, dtype=torch.int64, device=device)
        self.before = self.latest.clone()
        self.tags = self.latest.clone()
        self.counts = torch.zeros_like(self.latest)
        self.owners = self.latest.clone()
        self.written = 0

    def look(self, neighbours: Tensor) -> Found:
        """Of colours int64 [`NEIGHBOURS`, m] of a front's pixels, as many of every tile, tile by tile."""
        m = neighbours.shape[1]
        state = torch.full((m,), 1, dtype=torch.int64, device=self.device)
        hashes = []
        for k, colour in enumerate(neighbours):
            # below 2^62: no product overflows
            state = ((state ^ colour) & ((1 << _HASH_BITS) - 1)) * _FACTOR + (colour >> 16)
            state = (state ^ (state >> _SPREAD) ^ (state >> _HASH_BITS)) & ((1 << _HASH_BITS) - 1)
            if k + 1 in ENDS:
                hashes.append(state)
        found = torch.stack(hashes)  # [contexts, m]
        tile = torch.arange(self.tiles, device=self.device).repeat_interleave(m // self.tiles)
        table = torch.arange(len(ENDS), device=self.device)[:, None] * self.tiles + tile
        keys, tags = (table << self.bits) + (found & (1 << self.bits) - 1), found >> self.bits
        known = self.tags[keys] == tags
        return Found(
            torch.where(known, self.latest[keys], -1),
            torch.where(known, self.before[keys], -1),
            torch.where(known, self.counts[keys], UNKNOWN),
            keys,
            tags,
        )

    def learn(self, found: Found, colours: Tensor) -> None:
        """Take in what the pixels were, int64 [m]."""
        contexts, m = found.keys.shape
        turn = (self.written + torch.arange(m, device=self.device)).expand(contexts, m)
        self.written += m
        self.owners.scatter_reduce_(0, found.keys.reshape(-1), turn.reshape(-1), "amax")
        last = self.owners[found.keys] == turn
        right = found.latest == colours
        other = torch.where(right, found.before, found.latest)
        keys = found.keys[last]
        self.latest[keys] = colours.expand(contexts, m)[last]
        self.before[keys] = torch.where(other < 0, colours, other)[last]
        self.counts[keys] = torch.where(right, (found.counts + 1).clamp(max=MOST), 0)[last]
        self.tags[keys] = found.tags[last]
