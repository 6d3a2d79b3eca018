"""What is said of a file that was compressed or decompressed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ridecodec.cli.files import STANDARD, Job, label, output_label
from ridecodec.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridecodec import Info


@dataclass(frozen=True)
class Summary:
    """How much is said, and how."""

    quiet: bool
    verbose: bool
    as_json: bool

    def check(self, jobs: Sequence[Job]) -> None:
        """Raises UsageError where the options contradict one another."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict one another")
        if self.as_json and any(job.output == STANDARD for job in jobs):
            raise UsageError("--json and the output cannot both go to standard output")

    @property
    def progress(self) -> bool:
        """Whether a progress bar is welcome."""
        return not self.quiet

    def done(self, job: Job, info: Info, seconds: float, pixels: int) -> None:
        """Report one file; ``pixels`` is how many of them were coded."""
        if self.as_json:
            fields = {
                "input": job.input,
                "output": job.output,
                "bytes": info.total_bytes,
                "bpsp": info.bpsp,
                "pixels": pixels,
                "model": info.model,
                "seconds": seconds,
            }
            click.echo(json.dumps(fields))
        if self.quiet or (self.as_json and not self.verbose):
            return
        names = f"{label(job.input)} -> {output_label(job.output)}"
        head = f"{names}: {info.total_bytes:,} bytes, {info.bpsp:.3f} bpsp, {seconds:.1f} s"
        click.echo(head, err=True)
        if self.verbose:
            click.echo(f"  {self._details(info, seconds, pixels)}", err=True)

    @staticmethod
    def _details(info: Info, seconds: float, pixels: int) -> str:
        parts = {"header": info.header_bytes, "metadata": info.metadata_bytes, "index": info.index_bytes}
        tiles = len(info.tiles)
        sizes = [f"{name} {size:,}" for name, size in parts.items() if size]
        sizes.append(f"{tiles:,} tile{'s' * (tiles > 1)} {info.total_bytes - sum(parts.values()):,} bytes")
        speed = f"{pixels / 1e6 / max(seconds, 1e-9):.3f} megapixels/s"
        return f"{info.width} x {info.height}, model {info.model} {info.model_hash}; {', '.join(sizes)}; {speed}"
