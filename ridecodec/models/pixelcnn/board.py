"""Where the maps of a batch of equal tiles stand in memory, and which of their positions are at hand.

A map's values at all positions of all tiles are rows of one matrix [positions, maps], tile by tile in raster order,
with a margin of zeros above, left and right of each tile. A tap is then a distance between rows, the same for every
pixel, and nothing that is known is ever computed again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ridecodec.exact.order import Offset

Taps = tuple[Offset, ...]


class Board:
    """The positions of ``tiles`` tiles of ``height`` x ``width``; ``top`` and ``side``: how wide their margins are."""

    def __init__(self, tiles: int, height: int, width: int, top: int, side: int, device: torch.device) -> None:
        self.tiles, self.height, self.width, self.device = tiles, height, width, device
        self.top, self.side = top, side
        self.stride = width + 2 * side
        self.plane = (height + top) * self.stride
        self.starts = torch.arange(tiles, device=device)[:, None] * self.plane
        self._shifts: dict[Taps, Tensor] = {}

    def blank(self, maps: int) -> Tensor:
        """Zeros, float32 [positions, maps]; on the CPU memory is taken when it is used, so that claims take none."""
        size = (self.tiles * self.plane, maps)
        if self.device.type == "cpu":
            return torch.from_numpy(np.zeros(size, np.float32))
        return torch.zeros(size, device=self.device)

    def shifts(self, taps: Taps) -> Tensor:
        """From a pixel's position to those of its taps (dy, dx), int64 [taps]."""
        if taps not in self._shifts:
            self._shifts[taps] = torch.tensor([dy * self.stride + dx for dy, dx in taps], device=self.device)
        return self._shifts[taps]

    def places(self, y: Tensor, x: Tensor) -> Places:
        """The pixels (y, x), int64 [n] each, of every tile."""
        first = (y + self.top) * self.stride + x + self.side
        return Places(self, (self.starts + first).view(-1))

    def front(self, t: int, slope: int, lead: int = 0, mirrored: bool = False) -> Places:
        """Front ``t``'s pixels that are in the tile, all ``lead`` columns further right, by tile and row.

        ``mirrored``: the columns are counted from the right.
        """
        low = max(0, -(-(t + lead - self.width + 1) // slope))
        high = min(self.height - 1, (t + lead) // slope) + 1
        y = torch.arange(low, max(low, high), device=self.device)
        x = t + lead - slope * y
        return self.places(y, self.width - 1 - x if mirrored else x)

    def fronts(self, slope: int, mirrored: bool = False) -> Iterator[Places]:
        """All of them, in order."""
        for t in range(self.width + slope * (self.height - 1)):
            yield self.front(t, slope, mirrored=mirrored)

    def rows(self, y0: int, y1: int) -> Places:
        """Rows [y0, y1) of every tile."""
        y = torch.arange(y0, y1, device=self.device).repeat_interleave(self.width)
        return self.places(y, torch.arange(self.width, device=self.device).repeat(y1 - y0))


class Places:
    """Some positions of a board: int64 [m], as many of every tile, tile by tile."""

    def __init__(self, board: Board, index: Tensor) -> None:
        self.board, self.index = board, index
        self._taps: dict[Taps, Tensor] = {}

    def __len__(self) -> int:
        return len(self.index)

    def gather(self, maps: Tensor, taps: Taps) -> Tensor:
        """Values of the taps: ``maps`` [positions, n] -> [taps * n, m], tap by tap."""
        if taps not in self._taps:
            self._taps[taps] = (self.index[:, None] + self.board.shifts(taps)).view(-1)
        return maps.index_select(0, self._taps[taps]).view(len(self.index), -1).T

    def read(self, maps: Tensor) -> Tensor:
        """``maps`` [positions, n] -> [n, m]."""
        return maps.index_select(0, self.index).T

    def write(self, maps: Tensor, first: int, values: Tensor) -> None:
        """Put ``values`` [k, m] in columns ``first`` .. of ``maps``."""
        maps[:, first : first + len(values)].index_copy_(0, self.index, values.T.to(maps.dtype))

    def spread(self, values: Tensor) -> Tensor:
        """What is of a tile [n, tiles] at each of its positions [n, m]."""
        return values.repeat_interleave(len(self.index) // self.board.tiles, 1)
