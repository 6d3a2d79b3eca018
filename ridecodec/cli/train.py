"""ridecodec train"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ridecodec.cli import files, options, train_forms, train_pixelcnn, train_ride, training


@click.group(name="train", short_help="Train models.")
def command() -> None:
    """Train models."""


command.add_command(train_ride.ride)
command.add_command(train_ride.mcgsm)
command.add_command(train_pixelcnn.pixelcnn)
command.add_command(train_pixelcnn.embedding)
command.add_command(train_forms.graphics)
command.add_command(train_forms.deep)


@command.command(short_help="Fill the baseline's table from photographs.")
@training.data
@click.option(
    "--out",
    "model",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model file; its card (JSON) is written beside it.",
)
@options.force
def gradient(folder: Path, model: Path, force: bool) -> None:
    """Fill the table of the model `gradient`: takes minutes, and nothing in it is random."""
    files.check_model(training.job(folder, model), force)
    from ridecodec.training.gradient import train

    train(folder, model)


@command.command(short_help="Train the default model on photographs.")
@training.data
@training.checkpoint
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True, help="Gray, or RGB.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="How long in all, earlier runs of the checkpoint included.",
)
@click.option("--seed", type=options.SEED, help="Seed of everything random.")
@click.option("--width", type=click.IntRange(min=1), help="Width of the network's trunk.")
@click.option("--batch", type=click.IntRange(min=1), help="Pixels a step.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Highest learning rate.")
@training.device
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
    training.check(folder, checkpoint)
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.models.photo.initial import PhotoConfig
    from ridecodec.training.photo import Schedule, train

    config = PhotoConfig(channels=int(channels), **training.given(width=width))
    schedule = Schedule(**training.given(minutes=minutes, seed=seed, batch=batch, rate=rate))
    train(folder, config, schedule, checkpoint, partial(click.echo, err=True), device=torch_device(device))
