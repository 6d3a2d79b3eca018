"""Many files, one after another or in several processes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import click

from ridecodec.cli import failures, progress, signals
from ridecodec.cli.files import STANDARD, Job, label
from ridecodec.cli.outcomes import Done, Failed, Outcome, Skipped
from ridecodec.cli.summary import Summary, Totals
from ridecodec.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from ridecodec.tiles.progress import Progress

_PAUSE = 0.2
"""Seconds between two tellings."""


class Work(Protocol):
    """What is done with files.  It can be pickled."""

    @property
    def passes(self) -> int:
        """How often a file's pixels are gone through."""
        ...

    def __call__(self, job: Job, advance: Callable[[Progress], None] | None) -> Done:
        """Do it, and tell ``advance`` how far it is."""
        ...

    def check_job(self, job: Job) -> None:
        """Raise what can be known before."""
        ...


_ENDED = Failed(
    failures.UNEXPECTED, "the worker process ended, perhaps because the system ran out of memory; try fewer --jobs"
)


@dataclass(frozen=True)
class Batch:
    """How files are gone through."""

    processes: int = 1
    keep_going: bool = True
    recursive: bool = False
    skip_existing: bool = False
    dry_run: bool = False
    force: bool = False

    def check(self, jobs: Sequence[Job]) -> None:
        """Raises UsageError where the options contradict one another."""
        if self.skip_existing and self.force:
            raise UsageError("--skip-existing and --force cannot be used together")
        if self.processes > 1 and any(STANDARD in (job.input, job.output) for job in jobs):
            raise UsageError("--jobs cannot be used with standard input or output")

    def skips(self, job: Job) -> bool:
        """Whether it was done before."""
        return self.skip_existing and job.output != STANDARD and os.path.isfile(job.output)

    def came_to_exist(self, outcome: Outcome) -> bool:
        """Whether another process, at work on the same files, was faster, and that is as it should be."""
        taken = isinstance(outcome, Failed) and outcome.code == OutputExistsError.exit_code
        return self.skip_existing and taken


def run(jobs: Sequence[Job], work: Work, batch: Batch, summary: Summary) -> None:
    """Do ``work`` on every job and say what became of it; exits with the first failure's code.

    Up to the first failure, unless the batch keeps going.
    """
    summary.check(jobs)
    batch.check(jobs)
    if batch.dry_run:
        _rehearse(jobs, work, batch, summary)
        return
    totals, code = Totals(), 0
    names = [label(job.input) for job in jobs]
    with (
        progress.batch(names, lambda: [_size(job) for job in jobs], work.passes, summary.progress) as shown,
        contextlib.closing(_outcomes(jobs, work, batch, shown)) as outcomes,
    ):
        for job, found in outcomes:
            outcome = Skipped() if batch.came_to_exist(found) else found
            totals.add(outcome)
            progress.clear()
            summary.report(job, outcome)
            if isinstance(outcome, Failed):
                code = code or outcome.code
                if not batch.keep_going:
                    break
    summary.total(totals, len(jobs))
    if code:
        raise click.exceptions.Exit(code)


def _size(job: Job) -> float:
    """What a file takes of a bar."""
    try:
        return max(1, os.path.getsize(job.input))
    except OSError:
        return 1


def _outcomes(
    jobs: Sequence[Job], work: Work, batch: Batch, shown: progress.Batch | None
) -> Generator[tuple[Job, Outcome], None, None]:
    todo: list[tuple[int, Job]] = []
    for number, job in enumerate(jobs):
        if batch.skips(job):
            if shown:
                shown.finish(number)
            yield job, Skipped()
        else:
            todo.append((number, job))
    if min(batch.processes, len(todo)) < 2:
        for number, job in todo:
            outcome: Outcome = _attempt(work, job, shown.of(number) if shown else None)
            if shown:
                shown.finish(number)
            yield job, outcome
        return
    from ridecodec.cli import processes

    attempts = _Attempts(work, shown is not None)
    advances: dict[int, Callable[[Progress], None]] = {}

    def told(item: tuple[int, Job], state: Progress) -> None:
        if shown:
            if item[0] not in advances:
                advances[item[0]] = shown.of(item[0])
            advances[item[0]](state)

    with contextlib.closing(processes.results(attempts, todo, batch.processes, signals.follow, told)) as results:
        for (number, job), found in results:
            if shown:
                shown.finish(number)
            yield job, found or _ENDED


@dataclass(frozen=True)
class _Attempts:
    """What a process does with a file."""

    work: Work
    tells: bool
    """Whether it tells how far it is."""

    def __call__(self, item: tuple[int, Job]) -> Done | Failed:
        try:
            return _attempt(self.work, item[1], _told() if self.tells else None)
        except BrokenPipeError as error:
            return failures.failed(error)


def _told() -> Callable[[Progress], None]:
    """Tells the process that shows the bar how far this one is, now and then."""
    from ridecodec.cli import processes

    last, done = 0.0, -1

    def advance(state: Progress) -> None:
        nonlocal last, done
        now = time.monotonic()
        if now - last > _PAUSE or state.pixels_done < done:
            processes.tell(state)
            last = now
        done = state.pixels_done

    return advance


def _attempt(work: Work, job: Job, advance: Callable[[Progress], None] | None) -> Done | Failed:
    try:
        return work(job, advance)
    except failures.CONTROL:
        raise
    except BaseException as error:  # constriction's panics are no Exceptions
        return failures.failed(error)


def _rehearse(jobs: Sequence[Job], work: Work, batch: Batch, summary: Summary) -> None:
    """Say what would be done, and what could not."""

    def plan(job: Job) -> None:
        skipped = batch.skips(job)
        if not skipped:
            work.check_job(job)
        summary.planned(job, skipped)

    failures.for_each(jobs, plan, keep_going=True, as_json=summary.as_json)
