"""Inputs and outputs: which file becomes which, what can be written, reading and writing."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import click

from ridecodec.container import rdca
from ridecodec.errors import InputError, OutputError, UsageError
from ridecodec.files import gathering
from ridecodec.files.gathering import Found, Left
from ridecodec.files.placing import ANYONE, placed, probe, refuse_existing
from ridecodec.models import registry

STANDARD = "-"
ARCHIVE = ".rdca"
_HELD = f"{__name__}.held"
"""Where what was read of standard input, and is to be read again, is held."""


@dataclass(frozen=True)
class Job:
    """One input and its output; "-" is standard input or output, an empty output none."""

    input: str
    output: str = ""
    makes_folder: bool = False
    """Whether the output's folder is made where it is missing."""
    refusal: str = ""
    """Why it cannot be done, where the names alone tell."""


def printable(text: str) -> str:
    """Text on one line: names may hold line breaks, and worse."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def label(name: str) -> str:
    """An input's name for messages."""
    return "standard input" if name == STANDARD else printable(click.format_filename(name))


def output_label(name: str) -> str:
    """An output's name for messages."""
    return "standard output" if name == STANDARD else printable(click.format_filename(name))


def is_archive(path: str) -> bool:
    """Whether an input is an archive, by its name or else by its first bytes."""
    return path.lower().endswith(ARCHIVE) or rdca.is_archive(start(path, len(rdca.MAGIC)))


def plan(
    paths: Sequence[str],
    *,
    output: str | None,
    folder: str | None,
    suffix: Callable[[str], str],
    names_output: Callable[[str], bool],
    endings: Collection[str],
    left: Left | None = None,
    recursive: bool,
    keep_going: bool,
) -> list[Job]:
    """Pair every input with its output: ``output``, or its name with its ``suffix`` in ``folder`` or else beside it.

    The second of two paths is the output where ``names_output`` says so. ``recursive``: folders stand for the files in
    them of such ``endings`` that are not ``left``, and keep their tree in ``folder``. Raises UsageError where the
    options contradict one another or two inputs would become one file; these are refused alone if the batch is to keep
    going.
    """
    inputs = list(paths)
    if output is None and folder is None and not recursive and len(inputs) == 2 and names_output(inputs[1]):
        output = inputs.pop()
    if "" in (output, folder):
        raise UsageError("the name of the output is empty")
    if output is not None and output.endswith(os.sep):
        raise UsageError(f"the output {label(output)} is a folder: use --output-dir to write into it")
    if recursive and output is not None:
        raise UsageError("--recursive writes several files: give --output-dir instead of --output")
    if folder is not None and (output is not None or STANDARD in inputs):
        raise UsageError("--output-dir cannot be used with --output or standard input")
    check_standard(inputs)
    found = gathering.files(inputs, endings, left, recursive=recursive)
    if output is not None and len(found) > 1:
        raise UsageError("one output for several inputs: give --output-dir instead of --output")
    if output is not None:
        return [Job(each.path, output) for each in found]
    targets = [_beside(each, folder, suffix(each.path)) for each in found]
    shared: dict[str, list[str]] = {}
    for each, target in zip(found, targets, strict=True):
        shared.setdefault(os.path.realpath(target), []).append(each.path)
    jobs = []
    for each, target in zip(found, targets, strict=True):
        same = shared[os.path.realpath(target)]
        refusal = f"{label(same[0])} and {label(same[1])} would both become {label(target)}" if len(same) > 1 else ""
        if refusal and not keep_going:
            raise UsageError(refusal)
        jobs.append(Job(each.path, target, folder is not None, refusal))
    return jobs


def _beside(found: Found, folder: str | None, suffix: str) -> str:
    if found.path == STANDARD:
        return STANDARD
    whole = found.path if folder is None else os.path.join(folder, found.place)
    return os.path.splitext(whole)[0] + suffix


def check_standard(inputs: Sequence[str]) -> None:
    """UsageError where standard input is named twice."""
    if inputs.count(STANDARD) > 1:
        raise UsageError("standard input can be read only once")


