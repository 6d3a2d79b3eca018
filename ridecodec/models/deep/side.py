"""What the encoder tells the decoder about a tile of 16-bit samples: the coefficients of its prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Parameters, Planes
from ridecodec.engines.codec import Side
from ridecodec.errors import ModelRefusedError
from ridecodec.exact.program import Program
from ridecodec.models.deep import prediction
from ridecodec.models.deep.definition import count

_FIT_FROM = 1024
"""Pixels of a tile from which on a fit of its own can pay for itself."""


class Prediction(Side):
    """The kind of side information `prediction`: coefficients fitted to the tile, or the default ones."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.channels = program.channels // 2
        if [parameter.size for parameter in program.parameters] != [count(c) for c in range(self.channels)]:
            raise ModelRefusedError("the model takes other coefficients than there are; export the model again")

    def write(self, planes: Planes, label: int | None) -> bytes:
        if planes[0].size < _FIT_FROM:
            return b""
        return prediction.pack(prediction.fit(*prediction.sampled(planes)))

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        return [each.astype(np.int32) for each in prediction.unpack(data, self.channels)]
