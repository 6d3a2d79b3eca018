"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """How many there are of a thing: "1 byte", "2 bytes"."""
    return f"{count:,} {plural(count, thing)}"


def plural(count: int, thing: str) -> str:
    """The thing's name for so many of them."""
    return thing if count == 1 else f"{thing}s"
