"""ridecodec inpaint"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ridecodec.cli import options, pictures
from ridecodec.errors import UsageError
from ridecodec.models import registry

if TYPE_CHECKING:
    from ridecodec.generation.inpainting import Report
    from ridecodec.models.ride.network import Ride

DEFAULTS = {1: "ride-gray", 3: "ride-rgb"}
"""Models by the picture's channels."""


@click.command(short_help="Fill a hole in a picture.")
@click.argument("picture", type=pictures.PATH)
@click.argument("mask", type=pictures.PATH)
@click.argument("output", type=pictures.PATH)
@click.option("-m", "--model", metavar="NAME", help="A RIDE or MCGSM model.  [default: ride-gray or ride-rgb]")
@click.option(
    "--fills",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Number of initial fills; the best one is kept.",
)
@click.option(
    "--sweeps", type=click.IntRange(min=0), default=100, show_default=True, help="Number of sweeps over the hole."
)
@click.option("--flips/--no-flips", default=True, show_default=True, help="Flip the picture at random between sweeps.")
@pictures.seed
@options.force
@pictures.quiet
def command(
    picture: str,
    mask: str,
    output: str,
    model: str | None,
    fills: int,
    sweeps: int,
    flips: bool,
    seed: int,
    force: bool,
    quiet: bool,
) -> None:
    """Fill a hole in a picture with a sample from a model.

    MASK is a picture of the same size, white (128 or more) where PICTURE is filled. The hole is filled pixel by pixel
    several times, and the most probable fill is kept. Sweeps of Metropolis steps then fit it to its surroundings.

    \b
    Example:
      ridecodec inpaint photo.png hole.png filled.png --seed 3
    """
    pictures.check([picture, mask], output, force)
    found = pictures.read(picture)
    name = pictures.density_model(model or DEFAULTS[len(found)]).name
    from ridecodec.generation.inpainting import Settings, inpaint
    from ridecodec.generation.sampling import to_picture_order
    from ridecodec.training.memory import keep_memory
    from ridecodec.training.patches import load

    keep_memory()
    planes = to_picture_order(found)
    missing = load(Path(mask), 1)[0] >= 128
    nets = _networks(name)
    settings = Settings(fills, sweeps, flips, seed)
    for report in _shown(inpaint(nets, planes, missing, settings), sweeps, quiet):
        planes = report.planes
    pictures.write(to_picture_order(planes), output, force, quiet, f"filled by {name}")


def _networks(model: str) -> list[Ride]:
    """The float networks of a model; UsageError where it has none."""
    from ridecodec.models.ride.floats import networks

    card = registry.current(model)
    nets = networks(registry.weights(card)) if card.file is not None and card.family == registry.PROGRAM else []
    if not nets:
        raise UsageError(f"the model {model!r} cannot fill holes; choose a RIDE or MCGSM model")
    return nets


def _shown(reports: Iterator[Report], sweeps: int, quiet: bool) -> Iterator[Report]:
    """Pass the reports on: a bar where standard error is a terminal, else a line for each."""
    if quiet or sys.stderr is None:
        yield from reports
        return
    if not sys.stderr.isatty():
        for report in reports:
            click.echo(_line(report, sweeps), err=True)
            yield report
        return
    from tqdm import tqdm

    with tqdm(desc="sweeps", file=sys.stderr, total=sweeps, leave=False, dynamic_ncols=True) as bar:
        for report in reports:
            bar.set_postfix_str(_state(report), refresh=False)
            bar.update(report.sweep - bar.n)
            yield report


def _line(report: Report, sweeps: int) -> str:
    return f"{f'sweep {report.sweep} of {sweeps}' if report.sweep else 'densest fill'}: {_state(report)}"


def _state(report: Report) -> str:
    accepted = f", {report.acceptance:.0%} accepted" if report.sweep else ""
    return f"log-density {report.log_density:,.1f} bits{accepted}"
