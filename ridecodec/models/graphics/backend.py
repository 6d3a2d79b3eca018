"""The graphics model as a codec backend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import ExactLinear, whole
from ridecodec.coding.order import Neighbourhood, RasterLayout, Tap
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.models.base import ContextModel
from ridecodec.models.graphics.features import CANDIDATES, INPUTS, KINDS, LATER, Seen, see
from ridecodec.models.graphics.memory import NEIGHBOURS, Found, Memory, table_bytes
from ridecodec.models.graphics.smooth import NEAR, Gradient
from ridecodec.models.graphics.smooth import State as Slope
from ridecodec.models.spikes import Spikes, SpikeTables

HIDDEN = 32
HIDDEN_TOP = 1 << 12
LARGEST_WEIGHT = 1 << 24
LOGITS = CANDIDATES + 2
"""Of the candidates, the gradient's distribution, and an even one."""


@dataclass
class _Opened:
    """A batch of tiles."""

    memory: Memory
    top: Tensor
    """Largest sample of each tile, int64 [tiles]."""
    channels: int


@dataclass
class State:
    """Of m pixels; grows with every channel observed."""

    seen: Seen
    top: Tensor  # int64 [m]
    slopes: list[Slope]  # alpha's and the colours', or only one of them
    known: list[Tensor] = field(default_factory=list)  # float32 [m] for each channel observed
    learns: tuple[Memory, Found] | None = None


