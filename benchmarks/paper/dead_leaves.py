"""Table 3 and Figure 2: dead leaves.

    python benchmarks/paper/dead_leaves.py [--work runs/paper] [--row mcgsm-12 ...]

600 pictures of 256x256 are made in the work folder (`ridecodec corpora make dead-leaves --seed 0` makes the same):
480 for training, 20 for validation, the last 100 for the test, whole, in the density rate of the paper. They are of
the same process as the paper's, but not the same: compare differences.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import common
import figures
from common import Pixels, Record, Row
from PIL import Image

from ridecodec.corpora import dead_leaves
from ridecodec.models.ride.network import RideConfig
from ridecodec.training.patches import load
from ridecodec.training.ride import Schedule

COUNT, TESTED = 600, 100
SIDE = dead_leaves.SIZE
WIDTHS = (3, 5, 7, 9, 11, 13)
NOTES = (
    "density rate, bit/px, of whole pictures, as the paper prints it: higher is better. The paper's pictures are "
    "others of the same process, with other radii: compare differences.",
    "minutes: of training, a sum where a row's layers are put on another's; Mpx: pixels seen.",
)


def _mcgsm(components: int, width: int = 9) -> RideConfig:
    return RideConfig(width=width, components=components, features=48)


def _direct(minutes: float) -> Schedule:
    return Schedule(minutes=minutes, pixels=4096, sizes=(8,), mcgsm_rate=0.03, warmup=100, evaluations=3)


def _recurrent(minutes: float) -> Schedule:
    # many small steps: the precisions have far to go, since large areas are constant
    sizes = (8, 12, 16, 24, 32)
    return Schedule(minutes=minutes, pixels=2500, sizes=sizes, rate=0.02, mcgsm_rate=0.02, warmup=100, evaluations=10)


ROWS = (
    Row("leaves-m12", "MCGSM, 12 comp.", 1.244, _mcgsm(12), _direct(2)),
    Row("leaves-m32", "MCGSM, 32 comp.", 1.294, _mcgsm(32), _direct(3)),
    Row("leaves-r1", "RIDE, 1 layer, 64 hid.", 1.402, RideConfig(layers=1), _recurrent(6)),
    Row("leaves-ext", "RIDE, 1 layer, 64 hid., ext.", 1.416, RideConfig(layers=1, extended=True), _recurrent(6)),
    Row("leaves-r2", "RIDE, 2 layers, 64 hid.", 1.438, RideConfig(layers=2), _recurrent(7), "leaves-r1"),
    Row("leaves-r3", "RIDE, 3 layers, 64 hid.", 1.454, RideConfig(layers=3), _recurrent(7), "leaves-r2"),
    Row("leaves-eoride", "EoRIDE, 3 layers, 64 hid.", None, of="leaves-r3"),
)
FIGURE = (
    *(Row(f"width-m{n}", f"MCGSM, {n} wide", None, _mcgsm(32, n), _direct(1)) for n in WIDTHS),
    *(
        Row(f"width-r{n}", f"RIDE, {n} wide", None, RideConfig(layers=1, hidden=32, width=n), _recurrent(2))
        for n in WIDTHS
    ),
)


def leaves(work: Path) -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """Training, validation and test pictures, [1, 256, 256]; made where they are missing."""
    folder = work / "dead-leaves"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"dead-leaves-{index:04}.png" for index in range(COUNT)]
    for index, path in enumerate(paths):
        if not path.exists():
            Image.fromarray(dead_leaves.picture(0, index)).save(path)
    arrays = [load(path, 1) for path in paths]
    seen = arrays[:-TESTED]
    return (
        [a for i, a in enumerate(seen) if i % 25 != 12],
        [a for i, a in enumerate(seen) if i % 25 == 12],
        arrays[-TESTED:],
    )


def rate_of(row: Row, work: Path, test: list[Pixels]) -> tuple[common.Trained, float]:
    """The row's network and its density rate on whole pictures."""

    def data() -> tuple[list[Pixels], list[Pixels]]:
        return leaves(work)[:2]

    found = common.trained(row, (*ROWS, *FIGURE), data, work)
    rate = common.rate(row, found, lambda: test, len(test), work, SIDE)
    return found, float(rate["density"] or 0)


def table(shown: list[Row], options: Namespace, test: list[Pixels]) -> None:
    """Table 3, and its plot."""
    records: list[Record] = []
    for row in shown:
        found, rate = rate_of(row, options.work, test)
        records.append({"model": row.label, "paper": row.paper, "density": rate})
        records[-1] |= {"minutes": found.time, "Mpx": round(found.megapixels)}
        common.say(str(records[-1]))
    name = "dead-leaves"
    common.write(options.to, name, "Table 3: dead leaves", NOTES, records, f"{name}.png")
    rates = [float(record["density"] or 0) for record in records]
    figures.bars(options.to / f"{name}.png", [row.label for row in shown], rates, [], "density rate, bit/px")


def figure(options: Namespace, test: list[Pixels]) -> None:
    """Figure 2, and its numbers."""
    found = [(row, *rate_of(row, options.work, test)) for row in FIGURE]
    models = {row.label: rate for row, _, rate in found}
    kinds = ("MCGSM", "RIDE")
    records: list[Record] = [
        {"neighbourhood, width": n} | {kind: models[f"{kind}, {n} wide"] for kind in kinds} for n in WIDTHS
    ]
    minutes = {row.label.split(",")[0]: each.time for row, each, _ in found}
    notes = (
        "density rate, bit/px, by the width of the causal neighbourhood; a neighbourhood of width n is (n + 1)/2 high.",
        f"MCGSM: 32 components, 48 features, {minutes['MCGSM']} minutes of training each.",
        f"RIDE: 1 layer of 32 hidden units, {minutes['RIDE']} minutes of training each.",
    )
    name = "dead-leaves-width"
    common.write(options.to, name, "Figure 2: dead leaves by the neighbourhood's width", notes, records, f"{name}.png")
    series = {kind: [models[f"{kind}, {n} wide"] for n in WIDTHS] for kind in kinds}
    figures.lines(options.to / f"{name}.png", WIDTHS, series, "neighbourhood's width, pixels", "density rate, bit/px")


def main() -> None:
    """Train, measure, and write the table and the figure."""
    options = common.parser(__doc__).parse_args()
    shown = common.chosen((*ROWS, *FIGURE), options.rows)
    test = leaves(options.work)[2][: options.limit]
    if options.train:
        for row in shown:
            common.trained(row, (*ROWS, *FIGURE), lambda: leaves(options.work)[:2], options.work)
        return
    if rows := [row for row in shown if row in ROWS]:
        table(rows, options, test)
    if any(row in FIGURE for row in shown):
        figure(options, test)


if __name__ == "__main__":
    main()
