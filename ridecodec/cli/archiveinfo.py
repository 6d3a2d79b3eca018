"""What `info` says of an archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ridecodec.cli import files
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.container.rdca import Archive
from ridecodec.counting import counted, plural
from ridecodec.errors import DamagedError
from ridecodec.tiles import info


def lines(name: str, held: Archive) -> Iterator[str]:
    """In words."""

    def row(part: str, size: int, sub_pixels: int) -> str:
        return f"  {part:<40}{size:>15,} {plural(size, 'byte'):<5} {8 * size / sub_pixels:>9.4f} bpsp"

    total = held.sub_pixels
    yield f"{name}: {counted(len(held.names), 'picture')}"
    for model, model_hash in held.models:
        yield f"  model {model} {model_hash.hex()}"
    for part, size in _parts(held).items():
        yield row(part, size, total)
    for picture in _pictures(held):
        kind = f"{picture['width']} x {picture['height']}, {picture['colour']}, {counted(picture['bit_depth'], 'bit')}"
        label = f"{files.printable(str(picture['name']))}: {kind}"
        yield row(label, picture["bytes"], picture["sub_pixels"])
        if picture["history"]:
            yield f"    history: {picture['history']}"
        yield f"    {_forms(picture['forms'])}"
    yield row("total", held.total_bytes, total)


def fields(held: Archive) -> dict[str, object]:
    """For JSON."""
    pictures = [{key: value for key, value in each.items() if key != "sub_pixels"} for each in _pictures(held)]
    return {
        "models": [{"name": model, "hash": model_hash.hex()} for model, model_hash in held.models],
        "pictures": pictures,
        **{f"{part}_bytes": size for part, size in _parts(held).items()},
        "total_bytes": held.total_bytes,
        "bpsp": 8 * held.total_bytes / held.sub_pixels,
    }


def _parts(held: Archive) -> dict[str, int]:
    """Bytes of what is not of one picture."""
    sizes = (held.header_bytes, held.metadata_bytes, held.names_bytes, held.index_bytes)
    return dict(zip(("header", "metadata", "names", "index"), sizes, strict=True))


def _pictures(held: Archive) -> Iterator[dict[str, Any]]:
    for number, (name, kind, length) in enumerate(zip(held.names, held.kinds, held.lengths.tolist(), strict=True)):
        header = kind.header
        forms, history = Counter[str](), None
        try:
            picture = held.picture(number)
            forms.update(tile.form for tile in info.tiles(picture) if tile.form is not None)
            history = info.history(picture)
        except DamagedError:
            forms.clear()
        yield {
            "name": name,
            "width": header.width,
            "height": header.height,
            "colour": header.colour.name,
            "bit_depth": header.bit_depth,
            "bytes": length,
            "model": AUTO if header.model == HISTORY else header.model,
            "history": history,
            "forms": dict(forms),
            "sub_pixels": header.sub_pixels,
        }


def _forms(forms: dict[str, int]) -> str:
    """The forms of a picture's tiles in words."""
    if sum(forms.values()) == 1:
        return f"coded as {next(iter(forms))}"
    if not forms:
        return "damaged: the coding cannot be read"
    return "coded as " + ", ".join(f"{count:,} {form}" for form, count in forms.items())
