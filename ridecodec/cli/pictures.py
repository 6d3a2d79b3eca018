"""Pictures that commands make: their names checked before the work, their files written after it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from ridecodec.cli import files, options
from ridecodec.cli.files import STANDARD, Job
from ridecodec.counting import counted
from ridecodec.errors import InputError, UsageError
from ridecodec.files.placing import placed
from ridecodec.models import registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ridecodec.models.registry import ModelCard

PATH = click.Path(readable=False)
quiet = click.option("-q", "--quiet", is_flag=True, help="Print only errors.")
size = options.size("--size", "Size of the picture in pixels.", "256x256")
seed = click.option(
    "--seed", type=options.SEED, default=0, show_default=True, help="Random seed; the same seed gives the same picture."
)


def check(inputs: list[str], output: str, force: bool) -> None:
    """Refuse before the work what could not be done after it: no such input, no such format, an output that exists."""
    for name in inputs:
        if not os.path.exists(name):
            raise InputError(f"{files.label(name)}: no such file")
        files.check(Job(name, output), force)
    if not inputs:
        files.check(Job(STANDARD, output), force)
    from ridecodec.picture import target_format

    target_format(output)


def read(name: str) -> NDArray[np.uint8]:
    """Planes of a gray or RGB picture file [C, H, W], channels as in the file; InputError names it."""
    from ridecodec.picture import Picture

    try:
        return Picture.open(name, pixels=True).plain()
    except InputError as error:
        raise InputError(f"{files.label(name)}: {error}") from error


def density_model(name: str) -> ModelCard:
    """The card of a model that draws; UsageError where there is none of this name, or where it is many."""
    card = registry.current(name)
    if card.members:
        raise UsageError(f"{name!r} is not a single density model; choose one, such as photo")
    return card


def write(planes: NDArray[np.uint8], output: str, force: bool, quiet: bool, what: str) -> None:
    """Write planes [C, H, W] as a picture, in the format of the output's extension, and say so unless ``quiet``."""
    from ridecodec.picture import Picture, target_format

    picture = Picture.from_numpy(planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0))
    with placed(output, force) as path:
        picture.save(path, target_format(output))
        size = path.stat().st_size
    if not quiet:
        kind = f"{picture.width} x {picture.height}, {picture.colour.words}"
        click.echo(f"{files.output_label(output)}: {kind}, {counted(size, 'byte')}, {what}", err=True)


@contextlib.contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """What to tell the pixels that are finished, of ``total``; None where standard error is no terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=files.label(name), file=sys.stderr, total=total, unit="px", unit_scale=True, leave=False) as shown:

        def advance(pixels: int) -> None:
            shown.update(pixels)

        yield advance
