"""Turns trained photo networks into the model file that the coder uses: integers, tables, and the float weights.

The float weights travel along for the likelihood rate alone; nothing of them reaches a table.
"""

from __future__ import annotations

import math
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.exact import quantise
from ridecodec.models import registry
from ridecodec.models.logistic import LOGIT_UNIT, MEAN_UNIT, SCALE_UNIT, LogisticTables
from ridecodec.models.photo.backend import ACTIVATION_TOP, ACTIVATION_UNIT, DIFFERENCE_LIMIT, SHIFT_UNIT
from ridecodec.models.photo.features import INPUT_LIMIT, INPUT_UNIT, feature_table
from ridecodec.models.photo.network import PhotoConfig, PhotoNet


def export(checkpoints: list[Path], out: Path) -> registry.ModelCard:
    """Write the model file of one gray and one RGB checkpoint, and its card (JSON) beside it."""
    tensors: dict[str, Tensor] = {f"tables.{k}": v for k, v in LogisticTables.make().items()}
    training = []
    for path in checkpoints:
        state = torch.load(path, weights_only=True, map_location="cpu")
        config = PhotoConfig(**state["config"])
        model = PhotoNet(config)
        model.load_state_dict(state["model"])
        parts = integers(model) | {f"experts.{c}": d for c, d in enumerate(state["default"])}
        tensors |= {f"{config.channels}.{k}": _compact(v) for k, v in parts.items()}
        tensors |= {f"float.{config.channels}.{k}": v for k, v in model.state_dict().items()}
        training.append({"config": state["config"], "schedule": state["schedule"], "steps": state["step"],
                         "minutes": round(state["seconds"] / 60, 1)})  # fmt: skip
    data = safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})
    return registry.write(out, data, "photo", "photographs, gray and RGB", training)


def integers(model: PhotoNet) -> dict[str, Tensor]:
    """The integer network of a float one: weights, biases and exponents by layer, and the tables it gathers from."""
    config = model.config
    scale_level = (model.scale_bias.weight[:, None] + model.level_bias.weight[None]).flatten(0, 1).detach().double()
    place = model.place_bias.weight.detach().double()
    unit = ACTIVATION_UNIT
    embedded = unit * (scale_level.abs().amax(0) + place.abs().amax(0))
    first = quantise(model.first.weight * (unit / INPUT_UNIT), model.first.bias * unit, INPUT_LIMIT, embedded)
    grid = torch.exp2(first["exponent"])
    layers = {
        "first": first,
        "second": quantise(model.second.weight + torch.eye(config.width), model.second.bias * unit, ACTIVATION_TOP),
    }
    out = {
        "features": feature_table(config.channels),
        # the bias goes with the first table, as the layer adds the gathered rows in its bias's place
        "scale_level": torch.round(scale_level * unit * grid) + first["bias"],
        "place": torch.round(place * unit * grid),
    }
    first["bias"] = torch.zeros_like(first["bias"])
    gains = torch.tensor([LOGIT_UNIT, SCALE_UNIT / math.log(2), SHIFT_UNIT]).repeat_interleave(config.experts)
    for c in range(config.channels):
        head, output = model.heads[c], model.outputs[c]
        assert isinstance(head, torch.nn.Linear)
        assert isinstance(output, torch.nn.Linear)
        columns = torch.ones(head.in_features)
        columns[config.width :] = unit / INPUT_UNIT
        limit = torch.full((head.in_features,), float(INPUT_LIMIT))
        limit[: config.width] = ACTIVATION_TOP
        layers[f"heads.{c}"] = quantise(head.weight * columns, head.bias * unit, limit)
        weight = output.weight * gains[:, None] / unit
        layers[f"outputs.{c}"] = quantise(weight, output.bias * gains, ACTIVATION_TOP)
        linear = model.linear[c]
        experts = quantise(linear * (MEAN_UNIT / 2), torch.zeros(len(linear)), DIFFERENCE_LIMIT)
        layers[f"linear.{c}"] = experts | {"bias": torch.zeros(len(linear))}  # floored, as the image experts are
    return out | {f"{name}.{part}": v for name, parts in layers.items() for part, v in parts.items()}


def _compact(values: Tensor) -> Tensor:
    """The same integers in the smallest type that holds them."""
    top = float(values.abs().max()) if values.numel() else 0.0
    return values.to(torch.int8 if top < 128 else torch.int16 if top < 2**15 else torch.int32)
