"""Picture files made ready to be compressed: which are taken, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.formats import metadata
from ridecodec.picture import MAX_PIXELS, ColourType, Picture

ALPHAS = ("exact", "clean")
"""What becomes of the colours of fully transparent pixels: they are kept, or become 0."""

_WITH_ALPHA = (ColourType.GRAY_ALPHA, ColourType.RGBA, ColourType.PALETTE_ALPHA)


@dataclass(frozen=True)
class Wishes:
    """What is asked of a picture file: `strip` names metadata (see `metadata.strip`), `alpha` is one of `ALPHAS`.

    `exact_file` asks for a recipe of the very file, `lossy` takes files of lossy formats too, and `max_pixels` is the
    limit.
    """

    strip: tuple[str, ...] = ()
    alpha: str = "exact"
    exact_file: bool = False
    lossy: bool = True
    max_pixels: int = MAX_PIXELS

    def check(self) -> None:
        """Raise `UsageError` where they contradict one another, or name what there is not."""
        metadata.strip((), self.strip)
        if self.alpha not in ALPHAS:
            raise UsageError(f"there is no {self.alpha!r} for alpha; choose {' or '.join(ALPHAS)}")
        if self.exact_file and (self.strip or self.alpha != "exact"):
            raise UsageError("the exact file has all its metadata and colours: leave out --strip and --alpha")


@dataclass(frozen=True)
class Prepared:
    """A picture that is ready; `shortfall` says in words what of the file or of the wishes could not be had."""

    picture: Picture
    shortfall: str = ""
    lossy: bool = False
    """Whether it was a file of a lossy format, which is smaller than its pixels."""


def prepare(stream: BinaryIO, wishes: Wishes) -> Prepared:
    """Read a picture file from the start of a binary stream that can seek, and do what is wished.

    Raises what `Picture.open` does, and `InputError` for a file of a lossy format where those are not taken.
    """
    from ridecodec.formats import opening

    found = check_lossy(stream, wishes)
    picture = Picture.open(stream, max_pixels=wishes.max_pixels)
    if wishes.exact_file:
        stream.seek(0)
        return _exactly(picture, stream.read())
    lost = [] if "all" in wishes.strip else opening.unkept(stream, wishes.max_pixels)
    if wishes.strip:
        picture = stripped(picture, wishes.strip)
    shortfall = f"loses {', '.join(lost)}" if lost else ""
    return Prepared(cleaned(picture) if wishes.alpha == "clean" else picture, shortfall, bool(found))


def check_lossy(stream: BinaryIO, wishes: Wishes) -> str:
    """What lossy format a file is of, "" where of none; `InputError` where those are not taken."""
    from ridecodec.formats.lossy import lossy

    found = lossy(stream)
    if found and not wishes.lossy:
        raise InputError(
            f"is a {found} file, already smaller than its pixels would be; --pixels compresses them all the same"
        )
    return found


def stripped(picture: Picture, kinds: Iterable[str]) -> Picture:
    """The picture without some of its metadata (see `metadata.strip`)."""
    return replace(picture, metadata=metadata.strip(picture.metadata, kinds, picture.colour.indexed))


def cleaned(picture: Picture) -> Picture:
    """The picture with samples of 0 where its alpha channel is 0; one without an alpha channel as it is."""
    if picture.colour not in _WITH_ALPHA:
        return picture
    return replace(picture, planes=picture.planes * (picture.planes[-1] > 0))


def _exactly(picture: Picture, file: bytes) -> Prepared:
    from ridecodec.formats import exactfile
    from ridecodec.formats.pngchunks import SIGNATURE

    try:
        if not file.startswith(SIGNATURE):
            raise OutputError("it is no PNG file")
        return Prepared(exactfile.with_recipe(picture, file))
    except OutputError as error:
        return Prepared(picture, f"only its pixels and metadata are kept, and not the exact file: {error}")