class Graphics(ContextModel):
    """Backend `graphics`, for 1 to 4 channels: gray or indices; alpha and gray; RGB; alpha and RGB."""

    name = "graphics"
    hood = Neighbourhood.of(NEIGHBOURS)

    def __init__(self, data: bytes, device: torch.device) -> None:
        """``data``: a model file written by `ridecodec.training.graphics`."""
        self.device = device
        try:
            tensors = safetensors.torch.load(data)
            self.gradient = Gradient.of(tensors, device)
            self.tables = SpikeTables(tensors["tables.weights"]).to(device)
            self.layers = {name: _layers(tensors, name, device) for name in ("first", "later")}
        except (safetensors.SafetensorError, KeyError, RuntimeError) as error:
            raise ModelRefusedError(f"the model file of {self.name!r} is damaged ({error})") from error

    def side_information(self, planes: Tensor, label: int | None = None) -> bytes:
        """The largest sample."""
        return bytes([int(planes.max())])

    def taps(self, channels: int) -> list[Tap]:
        pixels = [(plane, offset) for plane in range(channels) for offset in NEIGHBOURS]
        return pixels + [(channels + plane, offset) for plane in range(channels) for offset in NEAR]

    def tile_bytes(self, pixels: int) -> int:
        return super().tile_bytes(pixels) + table_bytes(pixels)

    def derived(self, channels: int) -> int:
        return channels

    def derived_planes(self, planes: Tensor, side: bytes) -> Tensor:
        return torch.cat([self.gradient.derived_planes(part, b"") for part in planes.split(_groups(len(planes)))])

    def open(self, channels: int, sides: list[bytes], pixels: int) -> _Opened:
        if any(len(side) != 1 for side in sides):
            raise DamagedError("the pixel data is damaged: it does not say its largest sample")
        top = torch.tensor([side[0] for side in sides], device=self.device)
        return _Opened(Memory(len(sides), pixels, self.device), top, channels)

    def context(self, opened: _Opened, taps: Tensor, located: Tensor) -> State:
        state, found = self._context(opened, taps, None)
        state.learns = opened.memory, found
        return state

    def _context(self, opened: _Opened, taps: Tensor, found: Found | None) -> tuple[State, Found]:
        channels = opened.channels
        count = channels * len(NEIGHBOURS)
        pixels = taps[:count].view(channels, len(NEIGHBOURS), -1)
        neighbours = packed(pixels)
        if found is None:
            found = opened.memory.look(neighbours)
        top = opened.top.repeat_interleave(taps.shape[1] // len(opened.top))
        seen = see(neighbours, found, channels, top)
        near = pixels[:, : len(NEAR)]
        errors = taps[count:].view(channels, len(NEAR), -1)
        groups = _groups(channels)
        slopes = [Slope(*parts) for parts in zip(near.split(groups), errors.split(groups), strict=True)]
        return State(seen, top, slopes), found

    def states(self, planes: Tensor, side: bytes) -> Iterator[tuple[int, int, State]]:
        channels, height, width = planes.shape
        opened = self.open(channels, [side], height * width)
        found = self._remember(opened, planes)
        layout = RasterLayout(self.hood, height, width)
        derived = layout.extend(self.derived_planes(planes, side), 0.0)
        flat = torch.cat([layout.extend(planes, 128.0), derived]).view(-1)
        for y0, y1, _, _, taps in layout.gather(flat, self.taps(channels), self.chunk):
            part = slice(y0 * width, y1 * width)
            here = Found(
                *(each[:, part] for each in (found.latest, found.before, found.counts, found.keys, found.tags))
            )
            yield y0, y1, self._context(opened, taps, here)[0]

    def _remember(self, opened: _Opened, planes: Tensor) -> Found:
        """What the memory said of every pixel of a tile before it was coded, in raster order."""
        height, width = planes.shape[1:]
        layout = RasterLayout(self.hood, height, width)
        colours = packed(layout.extend(planes, 128.0)[:, None])[0]
        shifts = layout.shifts([(0, offset) for offset in NEIGHBOURS]).to(self.device)[:, None]
        places = layout.positions(0, height).view(height, width).to(self.device)
        remembered = Found.blank(height * width, self.device)
        for t in range(self.hood.fronts(height, width)):
            y0, y1 = self.hood.rows(t, height, width)
            if y0 >= y1:
                continue
            y = torch.arange(y0, y1, device=self.device)
            x = t - self.hood.slope * y
            place = places[y, x]
            found = opened.memory.look(colours[place + shifts])
            opened.memory.learn(found, colours[place])
            remembered.put(y * width + x, found)
        return remembered

    def look(self, state: State, channel: int) -> tuple[Tensor, Tensor, Tensor]:
        """What the network sees, float32 [n, m], the parts of the mixture that can be, bool [LOGITS, m], and the
        channel's values of the candidates, int64 [CANDIDATES, m]."""
        channels = sum(len(slope.pixels) for slope in state.slopes)
        candidates = state.seen.candidates
        values = candidates >> 8 * (channels - 1 - channel) & 255
        alive = candidates >= 0
        inputs = state.seen.inputs
        if channel:
            known = packed(torch.stack(state.known)[:, None])[0]
            alive &= candidates >> 8 * (channels - channel) == known
            turn = torch.zeros(KINDS, inputs.shape[1], device=self.device)
            turn[channel] = 1
            inputs = torch.cat([inputs, alive.float(), turn])
        return inputs, torch.cat([alive, torch.ones_like(alive[:2])]), values

    def distribution(self, state: State, channel: int) -> Spikes:
        inputs, alive, values = self.look(state, channel)
        layers = self.layers["later" if channel else "first"]
        logits = layers[1](layers[0](inputs).clamp_(0, HIDDEN_TOP)).long()
        slope, c = self._slope(state, channel)
        return Spikes(values, self.tables.weights(logits, alive), self.gradient.distribution(slope, c), state.top)

    @staticmethod
    def _slope(state: State, channel: int) -> tuple[Slope, int]:
        """The gradient's state that has the channel, and the channel's number there."""
        first = len(state.slopes[0].pixels)
        return (state.slopes[0], channel) if channel < first else (state.slopes[1], channel - first)

    def observe(self, state: State, channel: int, values: Tensor) -> None:
        slope, c = self._slope(state, channel)
        self.gradient.observe(slope, c, values)
        state.known.append(values)
        if state.learns is not None and len(state.known) == sum(len(s.pixels) for s in state.slopes):
            memory, found = state.learns
            memory.learn(found, packed(torch.stack(state.known)[:, None])[0])

    def derive(self, state: State) -> Tensor:
        return torch.cat([self.gradient.derive(slope) for slope in state.slopes])


def _groups(channels: int) -> list[int]:
    """Channels that are predicted together: alpha comes first, and alone."""
    return [channels] if channels % 2 else [1, channels - 1]


def packed(samples: Tensor) -> Tensor:
    """Colours [n, m] whose channels are the bytes of an integer, from samples [C, n, m]; int64."""
    colour = samples[0].long()
    for channel in samples[1:]:
        colour = colour << 8 | channel.long()
    return colour


def _layers(tensors: dict[str, Tensor], name: str, device: torch.device) -> list[ExactLinear]:
    def layer(part: str, inputs: int, outputs: int, limit: float) -> ExactLinear:
        start = f"{name}.{part}"
        weight = whole(
            f"{start}.weight", tensors[f"{start}.weight"], (outputs, inputs), -LARGEST_WEIGHT, LARGEST_WEIGHT
        )
        bias = whole(f"{start}.bias", tensors[f"{start}.bias"], (outputs,), -LARGEST_WEIGHT, LARGEST_WEIGHT)
        exponent = whole(f"{start}.exponent", tensors[f"{start}.exponent"], (outputs,), 0, 16)
        return ExactLinear(start, weight, bias, exponent, limit).to(device)

    inputs = INPUTS if name == "first" else LATER
    return [layer("hidden", inputs, HIDDEN, 1.0), layer("out", HIDDEN, LOGITS, float(HIDDEN_TOP))]
