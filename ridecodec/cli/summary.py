"""What is said of files that were worked on, of each and of all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ridecodec.cli import failures
from ridecodec.cli.files import STANDARD, Job, label, output_label
from ridecodec.cli.outcomes import Done, Failed, Outcome, Skipped
from ridecodec.container.modelfield import AUTO
from ridecodec.counting import counted
from ridecodec.errors import RidecodecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridecodec import Info


@dataclass
class Totals:
    """How many files came to what, and their bytes."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        if isinstance(outcome, Done):
            self.done += 1
            self.bytes_in += outcome.bytes_in
            self.bytes_out += outcome.bytes_out
        elif isinstance(outcome, Skipped):
            self.skipped += 1
        else:
            self.failed += 1

    def line(self, files: int) -> str:
        """What is said of them, of so many files in all."""
        left = files - self.done - self.skipped - self.failed
        counts = [f"{self.done:,} done", f"{self.skipped:,} skipped", f"{self.failed:,} failed"]
        if left:
            counts.append(f"{left:,} not tried (--keep-going continues after a failure)")
        size = f"{self.bytes_in:,} -> {counted(self.bytes_out, 'byte')}" if self.bytes_out else ""
        return f"{', '.join(counts)}; {size or counted(self.bytes_in, 'byte')}"


@dataclass(frozen=True)
class Summary:
    """How much is said, and how."""

    quiet: bool
    verbose: bool
    as_json: bool

    def check(self, jobs: Sequence[Job]) -> None:
        """Raises UsageError where the options contradict one another."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose cannot be used together")
        if self.as_json and any(job.output == STANDARD for job in jobs):
            raise UsageError("--json and the output cannot both use standard output")

    @property
    def progress(self) -> bool:
        """Whether a progress bar is welcome."""
        return not self.quiet

    @property
    def speaks(self) -> bool:
        """Whether lines for people are welcome."""
        return not self.quiet and (self.verbose or not self.as_json)

    def report(self, job: Job, outcome: Outcome) -> None:
        """Say what became of a file."""
        if isinstance(outcome, Failed):
            failures.tell(outcome, job, self.as_json)
        elif isinstance(outcome, Done):
            self._done(job, outcome)
        else:
            if self.as_json:
                click.echo(json.dumps({"input": job.input, "output": job.output, "skipped": True}))
            if self.speaks:
                click.echo(f"{names(job)}: skipped, the output exists", err=True)

    def planned(self, job: Job, skipped: bool) -> None:
        """Say on standard output what would be done."""
        if self.as_json:
            fields = {"input": job.input, "output": job.output, "skipped": skipped, "dry_run": True}
            click.echo(json.dumps(fields))
        else:
            click.echo(f"{names(job)}{': skipped, the output exists' if skipped else ''}")

    def total(self, totals: Totals, files: int) -> None:
        """Say what became of several files."""
        if self.speaks and files > 1:
            click.echo(totals.line(files), err=True)

    def _done(self, job: Job, done: Done) -> None:
        for note in done.notes:
            failures.say(f"{label(job.input)}: {note}")
        if self.as_json:
            notes = {"notes": done.notes} if done.notes else {}
            click.echo(json.dumps({"input": job.input, "output": job.output} | done.fields | notes))
        if self.speaks:
            click.echo(done.line, err=True)
            if self.verbose and done.details:
                click.echo(f"  {done.details}", err=True)


def names(job: Job) -> str:
    """Input and output, for messages."""
    return f"{label(job.input)} -> {output_label(job.output)}"


def coded(job: Job, info: Info, seconds: float, pixels: int, sizes: tuple[int, int], notes: Sequence[str]) -> Done:
    """A picture that was compressed or decompressed; ``pixels``: how many of it, ``sizes``: bytes in and out."""
    fields = {
        "bytes": info.total_bytes,
        "bpsp": info.bpsp,
        "pixels": pixels,
        "model": info.model,
        "models": info.models,
        "forms": info.forms,
        "history": info.history,
        "seconds": seconds,
    }
    line = f"{names(job)}: {counted(info.total_bytes, 'byte')}, {info.bpsp:.3f} bpsp, {seconds:.1f} s"
    return Done(line, _details(info, seconds, pixels), fields, *sizes, tuple(notes))


def _details(info: Info, seconds: float, pixels: int) -> str:
    parts = {"header": info.header_bytes, "metadata": info.metadata_bytes, "index": info.index_bytes}
    tiles = len(info.tiles)
    sizes = [f"{name} {size:,}" for name, size in parts.items() if size]
    sizes.append(f"{counted(tiles, 'tile')} {counted(info.total_bytes - sum(parts.values()), 'byte')}")
    speed = f"{pixels / 1e6 / max(seconds, 1e-9):.3f} megapixels/s"
    forms = ", ".join(f"{count:,} {form}" for form, count in info.forms.items())
    coded = f"model {info.model} {info.model_hash}" + (f": {forms}" if info.model == AUTO else "")
    coded += f", history: {info.history}" if info.history else ""
    return f"{info.width} x {info.height}, {coded}; {', '.join(sizes)}; {speed}; engine {engine_of(info)}"


def engine_of(info: Info) -> str:
    """What runs the model of a file here, in words."""
    from ridecodec.models import registry

    try:
        return registry.engine_of(registry.find(info.model, bytes.fromhex(info.model_hash)))
    except RidecodecError:
        return "none"
