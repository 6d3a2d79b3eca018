"""ridecodec benchmark"""

from __future__ import annotations

from functools import partial

import click

from ridecodec.cli import failures, options
from ridecodec.cli.files import Job
from ridecodec.errors import UsageError
from ridecodec.placing import refuse_existing


@click.command(short_help="Compare with PNG, WebP and JPEG XL on pictures.")
@click.argument("paths", nargs=-1, type=click.Path(readable=False))
@click.option("--corpus", type=click.Choice(["skimage", "kodak"]), help="A known set of pictures instead of PATHS.")
@options.model(default=("auto", "photo"))
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure PNG, WebP and JPEG XL as well.")
@click.option(
    "--report",
    "reports",
    type=click.Path(dir_okay=False, readable=False),
    multiple=True,
    metavar="FILE",
    help="Write a report: .html, .md, .csv or .json; repeat for several.",
)
@options.force
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pictures.")
@options.engine
@options.tile
@click.option(
    "--likelihood/--no-likelihood",
    default=True,
    show_default=True,
    help="Measure the float model's rate as well, beside ideal and achieved.",
)
@click.option("--gray", is_flag=True, help="Convert the pictures to gray first.")
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
) -> None:
    """Compress, decompress and compare pictures, and print rates and times beside those of PNG, WebP and JPEG XL.

    PATHS are pictures and folders of them; --corpus takes a known set instead.

    \b
    Examples:
      ridecodec benchmark --corpus skimage --model photo --model gradient
      ridecodec benchmark photos --no-peers --report report.html
    """
    if bool(paths) == bool(corpus):
        raise UsageError("give either pictures (or folders of them) or --corpus")
    from ridecodec.evaluation import benchmark, report

    def check(job: Job) -> None:
        report.check(job.input)
        refuse_existing(job.input, force)

    targets = [Job(name) for name in reports]
    failures.for_each(targets, check)
    say = partial(click.echo, err=True)
    chosen = None if peers else ()
    results = benchmark.run(paths, corpus, models, chosen, limit, device, threads, tile, likelihood, say, gray)
    click.echo(report.text(results), nl=False)
    failures.for_each(targets, lambda job: report.write(results, job.input), keep_going=True)
