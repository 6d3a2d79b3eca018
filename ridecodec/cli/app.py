"""The group of all commands, what becomes of errors that no file stands for, and the entry point."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

from ridecodec import __version__
from ridecodec.cli import failures, files, signals
from ridecodec.errors import UsageError

COMMANDS = (
    "compress",
    "decompress",
    "verify",
    "info",
    "models",
    "benchmark",
    "train",
    "export",
    "sample",
    "reconstruct",
    "synthesize",
    "inpaint",
    "corpora",
    "completion",
    "help",
)
"""In the order of the help; the module of the same name holds each as `command`."""

EXIT_CODES = """\b
Exit codes:
  0    success
  1    unexpected: out of memory, or a bug in ridecodec
  2    usage: an option or argument is not valid
  3    the input cannot be read or is not supported, or the output cannot be written
  4    the .rdc file is damaged, or is not an .rdc file
  5    the output already exists (--force overwrites it)
  6    the model that the file needs is missing
  7    verification failed: the file does not decode to the same picture
  130  interrupted (143: terminated, 129: hung up, 141: output pipe closed)

With several files, the code is that of the first failure. Messages go to standard
error, one line each: "ridecodec: FILE: what is wrong".
"""


class CommandLine(click.Group):
    """Loads a command's module when it is used, so that nobody waits for what they did not ask for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"ridecodec.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments; UsageError where a file's name would be taken for options."""
        found = super().resolve_command(ctx, args)
        for each in itertools.takewhile(lambda each: each != "--", found[2]):
            if each.startswith("-") and os.path.splitext(each)[1] and os.path.lexists(each):
                name = files.label(each)
                raise UsageError(
                    f"{name} is a file, but looks like an option: put -- before the file names, or write ./{name}"
                )
        return found

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; prints what --help and --version ask for."""
        with _reported():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _reported():
            return super().invoke(ctx)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Like click's own, but a usage error takes one line; always ends in SystemExit."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.ClickException as error:
            failures.say(_usage(error))
            code = error.exit_code
        except click.Abort:
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Every error becomes one line on standard error and an exit code."""
    try:
        yield
    except BrokenPipeError as error:
        _silence_stdout()
        raise click.exceptions.Exit(141) from error
    except KeyboardInterrupt as error:
        failures.say("interrupted")
        raise click.exceptions.Exit(130) from error
    except failures.CONTROL:
        raise
    except BaseException as error:
        raise click.exceptions.Exit(failures.report(error)) from error


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context else ""
    return failures.flat(error.format_message()).rstrip(".") + hint


def _silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain of the closed pipe as it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=CommandLine, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="ridecodec", message="%(prog)s %(version)s")
def cli() -> None:
    """Lossless image compression with learned density models.

    A compressed file decodes to the same pixels on every machine.

    \b
    Examples:
      ridecodec compress photo.png                 writes photo.rdc
      ridecodec decompress photo.rdc again.png
      ridecodec compress -r pictures -d packed     a folder and its subfolders
      ridecodec COMMAND --help
    """


def main() -> None:
    """Entry point of the `ridecodec` program."""
    signals.clean_up()
    cli(prog_name="ridecodec")
