"""The histories that there are, by number and by name."""

from __future__ import annotations

from ridecodec.errors import ModelMissingError, UsageError
from ridecodec.histories.base import History
from ridecodec.histories.enlarged import Enlarged
from ridecodec.histories.mapped import Mapped
from ridecodec.histories.packed import Packed
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.histories.repeated import Repeated
from ridecodec.histories.ycbcr import YCbCr

HISTORIES: tuple[type[History], ...] = (Repeated, Enlarged, Packed, Mapped, PhotoCd, YCbCr)
"""In the order in which they are looked for."""
AUTO, OFF = "auto", "off"
NAMES = (AUTO, OFF, *(history.name for history in HISTORIES))
"""What may be asked for."""


def of_number(number: int, version: int) -> type[History]:
    """The history of a file; ModelMissingError where a newer ridecodec has it."""
    for history in HISTORIES:
        if (history.number, history.version) == (number, version):
            return history
    raise ModelMissingError(f"the file needs history number {number}, version {version}, which needs a newer ridecodec")


def wanted(name: str) -> tuple[type[History], ...]:
    """The histories to look for: all for `auto`, none for `off`, else the one of this name; UsageError for others."""
    if name == AUTO:
        return HISTORIES
    found = tuple(history for history in HISTORIES if history.name == name)
    if not found and name != OFF:
        raise UsageError(f"there is no history {name!r}; choose one of: {', '.join(NAMES)}")
    return found
