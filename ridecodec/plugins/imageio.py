"""Plugin for imageio: importing this module lets `imageio.v3` read and write .rdc files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import EllipsisType
from typing import Any

import numpy as np
from imageio.config import FileExtension, extension_list, known_extensions, known_plugins
from imageio.config.plugins import PluginConfig
from imageio.core.request import URI_BYTES, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3
from numpy.typing import ArrayLike, NDArray

from ridecodec.container.rdc import MAGIC
from ridecodec.errors import UsageError
from ridecodec.files import carriers
from ridecodec.picture import Picture
from ridecodec.plugins import heads

NAME = "ridecodec"
ENDING = ".rdc"


class RdcPlugin(PluginV3):
    """One .rdc file, which holds one picture."""

    def __init__(self, request: Request) -> None:
        """Open a request; raises `InitializationError` if it is not for an .rdc file."""
        super().__init__(request)
        if request.mode.io_mode == IOMode.read:
            if not request.firstbytes.startswith(MAGIC):
                raise InitializationError(f"{request.raw_uri!r:.99} is not an .rdc file")
            self._data: bytes = request.get_file().read()
        self._written = False
        if request.mode.io_mode == IOMode.write and request.extension != ENDING:
            raise InitializationError(f"the extension {request.extension!r} is not {ENDING}")

    def read(self, *, index: int | EllipsisType | None = None, **options: Any) -> NDArray[Any]:
        """Return the picture as uint8, uint16 or (one bit) bool, [H, W] or [H, W, C]; ``options`` as for `decompress`.

        Palettes are applied, and gray of 2 and 4 bits is scaled to 8.  Of index ``...``, it has a first axis of one.
        """
        import ridecodec

        _check(index)
        pixels = _shown(ridecodec.decompress(self._data, **options))
        return pixels[None] if index is ... else pixels

    def iter(self, **options: Any) -> Iterator[NDArray[Any]]:
        """The one picture."""
        yield self.read(**options)

    def write(self, ndimage: ArrayLike | list[ArrayLike], *, is_batch: bool = False, **options: Any) -> bytes | None:
        """Compress one picture, uint8 or uint16 [H, W] or [H, W, C]; ``options`` as for `compress`."""
        import ridecodec

        if isinstance(ndimage, list) or is_batch:
            if len(ndimage) != 1:  # type: ignore[arg-type]
                raise UsageError("an .rdc file holds one picture; write several files, or an archive")
            ndimage = ndimage[0]  # type: ignore[index]
        if self._written:
            raise UsageError("an .rdc file holds one picture, which is already written")
        data = ridecodec.compress(np.asarray(ndimage), **options)
        self._written = True
        self.request.get_file().write(data)
        return data if self.request._uri_type == URI_BYTES else None

    def properties(self, index: int | EllipsisType | None = None) -> ImageProperties:
        """Return the shape and dtype of the result of `read`, from the header of the file."""
        _check(index)
        header, head = heads.read(io.BytesIO(self._data))
        shown = _shown(head)
        shape = (header.height, header.width, *shown.shape[2:])
        many = index is ...
        return ImageProperties((1, *shape) if many else shape, shown.dtype, 1 if many else None, many)

    def metadata(self, index: int | EllipsisType | None = None, exclude_applied: bool = True) -> dict[str, Any]:
        """Return the metadata of the file under Pillow's names, and the model."""
        _check(index)
        header, head = heads.read(io.BytesIO(self._data))
        return {"model": header.model, **carriers.info(head)}


def _check(index: int | EllipsisType | None) -> None:
    if index not in (0, -1, None, ...):
        raise IndexError(f"there is no picture {index}: an .rdc file holds one")


def _shown(picture: Picture) -> NDArray[Any]:
    """The pixels in their colours."""
    if picture.bit_depth >= 8 and not picture.colour.indexed:
        return picture.to_numpy()
    image = picture.to_pil()
    if picture.colour.indexed:
        opaque = picture.colour.channels == 1 and picture.transparency is None
        image = image.convert("RGB" if opaque else "RGBA")
    return np.array(image)


def register() -> None:
    """Register the .rdc format with imageio."""
    others = {name: config for name, config in known_plugins.items() if name != NAME}
    known_plugins.clear()  # to be asked first: Pillow's plugin would take bytes that begin like a file of ours
    known_plugins.update({NAME: PluginConfig(NAME, RdcPlugin.__name__, __name__), **others})
    extension = FileExtension(extension=ENDING, priority=[NAME], name="ridecodec lossless image")
    known_extensions[ENDING] = [extension]
    extension_list.append(extension)


register()
