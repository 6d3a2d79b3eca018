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
from ridecodec.models.photo.image_experts import Coefficients
from ridecodec.models.photo.initial import PhotoConfig, initial
from ridecodec.models.photo.mixing import starts


def export(paths: list[Path], out: Path) -> registry.ModelCard:
    """Write the model file of one gray and one RGB checkpoint, or of one of them, and its card (JSON) beside it.

    Raises InputError for a file that is no checkpoint of the photo model, UsageError for two of the same channels.
    """
    networks: dict[int, tuple[Weights, Coefficients]] = {}
    training = []
    for path in paths:
        state = checkpoints.read(path)
        try:
            channels = PhotoConfig(**state["config"]).channels
            weights = {name: value.numpy() for name, value in state["model"].items()}
            default = [d.numpy() for d in state["default"]]
            model_file({channels: (weights, default)})
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{path}: not a checkpoint of `train photo` of this version ({error})") from error
        if channels in networks:
            raise UsageError(f"{path}: a second network for {registry.words([channels])}; give one gray and one RGB")
        networks[channels] = weights, default
        record = {key: state[key] for key in ("config", "schedule")}
        training.append(record | {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1)})
    purpose = f"photographs, {registry.words(sorted(networks))}"
    known = tuple(sorted(networks))
    return registry.write(out, model_file(networks), "photo", purpose, training, known)


def networks(data: bytes) -> dict[int, tuple[Weights, Coefficients]]:
    """What `model_file` made a model file of."""
    programs_found, _, arrays = programfile.load(data)
    found: dict[int, tuple[Weights, Coefficients]] = {}
    for channels in map(int, programs_found):
        program = programs_found[str(channels)]
        named = {operation.name: operation for operation in program.operations if operation.name}
        width, learned = (len(np.asarray(named[name].attributes["weight"])) for name in ("second", "linear.0"))
        head = len(np.asarray(named["heads.0"].attributes["weight"]))
        config = PhotoConfig(channels, width, head, learned)
        features = programfile.integers(arrays[f"{channels}.features"], "features")
        scales = define(channels, initial(config, 0), features, program.outputs[0].tables)
        weights = {
            f"{each.name}.{part}": named[each.name].real[part].astype(np.float64) / scale
            for each in scales.operations
            for part, scale in each.scale.items()
        }
        default = [programfile.integers(arrays[f"{channels}.experts.{c}"], "experts") for c in range(channels)]
        found[channels] = weights, default
    return found


def model_file(networks: Mapping[int, tuple[Weights, Coefficients]], mixed: bool = False) -> bytes:
    """The model file of float weights and default image experts by number of channels; ``mixed``: see `define`."""
    tables = Mixed.make_tables(starts()) if mixed else Logistics.make_tables()
    found, arrays = {}, {}
    for channels, (weights, default) in networks.items():
        features = feature_table(channels)
        found[channels] = define(channels, weights, features, tables, mixed)
        arrays[channels] = {"features": features, **{f"experts.{c}": d for c, d in enumerate(default)}}
    return programs.save(found, "experts", arrays)
