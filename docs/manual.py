"""The manual page, made of the commands themselves.

python docs/manual.py > docs/ridecodec.1
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from ridecodec import __version__
from ridecodec.cli.app import COMMANDS, EXIT_CODES, cli

DESCRIBED = ("compress", "decompress", "verify", "info", "models", "completion")
"""The commands whose options the page has; those of the others are in their --help."""

VARIABLES = {
    "RIDECODEC_ENGINE": "What runs the models, as --engine: auto, native, torch or reference.",
    "RIDECODEC_MODELS": "Folder of models of your own, beside those that come with ridecodec.",
    "RIDECODEC_TRACEBACK": "If set, errors are followed by where in the program they come from.",
}


def page() -> str:
    """The page in the man macros of roff."""
    lines = [
        f'.TH RIDECODEC 1 "" "ridecodec {__version__}" "User commands"',
        ".SH NAME",
        "ridecodec \\- lossless image compression with learned density models",
        ".SH SYNOPSIS",
        ".B ridecodec",
        "COMMAND [OPTIONS] ARGUMENTS",
        ".SH DESCRIPTION",
        *_paragraphs(cli.help or ""),
        ".SH COMMANDS",
    ]
    context = click.Context(cli, info_name="ridecodec", **cli.context_settings)
    commands = {name: cli.get_command(context, name) for name in COMMANDS}
    for name, command in commands.items():
        lines += [".TP", f".B {name}", _escaped(command.get_short_help_str(200))]
    for name in DESCRIBED:
        lines += [f".SH RIDECODEC {name.upper()}", *_usage(name, commands[name], context)]
    lines += [".SH ENVIRONMENT"]
    for variable, meaning in VARIABLES.items():
        lines += [".TP", f".B {variable}", _escaped(meaning)]
    lines += [".SH EXIT STATUS", *_paragraphs(EXIT_CODES.replace("Exit codes:\n", ""))]
    return "\n".join([*lines, ""])


def _usage(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield _escaped(f"ridecodec {name} {' '.join(command.collect_usage_pieces(context))}")
    yield from _paragraphs(command.help or "")
    for option in command.get_params(context):
        if isinstance(option, click.Option):
            yield ".TP"
            yield f".B {_escaped(_names(option))}"
            yield _escaped(_help(option))


def _names(option: click.Option) -> str:
    value = option.metavar or ("|".join(option.type.choices) if isinstance(option.type, click.Choice) else "")
    spelled = ", ".join([*sorted(option.opts, key=len), *option.secondary_opts])
    return f"{spelled} {value}".strip()


def _help(option: click.Option) -> str:
    """What the option does, and its default where that is shown."""
    said = (option.help or "").replace("  [default", " [default")
    if option.show_default and option.default is not None and not option.multiple:
        default = option.default
        if option.secondary_opts:
            default = (option.opts if default else option.secondary_opts)[0].lstrip("-")
        said += f" [default: {default}]"
    return said


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of click's help; one that begins with \\b keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *map(_escaped, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    print(page(), end="")
