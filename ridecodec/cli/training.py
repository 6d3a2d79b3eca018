"""What the commands that train share: options, checks, and a progress bar."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import click

from ridecodec.cli import files
from ridecodec.cli.files import Job
from ridecodec.errors import InputError

if TYPE_CHECKING:
    from ridecodec.training.task import Report

Function = TypeVar("Function", bound=Callable[..., Any])

data = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of photographs; NAME-0.png and NAME-1.png are treated as crops of one photograph.",
)
checkpoint = click.option(
    "--out",
    "checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The checkpoint; if it exists, its training continues.",
)
fresh = click.option("-f", "--force", is_flag=True, help="Start again even if the checkpoint exists.")
device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)


def _numbers(kind: type) -> Callable[[click.Context, click.Parameter, str | None], tuple[Any, ...] | None]:
    """Callback of an option: numbers with commas between them."""

    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        try:
            return None if value is None else tuple(kind(part) for part in value.split(","))
        except ValueError as error:
            text = f"{value!r} is not a comma-separated list of numbers"
            raise click.BadParameter(text, ctx, param) from error

    return convert


def fields_of(settings: type[Any], *only: str) -> Callable[[Function], Function]:
    """An option for every field, or those named, of a dataclass of settings (`models.fields`); None, not given."""

    def decorate(function: Function) -> Function:
        hints = get_type_hints(settings)
        for each in reversed(fields(settings)):
            if only and each.name not in only:
                continue
            hint, choices = hints[each.name], each.metadata["choices"]
            kind = next(part for part in (*get_args(hint), hint) if part not in (type(None), Ellipsis))
            name = f"--{each.name.replace('_', '-')}"
            extra: dict[str, Any] = {"type": kind}
            if isinstance(each.default, tuple):
                extra = {"callback": _numbers(kind), "metavar": "N,N,..."}
            elif kind is bool:
                name = f"{name}/--no-{name[2:]}"
                extra = {"is_flag": True, "default": None}
            elif choices and kind is str:
                extra = {"type": click.Choice(choices)}
            function = click.option(name, each.name, help=each.metadata["help"], **extra)(function)
        return function

    return decorate


def job(folder: Path, out: Path) -> Job:
    """The paths of a training; InputError where there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder of photographs")
    return Job(str(folder), str(out))


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others keep the defaults of what takes them."""
    return {name: value for name, value in options.items() if value is not None}


def check(folder: Path, checkpoint: Path) -> None:
    """Refuse before the training what could not be read or written."""
    files.check_file(job(folder, checkpoint), force=True)


Shown = tuple[Callable[[str], None], "Callable[[Report], None] | None"]


@contextlib.contextmanager
def bar(name: str) -> Iterator[Shown]:
    """What to hand to a trainer as ``say`` and ``progress``: lines on standard error, and a bar where it is a terminal:
    rate, pixels a second, time left. Of several processes that torchrun started, only the first speaks."""
    if os.environ.get("RANK", "0") != "0":
        yield lambda line: None, None
        return
    if not (sys.stderr and sys.stderr.isatty()):
        yield lambda line: click.echo(line, err=True), None
        return
    from tqdm import tqdm

    style = "{desc}: {percentage:5.1f}%|{bar}| "
    with tqdm(desc=name, file=sys.stderr, total=1.0, leave=False, dynamic_ncols=True, bar_format=style) as shown:

        def advance(report: Report) -> None:
            parts = [report.doing] if report.doing != "training" else []
            if math.isfinite(report.rate):
                parts.append(f"{report.rate:.3f} {report.unit}")
            if report.held is not None:
                parts.append(f"held out {report.held:.3f}")
            parts.append(f"{tqdm.format_sizeof(report.pixels_per_second)}px/s")
            if math.isfinite(report.seconds_left):
                parts.append(f"{tqdm.format_interval(report.seconds_left)} left")
            shown.bar_format = style + ", ".join(parts)  # tqdm's own postfix begins with a comma
            shown.n = report.fraction
            shown.refresh()

        yield lambda line: tqdm.write(line, file=sys.stderr), advance
