"""What histories save, and what looking for them costs.

    python benchmarks/histories.py [--limit N] [--to FOLDER]

Kodak's pictures are compressed with and without histories, and decompressed and compared with them; for the clean
photographs of photos-train/, the CPU time of looking is held against that of compressing, and it is counted on how many
a history is found. Both are looked for in $RIDECODEC_DATA, or else in ../shared/data. Ten photographs as frames of
video and as JPEG files, decoded again (`converted.py`), are held against JPEG XL. Writes histories.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from converted import SETS, converted
from kodak import RESULTS, held_out, kodak

import ridecodec
from ridecodec.evaluation.peers import PEERS
from ridecodec.histories import finding, registry
from ridecodec.histories.base import Frame
from ridecodec.picture import Picture

T = TypeVar("T")
say = partial(print, file=sys.stderr, flush=True)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds, and what was made."""
    begun = time.process_time()
    made = work()
    return time.process_time() - begun, made


def with_and_without(files: list[Path]) -> list[str]:
    """The table of pictures that have histories."""
    lines = [
        "| image | history | without, bytes | with, bytes | bpsp without | bpsp with | find, s | redo, s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    total = np.zeros(5)
    for path in files:
        say(path)
        picture = Picture.open(path)
        frame = Frame.of(picture)
        found_in, found = timed(partial(finding.undone, picture, registry.HISTORIES))
        redo_in = 0.0
        if found.node.history is not None:
            source = [each.picture.planes for each in found.sources]
            redo_in, _ = timed(partial(found.node.history.redo, source, frame, frame.box))
        off = len(ridecodec.compress(picture, history="off", threads=1, verify=False))
        on = len(ridecodec.compress(picture, threads=1))
        row = np.array([picture.sub_pixels, off, on, found_in, redo_in])
        lines.append(_row(path.name, found.node.words or "none", row))
        total += row
    lines.append(_row("total", "", total))
    return lines


def _row(name: str, words: str, row: np.ndarray) -> str:
    samples, off, on, found_in, redo_in = row.tolist()
    rates = f"{8 * off / samples:.3f} | {8 * on / samples:.3f}"
    return f"| {name} | {words} | {off:,.0f} | {on:,.0f} | {rates} | {found_in:.2f} | {redo_in:.2f} |"


def on_clean(files: list[Path]) -> list[str]:
    """The table of pictures that have none."""
    looked = compressed = taken = 0.0
    for path in files:
        say(path)
        picture = Picture.open(path, pixels=True)
        looked_in, found = timed(partial(finding.undone, picture, registry.HISTORIES))
        compressed += timed(partial(ridecodec.compress, picture, history="off", threads=1, verify=False))[0]
        looked += looked_in
        taken += found.node.history is not None
    share = 100 * looked / max(compressed, 1e-9)
    return [
        "| clean photographs | a history is found | looking, CPU s | compressing, CPU s | share |",
        "|---:|---:|---:|---:|---:|",
        f"| {len(files)} | {taken:.0f} | {looked:.2f} | {compressed:.1f} | {share:.2f} % |",
    ]


def on_converted(limit: int | None) -> list[str]:
    """The table of photographs that were converted: each set, and each picture."""
    sizes = {words: np.zeros(3) for words, _ in SETS}
    lines = []
    for words, name, pixels in converted(limit):
        say(f"{words} {name}")
        picture = Picture.from_numpy(pixels)
        off = ridecodec.compress(picture, history="off", threads=1, verify=False)
        on = ridecodec.compress(picture, threads=1)
        row = np.array([len(PEERS["jxl-e9"].encode(pixels)), len(off), len(on)])
        sizes[words] += row
        found = ridecodec.read_info(on).history or "none"
        lines.append(f"| {words} | {name} | {found} | {_against(row)} |")
    totals = [f"| **{words}** | all | | {_against(row)} |" for words, row in sizes.items()]
    head = "| set | picture | history | JPEG XL -e 9, bytes | without, bytes | with, bytes | without | with |"
    return [head, "|---|---|---|---:|---:|---:|---:|---:|", *totals, *lines]


def _against(row: np.ndarray) -> str:
    """Bytes of JPEG XL, without and with histories, and both as shares of JPEG XL's."""
    peer, off, on = row.tolist()
    return f"{peer:,.0f} | {off:,.0f} | {on:,.0f} | {off / peer:.3f} | {on / peer:.3f}"


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first pictures")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for the tables")
    options = parser.parse_args()
    command = " ".join(["python", *sys.argv])
    text = [
        f"Command `{command}`, ridecodec {ridecodec.__version__}. Times are CPU seconds, one thread.",
        "",
        "## Kodak",
        "",
        "That these pictures take half is a fact about them, not about photographs: they were scanned as Photo CD,",
        "which keeps one and a half samples a pixel, and their RGB was computed from these. How well a codec predicts",
        "photographs is what the columns without histories say.",
        "",
        *with_and_without(kodak()[: options.limit]),
        "",
        "## Photographs without a history",
        "",
        *on_clean(held_out()[: options.limit]),
        "",
        "## Photographs that were converted",
        "",
        "Ten photographs, as frames of 4:2:0 video (ffmpeg, swscale's default both ways) and through JPEG at qualities",
        "75 and 90 (Pillow), decoded again. The last two columns are shares of JPEG XL's bytes.",
        "",
        *on_converted(options.limit),
    ]
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "histories.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
