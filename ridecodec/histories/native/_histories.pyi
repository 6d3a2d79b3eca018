"""The compiled module; see `ridecodec.histories.native`."""

import numpy as np
from numpy.typing import NDArray

_Axis = tuple[int, bool, int, int, int]
"""Factor, whether it is smooth, the pixel before which samples begin, pixels, and samples."""
_Conversion = tuple[NDArray[np.int32], NDArray[np.int16], int]
"""Tables [5, 256], the first Y not below each multiple of what the shift drops, and the shift."""
_Line = tuple[int, int, int, int, int, bool]
"""The first pixel, pixels, samples of the plane, the first and the last that are at hand, and whether it is smooth."""

def photo_cd_ranges(
    colours: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
def photo_cd_inverted(
    colours: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]: ...
def photo_cd_best(
    colours: NDArray[np.uint8],
    halves: NDArray[np.int32],
    first: tuple[int, int],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    start: NDArray[np.int32],
    there: NDArray[np.bool_],
    steps: NDArray[np.int32],
) -> NDArray[np.int32]: ...
def fitting(
    conversion: _Conversion,
    colours: NDArray[np.uint8],
    cb: NDArray[np.uint8],
    cr: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
def found(
    conversion: _Conversion,
    lights: NDArray[np.int32],
    blues: NDArray[np.int32],
    guesses: NDArray[np.int32],
    colours: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]: ...
def mend_chroma(
    planes: NDArray[np.uint8],
    rows: _Axis,
    columns: _Axis,
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    moves: NDArray[np.int64],
    most: int,
    seen: NDArray[np.int32],
    known: NDArray[np.bool_],
) -> None: ...
def mend_colours(
    planes: NDArray[np.uint8],
    rows: _Axis,
    columns: _Axis,
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    moves: NDArray[np.int64],
    most: int,
    conversion: _Conversion,
    colours: NDArray[np.uint8],
) -> None: ...
def sharpened(shown: NDArray[np.float32], down: bool, across: bool, rounds: int) -> NDArray[np.float32]: ...
def spread_smooth(part: NDArray[np.uint8], rows: _Line, columns: _Line) -> NDArray[np.uint8]: ...
