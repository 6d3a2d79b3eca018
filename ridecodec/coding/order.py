"""The two memory layouts of torch backends: where a plane's values stand, as `exact.order` says what they are.

Both layouts hold every plane flat, so that a context is one gather: the value of tap (dy, dx) of the pixel at
``position`` lies at ``position + shift(dy, dx)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ridecodec.exact.order import Neighbourhood, Offset, Tap


class _Layout(ABC):
    """Where a plane's values stand in flat memory."""

    plane: int
    """Values of a plane."""

    @abstractmethod
    def shift(self, offset: Offset) -> int:
        """From a pixel's position to its neighbour's."""

    def shifts(self, taps: Iterable[Tap]) -> Tensor:
        """From a pixel's position in plane 0 to each of its taps. int64 [taps]."""
        return torch.tensor([plane * self.plane + self.shift(offset) for plane, offset in taps], dtype=torch.int64)


class RasterLayout(_Layout):
    """Planes of one whole tile, extended at its borders; for evaluating all pixels at once."""

    def __init__(self, hood: Neighbourhood, height: int, width: int) -> None:
        self.hood, self.height, self.width = hood, height, width
        # the top rows are filled from columns further left, so row 0 needs that much more of its left side
        self.left = hood.left + hood.slope * hood.top
        self.stride = self.left + width + hood.right
        self.plane = (hood.top + height) * self.stride

    def shift(self, offset: Offset) -> int:
        return offset[0] * self.stride + offset[1]

    def positions(self, y0: int, y1: int) -> Tensor:
        """Flat positions of rows [y0, y1), raster order. int64 [(y1 - y0) * width]."""
        first = torch.arange(y0, y1) + self.hood.top
        return (first[:, None] * self.stride + torch.arange(self.width) + self.left).reshape(-1)

    def extend(self, planes: Tensor, initial: float) -> Tensor:
        """[P, H, W] -> [P, plane]: the tile with its border values around it."""
        p, top, left, w = planes.shape[0], self.hood.top, self.left, self.width
        out = planes.new_full((p, top + self.height, self.stride), initial)
        body = out[:, top:]
        body[:, :, left : left + w] = planes
        body[:, 1:, :left] = planes[:, :-1, :1]
        body[:, :, left + w :] = planes[:, :, -1:]
        for d in range(1, top + 1):
            lag = self.hood.slope * d
            out[:, top - d, lag:] = body[:, 0, : self.stride - lag]
        return out.view(p, self.plane)

    def surround(self, planes: Tensor, outside: Tensor) -> Tensor:
        """[P, H, W] -> [P, plane]: the tile with one value of ``outside`` [P] around each of its planes."""
        out = outside[:, None, None].repeat(1, self.hood.top + self.height, self.stride)
        out[:, self.hood.top :, self.left : self.left + self.width] = planes
        return out.view(-1, self.plane)

    def gather(
        self, flat: Tensor, taps: Iterable[Tap], pixels: int
    ) -> Iterator[tuple[int, int, Tensor, Tensor, Tensor]]:
        """The taps of all pixels, in chunks of rows of about ``pixels`` pixels from the top.

        ``flat``: extended planes, one behind the other. Yields (y0, y1, y, x, values): rows [y0, y1), the pixels'
        places int64 [m], and their taps [taps, m].
        """
        step = max(1, pixels // self.width)
        index = (self.shifts(taps)[:, None] + self.positions(0, min(step, self.height))).to(flat.device)
        for y0 in range(0, self.height, step):
            y1 = min(self.height, y0 + step)
            y = torch.arange(y0, y1, device=flat.device).repeat_interleave(self.width)
            x = torch.arange(self.width, device=flat.device).repeat(y1 - y0)
            yield y0, y1, y, x, flat[y0 * self.stride :].take(index[:, : len(y)])


class FrontLayout(_Layout):
    """Planes of a batch of equal tiles, skewed so that a front is contiguous: [plane, front, tile, row].

    Only a window of fronts is held: when it is full, the last ones that taps still reach move to its beginning.
    ``outside``: constants around the tile, one a plane, in place of its border's values.
    """

    SPARE = 64

    def __init__(self, hood: Neighbourhood, height: int, width: int, tiles: int, outside: Tensor | None = None) -> None:
        self.hood, self.height, self.width, self.tiles, self.outside = hood, height, width, tiles, outside
        self.lead = hood.left + hood.slope * hood.top  # fronts before its own that a pixel's taps may reach
        self.rows = hood.top + height
        self.step = tiles * self.rows
        self.ahead = max(hood.right, hood.slope)  # fronts after its own that a pixel's border values are written to
        self.window = self.lead + 1 + self.ahead + self.SPARE
        self.origin = -self.lead
        self.plane = self.window * self.step

    def shift(self, offset: Offset) -> int:
        dy, dx = offset
        return (dx + self.hood.slope * dy) * self.step + dy

    def positions(self) -> Tensor:
        """Flat positions of all rows' pixels in a front, behind what `enter` gives. int64 [tiles, height]."""
        return (
            self.lead * self.step
            + torch.arange(self.tiles)[:, None] * self.rows
            + torch.arange(self.height)
            + self.hood.top
        )

    def blank(self, initial: list[float], device: torch.device) -> Tensor:
        """[P, window, tiles, rows], each plane filled with its initial value."""
        value = torch.tensor(initial, dtype=torch.float32, device=device)
        return value[:, None, None, None].repeat(1, self.window, self.tiles, self.rows)

    def enter(self, buffer: Tensor, t: int) -> int:
        """Make room for front ``t``; gives the flat position of the first front that its taps may reach."""
        at = t - self.origin
        if at + self.ahead >= self.window:
            keep = self.window - self.SPARE
            buffer[:, :keep] = buffer[:, self.SPARE :].clone()
            if self.outside is not None:
                buffer[:, keep:] = self.outside[:, None, None, None]
            self.origin += self.SPARE
            at -= self.SPARE
        return (at - self.lead) * self.step

    def write(self, buffer: Tensor, t: int, values: Tensor) -> None:
        """Put front ``t``'s values [P, tiles, rows of the front] in place, and the border values they decide."""
        hood, top = self.hood, self.hood.top
        y0, y1 = hood.rows(t, self.height, self.width)
        at = t - self.origin
        buffer[:, at, :, top + y0 : top + y1] = values
        if self.outside is not None:
            return
        if y0 == 0 and top:
            buffer[:, at, :, :top] = values[:, :, :1]
        first, past = divmod(t, hood.slope)
        if past == 0 and first + 1 < self.height:  # column 0 of row `first` stands left of the next row
            start = at + hood.slope
            buffer[:, max(0, start - self.lead) : start, :, top + first + 1] = values[:, None, :, first - y0]
        last, past = divmod(t - self.width + 1, hood.slope)
        if past == 0 and 0 <= last < self.height:  # the last column of row `last` stands right of itself
            begin = 0 if last == 0 else top + last
            border = values[:, None, :, last - y0, None]
            buffer[:, at + 1 : at + 1 + hood.right, :, begin : top + last + 1] = border
