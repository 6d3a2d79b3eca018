"""ridecodec train graphics, ridecodec train deep"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ridecodec.cli import files, options
from ridecodec.cli.files import Job

_paths = partial(
    click.option, "--data", "paths", type=click.Path(exists=True, path_type=Path), multiple=True, metavar="PATH"
)
_out = click.option(
    "--out",
    "model",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model file; its card (JSON) is written next to it.",
)
_say = partial(click.echo, err=True)
_seed = click.option("--seed", type=options.SEED, default=1, show_default=True, help="Random seed.")


@click.command(short_help="Train the model for graphics.")
@_paths(help="Graphics: picture files or folders of pictures. Can be repeated.")
@click.option(
    "--drawn", type=click.IntRange(min=0), default=350, show_default=True, help="Number of generated pictures."
)
@click.option(
    "--steps", type=click.IntRange(min=1), default=5000, show_default=True, help="Gradient steps of each network."
)
@_seed
@_out
@options.force
def graphics(paths: tuple[Path, ...], drawn: int, steps: int, seed: int, model: Path, force: bool) -> None:
    """Train the model `graphics` on given and generated pictures. Pictures that cannot be read or have 16 bits are
    skipped."""
    files.check_model(Job("", str(model)), force)
    from ridecodec.training import graphics as training

    begun = time.monotonic()
    data = training.train(training.pictures(paths, drawn, seed), steps, _say, seed)
    training.write(model, data, _record(begun, paths, drawn=drawn, steps=steps, seed=seed))


@click.command(short_help="Train the model for 16-bit samples.")
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="8-bit photographs; at half size their samples have more bits.",
)
@_paths(help="16-bit pictures or folders of pictures. Can be repeated.")
@click.option("--steps", type=click.IntRange(min=1), default=6000, show_default=True, help="Gradient steps.")
@_seed
@_out
@options.force
def deep(photos: Path, paths: tuple[Path, ...], steps: int, seed: int, model: Path, force: bool) -> None:
    """Train the model `deep` on photographs at half size, on waves and noise, and on given pictures."""
    files.check_model(Job("", str(model)), force)
    from ridecodec.training import deep as training

    begun = time.monotonic()
    data = training.train(training.pictures(photos, paths, seed), steps, _say, seed)
    training.write(model, data, _record(begun, (photos, *paths), steps=steps, seed=seed))


def _record(begun: float, paths: Sequence[Path], **settings: int) -> dict[str, Any]:
    """What a card says of a training."""
    return {"data": [path.name for path in paths], **settings, "minutes": round((time.monotonic() - begun) / 60, 1)}
