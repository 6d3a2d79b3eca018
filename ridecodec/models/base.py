"""The contract of a codec backend: exact distributions for every sub-pixel, all at once or front by front."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ridecodec.coding.order import FrontLayout, RasterLayout
from ridecodec.coding.tables import Distribution
from ridecodec.container.rdc import LARGEST_TILE
from ridecodec.errors import DamagedError
from ridecodec.exact.order import Neighbourhood, Tap

_FRONT_ROWS = 4096
"""Rows of all tiles in a batch."""
_BLOCK = 64
"""Fronts whose pixels are located at once."""


@dataclass(frozen=True)
class Rows:
    """Teacher-forced distributions of a tile's rows [y0, y1), pixels in raster order, one for each channel."""

    y0: int
    y1: int
    channels: list[Distribution]


class Stepper(ABC):
    """Stepwise evaluation of a batch of equal tiles.

    For every front t: ``begin(t)``, then for each channel ``distribution(c)`` and ``observe(c, values)``. The pixels
    of a front are ordered by tile, then by row.
    """

    @abstractmethod
    def begin(self, t: int) -> None:
        """Enter front ``t``; fronts come in order."""

    @abstractmethod
    def distribution(self, channel: int) -> Distribution:
        """Distribution of ``channel`` at this front's pixels, given the channels observed before."""

    @abstractmethod
    def observe(self, channel: int, values: Tensor) -> None:
        """Tell the channel's true values, float32 [m]. After the last channel the front is finished."""


