"""From an exception to one line on standard error and an exit code."""

from __future__ import annotations

import errno
import json
import os
import traceback
from collections.abc import Callable, Iterable

import click

from ridecodec import extras
from ridecodec.cli import progress
from ridecodec.cli.files import Job, label, printable
from ridecodec.cli.outcomes import Failed
from ridecodec.errors import InputError, RidecodecError, UsageError

UNEXPECTED = 1
_OUT_OF_MEMORY = ("can't allocate memory", "cannot allocate memory", "out of memory", "failed to map segment")
CONTROL = (
    click.ClickException,
    click.exceptions.Exit,
    click.Abort,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    BrokenPipeError,
)
"""Exceptions that end the program whatever file is being worked on."""


def say(message: str) -> None:
    """One line on standard error, with the program's name before it."""
    progress.clear()
    click.echo(f"ridecodec: {printable(message)}", err=True)


def failed(error: BaseException) -> Failed:
    """What any error comes to."""
    trace = "".join(traceback.format_exception(error)) if os.environ.get("RIDECODEC_TRACEBACK") else ""
    return Failed(*_explained(error), trace)


def _explained(error: BaseException) -> tuple[int, str]:
    """Exit code and message."""
    if isinstance(error, RidecodecError):
        return error.exit_code, str(error)
    if isinstance(error, ImportError) and (words := extras.hint(error)):
        return UsageError.exit_code, words
    if _is_about_memory(error):
        return UNEXPECTED, "not enough memory"
    if isinstance(error, OSError):
        return InputError.exit_code, error.strerror or str(error)
    return UNEXPECTED, f"unexpected {type(error).__name__}: {flat(str(error))} (RIDECODEC_TRACEBACK=1 shows where)"


def flat(message: str) -> str:
    """A message of several lines as one."""
    return " ".join(message.split())


def _is_about_memory(error: BaseException) -> bool:
    """Whether an allocation failed, of which torch tells by a RuntimeError, and loading a library by an ImportError."""
    if isinstance(error, (RuntimeError, ImportError)):
        return any(words in str(error).lower() for words in _OUT_OF_MEMORY)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def report(error: BaseException, job: Job | None = None, as_json: bool = False) -> int:
    """Say what went wrong with ``job``, and return the exit code."""
    return tell(failed(error), job, as_json)


def tell(failure: Failed, job: Job | None, as_json: bool) -> int:
    """Say it, and return the exit code."""
    if failure.trace:
        click.echo(failure.trace, err=True, nl=False)
    say(f"{label(job.input)}: {failure.message}" if job else failure.message)
    if job and as_json:
        fields = {"input": job.input, "output": job.output, "error": failure.message, "exit_code": failure.code}
        click.echo(json.dumps(fields))
    return failure.code


def for_each(
    jobs: Iterable[Job], work: Callable[[Job], None], *, keep_going: bool = False, as_json: bool = False
) -> None:
    """Do ``work`` on every job, up to the first failure unless ``keep_going``; exits with the first failure's code."""
    first = 0
    for job in jobs:
        try:
            work(job)
        except CONTROL:
            raise
        except BaseException as error:  # constriction's panics are no Exceptions
            code = report(error, job, as_json)
            first = first or code
            if not keep_going:
                break
    if first:
        raise click.exceptions.Exit(first)
