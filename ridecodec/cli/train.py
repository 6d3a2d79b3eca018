"""ridecodec train"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ridecodec.cli import files
from ridecodec.cli.files import Job
from ridecodec.errors import InputError


@click.group(name="train", short_help="Train models.")
def command() -> None:
    """Train models."""


@command.command(short_help="Train the default model on photographs.")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of photographs; NAME-0.png and NAME-1.png count as crops of one.",
)
@click.option(
    "--out",
    "checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The checkpoint; one that exists is trained on.",
)
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True, help="Gray, or RGB.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="How long in all, earlier runs of the checkpoint included.",
)
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--width", type=click.IntRange(min=1), help="Width of the network's trunk.")
@click.option("--batch", type=click.IntRange(min=1), help="Pixels a step.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Highest learning rate.")
def photo(
    folder: Path,
    checkpoint: Path,
    channels: str,
    minutes: float | None,
    seed: int | None,
    width: int | None,
    batch: int | None,
    rate: float | None,
) -> None:
    """Train the model `photo`, for gray or for RGB pictures; `ridecodec export` makes the codec's model of both."""
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder of photographs")
    files.check(Job(str(folder), str(checkpoint)), force=True)
    from ridecodec.models.photo import PhotoConfig
    from ridecodec.training.photo import Schedule, train

    sizes = {"width": width}
    times = {"minutes": minutes, "seed": seed, "batch": batch, "rate": rate}
    config = PhotoConfig(channels=int(channels), **{k: v for k, v in sizes.items() if v is not None})
    schedule = Schedule(**{k: v for k, v in times.items() if v is not None})  # type: ignore[arg-type]
    train(folder, config, schedule, checkpoint, say=partial(click.echo, err=True))
