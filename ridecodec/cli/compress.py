"""ridecodec compress"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache

import click

from ridecodec.cli import batches, failures, files, options
from ridecodec.cli.batches import Batch
from ridecodec.cli.files import STANDARD
from ridecodec.cli.packing import Packing
from ridecodec.cli.summary import Summary
from ridecodec.errors import UsageError
from ridecodec.files import gathering, preparing
from ridecodec.files.gathering import PICTURE_ENDINGS
from ridecodec.files.metadata import CATEGORIES
from ridecodec.files.preparing import Wishes

SUFFIX = ".rdc"


def _kinds(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for each in value for part in each.split(","))


_wishes = options.together(
    "wishes",
    Wishes,
    click.option(
        "--strip",
        multiple=True,
        callback=_kinds,
        metavar="KINDS",
        help=f"Remove metadata: all, or a comma-separated list of {', '.join(CATEGORIES)}. Can be repeated.",
    ),
    click.option(
        "--alpha",
        type=click.Choice(preparing.ALPHAS),
        default="exact",
        show_default=True,
        help="Colours of fully transparent pixels: keep them (exact), or set them to 0 (clean) to save space.",
    ),
    click.option(
        "--exact-file",
        is_flag=True,
        help="Also store how a PNG file is packed, so that decompressing restores the file byte for byte.",
    ),
    click.option(
        "--pixels",
        is_flag=True,
        help="Also accept files of which only the pixels are kept: lossy formats (JPEG, WebP, AVIF), PSD and others.",
    ),
    options.max_pixels,
)


@click.command(
    short_help="Compress pictures to .rdc files.",
    help="""Compress pictures to .rdc files. By default, an output has the name of its input and the extension .rdc.

    INPUTs are pictures, patterns such as "*.png", and folders with --recursive. If there are two paths, the second is
    the output if it ends in .rdc, is "-" or is a device; otherwise both are inputs. "-" is standard input or output.
    Each result is decoded and compared with its input before it is written. Metadata is kept; --strip removes it.

    With --archive, all pictures are written into one .rdca file, and each can be decompressed on its own. The inputs
    are then folders, picture files and .npy arrays [N, H, W] or [N, H, W, C].

    \b
    Examples:
      ridecodec compress photo.png
      ridecodec compress *.png --output-dir packed --keep-going --jobs 4
      ridecodec compress -r pictures -d packed --skip-existing
      ridecodec compress scan.png --exact-file --preserve --delete-source
      cat photo.png | ridecodec compress - - > photo.rdc
      ridecodec compress --archive icons.rdca icons/
    """,
)
@options.inputs("INPUT... [OUTPUT]")
@options.output(".rdc files")
@options.model(default="auto")
@options.label
@options.tile
@options.history
@_wishes
@options.preserve
@click.option("--delete-source", is_flag=True, help="Delete each picture file once its .rdc file is verified.")
@click.option("--archive", type=options.PATH, metavar="FILE", help="Write all pictures into this .rdca file.")
@options.cut
@options.count
@options.engine
@click.option(
    "--verify/--no-verify", default=True, show_default=True, help="Decode each result and compare it with its input."
)
@options.batch("the pictures")
@options.reporting
def command(
    paths: tuple[str, ...],
    output: str | None,
    folder: str | None,
    model: str,
    label: int | None,
    tile: int,
    history: str,
    wishes: Wishes,
    preserve: bool,
    delete_source: bool,
    archive: str | None,
    cut: tuple[int, int] | None,
    count: int | None,
    device: str,
    threads: int,
    verify: bool,
    batch: Batch,
    summary: Summary,
) -> None:
    work = Packing(
        wishes,
        model,
        label,
        tile,
        history,
        device,
        threads,
        batch.processes,
        verify,
        batch.force,
        preserve,
        delete_source,
    )
    work.check()
    if archive is not None:
        from ridecodec.cli import archives

        archives.pack(paths, archive, work, batch, summary, cut=cut, count=count, elsewhere=output or folder)
        return
    if cut is not None or count is not None:
        raise UsageError("--cut and --count need --archive")
    endings = (*PICTURE_ENDINGS, ".npy")
    left = None if wishes.pixels else cache(gathering.partial)  # asked for what is taken, and for what is not
    jobs = files.plan(
        paths,
        output=output,
        folder=folder,
        suffix=lambda path: SUFFIX,
        names_output=_names_output,
        endings=endings,
        left=left,
        recursive=batch.recursive,
        keep_going=batch.keep_going,
    )
    if batch.recursive:
        _say_left(gathering.others(paths, {*endings, SUFFIX}, left))
    batches.run(jobs, work, batch, summary)


def _say_left(others: Counter[str]) -> None:
    """Say which files in folders are left as they are."""
    if others:
        counts = ", ".join(f"{count:,} {why}" for why, count in sorted(others.items()))
        only = [word for word in ("lossy", "partial") if any(each.startswith(word) for each in others)]
        hint = f"; --pixels accepts {' and '.join(only)} ones" if only else ""
        failures.say(f"other files in the folders are skipped ({counts}){hint}")


def _names_output(path: str) -> bool:
    """Whether the second of two paths is the output; raises UsageError where it is no input either."""
    if path == STANDARD or path.lower().endswith(SUFFIX) or files.is_device(path):
        return True
    if os.path.isdir(path) or not (os.path.exists(path) or gathering.is_pattern(path)):
        raise UsageError(
            f"{files.label(path)} is not a picture file; an output must end in {SUFFIX} or be named with --output, "
            "and an output folder with --output-dir"
        )
    return False
