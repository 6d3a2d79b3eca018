"""ridecodec train"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ridecodec.cli import files
from ridecodec.cli.files import Job
from ridecodec.errors import InputError

_data = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of photographs; NAME-0.png and NAME-1.png count as crops of one.",
)


@click.group(name="train", short_help="Train models.")
def command() -> None:
    """Train models."""


@command.command(short_help="Fill the baseline's table from photographs.")
@_data
@click.option(
    "--out",
    "model",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model file; its card (JSON) is written beside it.",
)
def gradient(folder: Path, model: Path) -> None:
    """Fill the table of the model `gradient`: takes minutes, and nothing in it is random."""
    _check(folder, model)
    from ridecodec.training.gradient import train

    train(folder, model)


@command.command(short_help="Train the default model on photographs.")
@_data
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
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def photo(
    folder: Path,
    checkpoint: Path,
    channels: str,
    minutes: float | None,
    seed: int | None,
    width: int | None,
    batch: int | None,
    rate: float | None,
    device: str,
) -> None:
    """Train the model `photo`, for gray or for RGB pictures; `ridecodec export` makes the codec's model of both."""
    _check(folder, checkpoint)
    from ridecodec.codec import pick_device
    from ridecodec.models.photo.network import PhotoConfig
    from ridecodec.training.photo import Schedule, train

    sizes = {"width": width}
    times = {"minutes": minutes, "seed": seed, "batch": batch, "rate": rate}
    config = PhotoConfig(channels=int(channels), **{k: v for k, v in sizes.items() if v is not None})
    schedule = Schedule(**{k: v for k, v in times.items() if v is not None})  # type: ignore[arg-type]
    train(folder, config, schedule, checkpoint, partial(click.echo, err=True), device=pick_device(device))


def _check(folder: Path, out: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder of photographs")
    files.check(Job(str(folder), str(out)), force=True)
