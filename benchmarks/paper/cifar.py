"""The PixelCNN papers' table on CIFAR-10: PixelCNN, PixelRNN, Gated PixelCNN and what is built of them.

    python benchmarks/paper/cifar.py [--work runs/paper] [--row gated ...] [--train] [--limit 1000]

Training is on the pictures of $RIDECODEC_DATA/cifar10, mosaics or what `ridecodec corpora make cifar10` makes (the
table's are 20,000 of the 50,000), every 40th held out, as `ridecodec train pixelcnn` does it with the settings of a
row. The likelihood rate is of all test pictures at hand; files are made of --limit of them, evenly spread, one by one
and as one archive, and 64 are decoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import common
import figures
import numpy as np
import torch
from common import Record
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.container import rdc, rdca
from ridecodec.container.payload import split_payload
from ridecodec.container.rdc import Header
from ridecodec.engines.tilecoder import TileCodec, decode_tiles, encode_tile
from ridecodec.evaluation import corpora
from ridecodec.evaluation.peers import PEERS
from ridecodec.files import sets
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.export import model_file, read_checkpoint
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.programs import program_codec
from ridecodec.models.ride.export import pack
from ridecodec.models.ride.network import RideConfig
from ridecodec.picture import ColourType, Picture
from ridecodec.training import pixelcnn, ride
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.presets import Schedule
from ridecodec.training.ride import load as load_ride

SIDE = 32
FILES, SEEN, DECODED = 1000, 1000, 64
"""Test pictures that files are made of, training pictures for the rate in brackets, pictures decoded again."""
STEPS = PixelSchedule(minutes=None, steps=18_500, evaluations=16)
"""Alike for all, whatever else the machine has to do: about an hour of a core for Gated PixelCNN."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    label: str
    paper: float | None
    config: PixelConfig | None
    """None: RIDE, one network a channel."""
    schedule: PixelSchedule = STEPS
    start: str | None = None
    """The row whose network it begins with: steps and minutes are both trainings'."""


FURTHER = PixelSchedule(minutes=None, steps=11_500, evaluations=8)
"""What follows a base's training."""
SHORT, BRIEF = replace(FURTHER, steps=9_250), replace(FURTHER, steps=4_600)
LINES, DIAGONALS = replace(STEPS, steps=11_000), replace(STEPS, steps=7_500)
"""PixelRNN's steps take longer, so there are fewer."""
GATED = PixelConfig()
PLAIN = replace(GATED, kind="pixelcnn", maps=96, layers=15)
CODED = replace(GATED, vector=10, encoder=32, painted=16)
ROWS = (
    Row("ride", "RIDE (colour)", 3.47, None),
    Row("plain-base", "PixelCNN, 18,500 steps", 3.14, PLAIN),
    Row("pixelcnn", "PixelCNN, 30,000 steps", 3.14, PLAIN, FURTHER, "plain-base"),
    Row("pixelrnn-rows", "PixelRNN, Row LSTM", 3.07, replace(GATED, kind="row-lstm", layers=5), LINES),
    Row("pixelrnn", "PixelRNN, Diagonal BiLSTM", 3.00, replace(GATED, kind="diagonal-lstm", layers=3), DIAGONALS),
    Row("base", "Gated PixelCNN, 18,500 steps", 3.03, GATED),
    Row("gated", "Gated PixelCNN, 30,000 steps", 3.03, GATED, FURTHER, "base"),
    Row("conditional", "Gated PixelCNN, told the class", None, replace(GATED, classes=10), FURTHER, "base"),
    Row("mixture", "Gated PixelCNN, 10 logistics", None, replace(GATED, mixtures=10), BRIEF, "base"),
    Row("autoencoder", "auto-encoder, 10 numbers", None, CODED, BRIEF, "base"),
    Row("autoencoder-100", "auto-encoder, 100 numbers", None, replace(CODED, vector=100), BRIEF, "base"),
    Row("multiscale", "Gated PixelCNN, half the size first", None, replace(GATED, half=48), SHORT, "base"),
)
RIDE = RideConfig(channels=3, layers=1, hidden=48, indicators=True)
RIDE_SCHEDULE = Schedule(minutes=20, sizes=(12, 16, 24, 32), rate=0.012, flips=2)
PEER_ROWS = ("jxl-e9", "webp-m6", "png-optimize")
NOTES = (
    "bits a sub-pixel (bits/dim); lower is better. The paper's networks are larger, trained for weeks on GPUs on all "
    "50,000 pictures; these for the minutes given on one of two shared CPU cores, on 19,500.",
    "likelihood: of all test pictures, by the float network; in brackets of training pictures. Labels and codes count "
    "in all rates but that in brackets; told: what of the ideal length they take; worth: what pixels take more when "
    "the network is told another picture's.",
    "ideal, single, archive: of as many test pictures as `pictures` says, evenly spread; single: a file for each.",
    "loss: ideal length over the likelihood of the float network before its weights were rounded, in percent.",
)


