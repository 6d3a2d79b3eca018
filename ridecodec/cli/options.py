"""Options that several commands share, and their types."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ridecodec.cli.batches import Batch
from ridecodec.cli.summary import Summary
from ridecodec.engines import names
from ridecodec.picture import MAX_PIXELS, USUAL_PIXELS

Function = TypeVar("Function", bound=Callable[..., Any])

_SIDE = 1 << 14
SEED = click.IntRange(0, 2**63 - 1)
PATH = click.Path(allow_dash=True, readable=False)  # what is there is seen when it is opened


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """WxH as (width, height)."""
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) <= _SIDE for part in parts):
        raise click.BadParameter(f"{value!r} is not WxH, a width and a height of 1 to {_SIDE} pixels", ctx, param)
    return int(parts[0]), int(parts[1])


def size(name: str, text: str, default: str | None = None) -> Callable[[Function], Function]:
    """An option that takes WxH as (width, height)."""
    return click.option(name, callback=_size, default=default, show_default=True, metavar="WxH", help=text)


cut = size("--cut", "Treat every picture as a mosaic: cut it into parts of this size.")


count = click.option("--count", type=click.IntRange(min=1), metavar="N", help="Use only the first N pictures.")


def _label(by_default: str) -> Callable[[Function], Function]:
    text = f"Class of the picture, for models with classes.  [default: {by_default}]"
    return click.option("--label", type=click.IntRange(0, 255), metavar="K", help=text)


label = _label("the one that gives the smallest file")
class_label = _label("a random one")


def region(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int, int, int] | None:
    """Callback of an option: X,Y,W,H as left, top, width and height."""
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not X,Y,W,H, four whole numbers", ctx, param)
    x, y, width, height = map(int, parts)
    return x, y, width, height


def _models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ridecodec.models import registry

    return [CompletionItem(c.name, help=c.purpose) for c in registry.cards() if c.name.startswith(incomplete)]


def inputs(metavar: str) -> Callable[[Function], Function]:
    return click.argument("paths", nargs=-1, required=True, type=PATH, metavar=metavar)


def model(default: str | tuple[str, ...] = "photo") -> Callable[[Function], Function]:
    """--model, by default this one; several where these are several."""
    multiple = isinstance(default, tuple)
    text = "Model to use. Can be repeated." if multiple else "Model to use; 'ridecodec models' lists them."
    name = "models" if multiple else "model"
    return click.option(
        "-m",
        "--model",
        name,
        default=default,
        multiple=multiple,
        show_default=True,
        metavar="NAME",
        shell_complete=_models,
        help=text,
    )


def _choose_engine(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        os.environ[names.VARIABLE] = value  # processes that are started for --jobs have it too


def engine(function: Function) -> Function:
    """--device, --engine and --threads."""
    name = click.option(
        "--engine",
        type=click.Choice(names.NAMES),
        callback=_choose_engine,
        expose_value=False,
        help="Engine to run the model; auto selects the fastest one. The result is the same.  [default: auto]",
    )
    device = click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Device to run the model on. The result does not depend on it.",
    )
    threads = click.option(
        "--threads",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Number of CPU threads; 0 means one per core.  [default: 0]",
    )
    return device(name(threads(function)))


def tile(function: Function) -> Function:
    return click.option(
        "--tile",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Code in independent tiles of N x N pixels; 0 selects the tile size automatically.  [default: 0]",
    )(function)


def history(function: Function) -> Function:
    from ridecodec.histories.registry import AUTO, NAMES

    return click.option(
        "--history",
        type=click.Choice(NAMES),
        default=AUTO,
        show_default=True,
        help="Look for what was done to the picture, such as a conversion of its colours, and compress what was there "
        "before where that is smaller: auto looks for all that is known, off for nothing.",
    )(function)


def force(function: Function) -> Function:
    return click.option("-f", "--force", is_flag=True, help="Overwrite existing outputs.")(function)


def _pixels(ctx: click.Context, param: click.Parameter, value: int) -> int:
    return value or MAX_PIXELS


max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(min=0),
    default=USUAL_PIXELS,
    show_default=True,
    callback=_pixels,
    metavar="N",
    help="Refuse pictures of more than N pixels before memory is allocated; 0 means the limit of the format.",
)
preserve = click.option("--preserve", is_flag=True, help="Copy the modification times of the inputs to the outputs.")


def output(what: str) -> Callable[[Function], Function]:
    """--output and --output-dir."""

    def decorate(function: Function) -> Function:
        folder = click.option(
            "-d",
            "--output-dir",
            "folder",
            type=PATH,
            metavar="DIR",
            help=f"Write {what} into this folder; it is created if needed.",
        )
        file = click.option(
            "-o",
            "--output",
            type=PATH,
            metavar="FILE",
            help="Output file for a single input; - is standard output.",
        )
        return file(folder(function))

    return decorate


def together(name: str, kind: type[Any], *options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Options that a command gets as one value of the dataclass ``kind``, named after its fields."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(**given: Any) -> Any:
            mine = {each.name: given.pop(each.name) for each in fields(kind) if each.name in given}
            return function(**given, **{name: kind(**mine)})

        decorated: Callable[..., Any] = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


_processes = click.option(
    "--jobs",
    "processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of files to process at a time, each in a separate process.",
)
_keep_going = click.option("-k", "--keep-going", is_flag=True, help="Continue with the other files after a failure.")


def _recursive(what: str) -> Callable[[Any], Any]:
    return click.option("-r", "--recursive", is_flag=True, help=f"Take {what} in folders and their subfolders.")


def batch(what: str) -> Callable[[Any], Any]:
    """How many inputs are gone through, each with an output."""
    return together(
        "batch",
        Batch,
        _recursive(what),
        _processes,
        _keep_going,
        click.option(
            "--skip-existing", is_flag=True, help="Skip files whose output exists, to continue a stopped batch."
        ),
        force,
        click.option("-n", "--dry-run", is_flag=True, help="Print what would be read and written, and do nothing."),
    )


def checks(what: str) -> Callable[[Any], Any]:
    """How many inputs without outputs are gone through; all of them, whatever fails."""
    return together("batch", Batch, _recursive(what), _processes)


def as_json(function: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line on standard output.")(
        function
    )


reporting = together(
    "summary",
    Summary,
    click.option("-q", "--quiet", is_flag=True, help="Print only errors and warnings."),
    click.option("-v", "--verbose", is_flag=True, help="Print more about each file."),
    as_json,
)
"""--quiet, --verbose and --json."""
