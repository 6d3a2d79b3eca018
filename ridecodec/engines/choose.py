"""Which engine runs a program: the fastest that is at hand and supports it, or the one that was named."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ridecodec.engines import native
from ridecodec.engines.base import Engine
from ridecodec.engines.reference import Reference
from ridecodec.errors import UsageError
from ridecodec.exact.program import Program


@cache
def engines() -> tuple[Engine, ...]:
    """Those at hand, the fastest first."""
    return (native.Native(), Reference()) if native.missing is None else (Reference(),)


def engine_for(programs: Sequence[Program], name: str = "auto") -> Engine:
    """The engine for all of some programs; UsageError where the named one cannot run them."""
    for engine in engines():
        reasons = [reason for program in programs if (reason := engine.supports(program))]
        if name == engine.name and reasons:
            raise UsageError(f"the engine {name!r} cannot run this model: {reasons[0]}; choose another, or auto")
        if name in ("auto", engine.name) and not reasons:
            return engine
    known = ", ".join(["auto", *(engine.name for engine in engines())])
    raise UsageError(f"there is no engine {name!r} here; choose one of: {known}")
