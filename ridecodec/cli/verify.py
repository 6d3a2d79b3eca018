"""ridecodec verify"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ridecodec.cli import batches, files, options
from ridecodec.cli.batches import Batch
from ridecodec.cli.files import Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.summary import Summary
from ridecodec.counting import counted
from ridecodec.files import gathering
from ridecodec.tiles import precheck

if TYPE_CHECKING:
    from ridecodec.tiles.progress import Progress

ENDINGS = (".rdc", files.ARCHIVE)


@dataclass(frozen=True)
class Checking:
    """Decodes a file; ``processes``: how many of them share the cores."""

    device: str
    threads: int
    processes: int
    max_pixels: int

    passes = 1

    def check_job(self, job: Job) -> None:
        """Raise what can be known before the work."""
        files.check_input(job.input)

    def __call__(self, job: Job, advance: Callable[[Progress], None] | None) -> Done:
        data = files.read(job.input)
        precheck.check_data(data)
        from ridecodec.tiles import checking
        from ridecodec.tiles.parallel import threads_each

        begun = time.perf_counter()
        pictures, pixels = checking.check(
            data,
            device=self.device,
            threads=threads_each(self.threads, self.processes),
            max_pixels=self.max_pixels,
            progress=advance,
        )
        seconds = time.perf_counter() - begun
        fields = {"bytes": len(data), "pictures": pictures, "pixels": pixels, "seconds": seconds}
        line = f"{files.label(job.input)}: OK, {counted(pictures, 'picture')}, {seconds:.1f} s"
        return Done(line, f"{counted(pixels, 'pixel')}, {counted(len(data), 'byte')}", fields, len(data))


@click.command(
    short_help="Check .rdc and .rdca files.",
    help="""Check .rdc files and .rdca archives: decode them and compare with their checksums.

    All files are checked, even after a failure; the exit code is that of the first failure. FILEs are files, patterns
    such as "*.rdc", and folders with --recursive; "-" is standard input.

    \b
    Examples:
      ridecodec verify photo.rdc icons.rdca
      ridecodec verify -r packed --jobs 4 --quiet
    """,
)
@options.inputs("FILE...")
@options.max_pixels
@options.engine
@options.checks("the .rdc and .rdca files")
@options.reporting
def command(paths: tuple[str, ...], max_pixels: int, device: str, threads: int, batch: Batch, summary: Summary) -> None:
    files.check_standard(paths)
    jobs = [Job(found.path) for found in gathering.files(paths, ENDINGS, recursive=batch.recursive)]
    batches.run(jobs, Checking(device, threads, batch.processes, max_pixels), batch, summary)
