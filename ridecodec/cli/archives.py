"""Archives of many pictures: what `compress --archive`, `decompress` and `info` do with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ridecodec import archive
from ridecodec.archive import Archive
from ridecodec.cli import failures, files, progress
from ridecodec.cli.files import Job
from ridecodec.cli.summary import Summary
from ridecodec.errors import DamagedError, InputError, OutputError, UsageError
from ridecodec.placing import placed, refuse_existing

SUFFIX = ".rdca"


def pack(
    paths: Sequence[str],
    output: str,
    summary: Summary,
    *,
    cut: tuple[int, int] | None,
    count: int | None,
    model: str,
    label: int | None,
    device: str,
    threads: int,
    verify: bool,
    force: bool,
) -> None:
    """Compress the pictures of folders, mosaics and arrays into one archive."""

    def check(job: Job) -> None:
        if not Path(job.input).exists():
            raise InputError("there is no such file or folder")
        files.check(job, force)

    failures.for_each([Job(path, output) for path in paths], check, as_json=summary.as_json)
    from ridecodec import setcodec, sets

    begun = time.perf_counter()
    entries = list(sets.entries([Path(path) for path in paths], cut, count))
    with progress.bar(files.label(output), summary.progress) as advance:
        data = setcodec.encode(entries, model=model, device=device, threads=threads, label=label, progress=advance)
        if verify:
            setcodec.verify(entries, data, device=device, threads=threads, progress=advance)
    files.write(output, data, force)
    _done(summary, ", ".join(paths), output, archive.read(data), len(entries), time.perf_counter() - begun)


def unpack(
    name: str,
    folder: str,
    only: Sequence[str],
    kind: str,
    summary: Summary,
    *,
    device: str,
    threads: int,
    force: bool,
    keep_going: bool,
) -> None:
    """Write the pictures of an archive, or those of the names in ``only``, into a folder as files of one format.

    Exits like `failures.for_each` where pictures are damaged.
    """
    begun = time.perf_counter()
    held = archive.read(files.read(name))
    numbers = held.numbers(list(dict.fromkeys(only))) if only else range(len(held.names))
    targets = {number: _target(folder, held.names[number], kind) for number in numbers}
    if len(set(targets.values())) < len(targets):
        raise UsageError("names in the archive become the same file names; name those wanted with --only")
    for target in targets.values():
        refuse_existing(str(target), force)
    from ridecodec import setcodec
    from ridecodec.picture import Picture

    with progress.bar(files.label(name), summary.progress) as advance:
        found = setcodec.decode(held, list(numbers), device=device, threads=threads, progress=advance)
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {files.label(folder)}: {error.strerror}") from error
        results: dict[Job, Picture | DamagedError] = {}

        def decoded() -> Iterator[Job]:
            for number, result in found:
                job = Job(f"{name}: {held.names[number]}", str(targets[number]))
                results[job] = result
                yield job

        def save(job: Job) -> None:
            result = results.pop(job)
            if isinstance(result, DamagedError):
                raise result
            with placed(job.output, force) as path:
                result.save(path, kind)

        failures.for_each(decoded(), save, keep_going=keep_going, as_json=summary.as_json)
    _done(summary, name, folder, held, len(targets), time.perf_counter() - begun)


def _target(folder: str, name: str, kind: str) -> Path:
    safe = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    return Path(folder) / f"{safe if safe.strip('. ') else '_' + safe}.{kind}"


def _done(summary: Summary, source: str, target: str, held: Archive, count: int, seconds: float) -> None:
    rate = 8 * held.total_bytes / held.sub_pixels
    if summary.as_json:
        fields = {"input": source, "output": target, "bytes": held.total_bytes, "bpsp": rate, "pictures": count}
        click.echo(json.dumps(fields | {"model": held.model, "seconds": seconds}))
    if not summary.quiet and (summary.verbose or not summary.as_json):
        names = f"{files.label(source)} -> {files.output_label(target)}"
        click.echo(
            f"{names}: {count:,} pictures, {held.total_bytes:,} bytes, {rate:.3f} bpsp, {seconds:.1f} s", err=True
        )


def lines(name: str, held: Archive) -> Iterator[str]:
    """What `info` says of an archive."""

    def row(part: str, size: int, sub_pixels: int) -> str:
        return f"  {part:<40}{size:>15,} bytes {8 * size / sub_pixels:>9.4f} bpsp"

    total = held.sub_pixels
    yield f"{name}: {len(held.names):,} pictures"
    yield f"  model {held.model} {held.model_hash.hex()}"
    for part, size in (("header", held.header_bytes), ("names", held.names_bytes), ("index", held.index_bytes)):
        yield row(part, size, total)
    for each, shape, length in zip(held.names, held.shapes, held.lengths.tolist(), strict=True):
        yield row(
            f"{failures.printable(each)}: {shape.width} x {shape.height}, {shape.colour.name}", length, shape.sub_pixels
        )
    yield row("total", held.total_bytes, total)


def fields(held: Archive) -> dict[str, object]:
    """The same for JSON."""
    pictures = [
        {"name": name, "width": s.width, "height": s.height, "colour": s.colour.name, "bytes": length}
        for name, s, length in zip(held.names, held.shapes, held.lengths.tolist(), strict=True)
    ]
    return {
        "model": held.model,
        "model_hash": held.model_hash.hex(),
        "pictures": pictures,
        "header_bytes": held.header_bytes,
        "names_bytes": held.names_bytes,
        "index_bytes": held.index_bytes,
        "total_bytes": held.total_bytes,
        "bpsp": 8 * held.total_bytes / held.sub_pixels,
    }