def check(job: Job, force: bool) -> None:
    """Refuse before the work what could not be written after it."""
    target = job.output
    if job.refusal:
        raise UsageError(job.refusal)
    if target == STANDARD:
        if sys.stdout is None:
            raise OutputError("standard output is closed")
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal: redirect it, or name an output")
    elif os.path.isdir(target):
        raise OutputError(f"the output {label(target)} is a folder: use --output-dir to write into it")
    elif os.path.exists(target) and job.input != STANDARD and _same(job.input, target):
        raise UsageError(f"the output {label(target)} is the input itself")
    elif not is_stream(target):
        refuse_existing(target, force)
        parent = os.path.dirname(os.path.realpath(target))
        while job.makes_folder and not os.path.exists(parent):
            parent = os.path.dirname(parent)
        if not os.path.isdir(parent):
            raise OutputError(f"no such folder for the output: {label(parent)}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise OutputError(f"no permission to write into {label(parent)}")


def check_file(job: Job, force: bool) -> None:
    """Like `check`, for what long work makes and must be a file: one is made there on trial."""
    if is_stream(job.output):
        raise UsageError(f"the output {output_label(job.output)} is not a file")
    check(job, force)
    probe(job.output)


def check_model(job: Job, force: bool, name: str | None = None, ensemble: str | None = None) -> None:
    """Like `check_file`, for a model and its cards (JSON) beside it; ``name``, ``ensemble``: those that were given."""
    path = Path(job.output)
    for given in (name, ensemble):
        if given is not None:
            registry.check_name(given, path)
    for target in registry.outputs(path, path.stem if name is None else name, ensemble):
        check_file(replace(job, output=str(target)), force)


def _same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False  # an input that is not there is reported when it is read


def is_stream(output: str) -> bool:
    """Whether this is standard output, a device or a pipe, which is written to and never replaced or removed."""
    return output == STANDARD or (os.path.exists(output) and not os.path.isfile(output) and not os.path.isdir(output))


def is_device(path: str) -> bool:
    """Whether this is a device such as /dev/null, which no picture is read from."""
    if path in ("/dev/stdout", "/dev/stderr"):
        return True
    try:
        return path != "/dev/stdin" and stat.S_ISCHR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def check_input(name: str) -> None:
    """InputError where there is no such file or folder."""
    if name != STANDARD and os.path.isdir(name):
        readable = os.access(name, os.R_OK | os.X_OK)
        raise InputError(
            f"is a folder{': use --recursive to take the files in it' if readable else ' that cannot be read'}"
        )
    if name != STANDARD and not os.path.exists(name):
        raise InputError("no such file or folder")


@contextlib.contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """An input as a stream that can seek; raises InputError."""
    check_input(name)
    with contextlib.ExitStack() as stack:
        try:
            source = io.BytesIO(read_standard()) if name == STANDARD else stack.enter_context(open(name, "rb"))
            stream = source if source.seekable() else io.BytesIO(source.read())
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error
        yield stream


def read(name: str) -> bytes:
    """All bytes of an input; raises InputError."""
    with opened(name) as stream:
        try:
            return stream.read()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error


def start(name: str, count: int) -> bytes:
    """The first bytes of a file or of standard input, which stay to be read; of other things nothing."""
    if name == STANDARD:
        click.get_current_context().meta[_HELD] = data = read_standard()
        return data[:count]
    if not os.path.isfile(name):
        return b""
    try:
        with open(name, "rb") as file:
            return file.read(count)
    except OSError:
        return b""


def read_standard() -> bytes:
    """All of standard input."""
    context = click.get_current_context(silent=True)
    if context is not None and _HELD in context.meta:
        return bytes(context.meta.pop(_HELD))
    if sys.stdin is None:
        raise InputError("standard input is closed")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: redirect it, or name a file")
    return sys.stdin.buffer.read()


def write(output: str, data: bytes, force: bool, like: str | None = None, mode: int = ANYONE) -> None:
    """Write ``data`` to ``output``: a file as `placed` does, a stream as it is.

    Raises OutputError, or BrokenPipeError when nobody reads the stream any more.
    """
    if not is_stream(output):
        with placed(output, force, like, mode) as path:
            path.write_bytes(data)
        return
    try:
        with contextlib.ExitStack() as stack:
            stream = sys.stdout.buffer if output == STANDARD else stack.enter_context(open(output, "wb"))
            stream.write(data)
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {output_label(output)}: {error.strerror or error}") from error
