"""ridecodec train pixelcnn, ridecodec train embedding"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ridecodec.cli import files, options, training
from ridecodec.cli.files import Job
from ridecodec.cli.training import Function
from ridecodec.counting import counted
from ridecodec.errors import InputError, UsageError
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.training.pixel_schedule import PixelSchedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _pictures(labels_help: str, **extra: Any) -> Callable[[Function], Function]:
    """The options that name small pictures and their labels."""

    def decorate(function: Function) -> Function:
        for option in (
            training.fresh,
            training.device,
            training.checkpoint,
            click.option(
                "--labels",
                "labelled",
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help=labels_help,
                **extra,
            ),
            options.count,
            options.cut,
            click.option(
                "--data",
                "paths",
                type=click.Path(path_type=Path),
                multiple=True,
                required=True,
                metavar="PATH",
                help="Small pictures of one size: a folder, a file or a .npy array [N, H, W(, 3)]. Can be repeated.",
            ),
        ):
            function = option(function)
        return function

    return decorate


@click.command(short_help="Train PixelCNN, Gated PixelCNN, PixelRNN and their variants.")
@_pictures("Labels for --classes: a .npy array with one label per picture.")
@click.option(
    "--start",
    "start",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="CHECKPOINT",
    help="Start from the weights of a network with the same layers; the new one may have more conditions.",
)
@click.option(
    "--encoder-from",
    "coder",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="CHECKPOINT",
    help="Use the trained encoder of `train embedding`; the network learns to draw pictures from its codes.",
)
@training.fields_of(PixelConfig)
@training.fields_of(PixelSchedule)
def pixelcnn(start: Path | None, coder: Path | None, **given: Any) -> None:
    """Train a network of the PixelCNN family on small pictures of one size.

    With --classes, the network is conditioned on the label of each picture. --vector N --encoder M trains an
    auto-encoder. With --half M, the picture at half size is coded first. Training of an existing checkpoint continues
    with its settings, except those given here. For several processes, use
    torchrun --no-python --nproc-per-node N ridecodec train pixelcnn ...
    """
    told: dict[str, Any] = {}
    encoder = network = None
    if start is not None:
        from ridecodec.models.pixelcnn.export import read_checkpoint
        from ridecodec.training.pixelcnn import LAYOUT

        network = read_checkpoint(start)[0]
        told = {name: getattr(network.config, name) for name in LAYOUT}
    if coder is not None:
        from ridecodec.training.embedding import load

        encoder, config = load(coder)
        told |= {"channels": config.channels, "vector": config.vector, "encoder": config.encoder}

    def run(pixels: Any, labels: Any, config: PixelConfig, schedule: PixelSchedule, out: Path, **extra: Any) -> None:
        from ridecodec.training.pixelcnn import train

        if bool(config.classes) != (labels is not None):
            raise UsageError("--classes and --labels must be used together")
        train(pixels, config, schedule, out, labels=labels, encoder=encoder, start=network, **extra)

    _train(run, told, inputs=tuple(path for path in (start, coder) if path is not None), **given)


@click.command(short_help="Train a picture encoder on labels with a triplet loss.")
@_pictures("Labels: a .npy array with one label per picture.", required=True)
@training.fields_of(PixelConfig, "channels", "vector", "encoder")
@training.fields_of(PixelSchedule)
def embedding(**given: Any) -> None:
    """Train an encoder that gives pictures with the same label similar codes.

    Use it with `train pixelcnn --encoder-from`; that network then draws pictures from codes.
    """

    def run(pixels: Any, labels: Any, config: PixelConfig, schedule: PixelSchedule, out: Path, **extra: Any) -> None:
        from ridecodec.training.embedding import train

        train(pixels, labels, config, schedule, out, **extra)

    _train(run, {"images": 64}, **given)


def _train(
    run: Callable[..., None],
    told: dict[str, Any],
    paths: tuple[Path, ...],
    cut: tuple[int, int] | None,
    count: int | None,
    labelled: Path | None,
    checkpoint: Path,
    device: str,
    force: bool,
    inputs: tuple[Path, ...] = (),
    **flags: Any,
) -> None:
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    for path in (*paths, *inputs, *([] if labelled is None else [labelled])):
        files.check_file(Job(str(path), str(checkpoint)), force=True)
    given = training.given(**flags)
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.files import sets
    from ridecodec.models import checkpoints
    from ridecodec.training import settings
    from ridecodec.training.memory import keep_memory

    stored = checkpoints.read(checkpoint) if checkpoint.exists() and not force else {"config": {}, "schedule": {}}
    lengths: list[dict[str, Any]] = [{"steps": None}] if "minutes" in given else []
    config = settings.build(PixelConfig, told, stored["config"], given)
    schedule = settings.build(PixelSchedule, told, stored["schedule"], *lengths, given)
    where = torch_device(device)
    keep_memory()
    labels: NDArray[np.uint8] | None = None
    if labelled is not None:
        labels = sets.labels(labelled, config.classes or 256)[:count]
    pixels = sets.stacked(list(sets.entries(paths, cut, count)), config.channels)
    if labels is not None and len(labels) != len(pixels):
        found = f"{counted(len(labels), 'label')} for {counted(len(pixels), 'picture')}"
        raise InputError(f"{labelled}: {found}; --count uses the first of both")
    with training.bar(checkpoint.name) as (say, progress):
        say(f"{counted(len(pixels), 'picture')} of {pixels.shape[3]} x {pixels.shape[2]}, on {where}")
        run(pixels, labels, config, schedule, checkpoint, say=say, device=where, progress=progress, fresh=force)
