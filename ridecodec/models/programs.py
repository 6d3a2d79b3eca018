"""Model files of programs: what is in them, and what codes tiles by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from ridecodec.container.rdc import LARGEST_TILE
from ridecodec.engines import choose
from ridecodec.engines.codec import Limits, NoSide, ProgramCodec, Side
from ridecodec.engines.halves import Halves
from ridecodec.engines.labels import Labels
from ridecodec.engines.tilecoder import TileCodec
from ridecodec.errors import ModelRefusedError
from ridecodec.exact import programfile
from ridecodec.exact.program import Program

Arrays = Mapping[str, NDArray[Any]]
NONE = "none"
SIDES = {
    "largest": ("graphics.side", "LargestSample"),
    "label": ("pixelcnn.sides", "Label"),
    "code": ("pixelcnn.sides", "Code"),
    "half": ("pixelcnn.sides", "Half"),
}
"""Kinds of side information, by the name that a model file has: the module here and the class, loaded when needed."""


_HALF = "half."
"""Before the number of channels, of the program of the tile at half its size."""


def save(
    programs: Mapping[int, Program],
    side: str = NONE,
    arrays: Mapping[int, Arrays] | None = None,
    halves: Mapping[int, Program] | None = None,
    limits: Limits | None = None,
) -> bytes:
    """A model file: programs by number of channels, the kind of their side information, and what that needs.

    ``halves``: the programs of tiles at half their size, for models that are told them.
    """
    flat = {f"{c}.{name}": array for c, held in (arrays or {}).items() for name, array in held.items()}
    named = {str(c): program for c, program in programs.items()}
    named |= {f"{_HALF}{c}": program for c, program in (halves or {}).items()}
    extra: dict[str, Any] = {"side": side}
    if limits is not None:
        extra["limits"] = [limits.tile, limits.largest_tile, limits.bounded]
    return programfile.save(named, extra, flat)


def program_codec(name: str, data: bytes | None, engine: str = "auto", device: str = "auto") -> TileCodec:
    """What codes tiles by a model file, without one by the uniform model; raises ModelRefusedError."""
    if data is None:
        from ridecodec.models import uniform

        programs = uniform.programs()
        sides: dict[int, Side] = {c: NoSide() for c in programs}
        return ProgramCodec(name, programs, sides, choose.engine_for(list(programs.values()), engine, device))
    found, extra, arrays = programfile.load(data)
    kind, limits = extra.get("side"), _limits(name, extra)
    programs, halves = _by_channels(name, found, ""), _by_channels(name, found, _HALF)
    if kind not in (NONE, *SIDES) or not programs or len(programs) + len(halves) < len(found):
        raise ModelRefusedError(f"the model file of {name!r} has side information of an unknown kind")
    if halves and halves.keys() != programs.keys():
        raise ModelRefusedError(f"the model file of {name!r} has not as many halves as programs")
    try:
        sides = {c: _side(kind, program, below(arrays, f"{c}.")) for c, program in programs.items()}
    except (KeyError, IndexError) as error:
        raise ModelRefusedError(f"the model file of {name!r} lacks {error}; export the model again") from error
    chosen = choose.engine_for([*programs.values(), *halves.values()], engine, device)
    codec: TileCodec = ProgramCodec(name, programs, sides, chosen, limits)
    if halves or any(program.halved for program in programs.values()):
        if kind != "half" or not halves:
            raise ModelRefusedError(f"the model file of {name!r} has no programs of the half; export the model again")
        codec = Halves(codec, ProgramCodec(name, halves, {c: NoSide() for c in halves}, chosen, limits))
    classes = {side.classes for side in sides.values()}
    return Labels(codec, max(classes)) if classes != {0} else codec


def _side(kind: str, program: Program, arrays: Arrays) -> Side:
    if kind == NONE:
        return NoSide()
    module, name = SIDES[kind]
    made: Callable[[Program, Arrays], Side] = getattr(import_module(f"ridecodec.models.{module}"), name)
    return made(program, arrays)


def _by_channels(name: str, found: Mapping[str, Program], prefix: str) -> dict[int, Program]:
    """The programs whose names are a prefix and their number of channels."""
    named = {key[len(prefix) :]: program for key, program in found.items() if key.startswith(prefix)}
    programs = {int(c): program for c, program in named.items() if c.isdecimal()}
    if any(c != program.channels for c, program in programs.items()):
        raise ModelRefusedError(f"the model file of {name!r} has a program of other channels than it says")
    return programs


def _limits(name: str, extra: Mapping[str, Any]) -> Limits | None:
    """What the file says of tiles, if anything."""
    written = extra.get("limits")
    if written is None:
        return None
    fits = isinstance(written, list) and [type(each) for each in written] == [int, int, bool]
    if not fits or not 1 <= written[0] <= written[1] <= LARGEST_TILE:
        raise ModelRefusedError(f"the model file of {name!r} has limits of tiles that are not valid")
    return Limits(*written)


def arrays(data: bytes) -> dict[int, Arrays]:
    """What goes with the programs of a model file, by number of channels; ModelRefusedError where it is damaged."""
    found, _, held = programfile.load(data)
    return {int(c): below(held, f"{c}.") for c in found if c.isdecimal()}


def below(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Those whose names begin with ``prefix``, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
