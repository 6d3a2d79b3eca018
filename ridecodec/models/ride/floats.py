"""The float networks in a model file of RIDE."""

from __future__ import annotations

import json

import safetensors.torch

from ridecodec.errors import ModelRefusedError, UsageError
from ridecodec.models.ride.network import Ride, RideConfig


def networks(data: bytes) -> list[Ride]:
    """The float networks in a model file, one a channel in coding order; ModelRefusedError for another file."""
    try:
        tensors = safetensors.torch.load(data)
        nets = []
        for channel, config in enumerate(json.loads(bytes(tensors["configs"].numpy()))):
            net = Ride(RideConfig(**config))
            start = f"float.{channel}."
            net.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)})
            nets.append(net)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise ModelRefusedError(f"not a model file of RIDE ({error})") from error
    return nets
