"""ridecodec info"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ridecodec.cli import archiveinfo, failures, files, options
from ridecodec.cli.files import Job
from ridecodec.cli.summary import engine_of
from ridecodec.counting import counted, plural
from ridecodec.files import gathering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridecodec import Info


@click.command(short_help="Show the contents of an .rdc or .rdca file.")
@options.inputs("FILE...")
@options.as_json
def command(paths: tuple[str, ...], as_json: bool) -> None:
    """Show the type, model, metadata and sizes of .rdc files and .rdca archives, without decoding the pixels.

    The size of each part is given in bytes and in bits per sub-pixel (bpsp). "-" is standard input.

    \b
    Examples:
      ridecodec info photo.rdc
      ridecodec info --json *.rdc
    """
    from ridecodec import read_info
    from ridecodec.container import rdc
    from ridecodec.container.rdca import is_archive
    from ridecodec.container.rdca import read as read_archive

    def work(job: Job) -> None:
        data = files.read(job.input)
        if is_archive(data):
            held = read_archive(data)
            if as_json:
                click.echo(json.dumps({"input": job.input, **archiveinfo.fields(held)}))
            else:
                for line in archiveinfo.lines(files.label(job.input), held):
                    click.echo(line)
            return
        info = read_info(data)
        if as_json:
            click.echo(json.dumps({"input": job.input, **info.to_dict(), "engine": engine_of(info)}))
        else:
            for line in _lines(files.label(job.input), info):
                click.echo(line)
        rdc.read(data).check()

    files.check_standard(paths)
    failures.for_each([Job(path) for path in gathering.expanded(paths)], work, keep_going=True, as_json=as_json)


def _lines(name: str, info: Info) -> Iterator[str]:
    sub_pixels = info.width * info.height * info.channels

    def row(part: str, size: int, rate: float) -> str:
        return f"  {part:<40}{size:>15,} {plural(size, 'byte'):<5} {rate:>9.4f} bpsp"

    yield f"{name}: {info.width} x {info.height}, {info.colour}, {counted(info.bit_depth, 'bit')}"
    yield f"  model {info.model} {info.model_hash}, " + (
        f"tiles of {counted(info.tile, 'pixel')}" if info.tile else "not tiled"
    )
    yield f"  engine {engine_of(info)}"
    if info.history:
        yield f"  history: {info.history}"
    for part, size in (("header", info.header_bytes), ("metadata", info.metadata_bytes), ("index", info.index_bytes)):
        yield row(part, size, 8 * size / sub_pixels)
    for chunk in info.metadata:
        yield f"    {chunk.kind.strip()}: {chunk.words}, {counted(chunk.bytes, 'byte')}"
    for number, tile in enumerate(info.tiles):
        at = f"{tile.part or 'tile'} {number}: {tile.width} x {tile.height} at {tile.x},{tile.y}"
        yield row(at, tile.bytes, tile.bits_per_subpixel)
        if tile.form != info.model:
            yield f"    coded as {tile.form}" if tile.form else "    damaged: the coding cannot be read"
        if tile.side_bytes:
            yield f"    side information: {counted(tile.side_bytes, 'byte')}"
    yield row("total", info.total_bytes, info.bpsp)
