"""What a tile of graphics says of itself before its code: its largest sample, one byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.base import Parameters, Planes
from ridecodec.engines.codec import Side
from ridecodec.errors import DamagedError, ModelRefusedError
from ridecodec.exact.program import Program


class LargestSample(Side):
    """The kind of side information `largest`."""

    def __init__(self, program: Program, arrays: Mapping[str, NDArray[Any]]) -> None:
        if [parameter.size for parameter in program.parameters] != [1]:
            raise ModelRefusedError("the model takes more than the largest sample; export the model again")

    def write(self, planes: Planes, label: int | None) -> bytes:
        return bytes([int(planes.max())])

    def read(self, data: bytes, height: int, width: int) -> Parameters:
        if len(data) != 1:
            raise DamagedError("the pixel data is damaged: it does not say its largest sample")
        return (np.array([data[0]], np.int32),)
