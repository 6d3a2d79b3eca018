"""ridecodec decompress"""

from __future__ import annotations

import os

import click

from ridecodec.cli import batches, files, options
from ridecodec.cli.batches import Batch
from ridecodec.cli.summary import Summary
from ridecodec.cli.unpacking import Unpacking
from ridecodec.errors import RidecodecError, UsageError
from ridecodec.files import gathering
from ridecodec.picture import ALIASES, FORMATS

ENDING = ".rdc"


@click.command(
    short_help="Decompress .rdc files to pictures.",
    help="""Decompress .rdc files to pictures: PNG by default, or TIFF for pictures that PNG cannot hold.

    The extension of the output selects the format: .png, .ppm, .pgm, .pnm, .pbm, .tif or .tiff, .bmp, .webp (lossless)
    or .npy. If there are two paths, the second is the output unless it ends in .rdc. "-" is standard input or output.
    INPUTs are files, patterns such as "*.rdc", and folders with --recursive.

    PNG outputs contain all metadata. Files that were compressed with --exact-file are restored byte for byte.

    For an .rdca archive, the second path or --output-dir is the folder for its pictures.

    \b
    Examples:
      ridecodec decompress photo.rdc
      ridecodec decompress photo.rdc photo.tif
      ridecodec decompress -r packed -d pictures --jobs 4
      ridecodec decompress photo.rdc part.png --region 100,50,640,480
      ridecodec decompress - - < photo.rdc > photo.png
      ridecodec decompress icons.rdca icons --only save --only open
    """,
)
@options.inputs("INPUT... [OUTPUT]")
@options.output("pictures")
@click.option(
    "--format",
    "kind",
    type=click.Choice([*FORMATS, *ALIASES]),
    help="Output format, whatever the extension of the output.",
)
@click.option(
    "--region",
    callback=options.region,
    metavar="X,Y,W,H",
    help="Decode only this region: left, top, width and height in pixels.",
)
@click.option("--preview", is_flag=True, help="Decode only the half-size picture, for models that code it first.")
@click.option("--only", multiple=True, metavar="NAME", help="Extract only this picture of an archive. Can be repeated.")
@options.max_pixels
@options.preserve
@options.engine
@options.batch("the .rdc files")
@options.reporting
def command(
    paths: tuple[str, ...],
    output: str | None,
    folder: str | None,
    kind: str | None,
    region: tuple[int, int, int, int] | None,
    preview: bool,
    only: tuple[str, ...],
    max_pixels: int,
    preserve: bool,
    device: str,
    threads: int,
    batch: Batch,
    summary: Summary,
) -> None:
    work = Unpacking(
        ALIASES.get(kind or "", kind),
        region,
        preview,
        device,
        threads,
        batch.processes,
        max_pixels,
        batch.force,
        preserve,
    )
    if files.is_archive(paths[0]):
        from ridecodec.cli import archives

        archives.unpack(paths, [output, folder], only, work, batch, summary)
        return
    if only:
        raise UsageError("--only needs an archive (.rdca)")
    jobs = files.plan(
        paths,
        output=output,
        folder=folder,
        suffix=lambda path: f".{kind}" if kind else _usual(path),
        names_output=_names_output,
        endings=[ENDING],
        recursive=batch.recursive,
        keep_going=batch.keep_going,
    )
    batches.run(jobs, work, batch, summary)


def _usual(path: str) -> str:
    """The extension of what is made of a file: .png, or .tif where PNG has no such pictures."""
    from ridecodec.container import rdc
    from ridecodec.files import saving

    if not os.path.isfile(path):
        return ".png"
    try:
        with open(path, "rb") as stream:
            header = rdc.read_header(stream)
    except (OSError, RidecodecError):
        return ".png"  # what is wrong is said when its turn comes
    return ".png" if saving.holds("png", header.colour, header.bit_depth) else ".tif"


def _names_output(path: str) -> bool:
    return not path.lower().endswith(ENDING) and not gathering.is_pattern(path)
