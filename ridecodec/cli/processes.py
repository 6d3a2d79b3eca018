"""Work on many things in several processes, which end with the one that started them."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def results(
    work: Callable[[T], R],
    items: Iterable[T],
    count: int,
    begin: Callable[[], None],
    told: Callable[[T, Any], None] | None = None,
) -> Generator[tuple[T, R | None], None, None]:
    """Give every item and what ``work`` made of it, as it comes; None where the process ended before it was done.

    At most ``count`` items are worked on at a time.  ``work`` raises nothing, and everything can be pickled.  Each
    process calls ``begin`` first, which should see to the signals that end it.  What ``work`` hands to `tell` is given
    to ``told``, with its item.  Closing the generator ends them all.
    """
    todo = iter(items)
    busy: dict[Any, _Worker[T, R]] = {}

    def start(item: T) -> None:
        worker = _Worker(work, begin)
        busy[worker.pipe] = worker
        worker.give(item)

    try:
        for item in itertools.islice(todo, count):
            start(item)
        while busy:
            for pipe in wait(list(busy)):
                ended, result = busy[pipe].receive()
                if not ended:
                    if told is not None:
                        told(busy[pipe].item, result)
                    continue
                worker = busy.pop(pipe)
                item = worker.item
                more = list(itertools.islice(todo, 1))
                if more and result is not None:
                    busy[pipe] = worker
                    worker.give(more[0])
                else:
                    worker.end()
                    for other in more:
                        start(other)
                yield item, result
    finally:
        for worker in busy.values():
            worker.process.terminate()
        for worker in busy.values():
            worker.end()


class _Worker(Generic[T, R]):
    """A process, and what it is working on."""

    item: T

    def __init__(self, work: Callable[[T], R], begin: Callable[[], None]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, begin), daemon=True)
        with _undisturbed():
            self.process.start()
        theirs.close()

    def give(self, item: T) -> None:
        self.item = item
        with contextlib.suppress(ConnectionError):  # that it has ended shows when the result is read
            self.pipe.send(item)

    def receive(self) -> tuple[bool, Any]:
        """(whether the item is done, its result, or None where the process ended, or what it tells)."""
        try:
            found: tuple[bool, Any] = self.pipe.recv()
        except (EOFError, ConnectionError):
            return True, None
        return found

    def end(self) -> None:
        self.pipe.close()
        self.process.join()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """What is started here does not get the terminal's Ctrl-C, which this process answers for all."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, work: Callable[[T], R], begin: Callable[[], None]) -> None:
    """What a process does: one item after another, until there are no more, or nobody who wants the results."""
    begin()
    _teller.pipe = pipe
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            result = work(pipe.recv())
            with _teller.lock:
                pipe.send((True, result))


class _Teller:
    """Who a process works for."""

    pipe: Connection | None = None
    lock = threading.Lock()


_teller = _Teller()


def tell(message: Any) -> None:
    """Tell the process that this one works for; nothing where it works for none, or that one has ended."""
    if _teller.pipe is not None:
        with _teller.lock, contextlib.suppress(ConnectionError):
            _teller.pipe.send((False, message))
