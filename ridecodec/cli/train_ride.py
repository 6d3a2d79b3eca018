"""ridecodec train ride, ridecodec train mcgsm"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ridecodec.cli import training
from ridecodec.cli.training import Function
from ridecodec.counting import counted
from ridecodec.errors import InputError, UsageError
from ridecodec.training.presets import PRESETS, Schedule

if TYPE_CHECKING:
    from ridecodec.models.ride.network import Ride, RideConfig

Values = dict[str, Any]

DEFAULTS: dict[str, Values] = {"ride": {"layers": 1}, "mcgsm": {"layers": 0, "width": 9, "features": 48}}
"""Of the network, by command; the rest are `RideConfig`'s."""
_LENGTHS = ("steps", "minutes", "epochs")


_COUNT = click.IntRange(min=1)
_NETWORK: dict[str, tuple[Any, str]] = {
    "channels": (click.Choice(["1", "3"]), "1 for gray, 3 for RGB; each channel has its own network."),
    "channel": (click.IntRange(0, 2), "Channel that the network predicts: 0 green (or gray), 1 red, 2 blue."),
    "layers": (click.IntRange(min=0), "Number of stacked spatial LSTMs."),
    "hidden": (_COUNT, "Hidden units of each spatial LSTM."),
    "extended": (bool, "Also use the previous memory cells as inputs of the gates."),
    "width": (click.IntRange(min=3), "Width of the neighbourhood in pixels; odd."),
    "height": (_COUNT, "Height of the neighbourhood.  [default: half the width, rounded up]"),
    "components": (_COUNT, "Components of the mixture."),
    "scales": (_COUNT, "Scales of each component."),
    "features": (_COUNT, "Quadratic features that the components share."),
    "indicators": (bool, "Nothing outside of a patch, or a tile, is known, and inputs say which neighbours are there."),
    "full": (None, "Use one matrix per component instead of shared features."),
}


def _network(*without: str) -> Callable[[Function], Function]:
    """The options of the network."""

    def decorate(function: Function) -> Function:
        for name, (kind, text) in reversed(_NETWORK.items()):
            if name not in without:
                flag = kind in (None, bool)
                extra: Values = {"is_flag": True, "default": None} if flag else {"type": kind}
                names = f"--{name}/--no-{name}" if kind is bool else f"--{name}"
                function = click.option(names, help=text, **extra)(function)
        return function

    return decorate


def _shared(function: Function) -> Function:
    """The options that name files and presets."""
    for option in (
        training.fresh,
        training.device,
        click.option(
            "--config",
            "settings_file",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Settings in TOML or JSON, named like the options with _ for -; options override them.",
        ),
        click.option("--preset", type=click.Choice(["modern", "paper"]), help="[default: modern]"),
        training.checkpoint,
        training.data,
    ):
        function = option(function)
    return function


def _start(text: str) -> Callable[[Function], Function]:
    return click.option("--start", type=click.Path(path_type=Path), metavar="CHECKPOINT", help=text)


@click.command(short_help="Train RIDE: spatial LSTMs with an MCGSM on top.")
@_shared
@_start("Start from the layers of this network and add one on top, unless --layers is given.")
@_network()
@training.fields_of(Schedule)
def ride(**given: Any) -> None:
    """Train RIDE, the recurrent image density estimator: spatial LSTMs with an MCGSM on top.

    Training of an existing checkpoint continues with its settings, except those given here. Ctrl-C saves the checkpoint
    and stops. For several processes, use torchrun --no-python --nproc-per-node N ridecodec train ride ...
    """
    _train("ride", **given)


@click.command(short_help="Train an MCGSM: only the mixture.")
@_shared
@_start("Start from the weights of this MCGSM.")
@_network("layers", "hidden", "extended")
@training.fields_of(Schedule)
def mcgsm(**given: Any) -> None:
    """Train an MCGSM, a mixture of conditional Gaussian scale mixtures, on whitened neighbourhoods of 9x5 pixels.

    Training of an existing checkpoint continues with its settings, except those given here.
    """
    _train("mcgsm", **given)


def _train(
    kind: str,
    folder: Path,
    checkpoint: Path,
    preset: str | None,
    settings_file: Path | None,
    device: str,
    force: bool,
    start: Path | None,
    **flags: Any,
) -> None:
    training.check(folder, checkpoint)
    resumed = checkpoint.exists() and not force
    if resumed and start is not None:
        raise UsageError(
            f"{checkpoint}: exists, and its training continues, so --start has no effect; leave out --start, choose "
            "another file, or start again with --force"
        )
    full = flags.pop("full")
    if full and flags["features"] is not None:
        raise UsageError("--full and --features cannot be used together")
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.training.memory import keep_memory
    from ridecodec.training.patches import hold_out, load, pictures
    from ridecodec.training.ride import load as load_network
    from ridecodec.training.ride import train

    where = torch_device(device)
    stored = _stored(checkpoint) if resumed else None
    begun = None if start is None else load_network(start)
    given = training.given(**flags)
    if "channels" in given:
        given["channels"] = int(given["channels"])
    if full:
        given["features"] = None
    config, schedule = _settings(kind, preset, settings_file, stored, begun, given)
    paths, held = hold_out(pictures(folder), schedule.validation)
    keep_memory()
    arrays, validation = ([load(path, config.channels) for path in part] for part in (paths, held))
    with training.bar(checkpoint.name) as (say, progress):
        if stored is None:
            say(f"{counted(len(paths), 'picture')} to train on, {len(held)} held out, on {where}")
        train(arrays, config, schedule, checkpoint, say, begun, validation, where, progress, force)


def _stored(checkpoint: Path) -> Values:
    """The checkpoint to go on with; InputError where its settings are none."""
    from ridecodec.models import checkpoints
    from ridecodec.models.ride.network import RideConfig
    from ridecodec.training import settings

    state = checkpoints.read(checkpoint)
    try:
        for kind, key in ((RideConfig, "config"), (Schedule, "schedule")):
            settings.build(kind, state[key], source=key)
    except UsageError as error:
        raise InputError(f"{checkpoint}: not a checkpoint of RIDE or the MCGSM ({error})") from error
    return state


def _settings(
    kind: str, preset: str | None, file: Path | None, stored: Values | None, begun: Ride | None, flags: Values
) -> tuple[RideConfig, Schedule]:
    """What is stored or preset, then the file's settings, then the command's."""
    from dataclasses import asdict

    from ridecodec.models.ride.network import RideConfig
    from ridecodec.training import settings

    said = {} if file is None else settings.read(file)
    source = "the command" if file is None else str(file)
    settings.known(said, RideConfig, Schedule, others=("preset",), source=source)
    preset = preset or said.pop("preset", None)
    if preset is not None and not (isinstance(preset, str) and preset in PRESETS[kind]):
        raise UsageError(f"{source}: unknown preset {preset!r}; choose modern or paper")
    network = DEFAULTS[kind]
    times: Values = PRESETS[kind][preset or "modern"]
    if stored is not None:
        network = stored["config"]
        times = times if preset else stored["schedule"]
    elif begun is not None:
        network = asdict(begun.config) | ({"layers": begun.config.layers + 1} if kind == "ride" else {})
    for layer in (said, flags):
        if sum(name in layer for name in _LENGTHS) > 1:
            raise UsageError("steps, minutes and epochs cannot be used together; give one of them")
    ranked = [times, *(_longest(layer) | layer for layer in (said, flags))]
    config = settings.build(RideConfig, network, said, flags, source=source)
    if kind == "mcgsm" and config.layers:
        raise UsageError(f"an MCGSM has no layers, and these settings have {config.layers}; use 'ridecodec train ride'")
    return config, settings.build(Schedule, *ranked, source=source)


def _longest(layer: Values) -> Values:
    """What else must be unset for the length that a layer gives to decide."""
    for number, name in enumerate(_LENGTHS):
        if name in layer:
            return dict.fromkeys(_LENGTHS[:number])
    return {}
