"""Turns trained photo networks into the model file that the coder uses: their programs, with the float weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ridecodec.errors import InputError, UsageError
from ridecodec.exact.families import Logistics
from ridecodec.models import checkpoints, programs, registry
from ridecodec.models.photo.definition import Weights, define, feature_table
from ridecodec.models.photo.initial import PhotoConfig


def export(paths: list[Path], out: Path) -> registry.ModelCard:
    """Write the model file of one gray and one RGB checkpoint, or of one of them, and its card (JSON) beside it.

    Raises InputError for a file that is no checkpoint of the photo model, UsageError for two of the same channels.
    """
    networks: dict[int, Weights] = {}
    training = []
    for path in paths:
        state = checkpoints.read(path)
        try:
            channels = PhotoConfig(**state["config"]).channels
            weights = {name: value.numpy() for name, value in state["model"].items()}
            model_file({channels: weights})
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{path}: not a checkpoint of `train photo` of this version ({error})") from error
        if channels in networks:
            raise UsageError(f"{path}: a second network for {registry.words([channels])}; give one gray and one RGB")
        networks[channels] = weights
        record = {key: state[key] for key in ("config", "schedule")}
        training.append(record | {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1)})
    purpose = f"photographs, {registry.words(sorted(networks))}"
    known = tuple(sorted(networks))
    return registry.write(out, model_file(networks), "photo", purpose, training, known)


def model_file(networks: Mapping[int, Weights]) -> bytes:
    """The model file of float weights by number of channels."""
    tables = Logistics.make_tables()
    return programs.save({c: define(c, weights, feature_table(c), tables) for c, weights in networks.items()})
