"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ridecodec.errors import OutputError, OutputExistsError

unfinished: set[Path] = set()
"""What is being written; to be removed where the program ends at once."""


_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def file_name(text: str) -> str:
    """The name of a file, of any text: none that leads out of its folder, or that Windows keeps for a device."""
    safe = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in text)
    return f"_{safe}" if not safe.strip(". ") or _DEVICE.match(safe) else safe


def refuse_existing(target: str, force: bool) -> None:
    """Raise OutputExistsError where something would be overwritten, unless ``force``."""
    if not force and os.path.lexists(target):
        raise OutputExistsError(f"the output {target} exists already: --force overwrites it")


@contextlib.contextmanager
def placed(output: str, force: bool, like: str | None = None) -> Iterator[Path]:
    """A path to write to, beside ``output``; moved there when the block ends well, removed when it does not.

    The folder is made if need be, and a file that is replaced passes its permissions on.  It gets the times of access
    and modification of the file ``like``.
    """
    target = Path(os.path.realpath(output))  # a link stays, and what it points to is replaced
    part = _part(target)
    unfinished.add(part)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # a full disk or quota may show only here
        refuse_existing(output, force)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, part)
        if like is not None:
            times = os.stat(like)
            os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        part.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    except OutputError as error:
        raise OutputError(f"{output}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        unfinished.discard(part)


def probe(output: str) -> None:
    """OutputError where no file can be made beside ``output``; to be asked before long work."""
    part = _part(Path(output))
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error


def _part(target: Path) -> Path:
    return target.with_name(f".ridecodec-{os.urandom(8).hex()}.part")
