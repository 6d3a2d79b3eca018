"""The models that a picture's parts may go to, and what each takes."""

from __future__ import annotations

from dataclasses import dataclass

CONSTANT, MODELLED = 0, 16
"""Codes of forms: a part whose pixels are all alike, and the first of the models, which the others follow."""


@dataclass(frozen=True)
class Member:
    """A model, and the channels that it takes; ``deep``: of 16 bits."""

    name: str
    channels: tuple[int, ...]
    deep: bool = False


MEMBERS = (
    Member("photo", (1, 3)),
    Member("gradient", (1, 3)),
    Member("graphics", (1, 2, 3, 4)),
    Member("deep", (1, 3), deep=True),
)
"""By number; numbers are never reused."""
PHOTO, GRADIENT, GRAPHICS, DEEP = range(len(MEMBERS))
