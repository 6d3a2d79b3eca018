"""The Zarr codec `rdc` for arrays of format 3: a serializer that stores each chunk as a picture."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from ridecodec.errors import DamagedError
from ridecodec.plugins import arrays

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "rdc"


@dataclass(frozen=True)
class Rdc(ArrayBytesCodec):
    """Compresses chunks of uint8 and uint16 as pictures (see `arrays.as_picture`), with the options of `compress`."""

    is_fixed_size = False

    model: str = "auto"
    tile: int = 0
    verify: bool = True

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Rdc:
        """Return the codec described by the metadata of an array."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return the description of this codec for the metadata of an array."""
        return {"name": NAME, "configuration": asdict(self)}

    def validate(self, *, dtype: Any, **_: Any) -> None:
        """Raise `InputError` for arrays of types other than uint8 and uint16."""
        arrays.check_dtype(dtype.to_native_dtype())

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Not known in advance."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        data = await asyncio.to_thread(self._encode, chunk_data.as_numpy_array())
        buffer: Buffer = chunk_spec.prototype.buffer.from_bytes(data)
        return buffer

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        dtype = chunk_spec.dtype.to_native_dtype()
        array: Any = await asyncio.to_thread(_decode, chunk_data.to_bytes(), chunk_spec.shape, dtype)
        buffer: NDBuffer = chunk_spec.prototype.nd_buffer.from_ndarray_like(array)
        return buffer

    def _encode(self, array: np.ndarray[Any, Any]) -> bytes:
        import ridecodec

        arrays.check_dtype(array.dtype)
        native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        options = asdict(self)
        return ridecodec.compress(arrays.as_picture(native), threads=1, **options)


def _decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    import ridecodec

    found = ridecodec.decompress(data, threads=1).to_numpy()
    if found.size != np.prod(shape, dtype=np.int64) or found.dtype != dtype.newbyteorder("="):
        raise DamagedError(f"the chunk holds {found.dtype} {found.shape}, but the array has {dtype} {shape}")
    return found.reshape(shape).astype(dtype, copy=False)


register_codec(NAME, Rdc)
