"""What the encoder tells the decoder about a tile of the photo model: coefficients of the image experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Parameters, Planes
from ridecodec.engines.codec import Side
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.program import Program
from ridecodec.exact.programfile import integers
from ridecodec.models.photo.coefficients import pack, unpack
from ridecodec.models.photo.definition import (
    COEFFICIENT_LIMIT,
    COEFFICIENT_SUM,
    EXPERT_SETS,
    GROUPS,
    NEAR,
    expert_taps,
    feature_table,
)
from ridecodec.models.photo.image_experts import Coefficients, covariances, fit

_FIT_FROM = 4096
"""Pixels of a tile from which on a fit of its own can pay for itself."""


def parameters(coefficients: Coefficients) -> Parameters:
    """Coefficients as the program takes them."""
    return [each.reshape(-1).astype(np.int32) for each in coefficients]


class ImageExperts(Side):
    """Coefficients fitted to the tile, or the default ones."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        """``arrays``: the model's table of features, and its default coefficients by channel."""
        self.features = integers(arrays["features"], "features")
        if self.features.shape != (len(NEAR) * program.channels * 510 + 1, feature_table(1).shape[1]):
            raise ModelRefusedError("the table of features has the wrong shape; export the model again")
        if np.abs(self.features).max() >= 1 << 16:  # the sums of the fit are exact then
            raise ModelRefusedError("the table of features is out of range; export the model again")
        self.default: Coefficients = []
        for c in range(program.channels):
            found = integers(arrays[f"experts.{c}"], f"experts.{c}")
            size = len(expert_taps(program.channels, c)) + c
            if found.shape != (EXPERT_SETS, GROUPS, size) or program.parameters[c].size != found.size:
                raise ModelRefusedError(f"experts.{c} has the wrong shape; export the model again")
            if np.abs(found).max() > COEFFICIENT_LIMIT or np.abs(found).sum(-1).max() > COEFFICIENT_SUM:
                raise ModelRefusedError(f"experts.{c} is out of range; export the model again")
            self.default.append(found)

    def write(self, planes: Planes, label: int | None) -> bytes:
        if planes[0].size < _FIT_FROM:
            return b""
        return pack(fit(covariances(planes, self.features), self.default), self.default)

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        return parameters(unpack(data, self.default))
