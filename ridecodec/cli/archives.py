"""Archives of many pictures: what `compress --archive`, `decompress` and `info` do with them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ridecodec import archive, gathering
from ridecodec.archive import Archive
from ridecodec.cli import failures, files, progress
from ridecodec.cli.batches import Batch
from ridecodec.cli.files import STANDARD, Job
from ridecodec.cli.outcomes import Done
from ridecodec.cli.packing import Packing
from ridecodec.cli.summary import Summary, names
from ridecodec.cli.unpacking import Unpacking
from ridecodec.errors import DamagedError, InputError, OutputError, UsageError
from ridecodec.placing import allowed, file_name, placed, refuse_existing

SUFFIX = ".rdca"
DEFAULT_MODEL = "photo"
"""Of archives, which hold pictures of one model alone."""


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

    Exits like `failures.for_each`.
    """
    wishes = work.wishes
    _refuse(
        "compress --archive",
        {
            "--output": elsewhere is not None,
            "--output-dir": elsewhere is not None,
            "--tile": bool(work.tile),
            "standard input": STANDARD in paths,
            "--strip": bool(wishes.strip),
            "--alpha": wishes.alpha != "exact",
            "--exact-file": wishes.exact_file,
            "--preserve": work.preserve,
            "--delete-source": work.delete_source,
            "--keep-going": batch.keep_going,
            **_one_by_one(batch),
        },
    )
    if output != STANDARD and not output.lower().endswith(SUFFIX):
        raise UsageError(f"{files.label(output)}: an archive's name ends in {SUFFIX}")
    whole = Job(", ".join(paths), output)
    summary.check([whole])
    sources = list(gathering.expanded(paths))

    def check(job: Job) -> None:
        if not Path(job.input).exists():
            raise InputError("there is no such file or folder")
        files.check(job, work.force)

    failures.for_each([Job(name, output) for name in sources], check, as_json=summary.as_json)
    if batch.dry_run:
        summary.planned(whole, skipped=False)
        return
    from ridecodec import setcodec, sets

    model = DEFAULT_MODEL if work.model == "auto" else work.model

    def pack_all(job: Job) -> None:
        begun = time.perf_counter()
        entries = list(sets.entries([Path(name) for name in sources], cut, count, wishes))
        with progress.bar(files.label(output), summary.progress) as advance:
            device, threads = work.device, work.threads
            data = setcodec.encode(
                entries, model=model, label=work.label, device=device, threads=threads, progress=advance
            )
            if work.verify:
                setcodec.verify(entries, data, device=device, threads=threads, progress=advance)
        files.write(output, data, work.force, mode=_shared_mode(sources))
        summary.report(job, _done(job, archive.read(data), len(entries), time.perf_counter() - begun))

    failures.for_each([whole], pack_all, as_json=summary.as_json)


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
    if len(folders) > 1 or any(each.lower().endswith(SUFFIX) for each in folders):
        raise UsageError("an archive is decompressed alone, and into one folder")
    whole = Job(paths[0], folders[0] if folders else paths[0][: -len(SUFFIX)])
    summary.check([])
    if whole.output == STANDARD:
        raise UsageError("an archive is decompressed into a folder, not to standard output")
    _refuse(
        "decompressing an archive",
        {
            "--region": work.region is not None,
            "--preview": work.preview,
            "--preserve": work.preserve,
            **_one_by_one(batch),
        },
    )

    def unpack_all(job: Job) -> None:
        begun = time.perf_counter()
        held = archive.read(files.read(job.input))
        jobs = _jobs(job, held, only, work)
        if batch.dry_run:
            for each in jobs.values():
                summary.planned(each, skipped=False)
            return
        _unpack(job, held, jobs, work, batch, summary)
        summary.report(job, _done(job, held, len(jobs), time.perf_counter() - begun))

    failures.for_each([whole], unpack_all, as_json=summary.as_json)


def _refuse(doing: str, options: dict[str, bool]) -> None:
    """UsageError where something is given that makes no sense there."""
    for name, given in options.items():
        if given:
            raise UsageError(f"{doing} does not go with {name}")


def _one_by_one(batch: Batch) -> dict[str, bool]:
    """What is for files that are worked on one by one."""
    return {
        "--recursive": batch.recursive,
        "--jobs": batch.processes > 1,
        "--skip-existing": batch.skip_existing,
    }


def _jobs(job: Job, held: Archive, only: Sequence[str], work: Unpacking) -> dict[int, Job]:
    """Which pictures become which files, by number; UsageError, OutputExistsError."""
    numbers = held.numbers(list(dict.fromkeys(only))) if only else range(len(held.names))
    found = {}
    for number in numbers:
        target = Path(job.output) / f"{file_name(held.names[number])}.{work.kind or 'png'}"
        found[number] = Job(f"{job.input}: {held.names[number]}", str(target))
    if len({each.output for each in found.values()}) < len(found):
        raise UsageError("names in the archive become the same file names; name those wanted with --only")
    for each in found.values():
        refuse_existing(each.output, work.force)
    return found


def _unpack(whole: Job, held: Archive, jobs: dict[int, Job], work: Unpacking, batch: Batch, summary: Summary) -> None:
    """Decode pictures and write each when it is there; exits where some are damaged."""
    from ridecodec import setcodec
    from ridecodec.picture import Picture

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
            with placed(job.output, work.force, mode=allowed(whole.input)) as path:
                result.save(path, work.kind or "png")

        failures.for_each(decoded(), save, keep_going=batch.keep_going, as_json=summary.as_json)


def _shared_mode(sources: Sequence[str]) -> int:
    """The permissions that all files among sources and in folders have (see `allowed`)."""
    paths = [each for name in sources for each in (Path(name).iterdir() if Path(name).is_dir() else [Path(name)])]
    return allowed(*map(str, paths))


def _done(job: Job, held: Archive, count: int, seconds: float) -> Done:
    rate = 8 * held.total_bytes / held.sub_pixels
    fields = {"bytes": held.total_bytes, "bpsp": rate, "pictures": count, "model": held.model, "seconds": seconds}
    line = f"{names(job)}: {count:,} pictures, {held.total_bytes:,} bytes, {rate:.3f} bpsp, {seconds:.1f} s"
    return Done(line, "", fields)


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
            f"{files.printable(each)}: {shape.width} x {shape.height}, {shape.colour.name}", length, shape.sub_pixels
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
