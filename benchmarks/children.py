"""Runs a command as a process of its own and says what it took.

Linux hands a parent's peak memory down to the processes that it starts, so a script that measures memory must itself
stay small: it does its work on pixels in other processes (see memory.py).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """CPU seconds, user and system, and the peak of resident memory in bytes."""

    cpu: float
    peak: int


def ridecodec(*arguments: str | Path) -> list[str | Path]:
    """The command line of the ridecodec that is installed beside this Python."""
    return [Path(sysconfig.get_path("scripts"), "ridecodec"), *arguments]


def run(command: Sequence[str | Path]) -> Usage:
    """Run `command` to its end; raises `CalledProcessError` where it fails."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(map(str, command)))
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def own_peak() -> int:
    """Peak of resident memory of this process, bytes: the least that `run` can report."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
