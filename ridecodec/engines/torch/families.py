"""Families of distributions in torch: as `exact.families` says in numpy, for the coder, and in floats for training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ridecodec.engines.torch.tables import Distribution
from ridecodec.exact import families, tables
from ridecodec.exact.families import Gaussians, Logistics
from ridecodec.exact.parts import Output
from ridecodec.exact.tables import CDF_TOTAL, VALUES

Parts = Mapping[str, Tensor]
"""By name, [size, m] in the units of the program's integers."""
_FLOOR = 2.0**-22
_FAR = 1e5


class Family(ABC):
    """The distributions of one channel of a program."""

    @abstractmethod
    def distribution(self, parts: Parts) -> Distribution:
        """Of m sub-pixels, exactly; the parts are integers."""

    @abstractmethod
    def bits(self, parts: Parts, values: Tensor) -> Tensor:
        """``-log2 P`` of known values [m] from float parts, without rounding; [m]. Gradients flow."""


class TorchLogistics(Family):
    """`Logistics`, its tables on a device."""

    def __init__(self, output: Output, device: torch.device) -> None:
        held = {name: torch.from_numpy(table).to(device) for name, table in output.tables.items()}
        self.steps, self.exponential = held["logistic"].int(), held["exponential"].int()
        # steps of the table a value: multiples of a power of two, so as exact as the integers are
        self.inverse = held["inverse"].float() * (Logistics.MEAN_UNIT / 2**Logistics.SHIFT)

    def distribution(self, parts: Parts) -> Distribution:
        mass = _masses(parts["logits"], self.exponential)
        share = torch.div(mass * Logistics.WEIGHT_TOTAL, mass[-1], rounding_mode="floor")
        weights = torch.cat([share[:1], share[1:] - share[:-1]])
        index = parts["scales"].clamp(0, Logistics.SCALES - 1).int()
        inverse = self.inverse.index_select(0, index.reshape(-1)).view(index.shape)
        return _LogisticMixture(self.steps, weights, parts["means"].float(), inverse)

    def bits(self, parts: Parts, values: Tensor) -> Tensor:
        unit = Logistics.MEAN_UNIT
        scales = parts["scales"].clamp(0, Logistics.SCALES - 1)
        inverse = torch.exp2((Logistics.SCALE_ZERO - scales) / Logistics.SCALE_UNIT)
        offset = values - parts["means"] / unit  # [K, m]
        upper = (offset + (0.5 + _FAR * (values == VALUES - 1))) * inverse
        lower = (offset - (0.5 + _FAR * (values == 0))) * inverse
        side = torch.copysign(offset.new_ones(()), -offset)  # both ends on the small tail: no cancellation
        mass = (torch.sigmoid(side * upper) - torch.sigmoid(side * lower)).abs()
        gate = torch.softmax(parts["logits"] / Logistics.LOGIT_UNIT, 0)
        return -torch.log2((gate * mass).sum(0) + _FLOOR)


