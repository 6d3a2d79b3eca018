"""ridecodec decompress"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import click

from ridecodec.cli import archives, failures, files, options, progress
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.summary import Summary
from ridecodec.errors import UsageError
from ridecodec.placing import placed

if TYPE_CHECKING:
    from ridecodec.picture import Picture

FORMATS = ("png", "ppm", "pgm", "pnm", "tiff", "bmp", "webp", "npy")


@click.command(
    short_help="Decompress .rdc files to pictures.",
    help="""Decompress .rdc files to pictures, by default PNG, beside each and of its name.

    The output's extension chooses the format: .png, .ppm, .pgm, .pnm, .tif, .bmp, .webp (lossless) or .npy. With two
    paths the second is the output unless it ends in .rdc. "-" is standard input or output.

    Of an .rdca archive the second path, or --output-dir, is the folder for its pictures.
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
@click.option(
    "--preview", is_flag=True, help="Decode only the picture at half its size, of a model that codes it first."
)
@click.option("--only", multiple=True, metavar="NAME", help="Of an archive only this picture; repeat for several.")
@options.engine
@options.reporting
def command(
    paths: tuple[str, ...],
    output: str | None,
    folder: str | None,
    format_: str | None,
    region: tuple[int, int, int, int] | None,
    preview: bool,
    only: tuple[str, ...],
    device: str,
    threads: int,
    force: bool,
    keep_going: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    summary = Summary(quiet, verbose, as_json)
    if paths[0].lower().endswith(archives.SUFFIX):
        name, target = _archive(paths, output, folder)
        summary.check([])
        if target == files.STANDARD:
            raise UsageError("an archive is decompressed into a folder, not to standard output")
        if region is not None or preview:
            raise UsageError("an archive's pictures are decoded whole: leave out --region and --preview")

        def unpack(job: Job) -> None:
            archives.unpack(
                job.input,
                job.output,
                only,
                format_ or "png",
                summary,
                device=device,
                threads=threads,
                force=force,
                keep_going=keep_going,
            )

        failures.for_each([Job(name, target)], unpack, as_json=as_json)
        return
    if only:
        raise UsageError(f"--only is for archives, whose names end in {archives.SUFFIX}")
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
            picture = ridecodec.decompress(
                data, device=device, threads=threads, region=region, preview=preview, progress=advance
            )
        _save(picture, job.output, kind, force)
        summary.done(job, info, time.perf_counter() - begun, picture.width * picture.height)

    failures.for_each(jobs, work, keep_going=keep_going, as_json=as_json)


def _archive(paths: tuple[str, ...], output: str | None, folder: str | None) -> tuple[str, str]:
    """The archive's name, and the folder for its pictures."""
    targets = [each for each in (*paths[1:], output, folder) if each is not None]
    if len(targets) > 1:
        raise UsageError("an archive is decompressed alone, and into one folder")
    return paths[0], targets[0] if targets else paths[0][: -len(archives.SUFFIX)]


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