class Backend(ABC):
    """A density model in exact integers. Channels come in coding order (RGB: green, red, blue)."""

    name: str
    hood: Neighbourhood
    device: torch.device
    ensemble: bool = False
    """Whether a tile is coded in the best of its eight orientations (RIDE paper, section 3.1)."""
    classes: int = 0
    """How many labels it knows; a tile's is part of its side information then."""
    code: int = 0
    """How many bytes of a tile's side information an encoder makes: what an auto-encoder draws from."""
    half: Backend | None = None
    """Codes every tile at half its size first; its pixels are the side information of the tile then."""
    tile: int = 1024
    """Default side of a tile."""
    largest_tile: int = LARGEST_TILE
    """Largest side of a tile."""
    pixel_bytes: int = 32
    """Bytes of memory that a pixel of the tiles at hand takes, about."""
    bounded: bool = False
    """Whether it learnt what pictures look like at their borders, so that a sample needs no margin of noise."""

    def side_information(self, planes: Tensor, label: int | None = None) -> bytes:
        """What the encoder tells the decoder about a tile beforehand. ``planes``: float32 integers [C, H, W].

        ``label``: its class, below `classes`; where None, the model chooses.
        """
        return b""

    def tile_bytes(self, pixels: int) -> int:
        """Bytes of memory that a tile of so many pixels takes, about."""
        return pixels * self.pixel_bytes

    def batch(self, height: int, width: int) -> int:
        """How many tiles of this size are decoded together: enough to fill the products."""
        return max(1, _FRONT_ROWS // height)

    @abstractmethod
    def rows(self, planes: Tensor, side: bytes) -> Iterator[Rows]:
        """Distributions of all sub-pixels of a known tile [C, H, W], in chunks of rows from the top."""

    @abstractmethod
    def stepper(self, channels: int, height: int, width: int, sides: list[bytes]) -> Stepper:
        """Stepwise evaluation of ``len(sides)`` tiles; raises DamagedError where a side information is not valid."""

    def likelihood(self, planes: Tensor, side: bytes) -> Tensor | None:
        """Float code length of every pixel, bits [H, W], of the model behind this export; None where there is none."""
        return None


class ContextModel(Backend):
    """A backend whose distributions are a function of a causal window alone: no state but the pixels.

    A subclass gives the functions below; this class evaluates them in both directions. ``planes`` are the
    tile's channels, then ``derived`` planes that the model computes of each pixel once it is known.
    """

    chunk = 8192
    """Pixels evaluated at once when all are known: small enough for the processor's cache."""

    @abstractmethod
    def taps(self, channels: int) -> list[Tap]:
        """(plane, offset) of each input."""

    def derived(self, channels: int) -> int:
        """Number of derived planes."""
        return 0

    @abstractmethod
    def open(self, channels: int, sides: list[bytes], pixels: int) -> Any:
        """Parse the side information of a batch of tiles of so many pixels each."""

    def locate(self, y: Tensor, x: Tensor, width: int) -> Tensor:
        """What a pixel's place in its tile says, whatever its value: int64 [k, ...] from ``y`` and ``x`` [...]."""
        return y.new_empty(0, *y.shape)

    @abstractmethod
    def context(self, opened: Any, taps: Tensor, located: Tensor) -> Any:
        """State of m pixels from their taps [n, m] and what `locate` said of them [k, m]."""

    @abstractmethod
    def distribution(self, state: Any, channel: int) -> Distribution:
        """Distribution of ``channel``, given the channels observed."""

    @abstractmethod
    def observe(self, state: Any, channel: int, values: Tensor) -> None:
        """Take in the true values of ``channel``, float32 [m]."""

    def derive(self, state: Any) -> Tensor:
        """Values of the derived planes [derived, m], all channels observed; asked for where there are such planes."""
        raise RuntimeError(f"the model {self.name!r} has derived planes but does not say their values")

    def derived_planes(self, planes: Tensor, side: bytes) -> Tensor:
        """The derived planes of a known tile [derived, H, W]."""
        return planes.new_empty(0, *planes.shape[1:])

    def states(self, planes: Tensor, side: bytes) -> Iterator[tuple[int, int, Any]]:
        """States of a known tile's rows [y0, y1), nothing observed yet, from the top: (y0, y1, state)."""
        channels, height, width = planes.shape
        layout = RasterLayout(self.hood, height, width)
        derived = layout.extend(self.derived_planes(planes, side), 0.0)
        flat = torch.cat([layout.extend(planes, 128.0), derived]).view(-1)
        opened = self.open(channels, [side], height * width)
        for y0, y1, y, x, taps in layout.gather(flat, self.taps(channels), self.chunk):
            yield y0, y1, self.context(opened, taps, self.locate(y, x, width))

    def rows(self, planes: Tensor, side: bytes) -> Iterator[Rows]:
        for y0, y1, state in self.states(planes, side):
            result = []
            for c in range(len(planes)):
                result.append(self.distribution(state, c))
                self.observe(state, c, planes[c, y0:y1].reshape(-1))
            yield Rows(y0, y1, result)

    def stepper(self, channels: int, height: int, width: int, sides: list[bytes]) -> Stepper:
        return _ContextStepper(self, channels, height, width, sides)


def refuse_side_information(sides: list[bytes]) -> None:
    """For models that have none: DamagedError where a tile brings some."""
    if any(sides):
        raise DamagedError("the pixel data is damaged: its model has no side information")


class _ContextStepper(Stepper):
    def __init__(self, model: ContextModel, channels: int, height: int, width: int, sides: list[bytes]) -> None:
        self.model, self.channels, self.width, self.height = model, channels, width, height
        self.layout = FrontLayout(model.hood, height, width, len(sides))
        device = model.device
        self.opened = model.open(channels, sides, height * width)
        self.derived = model.derived(channels)
        self.buffer = self.layout.blank([128.0] * channels + [0.0] * self.derived, device)
        shifts = self.layout.shifts(model.taps(channels))
        self.index = (shifts[:, None, None] + self.layout.positions()).to(device)  # [taps, tiles, H]
        self.values: list[Tensor] = []
        self.state: Any = None
        self.t = self.block = -1
        self.located = torch.empty(0)  # [k, fronts of a block, H]

    def begin(self, t: int) -> None:
        self.values = []
        y0, y1 = self.model.hood.rows(t, self.height, self.width)
        block, place = divmod(t, _BLOCK)
        if block != self.block:
            self.block, self.located = block, self._locate(block * _BLOCK)
        located = self.located[:, place, y0:y1]
        flat = self.buffer.view(-1)[self.layout.enter(self.buffer, t) :]
        taps = flat.take(self.index[:, :, y0:y1]).flatten(1)
        tiles = self.layout.tiles
        self.state = self.model.context(self.opened, taps, located if tiles == 1 else located.repeat(1, tiles))
        self.t = t

    def _locate(self, start: int) -> Tensor:
        """What is known beforehand of the fronts from ``start`` on."""
        t = torch.arange(start, start + _BLOCK, device=self.model.device)[:, None]
        y = torch.arange(self.height, device=self.model.device).expand(_BLOCK, -1)
        return self.model.locate(y, t - self.model.hood.slope * y, self.width)

    def distribution(self, channel: int) -> Distribution:
        return self.model.distribution(self.state, channel)

    def observe(self, channel: int, values: Tensor) -> None:
        self.model.observe(self.state, channel, values)
        self.values.append(values[None])
        if channel == self.channels - 1:
            if self.derived:
                self.values.append(self.model.derive(self.state))
            front = torch.cat(self.values).view(len(self.buffer), self.layout.tiles, -1)
            self.layout.write(self.buffer, self.t, front)
