"""Signals that end the program, which leave no unfinished output."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

from ridecodec.files.placing import unfinished


def clean_up() -> None:
    """Interruption, termination and hang-up end the program in an orderly way, with 128 + the signal's number.

    The first signal raises, so that unfinished outputs are removed on the way out; a second one ends it at once.
    """
    stop = _heeded("SIGINT", "SIGTERM", "SIGHUP")
    owner = os.getpid()

    def at_once(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            _remove_unfinished()
        os._exit(128 + number)

    def orderly(number: int, frame: FrameType | None) -> None:
        for each in stop:
            signal.signal(each, at_once)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for number in stop:
        signal.signal(number, orderly)


def follow() -> None:
    """In a process that works for another: it ends when that one says so, at once; Ctrl-C is that one's business."""

    def at_once(number: int, frame: FrameType | None) -> None:
        _remove_unfinished()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _heeded("SIGTERM", "SIGHUP"):
        signal.signal(number, at_once)


def _heeded(*names: str) -> list[signal.Signals]:
    """Those that there are and that are not ignored, as nohup does."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _remove_unfinished() -> None:
    for part in list(unfinished):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