@cache
def pictures(part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(pixels [N, 3, 32, 32] in coding order, labels [N]) of the part ``train`` or ``test``."""
    folder = corpora.data_folder("cifar10")
    labels = sets.labels(folder / f"{part}-labels.npy", 10)
    whole = folder / f"{part}.npy"
    paths, cut = ([whole], None) if whole.exists() else (sorted(folder.glob(f"{part}-*.webp")), (SIDE, SIDE))
    return sets.stacked(list(sets.entries(paths, cut, len(labels))), 3), labels


@dataclass(frozen=True)
class Trained:
    """A row's model, float and exact."""

    bits: Callable[[Tensor, Tensor], Tensor]
    """Of pictures [B, C, H, W] and labels [B]: code lengths that add up to bits."""
    data: bytes
    """The model file."""
    codec: Callable[[bytes], TileCodec]
    """What codes by the model file."""
    parameters: int
    minutes: float
    stamp: str
    told: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    """Of a network that is told labels or codes: bits of pictures, given those of other pictures and labels."""


def trained(row: Row, work: Path) -> Trained:
    """The row's model, trained where it is missing or not done."""
    work.mkdir(parents=True, exist_ok=True)
    if row.config is None:
        return _ride(work)
    model, record, minutes = network(row.name, work)

    def bits(x: Tensor, labels: Tensor) -> Tensor:
        return model.each(x, labels if model.config.classes else None)

    def told(x: Tensor, others: Tensor, labels: Tensor) -> Tensor:
        return model.network.each(x, model.context(others.float(), labels))

    parameters = sum(p.numel() for p in model.parameters())
    stamp = f"cifar-{row.name}-{record['step']}-{record['seconds']:.3f}"
    telling = told if row.config.classes or row.config.vector else None
    return Trained(bits, model_file(model), partial(program_codec, "cifar"), parameters, minutes, stamp, telling)


def spread(part: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """So many of a part's pictures and their labels, evenly spread: classes follow one another."""
    pixels, labels = pictures(part)
    chosen = np.arange(count) * len(pixels) // count
    return pixels[chosen], labels[chosen]


def row_of(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def network(name: str, work: Path) -> tuple[PixelModel, dict[str, Any], float]:
    """A row's float network of the PixelCNN family, its record, and minutes of training, those of its start too.

    It is trained where it is missing or not done.
    """
    row = row_of(name)
    assert row.config is not None
    start, _, minutes = (None, None, 0.0) if row.start is None else network(row.start, work)
    path = work / f"cifar-{name}.pt"
    if _lacks(path, "step", row.schedule.steps):
        common.say(f"{name}: trains for {row.schedule.steps:,} steps")
        pixels, labels = pictures("train")
        told = labels if row.config.classes else None
        pixelcnn.train(pixels, row.config, row.schedule, path, partial(_say, name), told, start=start)
    model, record = read_checkpoint(path)
    return model, record, minutes + record["seconds"] / 60


def _ride(work: Path) -> Trained:
    paths = [work / f"cifar-ride-{channel}.pt" for channel in range(3)]
    for channel, path in enumerate(paths):
        if _lacks(path, "seconds", 60 * (RIDE_SCHEDULE.minutes or 0)):
            common.say(f"RIDE, channel {channel}: trains for {RIDE_SCHEDULE.minutes} minutes")
            arrays = list(pictures("train")[0])
            config = replace(RIDE, channel=channel)
            say = partial(_say, f"ride-{channel}")
            ride.train(arrays[:-500], config, RIDE_SCHEDULE, path, say, validation=arrays[-500:])
    states = [torch.load(path, weights_only=True) for path in paths]
    nets = [load_ride(path) for path in paths]

    def bits(x: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([net.bits(x) for net in nets])

    stamp = "+".join(f"cifar-ride-{state['step']}-{state['seconds']:.3f}" for state in states)
    parameters = sum(p.numel() for net in nets for p in net.parameters())
    return Trained(
        bits,
        pack(nets),
        partial(program_codec, "ride-cifar"),
        parameters,
        sum(s["seconds"] for s in states) / 60,
        stamp,
    )


def _say(name: str, line: str) -> None:
    common.say(f"{name} {line}")


def _lacks(path: Path, counter: str, wanted: float | None) -> bool:
    return not path.exists() or torch.load(path, weights_only=True)[counter] < (wanted or 0)


@torch.no_grad()
def rate(bits: Callable[..., Tensor], pixels: NDArray[np.uint8], *told: NDArray[np.uint8]) -> float:
    """Mean bits a sub-pixel of pictures [N, C, H, W] by a float network that is told something of each."""
    parts = zip(*(torch.from_numpy(each).split(64) for each in (pixels, *told)), strict=True)
    return sum(float(bits(x.float(), *rest).double().sum()) for x, *rest in parts) / pixels.size


def files(codec: TileCodec, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Record:
    """Ideal and achieved rates of pictures [N, C, H, W] in coding order: single files, and an archive of all."""
    tiles, bits, sides, single = [], 0.0, 0, 0
    names, pictures = [], []
    for number, planes in enumerate(pixels):
        label = int(labels[number]) if codec.classes else None
        tile = encode_tile(codec, planes, lambda pixels, bits: None, label)
        picture = Picture(planes[[1, 0, 2]], ColourType.RGB)
        side = split_payload(tile.payload)[0]
        sides += 0 if codec.half is not None else len(side)
        bits += float(tile.bits.sum(dtype=np.float64))
        header = Header(SIDE, SIDE, picture.colour, 8, "gated-cifar", b"1234", picture.checksum())
        file = rdc.write(header, (), [tile.payload])
        single += len(file)
        tiles.append(tile.payload)
        names.append(f"test-{number:05}")
        pictures.append(rdc.read(file))
        if number % 200 == 199:
            common.say(f"{number + 1} of {len(pixels)}: {8 * single / (planes.size * (number + 1)):.4f}")
    whole = len(rdca.write(names, pictures))
    again = decode_tiles(codec, tiles[:DECODED], 3, SIDE, SIDE, lambda pixels, bits: None)
    if not np.array_equal(again, pixels[:DECODED]):
        raise SystemExit("the decoded pictures differ")
    count = pixels.size
    return {
        "ideal": (bits + 8 * sides) / count,
        "single": 8 * single / count,
        "archive": 8 * whole / count,
        "side": 8 * sides / count,
    }


def line(row: Row, work: Path, limit: int) -> Record:
    """The row's figures, measured or known."""
    found = trained(row, work)

    def rates() -> Record:
        return {
            "train": rate(found.bits, *spread("train", SEEN)),
            "likelihood": rate(found.bits, *pictures("test")),
            "before": rate(found.bits, *spread("test", limit)),
        }

    def strange() -> Record:
        assert found.told is not None
        pixels, labels = spread("test", limit)
        others = (np.roll(each, len(pixels) // 2, axis=0) for each in (pixels, labels))
        return {"another's": rate(found.told, pixels, *others)}

    def coded() -> Record:
        return files(found.codec(found.data), *spread("test", limit))

    known = common.measured(work, found.stamp, f"rates, spread {limit}", rates)
    made = common.measured(work, found.stamp, f"files, spread {limit}", coded)
    worth = None
    if found.told is not None:
        others = common.measured(work, found.stamp, f"told another's, spread {limit}", strange)
        worth = float(others["another's"] or 0) - float(known["before"] or 0)
    loss = 100 * (float(made["ideal"] or 0) - float(made["side"] or 0)) / float(known["before"] or 1) - 100
    return {
        "model": row.label,
        "paper": row.paper,
        "likelihood": float(known["likelihood"] or 0) + float(made["side"] or 0),
        "(train)": f"({known['train']:.3f})",
        "ideal": made["ideal"],
        "single": made["single"],
        "archive": made["archive"],
        "told": made["side"],
        "worth": worth,
        "pictures": limit,
        "loss %": loss,
        "parameters": found.parameters,
        "minutes": round(found.minutes),
    }


def peers(limit: int) -> list[Record]:
    """Other codecs on the same pictures, one by one."""
    pixels = spread("test", limit)[0][:, [1, 0, 2]].transpose(0, 2, 3, 1)
    found: list[Record] = []
    for name in PEER_ROWS:
        peer = PEERS[name]
        if peer.installed:
            size = sum(len(peer.encode(np.ascontiguousarray(each))) for each in pixels)
            found.append({"model": peer.label, "single": 8 * size / pixels.size, "pictures": limit})
    return found


def table(shown: Sequence[Row], work: Path, to: Path, limit: int) -> None:
    """The table, and its plot."""
    records = []
    for row in shown:
        records.append(line(row, work, limit))
        common.say(str(records[-1]))
    records += peers(limit)
    common.write(to, "cifar", "CIFAR-10", NOTES, records, "cifar.png")
    ours = [record for record in records if record.get("likelihood") is not None]
    figures.bars(
        to / "cifar.png",
        [str(record["model"]) for record in ours],
        [float(record["likelihood"] or 0) for record in ours],
        [None if record["paper"] is None else float(record["paper"]) for record in ours],
        "likelihood rate, bits/dim",
    )


def main() -> None:
    """Train, measure, and write the table."""
    options = common.parser(__doc__).parse_args()
    shown = common.chosen(ROWS, options.rows)
    if options.train:
        for row in shown:
            trained(row, options.work)
        return
    table(shown, options.work, options.to, options.limit or FILES)


if __name__ == "__main__":
    main()
