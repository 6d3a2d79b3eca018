"""The ways of `Picture` from and to files and Pillow images, in modules that are loaded when they are first used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL import Image

    from ridecodec.picture import Picture


class FileWays:
    """See `ridecodec.picture.Ways`."""

    def open(
        self, source: str | os.PathLike[str] | BinaryIO, max_pixels: int, pixels: bool, /
    ) -> tuple[Picture, tuple[str, ...]]:
        from ridecodec.files import opening

        found = opening.read(source, max_pixels, pixels)
        return found.picture, found.lost

    def save(self, picture: Picture, target: str | os.PathLike[str] | BinaryIO, kind: str | None, /) -> None:
        from ridecodec.files import saving

        saving.save(picture, target, kind)

    def from_pil(self, image: Image.Image, max_pixels: int, /) -> Picture:
        from ridecodec.files import pilfiles

        return pilfiles.picture_of(image, max_pixels)

    def to_pil(self, picture: Picture, /) -> Image.Image:
        from ridecodec.files import pilimages

        return pilimages.to_pil(picture)
