"""Turns trained RIDE networks into the model file that the coder uses: integers, tables, and the float weights.

Whitening vanishes: it is linear, so it goes into the layers that follow. The float weights travel along for the
likelihood rate, synthesis and inpainting; nothing of them reaches a table.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import exact_arithmetic, quantise
from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.models import checkpoints, registry
from ridecodec.models.gaussian import LOGIT_UNIT, MEAN_UNIT, GaussianTables, inverse
from ridecodec.models.ride.backend import FEATURE_LIMIT, FEATURE_UNIT, RideBackend, input_limits
from ridecodec.models.ride.lstm import MEMORY_LIMIT, SpatialLSTM
from ridecodec.models.ride.mcgsm import MCGSM
from ridecodec.models.ride.memory import GATE_BITS, OUTPUT_BITS, PRE_UNIT, LSTMTables, starts
from ridecodec.models.ride.network import MIDDLE, Ride, RideConfig

WIDE = 2.0**53
"""What float64 holds."""
_ADVICE = "train it again with a smaller learning rate"


def export(
    paths: list[Path],
    out: Path,
    name: str,
    purpose: str,
    ensemble: str | None = None,
    about: dict[str, str] | None = None,
) -> registry.ModelCard:
    """Write the model file of one checkpoint a channel, in coding order, and its card (JSON) beside it.

    ``ensemble``: name of a second card, of the same weights as an ensemble over the eight orientations; ``about``: what
    else the cards say of the training. Raises InputError for a file that is no checkpoint of RIDE, and
    UsageError where the networks do not fit together or the coder cannot use them; nothing is written then.
    """
    nets, training = [], []
    for path in paths:
        net, record = read_checkpoint(path)
        nets.append(net)
        training.append(record)
    data = pack(nets)
    try:
        with exact_arithmetic():
            RideBackend(data, torch.device("cpu"), name)
    except ModelRefusedError as error:
        raise UsageError(f"the coder cannot use the trained network ({error}); {_ADVICE}") from error
    return registry.write(
        out,
        data,
        name,
        purpose,
        (about or {}) | {"networks": training},
        channels=(len(nets),),
        family="ride",
        ensemble=ensemble,
    )


def read_checkpoint(path: Path) -> tuple[Ride, dict[str, Any]]:
    """The network in a checkpoint, and how it was trained; InputError for another file."""
    state = checkpoints.read(path)
    try:
        net = Ride(RideConfig(**state["config"]))
        net.load_state_dict(state["model"])
    except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise InputError(f"{path}: not a checkpoint of `ridecodec train ride` ({error})") from error
    record = {key: state[key] for key in ("config", "schedule")}
    return net, record | {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1)}


def pack(nets: list[Ride]) -> bytes:
    """The bytes of a model file: one network a channel, in coding order.

    Raises UsageError where they do not fit together, or have numbers that are not finite.
    """
    for channel, net in enumerate(nets):
        if (net.config.channels, net.config.channel) != (len(nets), channel):
            raise UsageError(
                f"network {channel + 1} of {len(nets)} predicts channel {net.config.channel} of {net.config.channels}; "
                "give one checkpoint a channel, in coding order (gray, or green, red, blue)"
            )
        if (net.config.offsets, net.config.indicators) != (nets[0].config.offsets, nets[0].config.indicators):
            raise UsageError("the networks of one model have different neighbourhoods; train them with the same")
    tensors = {f"tables.{k}": v for k, v in (GaussianTables.make() | LSTMTables.make()).items()}
    for channel, net in enumerate(nets):
        _finite(f"network {channel + 1} of {len(nets)}", net.state_dict())
        with torch.no_grad():
            parts = integers(copy.deepcopy(net).double())
        _finite(f"network {channel + 1} of {len(nets)} in integers", parts)
        tensors |= {f"{channel}.{k}": _compact(v) for k, v in parts.items()}
        tensors |= {f"float.{channel}.{k}": v for k, v in net.float().state_dict().items()}
    configs = json.dumps([asdict(net.config) for net in nets]).encode()
    tensors["configs"] = torch.frombuffer(bytearray(configs), dtype=torch.uint8)
    return safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})


def integers(net: Ride) -> dict[str, Tensor]:
    """The integer network of a float one (in float64): weights, biases and exponents by layer, and its deviations."""
    config, whitening, mcgsm = net.config, net.whitening, net.mcgsm
    # inputs are u = 2 v - 255, so a real pixel v + 1/2 is (u + 256) / 2, and so is padding of 128; indicators stay
    marks = torch.tensor(config.marks)
    unit, middle = torch.where(marks, 1.0, 0.5).double(), torch.where(marks, 0.0, MIDDLE).double()
    whiten = whitening.matrix * unit  # [taps, taps]
    offset = whitening.matrix @ (middle - whitening.mean)
    expect = whitening.predictor * unit
    expected = whitening.middle + whitening.predictor @ (middle - whitening.mean)
    output = 1 / (1 << OUTPUT_BITS)
    layers: dict[str, dict[str, Tensor]] = {}
    for k, layer in enumerate(net.layers):
        assert isinstance(layer, SpatialLSTM)
        weight, bias = layer.input.weight.detach(), layer.input.bias.detach()
        weight, bias = (weight * output, bias) if k else (weight @ whiten, weight @ offset + bias)
        units = torch.full((len(layer.recurrent),), output, dtype=torch.float64)
        units[2 * layer.hidden :] = 1 / (1 << GATE_BITS)
        weight = torch.cat([weight, layer.recurrent.T * units], 1)
        limits = torch.cat([_limits(config, deep=k > 0), 1 / units])
        limits[len(limits) - len(units) + 2 * layer.hidden :] *= MEMORY_LIMIT
        layers[f"lstm.{k}"] = quantise(weight * PRE_UNIT, bias * PRE_UNIT, limits, starts(layer.hidden), half=False)
    limits = _limits(config, deep=config.layers > 0)
    project, shift = whiten, offset
    if config.layers:
        project = torch.eye(config.hidden, dtype=torch.float64) * output
        shift = torch.zeros(config.hidden, dtype=torch.float64)
    features, gate = _features(mcgsm)
    layers["features"] = quantise(
        features @ project * FEATURE_UNIT, features @ shift * FEATURE_UNIT, limits, capacity=WIDE
    )
    layers["gate"] = quantise(
        gate * (-LOGIT_UNIT / FEATURE_UNIT**2), mcgsm.priors.flatten() * LOGIT_UNIT, FEATURE_LIMIT**2, capacity=WIDE
    )
    means = mcgsm.predictors @ project * whitening.deviation
    shifts = whitening.deviation * (mcgsm.predictors @ shift + mcgsm.means) + expected
    if config.layers:
        means = torch.cat([means, expect.expand(len(means), -1)], 1)
        limits = torch.cat([limits, _limits(config, deep=False)])
    else:
        means = means + expect
    layers["means"] = quantise(means * MEAN_UNIT, shifts * MEAN_UNIT, limits, capacity=WIDE)
    deviations = whitening.deviation * torch.exp(-0.5 * mcgsm.precisions)
    out = {f"{name}.{part}": v for name, parts in layers.items() for part, v in parts.items()}
    return out | {"inverse": inverse(deviations)}


def _limits(config: RideConfig, deep: bool) -> Tensor:
    """Bounds of what a layer gets from below, inputs or hidden units; float64."""
    return torch.full((config.hidden,), float(1 << OUTPUT_BITS)).double() if deep else input_limits(config)


def _features(mcgsm: MCGSM) -> tuple[Tensor, Tensor]:
    """Features b [N, inputs] of unit length, and what their squares cost each gate: e^alpha / 2 * beta^2 [C * S, N]."""
    components = len(mcgsm.means)
    if mcgsm.full:
        features = mcgsm.factors.tril().transpose(1, 2).flatten(0, 1)  # [C * inputs, inputs]
        weights = torch.eye(components, dtype=features.dtype).repeat_interleave(len(features) // components, 1)
    else:
        features, weights = mcgsm.features, mcgsm.weights.square()
    length = features.norm(dim=1).clamp(min=1e-12)
    costs = 0.5 * mcgsm.precisions.exp()[:, :, None] * (weights * length.square())[:, None]  # [C, S, N]
    return features / length[:, None], costs.flatten(0, 1)


def _finite(of: str, tensors: dict[str, Tensor]) -> None:
    for name, values in tensors.items():
        if not torch.isfinite(values.float()).all():
            raise UsageError(f"{of} has numbers that are not finite in {name}: its training diverged; {_ADVICE}")


def _compact(values: Tensor) -> Tensor:
    """The same integers in the smallest type that holds them."""
    top = float(values.abs().max()) if values.numel() else 0.0
    kinds = ((2.0**7, torch.int8), (2.0**15, torch.int16), (2.0**31, torch.int32))
    return values.to(next((kind for bound, kind in kinds if top < bound), torch.int64))
