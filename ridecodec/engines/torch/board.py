"""Planes of a batch of equal tiles on a device; what stands around a tile is looked up at the pixel that decides it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ridecodec.engines.board import Board, outside
from ridecodec.engines.torch.steps import NARROW
from ridecodec.exact.order import Neighbourhood
from ridecodec.exact.parts import BORDER, CONSTANT
from ridecodec.exact.program import Program


class TorchBoard:
    """Planes [P, tiles, H * W + 1]: pixels in raster order, then the plane's initial value."""

    def __init__(self, program: Program, height: int, width: int, tiles: int, device: torch.device) -> None:
        self.height, self.width, self.tiles = height, width, tiles
        rules, initial = zip(*outside(program), strict=True)
        reach = max([program.top, *(int(program.ranges[plane.value].top.max()) for plane in program.kept)])
        dtype = torch.float32 if reach < NARROW else torch.float64
        start = torch.tensor(initial, dtype=dtype, device=device)[:, None, None]
        self.values = start.repeat(1, tiles, height * width + 1)
        self.top, self.left, self.stride, cells = _cells(program.hood, height, width)
        self.cells = cells.to(device)  # [rules, cells]
        self.rules = torch.tensor(rules, device=device) * cells.shape[1]
        self.each = torch.arange(tiles, device=device) * self.values.shape[2]

    def tap(self, y: Tensor, x: Tensor, planes: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
        """Neighbours [n, tiles * k] of k pixels, the same of all tiles, in the planes [n]."""
        cell = (y + self.top) * self.stride + x + self.left
        shift = self.rules[planes] + dy * self.stride + dx
        index = self.cells.take(shift[:, None] + cell) + (planes * (self.tiles * self.values.shape[2]))[:, None]
        if self.tiles > 1:
            index = (index[:, None] + self.each[:, None]).flatten(1)
        return self.values.take(index)

    def write(self, planes: Tensor, y: Tensor, x: Tensor, values: Tensor) -> None:
        """Some planes' values [n, tiles * k] at k pixels; ``planes`` [n] are their numbers."""
        at = y * self.width + x
        each = torch.arange(self.tiles, device=at.device)[:, None]
        self.values[planes[:, None, None], each, at] = values.reshape(len(values), self.tiles, -1).to(self.values.dtype)

    def fill(self, first: int, planes: Tensor) -> None:
        """All pixels of some planes [n, tiles, H, W], from plane ``first`` on."""
        self.values[first : first + len(planes), :, :-1] = planes.flatten(2)


@lru_cache(maxsize=8)
def _cells(hood: Neighbourhood, height: int, width: int) -> tuple[int, int, int, Tensor]:
    """Rows above and columns to the left of a tile on a board, its stride, and which value every cell has, by rule.

    [2, cells] positions in a plane of `TorchBoard`.
    """
    board = Board(hood, height, width, [(rule, height * width) for rule in (BORDER, CONSTANT)], np.int64)
    board.fill(0, np.arange(height * width).reshape(1, height, width).repeat(2, 0))
    return hood.top, board.left, board.stride, torch.from_numpy(board.values.reshape(2, -1))
