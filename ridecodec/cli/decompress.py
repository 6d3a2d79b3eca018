"""ridecodec decompress"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import click

from ridecodec.cli import failures, files, options, progress
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.summary import Summary
from ridecodec.placing import placed

if TYPE_CHECKING:
    from ridecodec.picture import Picture

FORMATS = ("png", "ppm", "pgm", "pnm", "tiff", "bmp", "webp", "npy")


@click.command(
    short_help="Decompress .rdc files to pictures.",
    help="""Decompress .rdc files to pictures, by default PNG, beside each and of its name.

    The output's extension chooses the format: .png, .ppm, .pgm, .pnm, .tif, .bmp, .webp (lossless) or .npy. With two
    paths the second is the output unless it ends in .rdc. "-" is standard input or output.
    """,
)
@options.inputs("INPUT... [OUTPUT]")
@options.output("pictures")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Format of the output, whatever its extension.")
@click.option(
    "--region",
    callback=options.region,
    metavar="X,Y,W,H",
    help="Decode only this part: left, top, width and height in pixels.",
)
@options.engine
@options.reporting
def command(
    paths: tuple[str, ...],
    output: str | None,
    folder: str | None,
    format_: str | None,
    region: tuple[int, int, int, int] | None,
    device: str,
    threads: int,
    force: bool,
    keep_going: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    summary = Summary(quiet, verbose, as_json)
    suffix = f".{format_ or 'png'}"
    jobs = files.plan(paths, output=output, folder=folder, suffix=suffix, names_output=_names_output)
    summary.check(jobs)

    def work(job: Job) -> None:
        files.check(job, force)
        kind = format_ or _format(job.output)
        import ridecodec

        begun = time.perf_counter()
        data = files.read(job.input)
        info = ridecodec.read_info(data)
        with progress.bar(files.label(job.input), summary.progress) as advance:
            picture = ridecodec.decompress(data, device=device, threads=threads, region=region, progress=advance)
        _save(picture, job.output, kind, force)
        summary.done(job, info, time.perf_counter() - begun, picture.width * picture.height)

    failures.for_each(jobs, work, keep_going=keep_going, as_json=as_json)


def _names_output(path: str) -> bool:
    return not path.lower().endswith(".rdc")


def _format(output: str) -> str:
    from ridecodec.picture import target_format

    return "png" if output == STANDARD else target_format(output)


def _save(picture: Picture, output: str, kind: str, force: bool) -> None:
    if files.is_stream(output):
        buffer = io.BytesIO()  # some formats seek, which a pipe cannot
        picture.save(buffer, kind)
        files.write(output, buffer.getvalue(), force)
        return
    with placed(output, force) as path:
        picture.save(path, kind)
