"""What conditions a network, in integers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ridecodec.models.pixelcnn.board import Board
from ridecodec.models.pixelcnn.context import CODE_BITS, CODE_TOP, Enlarger, Painter, spread
from ridecodec.models.pixelcnn.exact import Context
from ridecodec.models.pixelcnn.integers import INPUT_BITS, INPUT_TOP, STREAM_BITS, STREAM_TOP
from ridecodec.models.pixelcnn.network import INPUT_LIMIT
from ridecodec.models.pixelcnn.rounding import Part, product


def labelled(labels: list[int], classes: int, device: torch.device) -> Context:
    """One label a tile."""
    chosen = torch.tensor(labels, device=device)
    return Context(functional.one_hot(chosen, classes).T.double(), spatial=False)


def coded(codes: list[bytes], device: torch.device) -> Context:
    """One code a tile: int8 each."""
    values = torch.frombuffer(bytearray(b"".join(codes)), dtype=torch.int8).view(len(codes), -1)
    return Context(values.T.double().to(device), spatial=False)


class Painting:
    """`ridecodec.models.pixelcnn.context.Painter`."""

    def __init__(self, painter: Painter) -> None:
        self.deconvolve = product("painter.deconvolve", [Part(painter.deconvolve, CODE_BITS, CODE_TOP)], STREAM_BITS)

    def __call__(self, code: Context, board: Board) -> Context:
        """Of a code for each of the board's tiles."""
        cells = self.deconvolve(code.values).clamp_(0, STREAM_TOP)  # [maps * CELLS^2, tiles]
        return _placed(spread(cells.T[:, :, None, None], board.height, board.width), board)


class Enlarging:
    """`ridecodec.models.pixelcnn.context.Enlarger`."""

    def __init__(self, enlarger: Enlarger) -> None:
        self.look = product("enlarger.look", [Part(enlarger.look, INPUT_BITS, INPUT_TOP)], STREAM_BITS)
        part = Part(enlarger.deconvolve, STREAM_BITS, STREAM_TOP)
        self.deconvolve = product("enlarger.deconvolve", [part], STREAM_BITS)
        self.side, self.reach = 2 * enlarger.reach + 1, enlarger.reach

    def __call__(self, halves: Tensor, board: Board) -> Context:
        """Integers [tiles, C, ceil(H / 2), ceil(W / 2)], double, of the board's tiles."""
        tiles, _, height, width = halves.shape
        maps = torch.cat([2 * halves - INPUT_LIMIT, torch.full_like(halves[:, :1], INPUT_TOP)], 1)
        seen = functional.unfold(maps, self.side, padding=self.reach).transpose(0, 1).flatten(1)  # [taps, positions]
        inner = self.deconvolve(self.look(seen).clamp_(0, STREAM_TOP)).clamp_(0, STREAM_TOP)
        small = inner.view(-1, tiles, height, width).transpose(0, 1)  # [tiles, 4 * maps, h, w]
        return _placed(functional.pixel_shuffle(small, 2)[:, :, : board.height, : board.width], board)


def _placed(maps: Tensor, board: Board) -> Context:
    """Maps [tiles, maps, H, W] where the network reads them."""
    there = board.blank(maps.shape[1])
    board.rows(0, board.height).write(there, 0, maps.transpose(0, 1).flatten(1))
    return Context(there, spatial=True)
