"""The baseline: median edge predictor, and two logistics whose scales a table gives by context.

The predictor is JPEG-LS's; red and blue are predicted as differences from green. The context is the size of the
errors around, of the gradients, and of the error of the channel before at the pixel itself. Nothing is learned but
the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import whole
from ridecodec.coding.order import Neighbourhood, Offset, RasterLayout, Tap
from ridecodec.coding.tables import Distribution
from ridecodec.errors import ModelRefusedError
from ridecodec.models.base import ContextModel, refuse_side_information
from ridecodec.models.logistic import MEAN_UNIT, SCALES, WEIGHT_TOTAL, LogisticMixture, LogisticTables

NEAR: tuple[Offset, ...] = ((0, -1), (-1, 0), (-1, -1), (-1, 1))
ERROR_BINS, GRADIENT_BINS, GREEN_BINS = 14, 10, 10
CONTEXTS = ERROR_BINS * GRADIENT_BINS * GREEN_BINS
KINDS = 4
"""Tables: gray, green, red, blue."""
_TOP = 4 * 255


@dataclass
class State:
    """What is known of m pixels; grows with every channel observed."""

    pixels: Tensor  # [C, 4, m]
    around: Tensor  # [C, 4, m] errors of the neighbours
    known: list[Tensor] = field(default_factory=list)  # [m] for each channel observed
    predicted: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)


class Gradient(ContextModel):
    """Backend `gradient` for gray and RGB."""

    name = "gradient"
    hood = Neighbourhood.of(NEAR)
    chunk = 32768

    def __init__(self, data: bytes, device: torch.device) -> None:
        """``data``: a model file written by `ridecodec.training.gradient`."""
        try:
            self._fill(safetensors.torch.load(data), device)
        except safetensors.SafetensorError as error:
            raise ModelRefusedError(f"the model file of {self.name!r} is damaged ({error})") from error

    @classmethod
    def of(cls, tensors: dict[str, Tensor], device: torch.device) -> Gradient:
        """Of a model file's tensors, which may be another model's too; ModelRefusedError where they do not fit."""
        model = cls.__new__(cls)
        model._fill(tensors, device)
        return model

    def _fill(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        self.device = device
        try:
            parts = (tensors[f"tables.{n}"] for n in ("logistic", "inverse", "exponential"))
            self.tables = LogisticTables(*parts).to(device)
            rows = KINDS * CONTEXTS
            self.bins = whole("bins", tensors["bins"], (_TOP + 1,), 0, ERROR_BINS - 1).int().to(device)
            self.scales = whole("scales", tensors["scales"], (rows, 2), 0, SCALES - 1).float().to(device)
            narrow = whole("weight", tensors["weight"], (rows,), 0, WEIGHT_TOTAL)
            self.weight = narrow.int().to(device)  # of the narrow component
        except (KeyError, RuntimeError) as error:
            raise ModelRefusedError(f"the model file of {self.name!r} is damaged ({error})") from error

    def taps(self, channels: int) -> list[Tap]:
        return [(plane, offset) for plane in range(2 * channels) for offset in NEAR]

    def derived(self, channels: int) -> int:
        return channels

    def derived_planes(self, planes: Tensor, side: bytes) -> Tensor:
        west, north, corner = (_shifted(planes, self.hood, o) for o in NEAR[:3])
        return planes - predict(planes, west, north, corner)

    def open(self, channels: int, sides: list[bytes], pixels: int) -> int:
        refuse_side_information(sides)
        return channels

    def context(self, opened: int, taps: Tensor, located: Tensor) -> State:
        pixels, around = taps.view(2, opened, len(NEAR), -1)
        return State(pixels, around)

    def distribution(self, state: State, channel: int) -> Distribution:
        rows, predicted = self.rows_of(state, channel)
        state.predicted.append(predicted)
        narrow = self.weight.index_select(0, rows)
        weights = torch.stack([narrow, WEIGHT_TOTAL - narrow])
        scales = self.scales.index_select(0, rows).T.contiguous()
        means = (MEAN_UNIT * predicted).expand(2, -1).contiguous()
        return LogisticMixture(self.tables, weights, means, scales)

    def rows_of(self, state: State, channel: int) -> tuple[Tensor, Tensor]:
        """Context, as rows of the table (int64 [m]), and prediction (float32 [m]) of a channel's pixels."""
        west, north, corner, east = state.pixels[channel]
        now = torch.stack([*state.known, west])[:, None]  # the last one stands for a value not known yet
        three = (state.pixels[: channel + 1, i : i + 1] for i in range(3))
        predicted = predict(now, *three)[channel, 0]
        gradients = (west - corner).abs() + (north - corner).abs() + (north - east).abs()
        errors = self.bins.index_select(0, state.around[channel].abs().sum(0).clamp(max=_TOP).int())
        kind, green = 0, torch.zeros_like(errors)
        if len(state.pixels) > 1:
            kind = 1 + channel
            if channel:
                green = self.bins.index_select(0, (4 * state.errors[-1].abs()).clamp(max=_TOP).int()).clamp(
                    max=GREEN_BINS - 1
                )
        steep = self.bins.index_select(0, gradients.clamp(max=_TOP).int()).clamp(max=GRADIENT_BINS - 1)
        rows = ((kind * ERROR_BINS + errors) * GRADIENT_BINS + steep) * GREEN_BINS + green
        return rows.long(), predicted

    def observe(self, state: State, channel: int, values: Tensor) -> None:
        state.known.append(values)
        state.errors.append(values - state.predicted[channel])

    def derive(self, state: State) -> Tensor:
        return torch.stack(state.errors)


def predict(planes: Tensor, west: Tensor, north: Tensor, corner: Tensor) -> Tensor:
    """Median edge prediction of every channel [C, ...] from its neighbours; all but the first relative to the first."""
    reference = [x[:1].expand_as(x).clone() for x in (planes, west, north, corner)]
    for x in reference:
        x[0] = 0
    now, w, n, nw = reference[0], west - reference[1], north - reference[2], corner - reference[3]
    median = torch.clamp(w + n - nw, torch.minimum(w, n), torch.maximum(w, n))
    return (now + median).clamp(0, 255)


def _shifted(planes: Tensor, hood: Neighbourhood, offset: Offset) -> Tensor:
    """Every pixel's neighbour at ``offset`` [C, H, W]."""
    height, width = planes.shape[1:]
    layout = RasterLayout(hood, height, width)
    flat = layout.extend(planes, 128.0)
    return flat[:, (layout.positions(0, height) + layout.shift(offset)).to(planes.device)].view(planes.shape)


def error_bins() -> Tensor:
    """Bin of a sum of four magnitudes: half-octave steps. int32 [4 * 255 + 1]."""
    sums = torch.arange(_TOP + 1, dtype=torch.float64)
    return (2 * torch.log2(1 + sums / 2)).floor().clamp(max=ERROR_BINS - 1).int()
