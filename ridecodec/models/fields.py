"""Settings as fields of dataclasses: each with its line in a command's help, and the values it takes."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

from ridecodec.errors import UsageError


def setting(
    default: Any,
    text: str,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[Any, ...] | None = None,
) -> Any:
    """A field of a dataclass."""
    return field(default=default, metadata={"help": text, "least": least, "most": most, "choices": choices})


def check(settings: Any) -> None:
    """UsageError, naming the field, where a value is none that the field takes."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        least, most, choices = (each.metadata[key] for key in ("least", "most", "choices"))
        if choices and value not in choices:
            raise UsageError(f"{each.name} is {value!r}; choose one of: {', '.join(map(str, choices))}")
        for part in value if isinstance(value, tuple) else (value,):
            if least is not None and part is not None and not part >= least:
                raise UsageError(f"{each.name} is {part}; the minimum is {least}")
            if most is not None and part is not None and part > most:
                raise UsageError(f"{each.name} is {part}; the maximum is {most}")
