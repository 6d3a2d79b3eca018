"""The model of 16-bit samples as a codec backend: every channel is two, its high and its low bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.order import Neighbourhood, RasterLayout, Tap
from ridecodec.coding.tables import VALUES, Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.models.base import ContextModel
from ridecodec.models.deep import prediction
from ridecodec.models.deep.mixture import MEAN_UNIT, SCALES, TOP, WEIGHT_TOTAL, DeepMixture, DeepTables, High, Low
from ridecodec.models.deep.prediction import NEAR, Coefficients

ERROR_OFFSETS = NEAR[:4]
ENERGY_BINS, SLOPE_BINS, KINDS = 40, 12, 3
"""Contexts: size of the errors around in half octaves; of the gradients in octaves; gray, first channel, later one."""
COMPONENTS = 3
"""Two around the fitted prediction, one around the median edge prediction."""


@dataclass
class _State:
    """Of m pixels; grows with every byte observed."""

    near: Tensor  # float64 [C, NEAR, m]
    errors: Tensor  # float64 [C, 4, m] absolute, of the neighbours
    coefficients: list[Tensor]  # float64 [count, m] for each channel
    known: list[Tensor] = field(default_factory=list)  # float64 [m] for each channel observed
    missed: list[Tensor] = field(default_factory=list)  # float64 [m] absolute errors of them
    predicted: Tensor | None = None
    mixture: DeepMixture | None = None
    high: Tensor | None = None


class Deep(ContextModel):
    """Backend `deep`, for gray (2 planes) and RGB (6)."""

    name = "deep"
    hood = Neighbourhood.of(NEAR)

    def __init__(self, data: bytes, device: torch.device) -> None:
        """``data``: a model file written by `ridecodec.training.deep`."""
        self.device = device
        try:
            tensors = safetensors.torch.load(data)
            self.tables = DeepTables(tensors["tables.logistic"], tensors["tables.inverse"]).to(device)
            shape = (KINDS * ENERGY_BINS * SLOPE_BINS, COMPONENTS)
            self.scales = whole("scales", tensors["scales"], shape, 0, SCALES - 1).T.contiguous().to(device)
            self.weights = whole("weights", tensors["weights"], shape, 0, WEIGHT_TOTAL).T.contiguous().to(device)
        except (safetensors.SafetensorError, KeyError, RuntimeError) as error:
            raise ModelRefusedError(f"the model file of {self.name!r} is damaged ({error})") from error
        if (self.weights.sum(0) != WEIGHT_TOTAL).any():
            raise ModelRefusedError(f"the tables of {self.name!r} are out of range; install ridecodec again")

    def taps(self, channels: int) -> list[Tap]:
        samples = [(plane, offset) for plane in range(channels) for offset in NEAR]
        return samples + [(channels + c, offset) for c in range(channels // 2) for offset in ERROR_OFFSETS]

    def derived(self, channels: int) -> int:
        return channels // 2

    def side_information(self, planes: Tensor, label: int | None = None) -> bytes:
        if not prediction.worth_a_fit(planes[0].numel()):
            return b""
        near = self._near(planes.cpu())
        return prediction.pack(prediction.fit(near, joined(planes.cpu()).flatten(1)))

    def _near(self, planes: Tensor) -> Tensor:
        """The neighbours of all samples of a tile, float64 [C, NEAR, H * W]."""
        height, width = planes.shape[1:]
        layout = RasterLayout(self.hood, height, width)
        flat = layout.extend(joined(planes), 128.0 * VALUES + 128.0)
        shifts = torch.tensor([layout.shift(offset) for offset in NEAR])
        return flat[:, (layout.positions(0, height) + shifts[:, None]).to(flat.device)]

    def derived_planes(self, planes: Tensor, side: bytes) -> Tensor:
        near, values = self._near(planes), joined(planes).flatten(1)
        found = []
        for c, coefficients in enumerate(self._unpack(side, len(planes) // 2)):
            predicted = prediction.predict(near, values[:c], c, coefficients, MEAN_UNIT, TOP)
            found.append(_missed(values[c], predicted))
        return torch.stack(found).view(-1, *planes.shape[1:]).float()

    def _unpack(self, side: bytes, channels: int) -> Coefficients:
        return [each.to(self.device) for each in prediction.unpack(side, channels)]

    def open(self, channels: int, sides: list[bytes], pixels: int) -> list[Tensor]:
        """Coefficients of each channel [count, tiles]."""
        tiles = [self._unpack(side, channels // 2) for side in sides]
        return [torch.stack(parts, 1) for parts in zip(*tiles, strict=True)]

    def context(self, opened: list[Tensor], taps: Tensor, located: Tensor) -> _State:
        channels, m = len(opened), taps.shape[1]
        samples = 2 * channels * len(NEAR)
        near = joined(taps[:samples].view(2 * channels, len(NEAR), m))
        errors = taps[samples:].view(channels, len(ERROR_OFFSETS), m).double()
        return _State(near, errors, [each.repeat_interleave(m // each.shape[1], 1) for each in opened])

    def distribution(self, state: _State, channel: int) -> Distribution:
        c, low = divmod(channel, 2)
        if low:
            assert state.mixture is not None
            assert state.high is not None
            return Low(state.mixture, state.high.long())
        state.predicted, state.mixture = self._mixture(state, c)
        return High(state.mixture)

    def _mixture(self, state: _State, c: int) -> tuple[Tensor, DeepMixture]:
        now = torch.stack(state.known) if state.known else state.near[:0, 0]
        predicted = prediction.predict(state.near, now, c, state.coefficients[c], MEAN_UNIT, TOP)
        rows = self.rows_of(state, c)
        means = torch.stack([predicted, predicted, MEAN_UNIT * median_edge(state.near, now, c)])
        weights, scales = self.weights.index_select(1, rows), self.scales.index_select(1, rows)
        return predicted, DeepMixture(self.tables, weights, means, scales)

    def rows_of(self, state: _State, c: int) -> Tensor:
        """Context, as rows of the table, int64 [m]."""
        west, north, corner, east = state.near[c, :4]
        energy = state.errors[c].sum(0)
        if c:
            energy = energy + 2 * state.missed[-1]
        slopes = (west - corner).abs() + (north - corner).abs() + (north - east).abs()
        kind = 0 if len(state.near) == 1 else min(1 + c, 2)
        energies = _octaves(energy.long().square()).clamp(max=ENERGY_BINS - 1)
        steep = _octaves(slopes.long()).clamp(max=SLOPE_BINS - 1)
        return (kind * ENERGY_BINS + energies) * SLOPE_BINS + steep

    def observe(self, state: _State, channel: int, values: Tensor) -> None:
        if channel % 2 == 0:
            state.high = values.double()
            return
        assert state.high is not None
        assert state.predicted is not None
        sample = state.high * VALUES + values
        state.known.append(sample)
        state.missed.append(_missed(sample, state.predicted))

    def derive(self, state: _State) -> Tensor:
        return torch.stack(state.missed).float()


def joined(planes: Tensor) -> Tensor:
    """Samples [C, ...] in float64 of their bytes [2 C, ...], the high ones first."""
    return planes[::2].double() * VALUES + planes[1::2]


def _missed(sample: Tensor, predicted: Tensor) -> Tensor:
    """The absolute error in whole values, float64."""
    return (sample - (predicted / MEAN_UNIT).floor()).abs()


def median_edge(near: Tensor, now: Tensor, c: int) -> Tensor:
    """Median edge prediction, float64 [m]; of all channels but the first relative to the first."""
    west, north, corner = near[c, :3]
    if c:
        west, north, corner = west - near[0, 0], north - near[0, 1], corner - near[0, 2]
    median = torch.clamp(west + north - corner, torch.minimum(west, north), torch.maximum(west, north))
    return (median + now[0] if c else median).clamp(0, TOP)


def _octaves(values: Tensor) -> Tensor:
    """Number of binary digits of integers below 2^40, int64."""
    powers = 2 ** torch.arange(40, device=values.device)
    return torch.bucketize(values, powers, right=True)
