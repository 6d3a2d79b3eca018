"""ridecodec synthesize"""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from ridecodec.cli import files, options, pictures, training
from ridecodec.cli.files import Job


@click.command(short_help="Learn a texture from a picture and draw more of it.")
@click.argument("texture", type=pictures.PATH)
@click.argument("output", type=pictures.PATH)
@click.option(
    "--model",
    type=click.Choice(["ride", "mcgsm"]),
    default="ride",
    show_default=True,
    help="Network to train: spatial LSTMs with a mixture on top, or only the mixture.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Training time for all channels together.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Gradient steps per channel, instead of --minutes; the result is reproducible.",
)
@click.option("--layers", type=click.IntRange(min=1), help="Number of stacked spatial LSTMs.  [default: 1]")
@click.option("--hidden", type=click.IntRange(min=1), help="Hidden units of each spatial LSTM.  [default: 64]")
@click.option("--components", type=click.IntRange(min=1), help="Components of the mixture.  [default: 32]")
@pictures.size
@pictures.seed
@click.option(
    "--keep-model",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also save the trained model, with its card (JSON) next to it; its name is that of FILE.",
)
@training.device
@options.force
@options.as_json
def command(
    texture: str,
    output: str,
    model: str,
    minutes: float,
    steps: int | None,
    layers: int | None,
    hidden: int | None,
    components: int | None,
    size: tuple[int, int],
    seed: int,
    keep_model: Path | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Learn a texture from a picture and draw more of it.

    The picture is cut into sixteen regions. Fifteen train the model; the rates of the sixteenth are reported. Set
    $RIDECODEC_MODELS to the folder of a saved model to use it with other commands.

    \b
    Example:
      ridecodec synthesize bricks.png more.png --size 512x512
    """
    network = training.given(layers=layers, hidden=hidden, components=components)
    if model == "mcgsm" and (layers or hidden):
        raise click.UsageError("an MCGSM has no spatial LSTMs: leave out --layers and --hidden")
    pictures.check([texture], output, force)
    found = pictures.read(texture)
    if keep_model is not None:
        files.check_model(Job(texture, str(keep_model)), force, keep_model.stem)
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.generation.sampling import to_picture_order, with_margin
    from ridecodec.generation.synthesis import Length, learn
    from ridecodec.models import registry
    from ridecodec.training.memory import keep_memory

    keep_memory()
    length = Length(minutes, steps)
    planes = to_picture_order(found)
    with training.bar(files.label(texture)) as (say, progress):
        learnt = learn(planes, model, length, seed, say, progress, torch_device(device), **network)
    rates = {"held_out_density_rate": learnt.rates.density, "held_out_likelihood": learnt.rates.likelihood}
    if keep_model is not None:
        purpose = f"{'RIDE' if model == 'ride' else 'MCGSM'} of the texture {Path(texture).name}"
        made = {**({"steps": steps} if steps else {"minutes": minutes}), "seed": seed, **rates}
        registry.write(keep_model, learnt.pack(), keep_model.stem, purpose, made, channels=(len(planes),))
    width, height = size
    with pictures.bar(output, math.prod(with_margin(height, width))) as tick:
        drawn = learnt.sample(height, width, seed, tick)
    pictures.write(to_picture_order(drawn), output, force, as_json, f"more of {files.label(texture)}")
    if as_json:
        click.echo(json.dumps({"input": texture, "output": output, **rates}))
    else:
        density, likelihood = rates.values()
        click.echo(f"held-out region: density {density:.4f} bit/px, code length {likelihood:.4f} bits per sub-pixel")
