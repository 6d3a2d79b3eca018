"""ridecodec export"""

from __future__ import annotations

from pathlib import Path

import click

from ridecodec.cli import failures, files, options
from ridecodec.cli.files import Job
from ridecodec.errors import InputError, UsageError


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not KEY=TEXT", ctx, param)
    return dict(value.split("=", 1) for value in values)


@click.command(short_help="Export trained checkpoints as a model for the codec.")
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(readable=False), metavar="CHECKPOINT...")
@click.option(
    "--out",
    "output",
    type=click.Path(readable=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model file; its card (JSON) is written next to it.",
)
@click.option("--name", metavar="NAME", help="Name of the model for --model.  [default: the name of FILE]")
@click.option("--purpose", default="", metavar="TEXT", help="Description of the model, stored in its card.")
@click.option(
    "--ensemble",
    metavar="NAME",
    help="Also write the card of an ensemble of this name: RIDE or MCGSM in the best of eight orientations per tile.",
)
@click.option(
    "--about",
    multiple=True,
    metavar="KEY=TEXT",
    callback=_pairs,
    help="Another entry of the card about the training. Can be repeated.",
)
@options.force
def command(
    checkpoints: tuple[str, ...],
    output: Path,
    name: str | None,
    purpose: str,
    ensemble: str | None,
    about: dict[str, str],
    force: bool,
) -> None:
    """Export trained checkpoints as an integer model for the codec, with a card (JSON) next to it.

    The model `photo` needs two checkpoints of `train photo`, one gray and one RGB. A RIDE or MCGSM model needs one
    checkpoint per channel (gray, or green, red, blue), a PixelCNN model one of `train pixelcnn`. Set the environment
    variable RIDECODEC_MODELS to the folder of FILE to use the model with --model. --name, --purpose and --about do
    not apply to `photo`.

    \b
    Example:
      ridecodec export ride.pt --out models/mine.safetensors
    """
    jobs = [Job(path, str(output)) for path in checkpoints]

    def check(job: Job) -> None:
        if not Path(job.input).is_file():
            raise InputError("no such file")
        files.check_model(job, force, name, ensemble)

    failures.for_each(jobs, check)
    from ridecodec.models import registry
    from ridecodec.models.checkpoints import read
    from ridecodec.models.photo import export as photo
    from ridecodec.models.pixelcnn import export as pixelcnn
    from ridecodec.models.ride import export as ride

    paths = [Path(path) for path in checkpoints]
    config = read(paths[0])["config"]
    if "kind" in config or "components" in config:
        name = output.stem if name is None else name
        registry.check_name(name, output)
    if "kind" in config:
        if len(paths) > 1 or ensemble is not None:
            raise UsageError("a PixelCNN model needs exactly one checkpoint and has no ensemble")
        exported = pixelcnn.export(paths[0], output, str(name), purpose, about)
    elif "components" in config:
        exported = ride.export(paths, output, str(name), purpose, ensemble, about)
    else:
        exported = photo.export(paths, output)
    click.echo(f"{output}: {exported.hash}", err=True)
