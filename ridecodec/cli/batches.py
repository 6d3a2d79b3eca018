"""Many files, one after another or in several processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import click

from ridecodec import processes
from ridecodec.cli import failures, signals
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.outcomes import Done, Failed, Outcome, Skipped
from ridecodec.cli.summary import Summary, Totals
from ridecodec.errors import OutputExistsError, UsageError


class Work(Protocol):
    """What is done with files.  It can be pickled."""

    def __call__(self, job: Job, shown: bool) -> Done:
        """Do it; ``shown``: whether a progress bar is welcome."""
        ...

    def check_job(self, job: Job) -> None:
        """Raise what can be known before."""
        ...


_ENDED = Failed(failures.UNEXPECTED, "its process ended, as by the system for want of memory; try fewer --jobs")


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
            raise UsageError("--skip-existing and --force contradict one another")
        if self.processes > 1 and any(STANDARD in (job.input, job.output) for job in jobs):
            raise UsageError("standard input and output are for one process: leave out --jobs")

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
            summary.report(job, outcome)
            if isinstance(outcome, Failed):
                code = code or outcome.code
                if not batch.keep_going:
                    break
    summary.total(totals, len(jobs))
    if code:
        raise click.exceptions.Exit(code)


def _outcomes(
    jobs: Sequence[Job], work: Work, batch: Batch, progress: bool
) -> Generator[tuple[Job, Outcome], None, None]:
    todo = []
    for job in jobs:
        if batch.skips(job):
            yield job, Skipped()
        else:
            todo.append(job)
    if min(batch.processes, len(todo)) < 2:
        for job in todo:
            yield job, _attempt(work, job, progress)
        return
    with contextlib.closing(processes.spread(_Attempts(work), todo, batch.processes, signals.follow)) as results:
        for job, outcome in results:
            yield job, outcome or _ENDED


@dataclass(frozen=True)
class _Attempts:
    """What a process does with a file."""

    work: Work

    def __call__(self, job: Job) -> Done | Failed:
        try:
            return _attempt(self.work, job, progress=False)
        except BrokenPipeError as error:
            return failures.failed(error)


def _attempt(work: Work, job: Job, progress: bool) -> Done | Failed:
    try:
        return work(job, progress)
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
