"""Table 1, right half: BSDS300 as large images.

    python benchmarks/paper/large_images.py [--work runs/paper] [--row mcgsm-32 ...]

Gray (Pillow's `L`); of the 200 training pictures, sorted by name, every tenth from index 5 is for validation. The
density rate is the paper's: 64x64 patches of the 100 test pictures from zero state, uniform noise, mean over the pixels
whose neighbourhood is inside. The other rates are of whole pictures as files: the float model's likelihood, the ideal
length by the coder's integers, and what the .rdc file takes, every byte counted.
"""

from __future__ import annotations

from pathlib import Path

import common
import figures
from common import Pixels, Record, Row, Trained

from ridecodec.models.ride.network import RideConfig
from ridecodec.training.ride import Schedule

NOTES = (
    "density: bit/px as the paper prints it, higher is better; the mixture over 8 ways is of each 64x64 patch.",
    "likelihood, ideal, achieved: bits/px of whole-picture files, lower is better; of a mixture's file, the best of "
    "the 8 ways and 3 bits to say which.",
    "every 5th: the density rate on every fifth picture, for a network and the mixture of it.",
    "pictures: how many of the test pictures, from the first by name, files were made of; rows with other numbers "
    "of them do not compare in these three columns.",
    "minutes: of training, a sum where a row goes on from another; Mpx: pixels seen.",
)


def _mcgsm(components: int) -> RideConfig:
    return RideConfig(width=9, features=48, components=components)


def _direct(minutes: float, rate: float = 0.02, pixels: int = 16384) -> Schedule:
    return Schedule(minutes=minutes, pixels=pixels, sizes=(8,), mcgsm_rate=rate)


def _recurrent(minutes: float, rate: float, mcgsm_rate: float, sizes: tuple[int, ...]) -> Schedule:
    return Schedule(minutes=minutes, rate=rate, mcgsm_rate=mcgsm_rate, pixels=12288, sizes=sizes)


STAGES = (
    Row(
        "ride-start",
        "RIDE, 1 layer, small patches",
        config=RideConfig(layers=1),
        schedule=Schedule(minutes=9.8, pixels=10_000, rate=0.02, sizes=(14, 20)),
    ),
    Row(
        "ride-2-start",
        "RIDE, 2 layers, first stage",
        config=RideConfig(layers=2),
        schedule=_recurrent(36, 8e-3, 8e-3, (16, 24, 32, 40, 48)),
        start="ride-start",
    ),
    Row(
        "ride-2-middle",
        "RIDE, 2 layers, second stage",
        config=RideConfig(layers=2),
        schedule=_recurrent(9, 2.2e-3, 2e-3, (24, 32, 40)),
        start="ride-2-start",
    ),
)
"""What rows go on from; no lines of the table."""
FEWER = {"mcgsm-16": 20, "mcgsm-128": 20, "eomcgsm-128": 20, "ride-1": 20}
"""Test pictures that files were made of, where not of all."""
PAIRS = ("mcgsm-128", "eomcgsm-128", "ride-2", "eoride-2")
ROWS = (
    Row("mcgsm-16", "MCGSM, 16 comp.", 3.688, _mcgsm(16), _direct(6)),
    Row("mcgsm-32", "MCGSM, 32 comp.", 3.706, _mcgsm(32), _direct(9)),
    Row("mcgsm-64", "MCGSM, 64 comp.", 3.716, _mcgsm(64), _direct(9)),
    Row("mcgsm-128", "MCGSM, 128 comp.", 3.717, _mcgsm(128), _direct(13, 0.015)),
    Row("eomcgsm-128", "EoMCGSM, 128 comp.", 3.748, of="mcgsm-128"),
    Row(
        "ride-1",
        "RIDE, 1 layer",
        3.802,
        RideConfig(layers=1),
        _recurrent(9, 5e-3, 4e-3, (24, 32, 40, 48)),
        "ride-start",
    ),
    Row(
        "ride-2",
        "RIDE, 2 layers",
        3.869,
        RideConfig(layers=2),
        _recurrent(70, 5e-3, 4e-3, (24, 32, 40, 48, 56)),
        "ride-2-middle",
    ),
    Row("eoride-2", "EoRIDE, 2 layers", 3.899, of="ride-2"),
)


def whole_files(row: Row, found: Trained, test: list[Pixels], work: Path) -> Record:
    """Rates of the row's files of whole pictures, measured or known."""

    def make() -> Record:
        return common.files(row.name, found, test, work, row.of is not None)

    return common.measured(work, found.stamp, f"{row.name} {len(test)} pictures files", make)


def fifth(row: Row, found: Trained, test: list[Pixels], work: Path) -> Record:
    """The row's density rate on every fifth picture: what a mixture, eight times as dear, is held against."""

    def make() -> Record:
        return {"every 5th": common.density_of(found.nets, test[::5], ensemble=row.of is not None)}

    return common.measured(work, found.stamp, f"{row.name} {len(test)} pictures every 5th", make)


def main() -> None:
    """Train, measure, and write the table."""
    parser = common.parser(__doc__)
    parser.add_argument("--mixtures", action="store_true", help="density of mixtures on all pictures, not every fifth")
    parser.add_argument("--files", type=int, help="test pictures to make files of (default: as in the table)")
    options = parser.parse_args()
    work: Path = options.work
    training, validation, test = common.bsds300()
    test = test[: options.limit]

    def data() -> tuple[list[Pixels], list[Pixels]]:
        return training, validation

    records: list[Record] = []
    shown = common.chosen(ROWS, options.rows)
    for row in shown:
        found = common.trained(row, (*ROWS, *STAGES), data, work)
        if options.train:
            continue
        record: Record = {"model": row.label, "paper": row.paper}
        if row.of is None or options.mixtures:
            record |= common.rate(row, found, lambda: test, len(test), work)
        if row.name in PAIRS:
            record |= fifth(row, found, test, work)
        chosen = test[: FEWER.get(row.name) if options.files is None else options.files]
        if chosen:
            record |= whole_files(row, found, chosen, work) | {"pictures": len(chosen)}
        records.append(record | {"minutes": found.time, "Mpx": round(found.megapixels)})
        common.say(str(records[-1]))
    if records:
        common.write(options.to, "large-images", "Table 1, large images (BSDS300)", NOTES, records, "large-images.png")
        plotted = [(row, record) for row, record in zip(shown, records, strict=True) if record.get("density")]
        figures.bars(
            options.to / "large-images.png",
            [row.label for row, _ in plotted],
            [float(record["density"] or 0) for _, record in plotted],
            [row.paper for row, _ in plotted],
            "density rate, bit/px",
        )


if __name__ == "__main__":
    main()
