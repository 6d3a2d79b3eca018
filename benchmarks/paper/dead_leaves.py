"""Table 3 and Figure 2: dead leaves.

    python benchmarks/paper/dead_leaves.py [--work runs/paper] [--row mcgsm-12 ...]

550 pictures of 256x256 are made in the work folder (`ridecodec corpora make dead-leaves --seed 0` makes the same):
480 for training, 20 for validation, the last 50 for the test, whole, in the density rate of the paper. They are of
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

COUNT, SEEN = 550, 500
SIDE = dead_leaves.SIZE
WIDTHS = (3, 5, 7, 9, 11, 13)
NOTES = (
    "density rate, bit/px, of whole pictures, as the paper prints it: higher is better. The paper's pictures are "
    "others of the same process, with other radii: compare differences.",
    "The paper trains its MCGSMs by L-BFGS, and RIDE by gradients; the row with Adam, and a lower rate, is ours.",
    "minutes: of training, a sum where a row's layers are put on another's; Mpx: pixels seen.",
)


def _mcgsm(components: int, width: int = 9) -> RideConfig:
    return RideConfig(width=width, components=components, features=48)


def _direct(minutes: float, rate: float) -> Schedule:
    return Schedule(minutes=minutes, pixels=4096, sizes=(8,), mcgsm_rate=rate, warmup=100, evaluations=3)


def _polished(minutes: float) -> Schedule:
    """The paper's way with the MCGSM: L-BFGS."""
    return Schedule(minutes=minutes, epochs=0.0, sizes=(8,), lbfgs=3000, lbfgs_pixels=400_000, evaluations=0)


def _recurrent(minutes: float, rate: float = 0.02, sizes: tuple[int, ...] = (8, 12, 16, 24, 32)) -> Schedule:
    # many small steps: the precisions have far to go, since large areas are constant
    return Schedule(minutes=minutes, pixels=2500, sizes=sizes, rate=rate, mcgsm_rate=rate, warmup=100, evaluations=10)


LATE = (16, 24, 32)
STAGES = (
    Row("leaves-m12-start", "MCGSM, 12 comp.", config=_mcgsm(12), schedule=_direct(2, 0.02)),
    Row("leaves-m32-start", "MCGSM, 32 comp.", config=_mcgsm(32), schedule=_direct(2, 0.02)),
    Row("leaves-r1-start", "RIDE, 1 layer", config=RideConfig(layers=1), schedule=_recurrent(6)),
    Row("leaves-ext-start", "RIDE, 1 layer, ext.", config=RideConfig(layers=1, extended=True), schedule=_recurrent(6)),
    Row("leaves-r2-start", "RIDE, 2 layers", None, RideConfig(layers=2), _recurrent(12, 8e-3, LATE), "leaves-r1"),
    Row("leaves-r3-start", "RIDE, 3 layers", None, RideConfig(layers=3), _recurrent(14, 8e-3, LATE), "leaves-r2-start"),
)
"""What rows go on from; no lines of the table."""


def _last(name: str, label: str, paper: float, config: RideConfig, minutes: float) -> Row:
    """A row that goes on from its own first stage with lower rates."""
    return Row(name, label, paper, config, _recurrent(minutes, 5e-3, LATE), f"{name}-start")


ROWS = (
    Row("leaves-m12", "MCGSM, 12 comp., L-BFGS", 1.244, _mcgsm(12), _polished(5), "leaves-m12-start"),
    Row("leaves-m32", "MCGSM, 32 comp., L-BFGS", 1.294, _mcgsm(32), _polished(5), "leaves-m32-start"),
    Row("leaves-adam", "MCGSM, 32 comp., Adam", None, _mcgsm(32), _direct(3, 6e-3)),
    _last("leaves-r1", "RIDE, 1 layer, 64 hid.", 1.402, RideConfig(layers=1), 3),
    _last("leaves-ext", "RIDE, 1 layer, 64 hid., ext.", 1.416, RideConfig(layers=1, extended=True), 8),
    _last("leaves-r2", "RIDE, 2 layers, 64 hid.", 1.438, RideConfig(layers=2), 8),
    _last("leaves-r3", "RIDE, 3 layers, 64 hid.", 1.454, RideConfig(layers=3), 10),
    Row("leaves-eoride", "EoRIDE, 3 layers, 64 hid.", 1.501, of="leaves-r3"),
)
FIGURE = (
    *(Row(f"width-m{n}", f"MCGSM, {n} wide", None, _mcgsm(32, n), _direct(1.5, 6e-3)) for n in WIDTHS),
    *(Row(f"width-r{n}", f"RIDE, {n} wide", None, RideConfig(hidden=32, width=n), _recurrent(3, 6e-3)) for n in WIDTHS),
)

ALL = (*ROWS, *STAGES, *FIGURE)


def leaves(work: Path) -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """Training, validation and test pictures, [1, 256, 256]; made where they are missing."""
    folder = work / "dead-leaves"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"dead-leaves-{index:04}.png" for index in range(COUNT)]
    for index, path in enumerate(paths):
        if not path.exists():
            Image.fromarray(dead_leaves.picture(0, index)).save(path)
    arrays = [load(path, 1) for path in paths]
    seen = arrays[:SEEN]
    return (
        [a for i, a in enumerate(seen) if i % 25 != 12],
        [a for i, a in enumerate(seen) if i % 25 == 12],
        arrays[SEEN:],
    )


def rate_of(row: Row, work: Path, test: list[Pixels]) -> tuple[common.Trained, float]:
    """The row's network and its density rate on whole pictures."""

    def data() -> tuple[list[Pixels], list[Pixels]]:
        return leaves(work)[:2]

    found = common.trained(row, ALL, data, work)
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
        "Trainings so short differ by some 0.05 bit/px when repeated; a wider neighbourhood sees fewer pixels.",
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
            common.trained(row, ALL, lambda: leaves(options.work)[:2], options.work)
        return
    if rows := [row for row in shown if row in ROWS]:
        table(rows, options, test)
    if any(row in FIGURE for row in shown):
        figure(options, test)


if __name__ == "__main__":
    main()
