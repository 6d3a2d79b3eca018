"""What the paper's tables share: rows that train themselves, the density rate, files, and the tables as written.

Checkpoints and measurements stay in the work folder: a second run trains and measures only what is missing.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import ridecodec
from ridecodec.engines.orientations import WAYS
from ridecodec.evaluation import corpora
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training import ride
from ridecodec.training.patches import load, pictures, turn
from ridecodec.training.ride import Schedule

RESULTS = Path(__file__).parents[1] / "results" / "paper"
SIDE = 64
"""Of the paper's test patches."""
_AT_ONCE = 1 << 16
"""Pixels evaluated in one go."""
Say = Callable[[str], None]
Pixels = NDArray[np.uint8]
Record = dict[str, str | int | float | None]


class HasName(Protocol):
    """A row of any table."""

    @property
    def name(self) -> str:
        """By which --row asks for it."""


Named = TypeVar("Named", bound=HasName)


@dataclass(frozen=True)
class Row:
    """One line of a table: a network and its training, or the mixture over the 8 ways of another row's network."""

    name: str
    label: str
    paper: float | None = None
    config: RideConfig | None = None
    schedule: Schedule | None = None
    start: str | None = None
    """The row whose layers this one's are put on, or go on learning."""
    of: str | None = None
    """The row whose network the mixture is of."""


@dataclass(frozen=True)
class Trained:
    """A network, and what its training took from the first row of its chain on."""

    nets: tuple[Ride, ...]
    """One a channel."""
    minutes: tuple[float, ...]
    megapixels: float
    stamp: str
    """Changes when the network does."""
    paths: tuple[Path, ...]
    """The checkpoints, one a channel."""

    @property
    def time(self) -> str:
        """Minutes of every training that led here."""
        return " + ".join(f"{part:.0f}" if part >= 1 else f"{part:.2g}" for part in self.minutes)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every table."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--work", type=Path, default=Path("runs/paper"), help="checkpoints and measurements")
    made.add_argument("--to", type=Path, default=RESULTS, help="folder for the tables")
    made.add_argument("--row", action="append", dest="rows", help="only this one (default: all)")
    made.add_argument("--train", action="store_true", help="train what is missing and measure nothing")
    made.add_argument("--limit", type=int, help="only so many test pictures")
    torch.set_num_threads(1)
    return made


def chosen(rows: Sequence[Named], names: list[str] | None) -> list[Named]:
    """The rows of these names, all where None."""
    unknown = set(names or ()) - {row.name for row in rows}
    if unknown:
        raise SystemExit(f"no row {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in rows)}")
    return [row for row in rows if names is None or row.name in names]


def say(line: str) -> None:
    """To standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def bsds300() -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """180 training, 20 validation and 100 test pictures in gray, [1, H, W]."""
    folder = corpora.data_folder("bsds300")
    arrays = [load(path, 1) for path in pictures(folder / "train")]
    held = [i % 10 == 5 for i in range(len(arrays))]
    test = [load(path, 1) for path in pictures(folder / "test")]
    return (
        [a for a, h in zip(arrays, held, strict=True) if not h],
        [a for a, h in zip(arrays, held, strict=True) if h],
        test,
    )


def trained(
    row: Row,
    rows: Sequence[Row],
    data: Callable[[], tuple[list[Pixels], list[Pixels]]],
    work: Path,
    tell: Say = say,
) -> Trained:
    """The row's network from its checkpoint ``work/NAME.pt``; trains it, and what it starts from, where missing.

    ``data`` gives training and validation pictures, [C, H, W]; it is called only for training.
    """
    by_name = {each.name: each for each in rows}
    if row.of is not None:
        return trained(by_name[row.of], rows, data, work, tell)
    assert row.config is not None
    assert row.schedule is not None
    before = trained(by_name[row.start], rows, data, work, tell) if row.start else None
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{row.name}.pt"
    state = torch.load(path, weights_only=True, map_location="cpu") if path.exists() else None
    if state is None or state["seconds"] < 60 * (row.schedule.minutes or 0):
        training, validation = data()
        tell(f"{row.name}: trains for {row.schedule.minutes} minutes")
        start = before.nets[0] if before else None
        ride.train(training, row.config, row.schedule, path, lambda line: tell(f"{row.name} {line}"), start, validation)
        state = torch.load(path, weights_only=True, map_location="cpu")
    net = Ride(RideConfig(**state["config"]))
    net.load_state_dict(state["model"])
    if net.config != row.config:
        raise SystemExit(f"{path}: the checkpoint of another model; move it away, or choose another --work")
    minutes = (*(before.minutes if before else ()), state["seconds"] / 60)
    megapixels = state["step"] * row.schedule.pixels / 1e6 + (before.megapixels if before else 0)
    return Trained((net,), minutes, megapixels, f"{row.name}-{state['step']}-{state['seconds']:.3f}", (path,))


@torch.no_grad()
def density(nets: Sequence[Ride], planes: Tensor, ensemble: bool = False, seed: int = 0) -> Tensor:
    """Density rate of every picture, bit/px (or sub-pixel) as the paper prints it, [B] float64.

    ``planes``: integers [B, C, H, W]; uniform noise is added, states start at zero, and the mean is over pixels whose
    neighbourhood is inside. ``ensemble``: of the mixture over the 8 flips and rotations of whole pictures.
    """
    noise = torch.rand(planes.shape, generator=torch.Generator().manual_seed(seed))
    found = []
    for part in (planes + noise).split(max(1, _AT_ONCE // (planes.shape[2] * planes.shape[3]))):
        ways = []
        for way in range(WAYS if ensemble else 1):
            turned = turn(part, way)
            maps = [net.log_density(turned).double() for net in nets]  # [H, W, B] each
            ways.append(torch.stack([each.sum((0, 1)) for each in maps]).sum(0))
        total = mixture(torch.stack(ways))
        found.append(8 + total / (sum(each[..., 0].numel() for each in maps) * math.log(2)))
    return torch.cat(found)


def mixture(ways: Tensor) -> Tensor:
    """Log-density of the mixture whose parts have the log-densities ``ways`` [K, m]: [m]."""
    return ways.logsumexp(0) - math.log(len(ways))


def cut(array: Pixels, side: int = SIDE) -> Tensor:
    """Square patches of a picture side by side, float32 [m, C, side, side]; the rest at its ends is left."""
    planes = torch.from_numpy(array).float()
    parts = planes.unfold(1, side, side).unfold(2, side, side)  # [C, rows, columns, side, side]
    return parts.flatten(1, 2).transpose(0, 1).contiguous()


def density_of(nets: Sequence[Ride], arrays: Iterable[Pixels], side: int = SIDE, ensemble: bool = False) -> float:
    """Mean of `density` over the patches of pictures [C, H, W]."""
    rates = [density(nets, cut(array, side), ensemble, seed) for seed, array in enumerate(arrays)]
    return float(torch.cat(rates).mean())


def rate(
    row: Row, trained: Trained, arrays: Callable[[], list[Pixels]], count: int, work: Path, side: int = SIDE
) -> Record:
    """The row's density rate on ``count`` test pictures, measured or known."""

    def make() -> Record:
        return {"density": density_of(trained.nets, arrays(), side, row.of is not None)}

    return measured(work, trained.stamp, f"{row.name} {count} pictures density", make)


