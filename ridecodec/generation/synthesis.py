"""Learning a texture from a picture of it, and sampling more of it (RIDE paper, section 3.4).

The texture is cut into sixteen regions, 4 x 4; fifteen train the networks, the sixteenth says how well. A texture has
its directions, so its patches are neither flipped nor turned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import TileCodec
from ridecodec.engines.torch.arithmetic import exact_arithmetic
from ridecodec.errors import InputError
from ridecodec.generation.sampling import Numbers, sample_in_margin
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training.presets import PRESETS, Schedule
from ridecodec.training.ride import train

if TYPE_CHECKING:
    from ridecodec.training.task import Report

GRID = 4
"""Regions a side."""
SIZES = {"ride": (20, 26, 32, 40), "mcgsm": (8,)}
"""Sides of the patches, stage by stage."""
NETWORKS: dict[str, dict[str, Any]] = {"ride": {"layers": 1}, "mcgsm": {"layers": 0, "width": 9, "features": 48}}
"""What the networks are; the rest is `RideConfig`'s."""
PERCENTILES = (0.1, 99.8)
"""Of the training pixels: what samples are clamped to."""


@dataclass(frozen=True)
class Length:
    """How long to train: gradient steps for each channel, or else minutes for all of them."""

    minutes: float = 3.0
    steps: int | None = None

    def share(self, channels: int) -> Length:
        """One channel's."""
        return Length(self.minutes / channels, self.steps)


@dataclass(frozen=True)
class Rates:
    """Of the region held out."""

    density: float
    """bit/px of values divided by 256, with noise, as the paper prints it; the mean over the channels."""
    likelihood: float
    """Code length of the integers, bits a sub-pixel."""


@dataclass(frozen=True)
class Texture:
    """A texture and what was learnt of it."""

    nets: list[Ride]
    """One a channel, in coding order."""
    training: list[NDArray[np.uint8]]
    """The fifteen regions [C, h, w]."""
    rates: Rates

    def pack(self) -> bytes:
        """The model file."""
        from ridecodec.models.ride.export import pack

        return pack(self.nets)

    def sample(
        self, height: int, width: int, seed: int, tick: Callable[[int], None] | None = None
    ) -> NDArray[np.uint8]:
        """More of it, uint8 [C, H, W] in coding order: from a margin of its own pixels, with the integer networks."""
        from ridecodec.models.programs import program_codec

        codec = program_codec("texture", self.pack())
        return sample_like(codec, self.training, height, width, seed, tick)


def sample_like(
    codec: TileCodec,
    regions: list[NDArray[np.uint8]],
    height: int,
    width: int,
    seed: int,
    tick: Callable[[int], None] | None = None,
) -> NDArray[np.uint8]:
    """A sample that starts from these regions' pixels and stays between their `PERCENTILES`."""
    pool = np.concatenate([region.reshape(len(region), -1) for region in regions], 1)
    low, high = np.percentile(pool, PERCENTILES, method="nearest")
    return sample_in_margin(codec, len(pool), height, width, seed, pool, (int(low), int(high)), tick)


def split(texture: NDArray[np.uint8], seed: int) -> tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]:
    """(fifteen regions, the one held out) of a texture [C, H, W]; raises InputError where it is too small."""
    height, width = (side // GRID for side in texture.shape[1:])
    least = max(SIZES["ride"])
    if min(height, width) < least:
        raise InputError(
            f"a texture of {texture.shape[2]}x{texture.shape[1]} pixels is too small to be cut into sixteen regions of "
            f"{least}x{least} or more"
        )
    regions = [
        np.ascontiguousarray(texture[:, y * height : (y + 1) * height, x * width : (x + 1) * width])
        for y in range(GRID)
        for x in range(GRID)
    ]
    held = regions.pop(int(Numbers(seed).below(len(regions), 1)[0]))
    return regions, held


def learn(
    texture: NDArray[np.uint8],
    model: str,
    length: Length,
    seed: int,
    say: Callable[[str], None] = print,
    progress: Callable[[Report], None] | None = None,
    device: torch.device | None = None,
    **network: Any,
) -> Texture:
    """Train one network a channel on fifteen regions of ``texture`` uint8 [C, H, W], channels in coding order.

    ``model``: "ride" or "mcgsm"; ``network``: what is to differ from its `NETWORKS`.
    """
    regions, held = split(texture, seed)
    channels = len(texture)
    nets = []
    for channel in range(channels):
        config = RideConfig(**(NETWORKS[model] | network), channels=channels, channel=channel)
        nets.append(_fit(regions, config, model, length.share(channels), seed, say, progress, device))
    return Texture(nets, regions, rates(nets, held, seed))


def _fit(
    regions: list[NDArray[np.uint8]],
    config: RideConfig,
    model: str,
    length: Length,
    seed: int,
    say: Callable[[str], None],
    progress: Callable[[Report], None] | None,
    device: torch.device | None,
) -> Ride:
    options = PRESETS[model]["modern"] | {"sizes": SIZES[model]}
    options |= asdict(length) | {"flips": 1, "validation": 0.0, "evaluations": 0, "seed": seed}
    schedule = Schedule(**options)
    device = torch.device("cpu") if device is None else device
    return train(regions, config, schedule, None, say, progress=progress, device=device).cpu()


def rates(nets: list[Ride], region: NDArray[np.uint8], seed: int) -> Rates:
    """Rates of a region [C, h, w]: means over the pixels whose neighbourhoods lie inside."""
    planes = torch.from_numpy(region)[None].float()
    noise = torch.rand(planes.shape, generator=torch.Generator().manual_seed(seed))
    with exact_arithmetic():
        density = [float(net.density_rate(planes + noise).mean()) for net in nets]
        likelihood = [float(net.bits(planes).mean()) for net in nets]
    return Rates(sum(density) / len(nets), sum(likelihood) / len(nets))
