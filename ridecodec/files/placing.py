"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ridecodec.errors import OutputError, OutputExistsError

unfinished: set[Path] = set()
"""What is being written; to be removed where the program ends at once."""


ANYONE = 0o666
_OWNER = 0o600
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def file_name(text: str) -> str:
    """The name of a file, of any text: none that leads out of its folder, or that Windows keeps for a device."""
    safe = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in text)
    return f"_{safe}" if not safe.strip(". ") or _DEVICE.match(safe) else safe


def allowed(*sources: str) -> int:
    """The permissions that all of these files have, as ``mode`` of `placed`; what is no file has `ANYONE`'s."""
    mode = ANYONE
    for source in sources:
        if os.path.isfile(source):
            mode &= os.stat(source).st_mode
    return mode


def refuse_existing(target: str, force: bool) -> None:
    """Raise OutputExistsError where something would be overwritten, unless ``force``."""
    if not force and os.path.lexists(target):
        raise _exists(target)


def _exists(target: str) -> OutputExistsError:
    return OutputExistsError(f"the output {target} already exists: use --force to overwrite it")


@contextlib.contextmanager
def placed(output: str, force: bool, like: str | None = None, mode: int = ANYONE) -> Iterator[Path]:
    """A path to write to, beside ``output``; moved there when the block ends well, removed when it does not.

    The folder is made if need be, and a file that is replaced passes its permissions on, as far as ``mode`` has them:
    a new file has those that the umask leaves of it, and at no time more.  It gets the times of access and modification
    of the file ``like``.  Without ``force`` nothing is replaced, whatever comes into being meanwhile:
    OutputExistsError.
    """
    target = Path(os.path.realpath(output))  # a link stays, and what it points to is replaced
    part = _part(target)
    unfinished.add(part)
    try:
        _make(target.parent)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode | _OWNER))
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # a full disk or quota may show only here
        refuse_existing(output, force)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, part)
        part.chmod(stat.S_IMODE(part.stat().st_mode) & mode)
        if like is not None:
            times = os.stat(like)
            os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        if force:
            part.replace(target)
        elif not _moved(part, target):
            raise _exists(output)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    except OutputError as error:
        raise OutputError(f"{output}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        unfinished.discard(part)


def _moved(part: Path, target: Path) -> bool:
    """Give a file its name; False where somebody else was faster."""
    try:
        if os.name == "nt":
            part.rename(target)  # replaces nothing there
        else:
            _link(part, target)
    except FileExistsError:
        return False
    return True


def _link(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        _take(part, target)


def _take(part: Path, target: Path) -> None:
    """Take the name first, and put the file there then; FileExistsError."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    unfinished.add(target)
    try:
        part.replace(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    finally:
        unfinished.discard(target)


def _make(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing; their names are on the disk then."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):
            settle(folder)


def settle(path: str | Path) -> None:
    """Return when the name of a file that was placed, or of a folder, is on the disk, too; raises OSError."""
    if os.name == "nt":  # opens no folders
        return
    handle = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # of file systems that have nothing to wait for
            raise
    finally:
        os.close(handle)


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
