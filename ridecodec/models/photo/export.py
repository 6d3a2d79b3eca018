"""Turns trained photo networks into the model file that the coder uses: their programs, with the float weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ridecodec.exact.families import Logistics
from ridecodec.models import programs, registry
from ridecodec.models.photo.definition import Weights, define, feature_table
from ridecodec.models.photo.image_experts import Coefficients


def export(checkpoints: list[Path], out: Path) -> registry.ModelCard:
    """Write the model file of one gray and one RGB checkpoint, and its card (JSON) beside it."""
    networks: dict[int, tuple[Weights, Coefficients]] = {}
    training = []
    for path in checkpoints:
        state = torch.load(path, weights_only=True, map_location="cpu")
        weights = {name: value.numpy() for name, value in state["model"].items()}
        networks[state["config"]["channels"]] = weights, [np.asarray(d) for d in state["default"]]
        training.append({"config": state["config"], "schedule": state["schedule"], "steps": state["step"],
                         "minutes": round(state["seconds"] / 60, 1)})  # fmt: skip
    return registry.write(
        out, model_file(networks), "photo", "photographs, gray and RGB", training, family=programs.FAMILY
    )


def model_file(networks: Mapping[int, tuple[Weights, Coefficients]]) -> bytes:
    """The model file of float weights and default image experts by number of channels."""
    tables = Logistics.make_tables()
    found, arrays = {}, {}
    for channels, (weights, default) in networks.items():
        features = feature_table(channels)
        found[channels] = define(channels, weights, features, tables)
        arrays[channels] = {"features": features, **{f"experts.{c}": d for c, d in enumerate(default)}}
    return programs.save(found, "experts", arrays)
