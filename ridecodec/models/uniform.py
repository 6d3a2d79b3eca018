"""Every value equally likely: the smallest program, for tests and as a floor (8 bits a sub-pixel)."""

from __future__ import annotations

import numpy as np

from ridecodec.exact.program import Program
from ridecodec.exact.recorder import Recorder


def programs() -> dict[int, Program]:
    """By number of channels."""
    return {channels: _program(channels) for channels in (1, 3)}


def _program(channels: int) -> Program:
    ops = Recorder(channels)
    top = ops.affine(ops.place(1), np.zeros((1, 6), np.int64), np.array([255]))
    for _ in range(channels):
        ops.output("even", {"top": top}, {})
    return ops.program()
