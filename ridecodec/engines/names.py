"""The engines by name, and which one was asked for; known without loading any."""

from __future__ import annotations

import os

from ridecodec.errors import UsageError

NAMES = ("auto", "native", "torch", "reference")
VARIABLE = "RIDECODEC_ENGINE"
"""Names the engine for a process and those that it starts; unset: auto."""


def chosen() -> str:
    """The name of the engine that was asked for; UsageError for one that does not exist."""
    name = os.environ.get(VARIABLE) or NAMES[0]
    if name not in NAMES:
        raise UsageError(f"{VARIABLE} is {name!r}; choose one of {', '.join(NAMES)}")
    return name