def files(name: str, trained: Trained, arrays: Sequence[Pixels], work: Path, ensemble: bool = False) -> Record:
    """Likelihood, ideal and achieved rate of whole-picture files, bits/px, of pictures [C, H, W] in coding order.

    The network becomes the exact model ``paper-NAME`` in ``work/models/NAME``; ``ensemble``: one that takes the best
    of the 8 ways.
    """
    from ridecodec.models.ride import export

    folder = (work / "models" / name).absolute()
    os.environ["RIDECODEC_MODELS"] = str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = f"paper-{name}"
    single = f"{model}-single" if ensemble else model
    purpose = "a row of the RIDE paper's tables"
    export.export(list(trained.paths), folder / f"{single}.safetensors", single, purpose, model if ensemble else None)
    bits, count = np.zeros(3), 0
    for number, array in enumerate(arrays):
        pixels = array[0] if len(array) == 1 else np.ascontiguousarray(array[[1, 0, 2]].transpose(1, 2, 0))
        found = ridecodec.evaluate(pixels, model=model, device="cpu", threads=1)
        rates = math.nan if found.likelihood is None else found.likelihood, found.ideal, found.achieved
        bits += np.array(rates) * found.sub_pixels
        count += found.sub_pixels
        say(f"{name} {number + 1}/{len(arrays)} {bits[2] / count:.4f}")
    return dict(zip(("likelihood", "ideal", "achieved"), (bits / count).tolist(), strict=True))


def measured(work: Path, stamp: str, what: str, make: Callable[[], Record]) -> Record:
    """What ``make`` gives, kept in ``work/measured.json`` under a network's stamp and a name."""
    path = work / "measured.json"
    known: dict[str, dict[str, Record]] = json.loads(path.read_text()) if path.exists() else {}
    if what not in known.get(stamp, {}):
        found = make()
        known = json.loads(path.read_text()) if path.exists() else {}
        known.setdefault(stamp, {})[what] = found
        path.write_text(json.dumps(known, indent=1) + "\n")
    return known[stamp][what]


def write(folder: Path, name: str, title: str, notes: Sequence[str], records: Sequence[Record], plot: str = "") -> None:
    """A table as ``NAME.md`` and ``NAME.csv``; ``plot`` is the name of its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    headings = list(dict.fromkeys(key for record in records for key in record))
    with (folder / f"{name}.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, headings, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    settings = (
        f"`{command()}`; ridecodec {ridecodec.__version__}, torch {torch.__version__}, "
        f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    )
    numeric = [all(isinstance(r.get(key), (int, float, type(None))) for r in records) for key in headings]
    lines = [f"# {title}", "", settings, "", "| " + " | ".join(headings) + " |"]
    lines.append("|" + "".join("---:|" if number else "---|" for number in numeric))
    lines += ["| " + " | ".join(_cell(record.get(key)) for key in headings) + " |" for record in records]
    lines += ["", *(f"- {note}" for note in notes)]
    lines += ["", f"![{title}]({plot})"] if plot else []
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


def command() -> str:
    """The command that runs, without where its folders are."""
    script = Path(sys.argv[0]).resolve()
    root = Path(__file__).parents[2]
    shown = script.relative_to(root) if script.is_relative_to(root) else Path(script.name)
    rest = sys.argv[1:]
    for option in ("--work", "--to"):
        while option in rest:
            at = rest.index(option)
            rest = rest[:at] + rest[at + 2 :]
    return shlex.join(["python", str(shown), *rest])


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
