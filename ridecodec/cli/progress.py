"""A progress bar on standard error, when that is a terminal: from the first second, with the time left."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridecodec.tiles.progress import Progress

_STYLE = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
_PAUSE = 0.5
"""Seconds between two looks at the clock."""
_LEAST = 0.1
"""Seconds between two pictures of the bar."""


class Bar:
    """A bar of the part that is done, 0 to 1. It is there at once, and its time goes on whether work tells or not."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self._shown = tqdm(
            desc=name, file=sys.stderr, total=1.0, leave=False, dynamic_ncols=True, smoothing=0, bar_format=_STYLE
        )
        self._drawn = time.monotonic()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True)
        self._clock.start()
        _bars.append(self)

    def at(self, part: float) -> None:
        """So much is done; the bar never goes back."""
        self._shown.n = max(self._shown.n, min(part, 1.0))
        if time.monotonic() - self._drawn > _LEAST or part >= 1.0:
            self._draw()

    def name(self, text: str) -> None:
        """What is being worked on."""
        self._shown.set_description_str(text, refresh=False)
        self._draw()

    def clear(self) -> None:
        """Make room for a line; the bar comes back by itself."""
        self._shown.clear()

    def close(self) -> None:
        """Take the bar away."""
        _bars.remove(self)
        self._ended.set()
        self._clock.join()
        self._shown.close()

    def _tick(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._shown.refresh()


class Batch:
    """A bar of several things, each as long as its size says and gone through ``passes`` times: to code, to verify."""

    def __init__(self, names: Sequence[str], sizes: Sequence[float], passes: int) -> None:
        self._names, self._passes = names, passes
        whole = sum(sizes) or 1.0
        self._sizes = [size / whole for size in sizes]
        self._parts = [0.0] * len(names)
        self._bar = Bar(self._name(0))

    def of(self, number: int) -> Callable[[Progress], None]:
        """What to hand as ``progress`` to the work on the thing of this number."""
        before, done = 0, -1
        self._bar.name(self._name(number))

        def advance(state: Progress) -> None:
            nonlocal before, done
            before += state.pixels_done < done
            done = state.pixels_done
            self._at(number, (before + state.pixels_done / max(1, state.pixels_total)) / self._passes)

        return advance

    def finish(self, number: int) -> None:
        """The thing of this number is done, well or not."""
        self._at(number, 1.0)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _at(self, number: int, part: float) -> None:
        self._parts[number] = min(1.0, part)
        self._bar.at(sum(size * part for size, part in zip(self._sizes, self._parts, strict=True)))

    def _name(self, number: int) -> str:
        if len(self._names) == 1:
            return self._names[0]
        return f"{number + 1:,}/{len(self._names):,} {self._names[number]}"


_bars: list[Bar] = []
"""Those that are shown."""


def clear() -> None:
    """Make room for a line on standard error; bars come back by themselves."""
    for each in _bars:
        each.clear()


def welcome(wanted: bool) -> bool:
    """Whether a bar is shown: where it is wanted, and standard error is a terminal."""
    return bool(wanted and sys.stderr and sys.stderr.isatty())


@contextlib.contextmanager
def batch(
    names: Sequence[str], sizes: Callable[[], Sequence[float]], passes: int, wanted: bool
) -> Iterator[Batch | None]:
    """A `Batch`, or None for no bar, and then nobody asks for the sizes."""
    if not names or not welcome(wanted):
        yield None
        return
    shown = Batch(names, sizes(), passes)
    try:
        yield shown
    finally:
        shown.close()


@contextlib.contextmanager
def bar(name: str, wanted: bool, passes: int = 1) -> Iterator[Callable[[Progress], None] | None]:
    """What to hand as ``progress`` to work on one thing; None for no bar."""
    with batch([name], lambda: [1.0], passes, wanted) as shown:
        yield shown.of(0) if shown else None
