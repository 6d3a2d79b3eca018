"""The compiled module; see `ridecodec.engines.native`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class DamagedError(ValueError): ...
class UnsupportedError(ValueError): ...

def instruction_sets() -> list[str]: ...

class Program:
    def __init__(self, spec: dict[str, Any], isa: str = "") -> None: ...
    @property
    def isa(self) -> str: ...
    def memory(self, height: int, width: int) -> int: ...
    def together(self, height: int, width: int) -> int: ...
    def encode(
        self,
        planes: NDArray[np.uint8],
        parameters: Sequence[Sequence[NDArray[np.int32]]],
        threads: int = 1,
        tick: Callable[[int, float], object] | None = None,
    ) -> tuple[list[bytes], NDArray[np.float32]]: ...
    def decode(
        self,
        codes: Sequence[bytes],
        parameters: Sequence[Sequence[NDArray[np.int32]]],
        height: int,
        width: int,
        threads: int = 1,
        tick: Callable[[int, float], object] | None = None,
    ) -> NDArray[np.uint8]: ...
    def trace(
        self, planes: NDArray[np.uint8], parameters: Sequence[NDArray[np.int32]], y: int, x: int
    ) -> list[NDArray[np.int64]]: ...
    def values(
        self, planes: NDArray[np.uint8], parameters: Sequence[NDArray[np.int32]], wanted: Sequence[int]
    ) -> NDArray[np.int32]: ...
