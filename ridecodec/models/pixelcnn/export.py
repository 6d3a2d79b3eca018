"""Turns a trained network into the model file that the coder uses, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ridecodec.engines.codec import Limits
from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.models import checkpoints, programs, registry
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.model import PixelModel

TILE, LARGEST_TILE = 64, 256
"""Default and largest side of a tile: small pictures are what the networks learn."""


def export(path: Path, out: Path, name: str, purpose: str, about: dict[str, str] | None = None) -> registry.ModelCard:
    """Write the model file of a checkpoint, and its card (JSON) beside it; ``about``: what else the card says.

    Raises InputError for a file that is no checkpoint of the family, and UsageError where the coder cannot use it;
    nothing is written then.
    """
    model, training = read_checkpoint(path)
    try:
        data = model_file(model)
    except ModelRefusedError as error:
        raise UsageError(
            f"the coder cannot use the trained network ({error}); train it again with a smaller learning rate"
        ) from error
    channels = (model.config.channels,)
    return registry.write(out, data, name, purpose, (about or {}) | training, channels=channels)


def model_file(model: PixelModel) -> bytes:
    """The bytes of a model file."""
    channels, smaller = model.config.channels, model.smaller_program()
    encoder = {} if model.encoder is None else model.encoder.state_dict()
    arrays = {name: value.detach().float().cpu().numpy() for name, value in encoder.items()}
    return programs.save(
        {channels: model.program()},
        model.side,
        {channels: arrays},
        halves={} if smaller is None else {channels: smaller},
        limits=Limits(TILE, LARGEST_TILE, bounded=True),
    )


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
