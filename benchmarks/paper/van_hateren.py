"""Table 2, large images: van Hateren's natural images, 1024x1536.

    python benchmarks/paper/van_hateren.py [--work runs/paper] [--row mcgsm-32 ...]

The .iml files are looked for in van-hateren/ of $RIDECODEC_DATA (`ridecodec corpora fetch van-hateren` fetches the
archive; unpack it there). Every sixth picture, sorted by name, is for the test, every twentieth of the rest for
validation. Intensities are linear, up to 16 bits: the logarithm of each, scaled so that 8 bits hold a picture's range
from its darkest thousandth up, is rounded to an integer, and noise is added. The paper's own preparation is in its
supplement, and its pictures are a choice of these: compare differences. Without the files every row says so.
"""

from __future__ import annotations

from pathlib import Path

import common
import figures
import numpy as np
from common import Pixels, Record, Row

from ridecodec.corpora import van_hateren
from ridecodec.errors import InputError
from ridecodec.evaluation import corpora
from ridecodec.models.ride.network import RideConfig
from ridecodec.training.ride import Schedule

FOLDER = "van-hateren"
MISSING = "data not at hand"
NOTES = (
    "density rate, bit/px, of 64x64 patches of the test pictures: higher is better, and only differences compare with "
    "the paper's, whose preparation is another.",
    "minutes: of training, a sum where a row's layers are put on another's.",
)
_MCGSM = Schedule(minutes=10, pixels=16384, sizes=(8,), mcgsm_rate=0.02)
_RIDE = Schedule(minutes=20, rate=0.015, pixels=10_000)
ROWS = (
    Row("hateren-mcgsm-32", "MCGSM, 32 comp.", 1.759, RideConfig(width=9, features=48), _MCGSM),
    Row("hateren-ride-1", "RIDE, 1 layer, 64 hid.", 1.816, RideConfig(layers=1), _RIDE),
    Row("hateren-ride-1-128", "RIDE, 1 layer, 128 hid.", 1.830, RideConfig(layers=1, hidden=128), _RIDE),
    Row("hateren-ride-2", "RIDE, 2 layers, 64 hid.", 1.829, RideConfig(layers=2), _RIDE, "hateren-ride-1"),
    Row(
        "hateren-ride-2-128",
        "RIDE, 2 layers, 128 hid.",
        1.839,
        RideConfig(layers=2, hidden=128),
        _RIDE,
        "hateren-ride-1-128",
    ),
    Row("hateren-eoride", "EoRIDE, 2 layers, 128 hid.", 1.859, of="hateren-ride-2-128"),
)


def to_bytes(intensities: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> Pixels:
    """Logarithms of linear intensities [H, W] as uint8 [1, H, W]."""
    logs = np.log1p(intensities.astype(np.float64))
    low, high = np.quantile(logs, 0.001), logs.max()
    scaled = np.clip((logs - low) * (255 / max(high - low, 1e-9)), 0, 255).round()
    made: Pixels = scaled.astype(np.uint8)[None]
    return made


def split(paths: list[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """(training, validation, test) files."""
    rest = [path for i, path in enumerate(paths) if i % 6 != 5]
    test = [path for i, path in enumerate(paths) if i % 6 == 5]
    return (
        [path for i, path in enumerate(rest) if i % 20 != 19],
        [path for i, path in enumerate(rest) if i % 20 == 19],
        test,
    )


def main() -> None:
    """Train, measure, and write the table; without the pictures, the table that says so."""
    options = common.parser(__doc__).parse_args()
    shown = common.chosen(ROWS, options.rows)
    records: list[Record] = []
    try:
        paths = sorted(corpora.data_folder(FOLDER).glob("*.iml"))
    except InputError:
        paths = []
    if not paths:
        records = [{"model": row.label, "paper": row.paper, "density": MISSING, "minutes": ""} for row in shown]
        common.write(options.to, FOLDER, "Table 2: van Hateren's images", NOTES, records)
        common.say(f"{FOLDER}: {MISSING}: ridecodec corpora fetch {FOLDER}")
        return
    parts = split(paths)
    test = parts[2][: options.limit]

    def load(paths: list[Path]) -> list[Pixels]:
        return [to_bytes(van_hateren.load(path)) for path in paths]

    def data() -> tuple[list[Pixels], list[Pixels]]:
        return load(parts[0]), load(parts[1])

    for row in shown:
        found = common.trained(row, ROWS, data, options.work)
        if options.train:
            continue
        rate = common.rate(row, found, lambda: load(test), len(test), options.work)
        records.append({"model": row.label, "paper": row.paper, **rate, "minutes": found.time})
        common.say(str(records[-1]))
    if records:
        common.write(options.to, FOLDER, "Table 2: van Hateren's images", NOTES, records, f"{FOLDER}.png")
        rates = [float(record["density"] or 0) for record in records]
        paper = [row.paper for row in shown]
        figures.bars(options.to / f"{FOLDER}.png", [row.label for row in shown], rates, paper, "density rate, bit/px")


if __name__ == "__main__":
    main()
