"""Whole files decoded and held against their checksums, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable

from ridecodec.container import rdca
from ridecodec.counting import counted
from ridecodec.errors import DamagedError
from ridecodec.picture import MAX_PIXELS
from ridecodec.tiles import codec, setcodec
from ridecodec.tiles.progress import Progress

_NAMED = 5
"""Damaged pictures of an archive that a message names."""


def check(
    data: bytes,
    *,
    device: str = "auto",
    threads: int = 0,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[int, int]:
    """Decode .rdc or .rdca data; returns the numbers of its pictures and of their pixels.

    Raises what `decompress` does, and for an archive `DamagedError` that names pictures which are damaged.
    """
    if not rdca.is_archive(data):
        picture = codec.decode(data, device=device, threads=threads, max_pixels=max_pixels, progress=progress)
        return 1, picture.width * picture.height
    held = rdca.read(data)
    every = range(len(held.names))
    found = setcodec.decode(held, every, device=device, threads=threads, max_pixels=max_pixels, progress=progress)
    wrong = sorted(number for number, picture in found if isinstance(picture, DamagedError))
    if wrong:
        named = ", ".join(repr(held.names[number]) for number in wrong[:_NAMED])
        state = "is damaged" if len(wrong) == 1 else "are damaged"
        more = f" and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else ""
        raise DamagedError(f"{len(wrong):,} of its {counted(len(held.names), 'picture')} {state}: {named}{more}")
    return len(held.names), sum(kind.header.width * kind.header.height for kind in held.kinds)
