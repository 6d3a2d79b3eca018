"""RIDE for RGB photographs on Kodak, beside the default model.

    python benchmarks/paper/colour.py [--work runs/paper]

One network a channel, in the order green, red, blue; each sees the causal neighbourhood in all channels and, at the
pixel itself, the channels coded before. Training is on photos-train of $RIDECODEC_DATA, with the same pictures held
out as for `photo`. Rates are bits a sub-pixel: the density rate is turned into a code length (8 minus it), the others
are of whole files.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import common
import figures
import numpy as np
from common import Pixels, Record, Row, Trained

import ridecodec
from ridecodec.evaluation import corpora
from ridecodec.models.ride.network import RideConfig
from ridecodec.training import photos
from ridecodec.training.ride import Schedule

CHANNELS = ("green", "red", "blue")
NAME = "ride-rgb"
BESIDE = "photo"
CONFIG = RideConfig(channels=3, layers=1, hidden=32)
SCHEDULE = Schedule(minutes=7, rate=0.012, mcgsm_rate=0.01, sizes=(14, 20, 28, 40))
ROWS = tuple(
    Row(f"{NAME}-{channel}", f"RIDE, {channel}", None, replace(CONFIG, channel=number), SCHEDULE)
    for number, channel in enumerate(CHANNELS)
)
NOTES = (
    "bits a sub-pixel on Kodak's 24 pictures, all overhead counted in `achieved`; lower is better.",
    "noisy: code length by the density of 64x64 patches with noise, all three channels.",
)


def together(parts: list[Trained]) -> Trained:
    """Three networks, one a channel, as one model."""
    return Trained(
        tuple(net for part in parts for net in part.nets),
        tuple(minutes for part in parts for minutes in part.minutes),
        sum(part.megapixels for part in parts),
        "+".join(part.stamp for part in parts),
        tuple(path for part in parts for path in part.paths),
    )


def beside(paths: list[Path]) -> Record:
    """The default model's rates of the same pictures."""
    found = [ridecodec.evaluate(path, model=BESIDE, device="cpu", threads=1) for path in paths]
    counts = np.array([each.sub_pixels for each in found])
    rates = np.array([[each.likelihood or 0, each.ideal, each.achieved] for each in found])
    return dict(zip(("likelihood", "ideal", "achieved"), (counts @ rates / counts.sum()).tolist(), strict=True))


def main() -> None:
    """Train, measure, and write the table."""
    options = common.parser(__doc__).parse_args()
    work: Path = options.work

    def data() -> tuple[list[Pixels], list[Pixels]]:
        train, held = photos.split(corpora.data_folder("photos-train"))
        return [photos.load(path, 3) for path in train], [photos.load(path, 3) for path in held]

    parts = [common.trained(row, ROWS, data, work) for row in common.chosen(ROWS, options.rows)]
    if options.train or options.rows:
        return
    model = together(parts)
    paths = corpora.find("kodak")[: options.limit]
    test = [photos.load(path, 3) for path in paths]
    key = f"{len(test)} pictures"
    noisy = common.measured(
        work, model.stamp, f"{key} density", lambda: {"noisy": 8 - common.density_of(model.nets, test)}
    )
    files = common.measured(work, model.stamp, f"{key} files", lambda: common.files(NAME, model, test, work))
    default = common.measured(work, f"{BESIDE} {ridecodec.__version__}", f"{key} files", lambda: beside(paths))
    records: list[Record] = [
        {"model": "RIDE, 1 layer a channel", **noisy, **files, "minutes": model.time, "Mpx": round(model.megapixels)},
        {"model": f"`{BESIDE}`, the default", "noisy": None, **default, "minutes": "see its card", "Mpx": None},
    ]
    common.write(options.to, "colour", "Colour: RIDE on Kodak", NOTES, records, "colour.png")
    rates = [float(record["achieved"] or 0) for record in records]
    figures.bars(options.to / "colour.png", ["RIDE", BESIDE], rates, [], "bits a sub-pixel, Kodak")


if __name__ == "__main__":
    main()
