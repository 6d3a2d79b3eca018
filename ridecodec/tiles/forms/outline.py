"""What form a tile has, read without decoding it and without a model."""

from __future__ import annotations

from ridecodec.container.reader import Reader
from ridecodec.errors import DamagedError
from ridecodec.tiles.forms import folding, indexing, rows
from ridecodec.tiles.forms.members import CONSTANT, MEMBERS, MODELLED

_ROWS = {rows.DEFLATE: "deflate", rows.LZMA: "lzma"}
_TABLES = {indexing.COLOURS: "colours", indexing.RANKS: "ranks"}
_TURNED = {indexing.LIGHT: "light", indexing.DISPLAYED: "displayed"}
_DEPTH = 8
"""Forms within forms that are named."""


def outline(payload: bytes | memoryview, channels: int, depth: int) -> tuple[str, tuple[str, ...]]:
    """(form, models) of a tile of a picture of so many channels and bits.

    The form is that of the tile, with those of its parts in brackets: ``apart(constant, colours(graphics))``. A part
    that a model codes has the model's name. Raises DamagedError.
    """
    models: dict[str, None] = {}
    form = _part(Reader(memoryview(payload)), channels, 1 << depth, models, 0)
    return form, tuple(models)


def _part(reader: Reader, channels: int, values: int, models: dict[str, None], depth: int) -> str:
    code = reader.integer(1, "pixel data")
    if depth > _DEPTH:
        raise DamagedError("the pixel data is damaged: its forms are nested too deeply")

    def inner(channels: int, values: int) -> str:
        return _part(reader, channels, values, models, depth + 1)

    if code == CONSTANT:
        reader.take(channels * (2 if values > 256 else 1), "pixel data")
        return "constant"
    if code in _ROWS:
        reader.take(1, "pixel data")
        reader.take(reader.varint("pixel data"), "pixel data")
        return _ROWS[code]
    if code in _TABLES:
        count = reader.varint("pixel data")
        reader.take(reader.varint("pixel data"), "pixel data")
        return f"{_TABLES[code]}({inner(1 if code == indexing.COLOURS else channels, count)})"
    if code in _TURNED:
        return f"{_TURNED[code]}({inner(1, values) if code == indexing.LIGHT else inner(3, 256)})"
    if code == indexing.APART:
        first = inner(1, values)
        return f"apart({first}, {inner(channels - 1, values)})"
    if code == folding.FOLDED:
        reader.varint("pixel data")
        return f"folded({inner(channels, values)})"
    if not MODELLED <= code < MODELLED + len(MEMBERS):
        raise DamagedError("the pixel data is damaged: it has a form that does not exist")
    reader.take(reader.varint("pixel data"), "pixel data")
    name = MEMBERS[code - MODELLED].name
    models[name] = None
    return name
