"""ridecodec compress"""

from __future__ import annotations

import io
import os
import time
from typing import TYPE_CHECKING

import click

from ridecodec.cli import archives, failures, files, options, progress
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.summary import Summary
from ridecodec.errors import UsageError

if TYPE_CHECKING:
    from ridecodec.picture import Picture

SUFFIX = ".rdc"


@click.command(
    short_help="Compress pictures to .rdc files.",
    help="""Compress pictures to .rdc files, by default beside each and of its name.

    With two paths the second is the output if it ends in .rdc or is "-"; otherwise both are inputs. "-" is standard
    input or output. Every result is decoded and compared before it is put in place. Metadata (EXIF, ICC profiles,
    orientation) is not kept yet.

    With --archive the inputs are folders, picture files and .npy arrays [N, H, W(, 3)], and all their pictures go into
    one .rdca file, from which each can be had alone.
    """,
)
@options.inputs("INPUT... [OUTPUT]")
@options.output(".rdc files")
@options.model()
@options.label
@options.tile
@click.option("--archive", type=options.PATH, metavar="FILE", help="Put all pictures into this one .rdca file.")
@options.cut
@options.count
@options.engine
@click.option("--verify/--no-verify", default=True, show_default=True, help="Decode the result and compare.")
@options.reporting
def command(
    paths: tuple[str, ...],
    output: str | None,
    folder: str | None,
    model: str,
    label: int | None,
    tile: int,
    archive: str | None,
    cut: tuple[int, int] | None,
    count: int | None,
    device: str,
    threads: int,
    verify: bool,
    force: bool,
    keep_going: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    summary = Summary(quiet, verbose, as_json)
    if archive is not None:
        if output is not None or folder is not None or tile or files.STANDARD in paths:
            raise UsageError("--archive goes neither with --output, --output-dir and --tile nor with standard input")
        if archive != files.STANDARD and not archive.lower().endswith(archives.SUFFIX):
            raise UsageError(f"{files.label(archive)}: an archive's name ends in {archives.SUFFIX}")
        whole = Job(", ".join(paths), archive)
        summary.check([whole])

        def pack(job: Job) -> None:
            archives.pack(
                paths,
                job.output,
                summary,
                cut=cut,
                count=count,
                model=model,
                label=label,
                device=device,
                threads=threads,
                verify=verify,
                force=force,
            )

        failures.for_each([whole], pack, as_json=as_json)
        return
    if cut is not None or count is not None:
        raise UsageError("--cut and --count are for --archive")
    jobs = files.plan(paths, output=output, folder=folder, suffix=SUFFIX, names_output=_names_output)
    summary.check(jobs)

    def work(job: Job) -> None:
        files.check(job, force)
        import ridecodec

        begun = time.perf_counter()
        picture = _open(job.input)
        with progress.bar(files.label(job.input), summary.progress) as advance:
            data = ridecodec.compress(
                picture,
                model=model,
                label=label,
                device=device,
                threads=threads,
                tile=tile,
                verify=verify,
                progress=advance,
            )
        files.write(job.output, data, force)
        info = ridecodec.read_info(data)
        summary.done(job, info, time.perf_counter() - begun, info.width * info.height)

    failures.for_each(jobs, work, keep_going=keep_going, as_json=as_json)


def _names_output(path: str) -> bool:
    """Whether the second of two paths is the output; raises UsageError where it is no input either."""
    if path == STANDARD or path.lower().endswith(SUFFIX):
        return True
    if os.path.isdir(path) or not os.path.exists(path):
        raise UsageError(
            f"{files.label(path)} is no picture to read: name the output with --output or let it end in {SUFFIX}, "
            "and a folder with --output-dir"
        )
    return False


def _open(name: str) -> Picture:
    from ridecodec.picture import Picture

    if name == STANDARD:
        return Picture.open(io.BytesIO(files.read_standard()))
    return Picture.open(name)
