"""ridecodec corpora"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ridecodec.cli import failures, options
from ridecodec.cli.files import Job
from ridecodec.counting import counted
from ridecodec.files.placing import placed, refuse_existing

if TYPE_CHECKING:
    from ridecodec.corpora.manifest import Corpus


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ridecodec.corpora import manifest

    return [CompletionItem(name) for name in manifest.names() if name.startswith(incomplete)]


@click.group(short_help="List, download and create the picture sets of the papers.")
def command() -> None:
    """List and download the picture sets that the papers use, and create those that can be generated."""


@command.command("list", short_help="List the corpora that can be downloaded.")
@options.as_json
def list_(as_json: bool) -> None:
    """List the corpora that can be downloaded, with their licences, sizes and checksums.

    --json also prints the address, size and SHA-256 of every file.
    """
    from ridecodec.corpora import manifest

    for corpus in map(manifest.corpus, manifest.names()):
        if as_json:
            click.echo(json.dumps(asdict(corpus)))
        else:
            for line in _lines(corpus):
                click.echo(line)


@command.command("fetch", short_help="Download corpora.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_names)
@click.option(
    "--out",
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    envvar="RIDECODEC_DATA",
    show_envvar=True,
    required=True,
    metavar="DIR",
    help="Download each corpus into a folder of its name below this one.",
)
@click.option("-k", "--keep-going", is_flag=True, help="Continue with the other files after a failure.")
@options.force
def fetch_(names: tuple[str, ...], out: Path, keep_going: bool, force: bool) -> None:
    """Download corpora by the names that 'ridecodec corpora list' shows. Check their licences first.

    Run the same command again to continue an interrupted download. Every file is checked against the size and SHA-256
    in the manifest, if it has them, and is written only when it is complete. Archives are not unpacked.
    """
    from ridecodec.corpora import fetch, manifest

    unknown = "not checked: the manifest has no SHA-256"
    wanted = {
        Job(file.address, str(out / corpus.name / file.name)): file
        for corpus in map(manifest.corpus, names)
        for file in corpus.files
    }

    def work(job: Job) -> None:
        file, target = wanted[job], Path(job.output)
        if not force and fetch.is_here(file, target):
            click.echo(f"{target}: already downloaded" + ("" if file.sha256 else f", {unknown}"), err=True)
            return
        with _bar(target.name, "B") as advance:
            found = fetch.fetch(file, target, advance)
        told = "checked" if file.sha256 else f"SHA-256 {found}, {unknown}"
        click.echo(f"{target}: {counted(target.stat().st_size, 'byte')}, {told}", err=True)

    failures.for_each(list(wanted), work, keep_going=keep_going)


def _made_into(text: str) -> Callable[[Any], Any]:
    """The option that names the folder of what is made."""
    folder = click.Path(file_okay=False, readable=False, path_type=Path)
    return click.option("--out", type=folder, required=True, metavar="DIR", help=text)


@command.group("make", short_help="Create a corpus.")
def make() -> None:
    """Create a corpus instead of downloading it."""


@make.command("dead-leaves", short_help="Create pictures of overlapping disks.")
@_made_into("Write dead-leaves-0000.png and so on into this folder; it is created if needed.")
@click.option("--images", type=click.IntRange(min=1), default=1000, show_default=True, help="Number of pictures.")
@click.option("--size", type=click.IntRange(1, 4096), default=256, show_default=True, help="Side length in pixels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed.")
@options.force
def dead_leaves_(out: Path, images: int, size: int, seed: int, force: bool) -> None:
    """Create gray pictures of overlapping solid disks of random position, size and gray value.

    The radius r has a density proportional to r^-3. A picture depends only on the seed, its number and the size.
    """
    jobs = [Job(str(out / f"dead-leaves-{index:04}.png")) for index in range(images)]
    failures.for_each(jobs, lambda job: refuse_existing(job.input, force))
    from PIL import Image

    from ridecodec.corpora import dead_leaves

    with _bar("dead leaves", " pictures") as advance:
        for index, job in enumerate(jobs):
            with placed(job.input, force) as path:
                Image.fromarray(dead_leaves.picture(seed, index, size)).save(path, "PNG")
            if advance:
                advance(index + 1, images)


@make.command("cifar10", short_help="Convert the archive of CIFAR-10 to arrays.")
@click.argument("archive", type=click.Path(path_type=Path), metavar="ARCHIVE")
@_made_into(
    "Write train.npy, train-labels.npy, test.npy and test-labels.npy into this folder; it is created if needed."
)
@options.force
def cifar10_(archive: Path, out: Path, force: bool) -> None:
    """Convert the archive that 'ridecodec corpora fetch cifar10' downloads to arrays: pictures [N, 32, 32, 3] and
    labels [N]."""
    jobs = {name: Job(str(out / f"{name}.npy")) for name in ("train", "train-labels", "test", "test-labels")}
    failures.for_each(jobs.values(), lambda job: refuse_existing(job.input, force))
    import numpy as np

    from ridecodec.corpora import cifar10

    for name, array in cifar10.arrays(archive).items():
        with placed(jobs[name].input, force) as path, path.open("wb") as stream:
            np.save(stream, array)
        click.echo(f"{jobs[name].input}: {array.shape}", err=True)


def _lines(corpus: Corpus) -> Iterator[str]:
    count = len(corpus.files)
    size = "size unknown" if corpus.bytes is None else counted(corpus.bytes, "byte")
    yield f"{corpus.name}: {corpus.what}"
    yield f"  home      {corpus.home}"
    yield f"  licence   {corpus.licence}"
    yield f"  files     {count}, {size}"
    yield f"  SHA-256   of {corpus.checkable} of {count}; {corpus.checksums}"


@contextlib.contextmanager
def _bar(name: str, unit: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on standard error, told how much is done and the total; None where that is no terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    style = {"unit": unit, "unit_scale": unit == "B", "leave": False, "dynamic_ncols": True}
    with tqdm(desc=name, file=sys.stderr, **style) as shown:

        def advance(done: int, total: int | None) -> None:
            shown.total = total
            if not shown.n:
                shown.initial = done  # what was here before does not count for the speed
            shown.update(done - shown.n)

        yield advance
