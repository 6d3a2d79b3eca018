"""ridecodec sample"""

from __future__ import annotations

import math

import click

from ridecodec.cli import options, pictures
from ridecodec.errors import UsageError
from ridecodec.models import registry


@click.command(short_help="Draw a picture from a model.")
@click.argument("output", type=pictures.PATH)
@options.model()
@pictures.size
@pictures.seed
@options.class_label
@click.option("--gray", is_flag=True, help="Draw a gray picture, for models that support both gray and RGB.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@options.force
@pictures.quiet
def command(
    output: str,
    model: str,
    size: tuple[int, int],
    seed: int,
    label: int | None,
    gray: bool,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Draw a picture from a model, pixel by pixel, with the probabilities that the codec uses.

    The same seed gives the same picture on every machine.

    \b
    Example:
      ridecodec sample --model ride-rgb --size 128x128 --seed 7 sample.png
    """
    pictures.check([], output, force)
    card = pictures.density_model(model)
    channels = 1 if gray else max(card.channels)
    if channels not in card.channels:
        raise UsageError(f"the model {model!r} does not support gray pictures; leave out --gray")
    from ridecodec.generation.sampling import label_side, margin, sample_in_margin, to_picture_order, with_margin

    backend = registry.load(card, registry.pick_device(device))
    registry.check_label(model, backend.classes, label)
    if backend.code:
        raise UsageError(f"the model {model!r} draws from the code of a picture; use 'ridecodec reconstruct'")
    side = label_side(backend, label, seed)
    width, height = size
    if max(size) > backend.largest_tile:
        raise UsageError(f"the model {model!r} supports pictures of at most {backend.largest_tile} pixels per side")
    with pictures.bar(output, math.prod(with_margin(height, width, margin(backend)))) as tick:
        planes = sample_in_margin(backend, channels, height, width, seed, tick=tick, side=side)
    pictures.write(to_picture_order(planes), output, force, quiet, f"drawn from {model}")
