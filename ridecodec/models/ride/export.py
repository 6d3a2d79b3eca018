"""Turns trained RIDE networks into the model file that the coder uses: their program, and the networks themselves.

The networks travel along for synthesis and inpainting; nothing of them reaches a table.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError, ModelRefusedError, UsageError
from ridecodec.models import checkpoints, programs, registry
from ridecodec.models.ride.floats import CONFIGS
from ridecodec.models.ride.network import Ride, RideConfig, define

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
    try:
        data = pack(nets)
    except ModelRefusedError as error:
        raise UsageError(f"the coder cannot use the trained network ({error}); {_ADVICE}") from error
    return registry.write(
        out,
        data,
        name,
        purpose,
        (about or {}) | {"networks": training},
        channels=(len(nets),),
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
    """The bytes of a model file: one network a channel, in coding order, as a program and as they are.

    Raises UsageError where they do not fit together, or have numbers that are not finite, and ModelRefusedError where
    the program's sums are not exact.
    """
    for channel, net in enumerate(nets):
        if (net.config.channels, net.config.channel) != (len(nets), channel):
            raise UsageError(
                f"network {channel + 1} of {len(nets)} predicts channel {net.config.channel} of {net.config.channels}; "
                "give one checkpoint a channel, in coding order (gray, or green, red, blue)"
            )
        if (net.config.offsets, net.config.indicators) != (nets[0].config.offsets, nets[0].config.indicators):
            raise UsageError("the networks of one model have different neighbourhoods; train them with the same")
    arrays = {CONFIGS: np.frombuffer(json.dumps([asdict(net.config) for net in nets]).encode(), np.uint8)}
    for channel, net in enumerate(nets):
        held = {name: value.detach().float().cpu().numpy() for name, value in net.state_dict().items()}
        _finite(f"network {channel + 1} of {len(nets)}", held)
        arrays |= {f"{channel}.{name}": value for name, value in held.items()}
    return programs.save({len(nets): define(nets)}, arrays={len(nets): arrays})


def _finite(of: str, arrays: dict[str, NDArray[Any]]) -> None:
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise UsageError(f"{of} has numbers that are not finite in {name}: its training diverged; {_ADVICE}")
