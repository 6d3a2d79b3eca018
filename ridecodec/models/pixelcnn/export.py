"""Turns a trained network into the model file that the coder uses, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ridecodec.coding.exact import exact_arithmetic
from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.models import checkpoints, registry
from ridecodec.models.pixelcnn.backend import PixelBackend
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.exact_outputs import Outputs
from ridecodec.models.pixelcnn.integers import GateTables
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.pixelcnn.rounding import pack


def export(path: Path, out: Path, name: str, purpose: str, about: dict[str, str] | None = None) -> registry.ModelCard:
    """Write the model file of a checkpoint, and its card (JSON) beside it; ``about``: what else the card says.

    Raises InputError for a file that is no checkpoint of the family, and UsageError where the coder cannot use it;
    nothing is written then.
    """
    model, training = read_checkpoint(path)
    data = model_file(model)
    try:
        with exact_arithmetic():
            PixelBackend(data, torch.device("cpu"), name)
    except ModelRefusedError as error:
        raise UsageError(
            f"the coder cannot use the trained network ({error}); train it again with a smaller learning rate"
        ) from error
    channels = (model.config.channels,)
    return registry.write(out, data, name, purpose, (about or {}) | training, channels=channels, family="pixelcnn")


def model_file(model: PixelModel) -> bytes:
    """The bytes of a model file."""
    return pack(model, model.config, GateTables.make() | Outputs.make(model.config))


def read_checkpoint(path: Path) -> tuple[PixelModel, dict[str, Any]]:
    """The network in a checkpoint, and how it was trained; InputError for another file."""
    state = checkpoints.read(path)
    try:
        model = PixelModel(PixelConfig(**state["config"])).eval()
        model.load_state_dict(state["model"])
    except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{path}: not a checkpoint of `ridecodec train pixelcnn` ({text[:200]})") from error
    return model, {name: state[name] for name in ("config", "schedule", "step", "seconds")}
