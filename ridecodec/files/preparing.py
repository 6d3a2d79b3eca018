"""Picture files made ready to be compressed: which are taken, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

from ridecodec.errors import OutputError, UsageError
from ridecodec.files import metadata
from ridecodec.picture import MAX_PIXELS, ColourType, Picture

ALPHAS = ("exact", "clean")
"""What becomes of the colours of fully transparent pixels: they are kept, or become 0."""

_WITH_ALPHA = (ColourType.GRAY_ALPHA, ColourType.RGBA, ColourType.PALETTE_ALPHA)


@dataclass(frozen=True)
class Wishes:
    """What is asked of a picture file: `strip` names metadata (see `metadata.strip`), `alpha` is one of `ALPHAS`.

    `exact_file` asks for a recipe of the very file, `pixels` takes files too of which only the pixels are kept, and
    `max_pixels` is the limit.
    """

    strip: tuple[str, ...] = ()
    alpha: str = "exact"
    exact_file: bool = False
    pixels: bool = False
    max_pixels: int = MAX_PIXELS

    def check(self) -> None:
        """Raise `UsageError` where they contradict one another, or name what there is not."""
        metadata.strip((), self.strip)
        if self.alpha not in ALPHAS:
            raise UsageError(f"alpha is {self.alpha!r}; choose {' or '.join(ALPHAS)}")
        if self.exact_file and (self.strip or self.alpha != "exact"):
            raise UsageError("--exact-file cannot be used with --strip or --alpha clean")


@dataclass(frozen=True)
class Prepared:
    """A picture that is ready."""

    picture: Picture
    notes: tuple[str, ...] = ()
    """What is worth saying, each as a clause: what of the file or of the wishes could not be had, and more."""
    whole: bool = True
    """Whether all of the file is kept that was not to be left out; otherwise `notes` says what is not."""
    lossy: bool = False
    """Whether it was a file of a lossy format, which is smaller than its pixels."""


def prepare(stream: BinaryIO, wishes: Wishes) -> Prepared:
    """Read a picture file from the start of a binary stream that can seek, and do what is wished.

    Raises what `Picture.open` does.
    """
    from ridecodec.files import opening
    from ridecodec.files.lossy import lossy

    source = opening.read(stream, wishes.max_pixels, wishes.pixels)
    picture, notes = source.picture, source.notes
    if source.lost:
        notes = (f"loses {', '.join(source.lost)}", *notes)
    stream.seek(0)
    if wishes.exact_file:
        return _exactly(picture, stream.read(), notes)
    if wishes.strip:
        picture = stripped(picture, wishes.strip)
    ready = cleaned(picture) if wishes.alpha == "clean" else picture
    return Prepared(ready, notes, not source.lost, bool(wishes.pixels and lossy(stream)))


def check(stream: BinaryIO, wishes: Wishes) -> None:
    """Raise `InputError` for a file that `prepare` refuses, where its first bytes tell."""
    from ridecodec.files import opening

    if not wishes.pixels:
        opening.check(stream)


def stripped(picture: Picture, kinds: Iterable[str]) -> Picture:
    """The picture without some of its metadata (see `metadata.strip`)."""
    return replace(picture, metadata=metadata.strip(picture.metadata, kinds, picture.colour.indexed))


def cleaned(picture: Picture) -> Picture:
    """The picture with samples of 0 where its alpha channel is 0; one without an alpha channel as it is."""
    if picture.colour not in _WITH_ALPHA:
        return picture
    return replace(picture, planes=picture.planes * (picture.planes[-1] > 0))


def _exactly(picture: Picture, file: bytes, notes: tuple[str, ...]) -> Prepared:
    from ridecodec.files import exactfile
    from ridecodec.files.pngchunks import SIGNATURE

    try:
        if not file.startswith(SIGNATURE):
            raise OutputError("it is not a PNG file")
        return Prepared(exactfile.with_recipe(picture, file))
    except OutputError as error:
        short = f"only its pixels and metadata are kept, not the exact file: {error}"
        return Prepared(picture, (*notes, short), whole=False)
