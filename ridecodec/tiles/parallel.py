"""Work on many tiles at once: which go together, on how many threads, in how much memory."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from ridecodec.engines.base import threads as threads_of_a_tile
from ridecodec.engines.tilecoder import TileCodec
from ridecodec.tiles import precheck
from ridecodec.tiles.progress import Progress

_MEMORY = 1 << 30
"""Bytes that the tiles at hand may take, all threads together; one tile a thread may take more."""
_INTERVALS = 120
"""Bytes a pixel that an encoder holds beside the model's state: intervals and their order."""

_CREEP = 0.02

K = TypeVar("K", bound=Hashable)


class Meter:
    """Adds up what the workers report, and stops them when the work is off."""

    def __init__(self, report: Callable[[Progress], None] | None, total: int, channels: int) -> None:
        self.report, self.total, self.channels = report, total, channels
        self.pixels, self.bits = 0, 0.0
        self.off = False
        self.lock = threading.Lock()
        if report is not None:
            report(Progress(0, total, 0.0, channels))

    def tick(self, pixels: int, bits: float) -> None:
        """Count what was finished; raises to stop a worker whose result nobody wants any more."""
        if self.off:
            raise _StoppedError
        with self.lock:
            self.pixels += pixels
            self.bits += bits
            if self.report is not None:
                self.report(Progress(self.pixels, self.total, self.bits, self.channels))

    def finish(self) -> None:
        """Count what is left: parts that no model decodes are not counted one by one."""
        self.tick(self.total - self.pixels, 0.0)

    def part(self) -> Callable[[Progress], None]:
        """What to hand as ``progress`` to work that is a part of this."""
        pixels, bits = 0, 0.0

        def advance(state: Progress) -> None:
            nonlocal pixels, bits
            done = state.pixels_done - pixels, state.bits - bits
            pixels, bits = state.pixels_done, state.bits
            self.tick(*done)

        return advance


class Creep:
    """A part of work of ``pixels`` whose length is not known: each beat brings it some of what is left nearer to its
    end."""

    def __init__(self, meter: Meter, pixels: int) -> None:
        self._meter, self._left = meter, pixels

    def beat(self) -> None:
        """Something was done."""
        step = int(self._left * _CREEP)
        self._left -= step
        self._meter.tick(step, 0.0)

    def finish(self, bits: float) -> None:
        """All was done."""
        self._meter.tick(self._left, bits)


class _StoppedError(Exception):
    """Raised in a worker whose result nobody wants any more."""


def workers(threads: int) -> int:
    """How many threads ``threads`` means; 0: as many as there are cores for this process."""
    precheck.check_threads(threads)
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_each(threads: int, processes: int) -> int:
    """How many threads one of so many processes has; ``threads`` 0: its part of the cores."""
    return threads or max(1, workers(0) // processes)


def encoders(backend: TileCodec, pixels: int, threads: int) -> int:
    """How many tiles of up to so many pixels are encoded at the same time."""
    return max(1, min(workers(threads), _MEMORY // (pixels * _INTERVALS + backend.tile_bytes(pixels))))


def batches(
    backend: TileCodec, shapes: Mapping[K, tuple[int, int, int]], threads: int, share: bool = False
) -> tuple[list[list[K]], int]:
    """Tiles that are decoded together, and how many such batches at the same time.

    ``shapes``: (channels, height, width) by tile; alike ones go together, as many as fill a front and have room.
    ``share``: so few that every thread has some; else as few batches as may be, as threads with less in each front hold
    each other up.
    """
    count = workers(threads)
    alike: dict[tuple[int, int, int], list[K]] = {}
    for key, shape in shapes.items():
        alike.setdefault(shape, []).append(key)
    found, most = [], 1
    for (_, height, width), same in alike.items():
        room = max(1, _MEMORY // backend.tile_bytes(height * width))
        together = max(1, min(backend.batch(height, width), room))
        if share:
            together = min(together, -(-len(same) // count))
        found += [same[i : i + together] for i in range(0, len(same), together)]
        most = max(most, together * backend.tile_bytes(height * width))
    return found, max(1, min(count, _MEMORY // most))


def spread(work: Callable[[Any], Any], items: Iterable[Any], workers: int, meter: Meter) -> list[Any]:
    """Results of ``work`` on all items, in order; the first error stops the others.

    Of so many ``workers``, those that have no item help with what others code (`engines.base.threads`).
    """
    todo = list(items)
    count = min(workers, len(todo))
    helped = contextvars.copy_context()
    helped.run(threads_of_a_tile.set, workers // max(1, count))
    if count <= 1:
        return [helped.run(work, item) for item in todo]
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # with what small pictures do not need

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(helped.copy().run, work, item) for item in todo]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [f for f in futures if f.done() and f.exception() is not None]
            if failed:
                raise failed[0].exception() or RuntimeError
            return [f.result() for f in futures]
        except BaseException:
            meter.off = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise
