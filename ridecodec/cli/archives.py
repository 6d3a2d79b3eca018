"""Archives of many pictures: what `compress --archive`, `decompress` and `info` do with them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path

import click

from ridecodec.cli import failures, files, progress, sharing
from ridecodec.cli.batches import Batch
from ridecodec.cli.files import ARCHIVE, STANDARD, Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.packing import Packing
from ridecodec.cli.summary import Summary, names
from ridecodec.cli.unpacking import Unpacking
from ridecodec.container import rdca
from ridecodec.container.rdca import Archive
from ridecodec.counting import counted
from ridecodec.errors import DamagedError, InputError, OutputError, RidecodecError, UsageError
from ridecodec.files import gathering, saving, sets
from ridecodec.files.placing import allowed, file_name, refuse_existing
from ridecodec.models import registry

_STDIN = "stdin"
"""Name in an archive of the picture from standard input."""


def pack(
    paths: Sequence[str],
    output: str,
    work: Packing,
    batch: Batch,
    summary: Summary,
    *,
    cut: tuple[int, int] | None,
    count: int | None,
    elsewhere: str | None,
) -> None:
    """Compress the pictures of folders, mosaics and arrays into one archive; ``elsewhere``: what other output is named.

    Exits like `failures.for_each`; with ``batch.keep_going`` the archive has the pictures that did not fail.
    """
    wishes = work.wishes
    _refuse(
        "compress --archive",
        {
            "--output": elsewhere is not None,
            "--output-dir": elsewhere is not None,
            "--preserve": work.preserve,
            "--delete-source": work.delete_source,
            **_one_by_one(batch),
        },
    )
    if batch.processes > 1 and STANDARD in paths:
        raise UsageError("--jobs cannot be used with standard input or output")
    if cut is not None and wishes.exact_file:
        raise UsageError("--exact-file cannot be used with --cut: the parts are not files")
    if output != STANDARD and not output.lower().endswith(ARCHIVE):
        raise UsageError(f"{files.label(output)}: the name of an archive must end in {ARCHIVE}")
    files.check_standard(paths)
    whole = Job(", ".join(paths), output)
    summary.check([whole])
    sources = list(gathering.expanded(paths))
    codes: list[int] = []

    def failed(name: str, error: RidecodecError) -> None:
        codes.append(failures.report(error, Job(name, output), summary.as_json))
        if not batch.keep_going:
            raise click.exceptions.Exit(codes[0])

    def check(job: Job) -> None:
        if job.input != STANDARD and not Path(job.input).exists():
            raise InputError("no such file or folder")
        files.check(job, work.force)

    check(Job(STANDARD, output))
    there = []
    for name in sources:
        try:
            check(Job(name, output))
            there.append(name)
        except RidecodecError as error:
            failed(name, error)
    registry.current(work.model)
    if batch.dry_run:
        summary.planned(whole, skipped=False)
    elif there:
        try:
            failures.for_each(
                [whole],
                partial(
                    _pack,
                    sources=there,
                    work=work,
                    summary=summary,
                    failed=failed,
                    cut=cut,
                    count=count,
                    processes=batch.processes,
                ),
                as_json=summary.as_json,
            )
        except click.exceptions.Exit as end:
            codes.append(end.exit_code)
    if codes:
        raise click.exceptions.Exit(codes[0])


def _pack(
    job: Job,
    sources: Sequence[str],
    work: Packing,
    summary: Summary,
    failed: Callable[[str, RidecodecError], None],
    cut: tuple[int, int] | None,
    count: int | None,
    processes: int,
) -> None:
    """Write the archive of what can be read and coded, and say so."""
    begun = time.perf_counter()
    notes: list[str] = []

    def noted() -> Iterator[sets.Entry]:
        given = [
            sets.Loose(_STDIN, files.label(STANDARD), files.read_standard()) if name == STANDARD else Path(name)
            for name in sources
        ]
        for entry in sets.entries(given, cut, count, work.wishes, failed):
            notes.extend(f"{files.printable(entry.source)}: {note}" for note in entry.notes)
            yield entry

    with progress.bar(files.label(job.output), summary.progress, work.passes) as advance:
        entries = noted()
        first = list(islice(entries, 1))
        from ridecodec.tiles import (
            setcodec,  # takes seconds, for which nobody waits to be told that there is no picture
        )

        data = setcodec.encode(
            chain(first, entries),
            model=work.model,
            label=work.label,
            tile=work.tile,
            history=work.history,
            device=work.device,
            threads=work.threads,
            verify=work.verify,
            progress=advance,
            refused=lambda entry, error: failed(entry.source, error),
            share=sharing.among(processes) if processes > 1 else None,
        )
    files.write(job.output, data, work.force, mode=_shared_mode(sources))
    held = rdca.read(data)
    summary.report(job, _done(job, held, len(held.names), time.perf_counter() - begun, notes))


def unpack(
    paths: Sequence[str],
    targets: Sequence[str | None],
    only: Sequence[str],
    work: Unpacking,
    batch: Batch,
    summary: Summary,
) -> None:
    """Write the pictures of an archive, or those of the names in ``only``, into a folder as files of one format.

    ``targets``: the folder, where options name it. Exits like `failures.for_each`, also where pictures are damaged.
    """
    folders = [each for each in (*paths[1:], *targets) if each is not None]
    if len(folders) > 1 or any(each.lower().endswith(ARCHIVE) for each in folders):
        raise UsageError("an archive must be the only input, and is decompressed into one folder")
    if not folders and paths[0] == STANDARD:
        raise UsageError("standard input is an archive: name an output folder for its pictures")
    whole = Job(paths[0], folders[0] if folders else os.path.splitext(paths[0])[0])
    summary.check([])
    if whole.output == STANDARD:
        raise UsageError("an archive is decompressed into a folder, not to standard output")
    _refuse(
        "an archive",
        {
            "--region": work.region is not None,
            "--preview": work.preview,
            "--preserve": work.preserve,
            "--jobs": batch.processes > 1,
            **_one_by_one(batch),
        },
    )

    def unpack_all(job: Job) -> None:
        begun = time.perf_counter()
        held = rdca.read(files.read(job.input))
        for model, model_hash in held.models:
            registry.find(model, model_hash)
        jobs = _jobs(job, held, only, work)
        if batch.dry_run:
            for each in jobs.values():
                summary.planned(each, skipped=False)
            return
        _unpack(job, held, jobs, work, batch, summary)
        summary.report(job, _done(job, held, len(jobs), time.perf_counter() - begun, []))

    failures.for_each([whole], unpack_all, as_json=summary.as_json)


def _refuse(doing: str, options: dict[str, bool]) -> None:
    """UsageError where something is given that makes no sense there."""
    for name, given in options.items():
        if given:
            raise UsageError(f"{name} cannot be used with {doing}")


def _one_by_one(batch: Batch) -> dict[str, bool]:
    """What is for files that are worked on one by one."""
    return {
        "--recursive": batch.recursive,
        "--skip-existing": batch.skip_existing,
    }


def _jobs(job: Job, held: Archive, only: Sequence[str], work: Unpacking) -> dict[int, Job]:
    """Which pictures become which files, by number; UsageError, OutputExistsError."""
    numbers = held.numbers(list(dict.fromkeys(only))) if only else range(len(held.names))
    found = {}
    for number in numbers:
        header = held.kinds[number].header
        kind = work.kind or ("png" if saving.holds("png", header.colour, header.bit_depth) else "tif")
        target = Path(job.output) / f"{file_name(held.names[number])}.{kind}"
        found[number] = Job(f"{files.label(job.input)}: {held.names[number]}", str(target))
    if len({each.output for each in found.values()}) < len(found):
        raise UsageError("pictures in the archive would get the same file name; choose pictures with --only")
    for each in found.values():
        refuse_existing(each.output, work.force)
    return found


def _unpack(whole: Job, held: Archive, jobs: dict[int, Job], work: Unpacking, batch: Batch, summary: Summary) -> None:
    """Decode pictures and write each when it is there; exits where some are damaged."""
    from ridecodec.picture import Picture
    from ridecodec.tiles import setcodec

    with progress.bar(files.label(whole.input), summary.progress) as advance:
        found = setcodec.decode(
            held,
            list(jobs),
            device=work.device,
            threads=work.threads,
            max_pixels=work.max_pixels,
            progress=advance,
        )
        try:
            Path(whole.output).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {files.label(whole.output)}: {error.strerror}") from error
        results: dict[Job, Picture | DamagedError] = {}

        def decoded() -> Iterator[Job]:
            for number, result in found:
                results[jobs[number]] = result
                yield jobs[number]

        def save(job: Job) -> None:
            result = results.pop(job)
            if isinstance(result, DamagedError):
                raise result
            for note in work.put(result, job.output, allowed(whole.input)):
                failures.say(f"{job.input}: {note}")

        failures.for_each(decoded(), save, keep_going=batch.keep_going, as_json=summary.as_json)


def _shared_mode(sources: Sequence[str]) -> int:
    """The permissions that all files among sources and in folders have (see `allowed`)."""
    paths = [each for name in sources for each in (Path(name).iterdir() if Path(name).is_dir() else [Path(name)])]
    return allowed(*map(str, paths))


def _done(job: Job, held: Archive, count: int, seconds: float, notes: Sequence[str]) -> Done:
    rate = 8 * held.total_bytes / held.sub_pixels
    models = list(dict.fromkeys(model for model, _ in held.models))
    fields = {"bytes": held.total_bytes, "bpsp": rate, "pictures": count, "models": models, "seconds": seconds}
    line = f"{names(job)}: {counted(count, 'picture')}, {counted(held.total_bytes, 'byte')}, {rate:.3f} bpsp"
    return Done(f"{line}, {seconds:.1f} s", f"models {', '.join(models)}", fields, notes=tuple(notes))
