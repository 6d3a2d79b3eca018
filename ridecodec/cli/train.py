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


@command.command(short_help="Fit the table of the baseline model to photographs.")
@training.data
@click.option(
    "--out",
    "model",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The model file; its card (JSON) is written next to it.",
)
@options.force
def gradient(folder: Path, model: Path, force: bool) -> None:
    """Fit the table of the model `gradient`. This takes minutes, and the result is always the same."""
    files.check_model(training.job(folder, model), force)
    from ridecodec.training.gradient import train

    train(folder, model)


@command.command(short_help="Train the default model on photographs.")
@training.data
@training.checkpoint
@click.option(
    "--channels", type=click.Choice(["1", "3"]), default="3", show_default=True, help="1 for gray, 3 for RGB."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Total training time, including earlier runs of the checkpoint.",
)
@click.option("--seed", type=options.SEED, help="Random seed.")
@click.option("--width", type=click.IntRange(min=1), help="Width of the trunk of the network.")
@click.option("--batch", type=click.IntRange(min=1), help="Pixels per step.")
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
    """Train the model `photo` for gray or RGB pictures. `ridecodec export` makes one model of both checkpoints."""
    training.check(folder, checkpoint)
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.models.photo.initial import PhotoConfig
    from ridecodec.training.photo import Schedule, train

    config = PhotoConfig(channels=int(channels), **training.given(width=width))
    schedule = Schedule(**training.given(minutes=minutes, seed=seed, batch=batch, rate=rate))
    train(folder, config, schedule, checkpoint, partial(click.echo, err=True), device=torch_device(device))
