"""The float networks in a model file of RIDE."""

from __future__ import annotations

import json

import torch

from ridecodec.errors import ModelRefusedError, UsageError
from ridecodec.models import programs
from ridecodec.models.ride.network import Ride, RideConfig

CONFIGS = "configs"
"""The array that has the configurations, as JSON."""


def networks(data: bytes) -> list[Ride]:
    """The float networks in a model file, one a channel in coding order, and none in one of another model.

    Raises ModelRefusedError for a damaged file.
    """
    nets: list[Ride] = []
    for channels, held in programs.arrays(data).items():
        if CONFIGS not in held:
            continue
        try:
            for channel, config in zip(range(channels), json.loads(held[CONFIGS].tobytes()), strict=True):
                net = Ride(RideConfig(**config))
                own = programs.below(held, f"{channel}.")
                net.load_state_dict({name: torch.from_numpy(value) for name, value in own.items()})
                nets.append(net)
        except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
            raise ModelRefusedError(f"the networks in the model file are damaged ({error})") from error
    return nets
