"""Model files of programs: what is in them, and what codes tiles by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from ridecodec.engines import choose
from ridecodec.engines.codec import NoSide, ProgramCodec, Side
from ridecodec.errors import ModelRefusedError
from ridecodec.exact import programfile
from ridecodec.exact.program import Program
from ridecodec.models import uniform
from ridecodec.models.deep.side import Prediction
from ridecodec.models.graphics.side import LargestSample
from ridecodec.models.photo.side import ImageExperts

Arrays = Mapping[str, NDArray[Any]]
SIDES: dict[str, Callable[[Program, Arrays], Side]] = {
    "none": lambda program, arrays: NoSide(),
    "experts": ImageExperts,
    "largest": LargestSample,
    "prediction": Prediction,
}
"""Kinds of side information, by the name that a model file has."""


def save(programs: Mapping[int, Program], side: str = "none", arrays: Mapping[int, Arrays] | None = None) -> bytes:
    """A model file: programs by number of channels, the kind of their side information, and what that needs."""
    flat = {f"{c}.{name}": array for c, held in (arrays or {}).items() for name, array in held.items()}
    return programfile.save({str(c): program for c, program in programs.items()}, {"side": side}, flat)


def program_codec(name: str, data: bytes | None, engine: str = "auto", device: str = "auto") -> ProgramCodec:
    """What codes tiles by a model file, without one by the uniform model; raises ModelRefusedError."""
    if data is None:
        programs = uniform.programs()
        sides: dict[int, Side] = {c: NoSide() for c in programs}
        return ProgramCodec(name, programs, sides, choose.engine_for(list(programs.values()), engine, device))
    found, extra, arrays = programfile.load(data)
    kind = extra.get("side")
    if kind not in SIDES or not found or any(not c.isdecimal() for c in found):
        raise ModelRefusedError(f"the model file of {name!r} has side information of an unknown kind")
    programs = {int(c): program for c, program in found.items()}
    if any(c != program.channels for c, program in programs.items()):
        raise ModelRefusedError(f"the model file of {name!r} has a program of other channels than it says")
    try:
        sides = {c: SIDES[kind](program, below(arrays, f"{c}.")) for c, program in programs.items()}
    except (KeyError, IndexError) as error:
        raise ModelRefusedError(f"the model file of {name!r} lacks {error}; export the model again") from error
    return ProgramCodec(name, programs, sides, choose.engine_for(list(programs.values()), engine, device))


def arrays(data: bytes) -> dict[int, Arrays]:
    """What goes with the programs of a model file, by number of channels; ModelRefusedError where it is damaged."""
    found, _, held = programfile.load(data)
    return {int(c): below(held, f"{c}.") for c in found if c.isdecimal()}


def below(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Those whose names begin with ``prefix``, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
