"""Plugin for Pillow: `Image.open` reads the header, loading decodes the pixels, `save` compresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

from PIL import Image, ImageFile

from ridecodec.container.rdc import MAGIC
from ridecodec.errors import RidecodecError
from ridecodec.picture import Picture

if TYPE_CHECKING:
    from typing import BinaryIO

Compress = Callable[..., bytes]
"""`ridecodec.compress`."""

FORMAT = "RDC"
ENDING = ".rdc"
MIME = "image/x-ridecodec"

_OPTIONS = ("model", "tile", "label", "device", "threads", "verify")


class RdcImageFile(ImageFile.ImageFile):
    """An .rdc file; its pixels are decoded when they are first used."""

    format = FORMAT
    format_description = "ridecodec lossless image"
    text: dict[str, str]
    """The texts in the file by keyword, as PNG files have them."""
    _waiting = False

    def _open(self) -> None:
        from ridecodec.files import metadata
        from ridecodec.plugins import heads

        try:
            header, head = heads.read(cast("BinaryIO", self.fp))
            shown = head.to_pil()
        except RidecodecError as error:
            raise self._error(error) from error
        self._mode, self._size = shown.mode, (header.width, header.height)
        self.info = shown.info
        self.text = {keyword: content for _, keyword, content in metadata.texts(head.metadata)}
        self._waiting = True

    def load(self) -> Any:
        """Decode the pixels, if this was not done before; raises `OSError`."""
        if self._waiting:
            image = self._decoded()
            self.im, self.palette = image.im, image.palette
            self._waiting = False
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
            self.fp = None
        return Image.Image.load(self)

    def verify(self) -> None:
        """Decode the pixels and compare them with the checksums of the file; raises `OSError`."""
        if self._waiting:
            self._decoded()
        super().verify()

    def _decoded(self) -> Image.Image:
        from ridecodec.tiles import codec

        if self.fp is None:
            raise ValueError("the image is closed, and its pixels were not decoded")
        self.fp.seek(0)
        try:
            return codec.decode(self.fp.read(), device="auto", threads=0).to_pil()
        except RidecodecError as error:
            raise self._error(error) from error

    def _error(self, error: RidecodecError) -> OSError:
        name = self.filename.decode(errors="replace") if isinstance(self.filename, bytes) else self.filename
        return OSError(f"{name}: {error}" if name else str(error))


def save(compress: Compress, image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """Compress an image into a stream for `image.save`; accepts the options of `compress` and metadata options."""
    from ridecodec.files import carriers

    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    options = {name: given[name] for name in _OPTIONS if name in given}
    try:
        picture = Picture.from_pil(image)
        picture = replace(picture, metadata=carriers.updated(picture.metadata, given))
        stream.write(compress(picture, **options))
    except RidecodecError as error:
        raise OSError(str(error)) from error


def register(compress: Compress) -> None:
    """Register the .rdc format with Pillow."""
    Image.register_open(FORMAT, RdcImageFile, lambda start: start.startswith(MAGIC))
    Image.register_save(FORMAT, partial(save, compress))
    Image.register_extension(FORMAT, ENDING)
    Image.register_mime(FORMAT, MIME)
