"""ridecodec reconstruct"""

from __future__ import annotations

import click

from ridecodec.cli import files, options, pictures
from ridecodec.errors import UsageError
from ridecodec.models import registry


@click.command(short_help="Draw a picture from an auto-encoder's code of another picture.")
@click.argument("source", metavar="INPUT", type=pictures.PATH)
@click.argument("output", type=pictures.PATH)
@options.model()
@pictures.seed
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@options.force
@pictures.quiet
def command(source: str, output: str, model: str, seed: int, device: str, force: bool, quiet: bool) -> None:
    """Encode INPUT with an auto-encoder, and draw a picture of the same size from its code.

    The same seed and code give the same picture on every machine.

    \b
    Example:
      ridecodec reconstruct --model autoencoder-cifar frog.png again.png
    """
    pictures.check([source], output, force)
    card = pictures.density_model(model)
    planes = pictures.read(source)
    if len(planes) not in card.channels:
        raise UsageError(f"the model {model!r} codes {card.pictures} pictures only")
    from ridecodec.generation.sampling import sample, to_picture_order

    backend = registry.load(card, registry.pick_device(device))
    if not backend.code:
        raise UsageError(f"the model {model!r} is not an auto-encoder")
    channels, height, width = planes.shape
    if max(height, width) > backend.largest_tile:
        raise UsageError(f"the model {model!r} supports pictures of at most {backend.largest_tile} pixels per side")
    side = backend.side_information(to_picture_order(planes))
    with pictures.bar(output, height * width) as tick:
        drawn = sample(backend, channels, height, width, seed, tick=tick, side=side)
    pictures.write(to_picture_order(drawn), output, force, quiet, f"drawn from the code of {files.label(source)}")
