"""What `compress` does with a picture file."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ridecodec.cli import files
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.summary import coded
from ridecodec.counting import counted
from ridecodec.errors import OutputError, UsageError
from ridecodec.files import preparing
from ridecodec.files.placing import allowed, settle
from ridecodec.files.preparing import Wishes, prepare
from ridecodec.tiles import precheck

if TYPE_CHECKING:
    from ridecodec.tiles.progress import Progress


@dataclass(frozen=True)
class Packing:
    """Compresses a file and puts the result in its place; ``processes``: how many of them share the cores."""

    wishes: Wishes
    model: str
    label: int | None
    tile: int
    history: str
    device: str
    threads: int
    processes: int
    verify: bool
    force: bool
    preserve: bool
    delete_source: bool

    def check(self) -> None:
        """Raise UsageError where the options contradict one another."""
        self.wishes.check()
        precheck.check_history(self.model, self.history)
        if self.delete_source and not self.verify:
            raise UsageError("--delete-source cannot be used with --no-verify")

    @property
    def passes(self) -> int:
        """How often a file's pixels are gone through."""
        return 2 if self.verify else 1

    def __call__(self, job: Job, advance: Callable[[Progress], None] | None) -> Done:
        self._check(job)
        import ridecodec
        from ridecodec.tiles.parallel import threads_each

        begun = time.perf_counter()
        before = None if job.input == STANDARD else os.stat(job.input)
        with files.opened(job.input) as stream:
            prepared = prepare(stream, self.wishes)
            size = stream.seek(0, io.SEEK_END)
        data = ridecodec.compress(
            prepared.picture,
            model=self.model,
            label=self.label,
            device=self.device,
            threads=threads_each(self.threads, self.processes),
            tile=self.tile,
            history=self.history,
            verify=self.verify,
            progress=advance,
        )
        files.write(job.output, data, self.force, job.input if self.preserve else None, allowed(job.input))
        notes = list(prepared.notes)
        larger = len(data) > size
        if larger and not prepared.lossy:
            notes.append(f"is larger when compressed: {counted(len(data), 'byte')} instead of {size:,}")
        if self.delete_source and (larger or not prepared.whole):
            why = "it is the smaller file" if prepared.whole else "it cannot be restored completely"
            notes.append(f"is not deleted: {why}")
        elif self.delete_source:
            _delete(job, data, before)
        info = ridecodec.read_info(data)
        seconds = time.perf_counter() - begun
        return coded(job, info, seconds, info.width * info.height, (size, len(data)), notes)

    def check_job(self, job: Job) -> None:
        """Raise what can be known before the work."""
        self._check(job)
        if not files.is_stream(job.input):
            with files.opened(job.input) as stream:
                preparing.check(stream, self.wishes)

    def _check(self, job: Job) -> None:
        files.check_input(job.input)
        files.check(job, self.force)
        streams = files.is_stream(job.input) or files.is_stream(job.output)
        if streams and (self.preserve or self.delete_source):
            raise UsageError("--preserve and --delete-source cannot be used with standard input or output")


def _delete(job: Job, data: bytes, before: os.stat_result | None) -> None:
    """Remove the input, if it is what was read and the output is on the disk; raises OutputError."""
    try:
        if os.path.islink(job.input):
            raise OutputError("is a link, so neither it nor its target is deleted")
        now = os.stat(job.input)
        if before is None or (now.st_mtime_ns, now.st_size, now.st_ino) != (
            before.st_mtime_ns,
            before.st_size,
            before.st_ino,
        ):
            raise OutputError("was changed while it was read, so it is not deleted")
        if Path(job.output).read_bytes() != data:
            raise OutputError(
                f"{files.label(job.output)} does not contain what was written, so the source is not deleted"
            )
        settle(job.output)
        os.unlink(job.input)
    except OSError as error:
        raise OutputError(f"cannot be deleted: {error.strerror or error}") from error
