"""The histories that there are, by number and by name."""

from __future__ import annotations

from ridecodec.errors import ModelMissingError
from ridecodec.histories.base import History

HISTORIES: tuple[type[History], ...] = ()
"""In the order in which they are looked for."""


def of_number(number: int, version: int) -> type[History]:
    """The history of a file; ModelMissingError where a newer ridecodec has it."""
    for history in HISTORIES:
        if (history.number, history.version) == (number, version):
            return history
    raise ModelMissingError(f"the file needs history number {number}, version {version}, which needs a newer ridecodec")


def names() -> tuple[str, ...]:
    """The names of all."""
    return tuple(history.name for history in HISTORIES)


def of_name(name: str) -> type[History]:
    """The history of this name; KeyError where there is none."""
    return {history.name: history for history in HISTORIES}[name]
