"""The numcodecs codec `rdc`, for chunks of images in Zarr arrays of format 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy
from numpy.typing import NDArray

from ridecodec.plugins import arrays


class Rdc(Codec):  # type: ignore[misc]
    """Compresses arrays of uint8 and uint16 as pictures (see `arrays.as_picture`); it decodes to the same bytes."""

    codec_id = "rdc"

    def __init__(self, model: str = "auto", tile: int = 0, verify: bool = True) -> None:
        """The options are those of `compress`."""
        self.model, self.tile, self.verify = model, tile, verify

    def encode(self, buf: Any) -> bytes:
        """Compress an array or a buffer; raises `InputError` for types other than uint8 and uint16."""
        import ridecodec

        array: NDArray[Any] = ensure_ndarray(buf)
        if not array.size:
            raise ridecodec.InputError("an array without samples is not a picture")
        arrays.check_dtype(array.dtype)
        if not array.dtype.isnative:
            raise ridecodec.InputError(f"arrays of {array.dtype} are not supported: their byte order would be lost")
        pixels = arrays.as_picture(array.T if array.flags.f_contiguous else np.ascontiguousarray(array))
        return ridecodec.compress(pixels, model=self.model, tile=self.tile, verify=self.verify)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decompress; the array has the shape of the picture, or is copied into ``out``."""
        import ridecodec

        return ndarray_copy(ridecodec.decompress(ensure_bytes(buf)).to_numpy(), out)
