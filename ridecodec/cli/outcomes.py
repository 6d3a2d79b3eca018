"""What can become of a file that is worked on; it travels between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Done:
    """All went well."""

    line: str
    """What is said of it."""
    details: str
    """What else is said with --verbose."""
    fields: dict[str, Any]
    """The same for JSON."""
    bytes_in: int = 0
    bytes_out: int = 0
    notes: tuple[str, ...] = ()
    """What was asked for and could not be had."""


@dataclass(frozen=True)
class Failed:
    """An error: exit code and message."""

    code: int
    message: str
    trace: str = ""


@dataclass(frozen=True)
class Skipped:
    """Its output exists already."""


Outcome: TypeAlias = Done | Failed | Skipped
