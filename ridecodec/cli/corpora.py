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
from ridecodec.placing import placed, refuse_existing

if TYPE_CHECKING:
    from ridecodec.corpora.manifest import Corpus


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ridecodec.corpora import manifest

    return [CompletionItem(name) for name in manifest.names() if name.startswith(incomplete)]


@click.group(short_help="List, fetch and make the papers' sets of pictures.")
def command() -> None:
    """List and fetch the sets of pictures that the papers use, and make those that can be made."""


@command.command("list", short_help="List the corpora that can be fetched.")
@options.as_json
def list_(as_json: bool) -> None:
    """List the corpora that can be fetched: what they are, their licences, sizes and checksums.

    --json prints the address, size and SHA-256 of every file as well.
    """
    from ridecodec.corpora import manifest

    for corpus in map(manifest.corpus, manifest.names()):
        if as_json:
            click.echo(json.dumps(asdict(corpus)))
        else:
            for line in _lines(corpus):
                click.echo(line)


@command.command("fetch", short_help="Fetch corpora over the network.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_names)
@click.option(
    "--out",
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    envvar="RIDECODEC_DATA",
    show_envvar=True,
    required=True,
    metavar="DIR",
    help="Fetch each corpus into the folder of its name in this one.",
)
@click.option("-k", "--keep-going", is_flag=True, help="Go on with the other files after a failure.")
@options.force
def fetch_(names: tuple[str, ...], out: Path, keep_going: bool, force: bool) -> None:
    """Fetch corpora, as 'ridecodec corpora list' names them; mind their licences.

    What was cut short goes on where it ended when the same command is given again. Every file is checked against the
    size and SHA-256 of its manifest where there are any, and appears only when it is whole. Archives stay packed.
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
            click.echo(f"{target}: here already" + ("" if file.sha256 else f", {unknown}"), err=True)
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


@command.group("make", short_help="Make a corpus.")
def make() -> None:
    """Make a corpus instead of fetching it."""


@make.command("dead-leaves", short_help="Make pictures of disks that cover one another.")
@_made_into("Write dead-leaves-0000.png and so on into this folder, made where it is missing.")
@click.option("--images", type=click.IntRange(min=1), default=1000, show_default=True, help="How many.")
@click.option("--size", type=click.IntRange(1, 4096), default=256, show_default=True, help="Their side in pixels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which series.")
@options.force
def dead_leaves_(out: Path, images: int, size: int, seed: int, force: bool) -> None:
    """Make gray pictures of solid disks, of random place, size and gray value, that cover one another.

    The radius r has a density proportional to r^-3. A picture depends on the seed, its number and the size alone.
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


@make.command("cifar10", short_help="Make arrays of CIFAR-10's archive.")
@click.argument("archive", type=click.Path(path_type=Path), metavar="ARCHIVE")
@_made_into("Write train.npy, train-labels.npy and the same of test into this folder, made where it is missing.")
@options.force
def cifar10_(archive: Path, out: Path, force: bool) -> None:
    """Make arrays of CIFAR-10 as 'ridecodec corpora fetch cifar10' fetches it: pictures [N, 32, 32, 3], labels [N]."""
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
    size = "size not known" if corpus.bytes is None else counted(corpus.bytes, "byte")
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