class _LogisticMixture(Distribution):
    def __init__(self, steps: Tensor, weights: Tensor, means: Tensor, inverse: Tensor) -> None:
        self.steps, self.weights, self.inverse = steps, weights, inverse
        self.centres = (means + Logistics.MEAN_UNIT // 2) / Logistics.MEAN_UNIT  # value v begins half below v
        self.middle = means.new_tensor(float(Logistics.STEPS // 2))

    def cumulative(self, edges: Tensor) -> Tensor:
        offset = edges[:, None] - self.centres  # [E, K, m]
        # exact wherever it is not clamped: 14 bits before the point and 10 behind it
        index = torch.addcmul(self.middle, offset, self.inverse).clamp_(0, Logistics.STEPS).int()
        mass = self.steps.index_select(0, index.view(-1)).view(index.shape)
        return mass.mul_(self.weights).sum(1, dtype=torch.int32)


class TorchGaussians(Family):
    """`Gaussians`, its tables on a device."""

    def __init__(self, output: Output, device: torch.device) -> None:
        held = {name: torch.from_numpy(table).to(device) for name, table in output.tables.items()}
        self.steps, self.exponential = held["normal"].int(), held["exponential"].double()
        self.inverse = held["inverse"].float()[..., None] / Gaussians.MEAN_UNIT  # [C, S, 1] steps a value

    def distribution(self, parts: Parts) -> Distribution:
        mass = _masses(parts["logits"], self.exponential)
        # at most 2^25 times 2^23: exact
        bits = Gaussians.WEIGHT_BITS
        reciprocal = torch.div(1 << (bits + 24), mass[-1].long(), rounding_mode="floor").double().mul_(2.0**-24)
        share = mass.mul_(reciprocal).int()
        share[-1] = 1 << bits
        weights = torch.cat([share[:1], share[1:] - share[:-1]])
        return _GaussianMixture(self.steps, weights, parts["means"].float() / Gaussians.MEAN_UNIT, self.inverse)

    def bits(self, parts: Parts, values: Tensor) -> Tensor:
        raise NotImplementedError("networks of Gaussians train in `models.ride`")


def _masses(logits: Tensor, exponential: Tensor) -> Tensor:
    """Those of a gate's logits [K, m], each with all before it, in the type of the table."""
    behind = (logits.amax(0) - logits).clamp_(max=len(exponential) - 1).int()
    return exponential.index_select(0, behind.reshape(-1)).view(behind.shape).cumsum(0, dtype=exponential.dtype)


class _GaussianMixture(Distribution):
    def __init__(self, steps: Tensor, weights: Tensor, means: Tensor, inverse: Tensor) -> None:
        self.steps, self.weights, self.means = steps, weights, means[:, None]  # [C, 1, m]
        self.inverse = inverse.expand(-1, -1, means.shape[-1]).contiguous()  # [C, S, m]: fast to multiply with
        self.middle = means.new_tensor(float(Gaussians.STEPS // 2))

    def cumulative(self, edges: Tensor) -> Tensor:
        offset = edges[:, None, None] - self.means  # [E, C, 1, m]
        # exact wherever it is not clamped: 14 bits before the point and 10 behind it
        index = torch.addcmul(self.middle, offset, self.inverse).clamp_(0, Gaussians.STEPS).int()  # [E, C, S, m]
        mass = self.steps.index_select(0, index.view(-1)).view(len(index), -1, index.shape[-1])
        below = mass.mul_(self.weights).sum(1, dtype=torch.int32)
        return below - ((below >> 10) * (Gaussians.LOST >> 10) >> 10)


class TorchEven(Family):
    """`Even`."""

    def __init__(self, output: Output, device: torch.device) -> None:
        pass

    def distribution(self, parts: Parts) -> Distribution:
        return _EvenValues(parts["top"][0].long() + 1)

    def bits(self, parts: Parts, values: Tensor) -> Tensor:
        return torch.log2(parts["top"][0] + 1)


class _EvenValues(Distribution):
    def __init__(self, count: Tensor) -> None:
        self.count = count  # int64 [m]

    def cumulative(self, edges: Tensor) -> Tensor:
        below = edges.long().clamp(min=0).minimum(self.count) * CDF_TOTAL
        return torch.div(below, self.count, rounding_mode="floor").int()


class OnProcessor(Family):
    """A family that is not written in torch: computed by numpy, wherever its parts are; not to train by."""

    def __init__(self, output: Output, device: torch.device) -> None:
        settled = families.FAMILIES[output.family]
        assert isinstance(settled, families.Settled)
        self.family, self.tables = settled, output.tables

    def distribution(self, parts: Parts) -> Distribution:
        held = {name: part.long().cpu().numpy() for name, part in parts.items()}
        return _Elsewhere(self.family.distribution(held, self.tables))

    def bits(self, parts: Parts, values: Tensor) -> Tensor:
        raise NotImplementedError("this family of distributions is not implemented in torch")


class _Elsewhere(Distribution):
    def __init__(self, found: tables.Distribution) -> None:
        self.found = found

    def cumulative(self, edges: Tensor) -> Tensor:
        below = self.found.cumulative(edges.long().cpu().numpy())
        return torch.from_numpy(below).to(edges.device, torch.int32)


_FAMILIES: dict[str, Callable[[Output, torch.device], Family]] = {
    "logistics": TorchLogistics,
    "even": TorchEven,
    "gaussians": TorchGaussians,
}


def family(output: Output, device: torch.device) -> Family:
    """That of a channel's distribution."""
    return _FAMILIES.get(output.family, OnProcessor)(output, device)
