"""Stopping a training between two steps, where its checkpoint is whole."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

PATIENCE = 2.0
"""Seconds within which further signals count as the first: a terminal and torchrun both send theirs."""


class Interruption:
    """In its block, the first interruption or termination is only noted; a later one takes effect at once."""

    def __init__(self) -> None:
        self.noted: int | None = None
        self._at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted is None:
            self.noted, self._at = number, time.monotonic()
        elif time.monotonic() - self._at > PATIENCE:
            self.act()

    def act(self) -> None:
        """Let what was noted take its usual effect."""
        self.__exit__()
        if self.noted is not None:
            signal.raise_signal(self.noted)
