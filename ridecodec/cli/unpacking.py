"""What `decompress` does with an .rdc file."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridecodec.cli import files
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.summary import coded
from ridecodec.errors import DamagedError, OutputError, UsageError
from ridecodec.files.placing import allowed, placed

if TYPE_CHECKING:
    from ridecodec.picture import Picture
    from ridecodec.tiles.progress import Progress


@dataclass(frozen=True)
class Unpacking:
    """Decompresses a file and puts the picture in its place; ``processes``: how many of them share the cores."""

    kind: str | None
    """Format of the pictures; None: that of the outputs' extensions."""
    region: tuple[int, int, int, int] | None
    preview: bool
    device: str
    threads: int
    processes: int
    max_pixels: int
    force: bool
    preserve: bool

    passes = 1

    def __call__(self, job: Job, advance: Callable[[Progress], None] | None) -> Done:
        self.check_job(job)
        kind = self.kind or _format(job.output)
        import ridecodec
        from ridecodec.tiles.parallel import threads_each

        begun = time.perf_counter()
        data = files.read(job.input)
        info = ridecodec.read_info(data)
        picture = ridecodec.decompress(
            data,
            device=self.device,
            threads=threads_each(self.threads, self.processes),
            region=self.region,
            preview=self.preview,
            max_pixels=self.max_pixels,
            progress=advance,
        )
        whole = self.region is None and not self.preview
        like, mode = job.input if self.preserve else None, allowed(job.input)
        size, notes = self._write(picture, job.output, kind, whole, like, mode)
        seconds = time.perf_counter() - begun
        return coded(job, info, seconds, picture.width * picture.height, (len(data), size), notes)

    def put(self, picture: Picture, output: str, mode: int) -> list[str]:
        """Write a whole picture to a file; returns what is to be said of it."""
        return self._write(picture, output, self.kind or _format(output), True, None, mode)[1]

    def _write(
        self, picture: Picture, output: str, kind: str, whole: bool, like: str | None, mode: int
    ) -> tuple[int, list[str]]:
        """Write a picture, as the very file that it was where that can be had; returns the bytes and what is said."""
        exact, notes = _original(picture) if kind == "png" and whole else (None, [])
        if exact is None:
            return _save(picture, output, kind, self.force, like, mode), notes
        files.write(output, exact, self.force, like, mode)
        return len(exact), notes

    def check_job(self, job: Job) -> None:
        """Raise what can be known before the work."""
        files.check_input(job.input)
        files.check(job, self.force)
        if self.kind is None:
            _format(job.output)
        if self.preserve and (files.is_stream(job.input) or files.is_stream(job.output)):
            raise UsageError("--preserve cannot be used with standard input or output")


def _original(picture: Picture) -> tuple[bytes | None, list[str]]:
    """The very file that a picture was compressed from, if it is asked for and can be had; else what is to be said."""
    from ridecodec.files import metadata

    if picture.chunk(metadata.RECIPE) is None:
        return None, []
    from ridecodec.files import exactfile

    try:
        return exactfile.original(picture), []
    except (DamagedError, OutputError) as error:
        return None, [f"{error}; a PNG file of the same pixels is written instead"]


def _format(output: str) -> str:
    from ridecodec.picture import target_format

    return "png" if output == STANDARD else target_format(output)


def _save(picture: Picture, output: str, kind: str, force: bool, like: str | None, mode: int) -> int:
    """Write a picture; returns the bytes."""
    if files.is_stream(output):
        buffer = io.BytesIO()  # some formats seek, which a pipe cannot
        picture.save(buffer, kind)
        files.write(output, buffer.getvalue(), force)
        return len(buffer.getvalue())
    with placed(output, force, like, mode) as path:
        picture.save(path, kind)
        return path.stat().st_size
