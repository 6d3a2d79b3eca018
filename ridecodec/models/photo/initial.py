"""Sizes of a photo model, and the float weights that its training begins with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ridecodec.models.photo.definition import ERROR_TAPS, EXPERT_SETS, FAN, LEVELS, PLACES, SCALE_BINS

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class PhotoConfig:
    """Sizes of a photo model."""

    channels: int = 3
    width: int = 128
    head: int = 64
    learned: int = 3
    """Learned linear experts a channel, beside the adaptive ones."""

    def coded_features(self, channel: int) -> int:
        """Inputs of a channel's head beside the trunk: its adaptive experts, its scale, and the channels before."""
        return EXPERT_SETS + 1 + channel * (1 + 2 * EXPERT_SETS)


def initial(config: PhotoConfig, seed: int) -> dict[str, Float32]:
    """Random weights by name (`definition.Weights`), float32."""
    rng = np.random.default_rng(seed)
    found: dict[str, NDArray[np.float64]] = {}

    def layer(name: str, inputs: int, outputs: int) -> None:
        reach = inputs**-0.5
        found[f"{name}.weight"] = rng.uniform(-reach, reach, (outputs, inputs))
        found[f"{name}.bias"] = rng.uniform(-reach, reach, outputs)

    channels, width, head = config.channels, config.width, config.head
    layer("first", channels * (len(FAN) + EXPERT_SETS * len(ERROR_TAPS) + 1), width)
    for name, entries in {"scale_bias": SCALE_BINS, "level_bias": LEVELS, "place_bias": PLACES}.items():
        found[f"{name}.table"] = rng.normal(0, 0.05, (entries, width))
    layer("second", width, width)
    outputs = 3 * (config.learned + EXPERT_SETS)
    for c in range(channels):
        layer(f"heads.{c}", width + config.coded_features(c), head)
        found[f"outputs.{c}.weight"] = rng.normal(0, 0.05, (outputs, head))
        found[f"outputs.{c}.bias"] = np.zeros(outputs)
        found[f"linear.{c}.weight"] = rng.normal(0, 0.01, (config.learned, channels * len(FAN) + c))
    return {name: value.astype(np.float32) for name, value in found.items()}
