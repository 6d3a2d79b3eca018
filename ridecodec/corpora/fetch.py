"""Fetching a file over HTTP: resumed where it was cut, checked, and in its place only when it is whole."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError

from ridecodec.corpora.manifest import File
from ridecodec.counting import counted
from ridecodec.errors import InputError, OutputError, OutputExistsError
from ridecodec.version import __version__

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""

Advance = Callable[[int, "int | None"], None]
"""Told bytes so far, and bytes in all or None."""

_CHUNK = 1 << 16
_AGAIN = "run the same command again to continue"


def fetch(file: File, target: Path, advance: Advance | None = None) -> str:
    """Put ``file`` at ``target``, replacing what is there, and return its SHA-256 in hexadecimal.

    The folder is made. What arrives collects in a `.part` file beside it, from which another call goes on; what turns
    out to be another file is not kept. Raises InputError, also where there is no network, and OutputError.
    """
    part = target.with_name(target.name + ".part")
    try:
        _download(file, part, advance)
        found = sha256(part)
        if file.sha256 not in (None, found):
            part.unlink()
            raise InputError(f"its SHA-256 is {found} instead of {file.sha256}: it is damaged or a different file")
        part.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    return found


def is_here(file: File, target: Path) -> bool:
    """Whether ``target`` exists and is ``file``, as far as its size and SHA-256 are known.

    Raises OutputExistsError where something else is there, InputError where it cannot be read.
    """
    if not os.path.lexists(target):
        return False
    try:
        same = target.is_file() and file.bytes in (None, target.stat().st_size)
        same = same and file.sha256 in (None, sha256(target))
    except OSError as error:
        raise InputError(f"{target}: cannot be read: {error.strerror or error}") from error
    if not same:
        raise OutputExistsError(
            f"{target} already exists and is a different or damaged file: use --force to replace it"
        )
    return True


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Answer:
    """A server's answer: bytes from ``start`` on, of ``total`` in all where it says so; None where none are left."""

    stream: HTTPResponse | None
    start: int
    total: int | None


def _download(file: File, part: Path, advance: Advance | None) -> None:
    """Complete ``part``. Raises InputError, and OSError for what concerns ``part``."""
    done = part.stat().st_size if part.exists() else 0
    if done and done == file.bytes:
        return
    if file.bytes is not None and done > file.bytes:
        done = 0
    answer = _ask(file.address, done)
    if answer.stream is None:
        return
    with answer.stream:
        total = file.bytes if answer.total is None else answer.total
        if file.bytes in (None, total):
            done = _receive(answer.stream, part, answer.start, total, advance)
    if file.bytes not in (None, total) or (total is not None and done > total):
        part.unlink(missing_ok=True)
        sent, wanted = max(done, total or 0), file.bytes or total
        raise InputError(f"the server sends {counted(sent, 'byte')} instead of {wanted:,}: a different file")
    if total is not None and done < total:
        raise InputError(f"the connection ended after {done:,} of {total:,} bytes: {_AGAIN}")


def _receive(stream: HTTPResponse, part: Path, done: int, total: int | None, advance: Advance | None) -> int:
    """Put what arrives behind the ``done`` bytes of ``part``, and return its size; stops when there is too much."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if done else "wb") as out:
        for chunk in _chunks(stream):
            out.write(chunk)
            done += len(chunk)
            if advance is not None:
                advance(done, total)
            if total is not None and done > total:
                break
        out.flush()
        os.fsync(out.fileno())
    return done


def _ask(address: str, start: int) -> _Answer:
    """Ask for the bytes from ``start`` on. Raises InputError."""
    headers = {"User-Agent": f"ridecodec/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        stream = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and start:  # nothing is left, or the file is another one by now
                total = _total(error.headers.get("Content-Range"))
                return _Answer(None, start, total) if total == start else _ask(address, 0)
            answer = f"the server answers {error.code} {error.reason}"
            raise InputError(f"{answer}: see the home page that 'ridecodec corpora list' shows") from error
    except (OSError, HTTPException) as error:
        raise InputError(f"cannot be reached ({_reason(error)}): check the network connection") from error
    if stream.status != 206:
        length = stream.headers.get("Content-Length")
        return _Answer(stream, 0, int(length) if length and length.isdecimal() else None)
    span = stream.headers.get("Content-Range", "")
    if not re.match(rf"bytes {start}-", span):
        stream.close()
        raise InputError(f"the server was asked for the bytes from {start:,} on and sends {span or 'others'}")
    return _Answer(stream, start, _total(span))


def _total(span: str | None) -> int | None:
    """The size of the whole file by a Content-Range, None where it does not say."""
    found = re.search(r"/(\d+)$", span or "")
    return int(found[1]) if found else None


def _chunks(stream: HTTPResponse) -> Iterator[bytes]:
    """What arrives, up to the end or the cut. Raises InputError where the network fails."""
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except (OSError, HTTPException) as error:
            raise InputError(f"the connection broke ({_reason(error)}): {_AGAIN}") from error
        if not chunk:
            return
        yield chunk


def _reason(error: OSError | HTTPException) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer for {TIMEOUT:g} seconds"
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)
