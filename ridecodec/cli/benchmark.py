"""ridecodec benchmark"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ridecodec.cli import failures, options, progress
from ridecodec.cli.files import Job, printable
from ridecodec.counting import counted
from ridecodec.errors import UsageError
from ridecodec.files.placing import refuse_existing

if TYPE_CHECKING:
    from ridecodec.evaluation.results import Results

_SHARE = 20
"""Reports that took a second to write are written again after so many seconds."""


@click.command(short_help="Compare with PNG, WebP and JPEG XL.")
@click.argument("paths", nargs=-1, type=click.Path(readable=False))
@click.option("--corpus", type=click.Choice(["skimage", "kodak"]), help="Use a known set of pictures instead of PATHS.")
@options.model(default=("auto", "photo"))
@click.option("--peers/--no-peers", default=True, show_default=True, help="Also measure PNG, WebP and JPEG XL.")
@click.option(
    "--report",
    "reports",
    type=click.Path(dir_okay=False, readable=False),
    multiple=True,
    metavar="FILE",
    help="Write a report: .html, .md, .csv or .json. Can be repeated.",
)
@options.force
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use only the first N pictures.")
@options.engine
@options.tile
@click.option(
    "--likelihood/--no-likelihood",
    default=True,
    show_default=True,
    help="Also measure the likelihood rate of the float model.",
)
@click.option("--gray", is_flag=True, help="Convert the pictures to 8-bit gray first.")
@click.option(
    "-k",
    "--keep-going/--no-keep-going",
    default=True,
    show_default=True,
    help="Continue with the other pictures after a failure.",
)
def command(
    paths: tuple[str, ...],
    corpus: str | None,
    models: tuple[str, ...],
    peers: bool,
    reports: tuple[str, ...],
    force: bool,
    limit: int | None,
    device: str,
    threads: int,
    tile: int,
    likelihood: bool,
    gray: bool,
    keep_going: bool,
) -> None:
    """Compress and decompress pictures, and compare rates and times with PNG, WebP and JPEG XL.

    PATHS are pictures of any type that 'ridecodec compress' accepts, or folders of pictures. A picture that fails is
    reported, and the others are still measured. Reports are updated while the benchmark runs.

    \b
    Examples:
      ridecodec benchmark --corpus skimage --model photo --model gradient
      ridecodec benchmark photos --no-peers --report report.html
    """
    if bool(paths) == bool(corpus):
        raise UsageError("give either pictures (or folders of pictures) or --corpus")
    from ridecodec.evaluation import benchmark, report

    def check(job: Job) -> None:
        report.check(job.input)
        refuse_existing(job.input, force)

    targets = [Job(name) for name in reports]
    failures.for_each(targets, check)
    chosen = None if peers else ()
    codes: list[int] = []
    with _Display(reports) as display:

        def failed(path: Path, error: Exception) -> None:
            codes.append(failures.report(error, Job(str(path))))
            if not keep_going:
                raise click.exceptions.Exit(codes[0])

        benchmark.run(
            paths,
            corpus,
            models,
            chosen,
            limit,
            device,
            threads,
            tile,
            likelihood,
            display.step,
            gray,
            failed,
            display.done,
        )
    if codes:
        raise click.exceptions.Exit(codes[0])


class _Display:
    """Shows how far the benchmark is, keeps the reports up to date, and prints the results, also of one that is
    interrupted."""

    def __init__(self, reports: Sequence[str]) -> None:
        self.targets = [Job(name) for name in reports]
        self.results: Results | None = None
        self.bar: progress.Bar | None = None
        self.sizes: list[int] = []
        self.said = -1
        self.written = self.took = 0.0

    def __enter__(self) -> _Display:
        return self

    def step(self, done: float, files: Sequence[Path]) -> None:
        """Say which picture comes next: in a bar with the time left, or a line each where there is no terminal."""
        number = int(done)
        if not progress.welcome(True):
            if number == done < len(files):
                click.echo(f"{number + 1}/{len(files)} {printable(str(files[number]))}", err=True)
            return
        if self.bar is None:
            self.sizes = [max(1, path.stat().st_size) if path.is_file() else 1 for path in files]
            self.bar = progress.Bar("benchmark")
        if number < len(files) and number != self.said:
            self.bar.name(f"{number + 1}/{len(files)} {printable(files[number].name)}")
        self.said = number
        finished = sum(self.sizes[:number]) + (done - number) * sum(self.sizes[number : number + 1])
        self.bar.at(finished / sum(self.sizes))

    def done(self, results: Results) -> None:
        """Keep the results so far, and write them where that takes little of the time."""
        self.results = results
        if time.monotonic() - self.written > _SHARE * self.took:
            self._write()

    def _write(self, keep_going: bool = False) -> None:
        from ridecodec.evaluation import report

        results = self.results
        if results is None or not results.images:
            return
        begun = time.monotonic()
        failures.for_each(self.targets, lambda job: report.write(results, job.input), keep_going=keep_going)
        self.written = time.monotonic()
        self.took = self.written - begun

    def __exit__(self, *error: object) -> None:
        from ridecodec.evaluation import report

        if self.bar is not None:
            self.bar.close()
        if self.results is not None and self.results.images:
            click.echo(report.text(self.results), nl=False)
        if self.results is not None:
            measured, failed = len(self.results.images), len(self.results.failures)
            click.echo(f"{counted(measured, 'picture')} measured, {failed:,} failed", err=True)
        self._write(keep_going=True)
