"""ridecodec export"""

from __future__ import annotations

from pathlib import Path

import click

from ridecodec.cli import failures, files, options
from ridecodec.cli.files import Job
from ridecodec.errors import InputError


@click.command(short_help="Make the codec's integer model of trained checkpoints.")
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(readable=False), metavar="CHECKPOINT...")
@click.option(
    "--out",
    "output",
    type=click.Path(readable=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model.",
)
@options.force
def command(checkpoints: tuple[str, ...], output: Path, force: bool) -> None:
    """Make the codec's integer model of a gray and an RGB checkpoint, with its card (JSON) beside it."""
    jobs = [Job(path, str(output)) for path in checkpoints]

    def check(job: Job) -> None:
        if not Path(job.input).is_file():
            raise InputError("no such file")
        files.check_model(job, force)

    failures.for_each(jobs, check)
    from ridecodec.models.photo.export import export

    exported = export([Path(path) for path in checkpoints], output)
    click.echo(f"{output}: {exported.hash}", err=True)
