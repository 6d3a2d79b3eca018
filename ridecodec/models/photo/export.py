"""Turns trained photo networks into the model file that the coder uses: their programs, with the float weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ridecodec.errors import InputError, UsageError
from ridecodec.exact import programfile
from ridecodec.exact.families import Logistics, Mixed
from ridecodec.models import checkpoints, programs, registry
from ridecodec.models.photo.definition import Weights, define, feature_table
from ridecodec.models.photo.initial import PhotoConfig, initial
from ridecodec.models.photo.mixing import starts


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


def networks(data: bytes) -> dict[int, Weights]:
    """What `model_file` made a model file of."""
    found: dict[int, Weights] = {}
    for channels, program in programfile.load(data)[0].items():
        named = {operation.name: operation for operation in program.operations if operation.name}
        width, learned = (len(np.asarray(named[name].attributes["weight"])) for name in ("second", "linear.0"))
        head = len(np.asarray(named["heads.0"].attributes["weight"]))
        config = PhotoConfig(int(channels), width, head, learned)
        tables = program.outputs[0].tables
        scales = define(config.channels, initial(config, 0), feature_table(config.channels), tables)
        found[config.channels] = {
            f"{each.name}.{part}": named[each.name].real[part].astype(np.float64) / scale
            for each in scales.operations
            for part, scale in each.scale.items()
        }
    return found


def model_file(networks: Mapping[int, Weights], mixed: bool = False) -> bytes:
    """The model file of float weights by number of channels; ``mixed``: see `define`."""
    tables = Mixed.make_tables(starts()) if mixed else Logistics.make_tables()
    return programs.save({c: define(c, weights, feature_table(c), tables, mixed) for c, weights in networks.items()})
