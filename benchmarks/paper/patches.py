"""Table 1, left half: 8x8 patches of BSDS300, 63 dimensions.

    python benchmarks/paper/patches.py [--work runs/paper] [--row mcgsm-32 ...]

Gray (Pillow's `L`), uniform noise in [0, 1), divided by 256; 8x8 patches lose their mean and their last pixel. 1.6
million random patches of the training pictures serve for training, 180,000 of the validation pictures for validation,
a million of the test pictures for the result: the mean natural logarithm of the density of the 63 values. The rate in
bit/px adds the mean's density and takes the Jacobian off, as the paper does: (l + 0.5020 - ln 64) / 64 / ln 2.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import common
import figures
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridecodec.engines.orientations import WAYS
from ridecodec.models.ride.network import RideConfig
from ridecodec.models.ride.patch import PatchMCGSM, PatchRide, remove_mean, restore
from ridecodec.training.learning_rates import decay
from ridecodec.training.patches import turn
from ridecodec.training.presets import FLAT

SIDE = 8
COUNTS = {"train": 1_600_000, "validation": 180_000, "test": 1_000_000}
DC_LOG_DENSITY = 0.5020
"""Mean natural logarithm of the density of a patch's mean, divided by 256; the paper's figure."""
TIED_SHARE = 0.15
"""Of the time of a row of MCGSMs, one that all positions share is trained for their start."""
BATCH = 256
"""Patches a step."""
NOTES = (
    "nat: mean natural logarithm of the density of the 63 values; bit/px: the same with the mean's density and the "
    "Jacobian, as the paper converts it. Higher is better.",
    "standard error: of nat over the test patches, as if they were independent.",
    "RIDE here has a linear short cut from all pixels before, fitted by position, and indicators of padding; the "
    "paper's has its usual neighbourhood.",
    "EoMCGSM, EoRIDE: mixtures over the 8 flips and rotations of whole patches.",
)
Model = PatchMCGSM | PatchRide


@dataclass(frozen=True)
class Row:
    """One line of the table: a model, trained for so long, or the mixture over the 8 ways of another row's."""

    name: str
    label: str
    paper: float | None
    components: int = 32
    features: int = 48
    layers: int = 0
    minutes: float = 0.0
    rate: float = 0.02
    of: str | None = None
    """The row whose model this one's mixture is made of."""
    tested: int = COUNTS["test"]


ROWS = (
    Row("mcgsm-32", "MCGSM, 32 comp., one a position", 155.8, minutes=10),
    Row("ride-1", "RIDE, 1 layer", 150.7, layers=1, features=32, minutes=5, tested=100_000),
    Row("eomcgsm-32", "EoMCGSM, 32 comp.", None, of="mcgsm-32", tested=100_000),
    Row("eoride-1", "EoRIDE, 1 layer", None, of="ride-1", tested=20_000),
)


def bits_per_pixel(nats: float) -> float:
    """The paper's rate of whole patches, bit/px, of the mean log-density of the 63 values divided by 256."""
    return (nats + DC_LOG_DENSITY - math.log(SIDE**2)) / SIDE**2 / math.log(2)


def draw(arrays: list[NDArray[np.uint8]], count: int, seed: int) -> Tensor:
    """Random patches of pictures [1, H, W], uint8 [count, 8, 8]."""
    rng = np.random.default_rng(seed)
    places = np.array([(a.shape[1] - SIDE + 1) * (a.shape[2] - SIDE + 1) for a in arrays])
    shares = rng.multinomial(count, places / places.sum())
    found = []
    for array, share in zip(arrays, shares, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(array[0], (SIDE, SIDE))
        found.append(windows[rng.integers(0, windows.shape[0], share), rng.integers(0, windows.shape[1], share)])
    return torch.from_numpy(np.concatenate(found))


def noisy(patches: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [m, 8, 8] -> z [m, 63], in values."""
    values = patches.float()
    return remove_mean(values + torch.rand(values.shape, generator=generator))


def nats(model: Model, z: Tensor, ensemble: bool = False) -> Tensor:
    """Log-density of the 63 values divided by 256, of z [m, 63] in values; natural logarithms, [m].

    ``ensemble``: of the mixture over the 8 flips and rotations of whole patches.
    """
    if ensemble:
        ways = [model.log_density(turn(restore(z), way).flatten(1)[:, :-1]) for way in range(WAYS)]
        found = torch.stack(ways).logsumexp(0) - math.log(WAYS)
    else:
        found = model.log_density(z)
    return found + z.shape[1] * math.log(256)


def build(row: Row) -> Model:
    """The row's model, not trained."""
    if row.layers:
        return PatchRide(RideConfig(layers=row.layers, components=row.components, features=row.features))
    return PatchMCGSM(SIDE, row.components, features=row.features)


def train(row: Row, patches: Tensor, validation: Tensor, say: common.Say) -> tuple[Model, dict[str, float]]:
    """Adam on random batches with new noise, by processor time; an MCGSM starts with one that all positions share."""
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    model: Model = build(row)
    model.innovations.fit(noisy(patches[:: max(1, len(patches) // 400_000)], generator))
    held = noisy(validation[:: max(1, len(validation) // 5000)], torch.Generator().manual_seed(0))
    shares = [1.0]
    if isinstance(model, PatchMCGSM):
        tied = PatchMCGSM(SIDE, row.components, features=row.features, tied=True)
        tied.innovations.load_state_dict(model.innovations.state_dict())
        model, shares = tied, [TIED_SHARE, 1 - TIED_SHARE]
    seen, spent = 0, 0.0
    for stage, share in enumerate(shares):
        if stage:
            assert isinstance(model, PatchMCGSM)
            model = model.untie()
        optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99))
        begin, end, step, said, clock = spent, spent + 60 * row.minutes * share, 0, spent, time.process_time()
        while spent < end:
            rate = row.rate * min(1.0, (step + 1) / 200) * decay((spent - begin) / (end - begin), FLAT)
            for group in optimizer.param_groups:
                group["lr"] = rate * (0.5 if stage else 1.0)
            index = torch.randint(len(patches), (BATCH,), generator=generator)
            loss = model.total(noisy(patches[index], generator)) / -(BATCH * (SIDE**2 - 1))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step, seen, now = step + 1, seen + BATCH, time.process_time()
            spent, clock = spent + now - clock, now
            if spent - said > 30 or spent >= end:
                with torch.no_grad():
                    rate = float(nats(model, held).mean())
                say(f"{row.name} stage {stage} step {step}  {spent / 60:.1f} min  validation {rate:.2f} nat")
                said, clock = spent, time.process_time()
    return model, {"seconds": spent, "patches": seen}


def trained(row: Row, work: Path, say: common.Say) -> tuple[Model, dict[str, float]]:
    """The row's model from its checkpoint, made where it is missing, and what its training took."""
    path = work / f"patch-{row.name}.pt"
    if not path.exists():
        training, validation, _ = common.bsds300()
        data = draw(training, COUNTS["train"], 1), draw(validation, COUNTS["validation"], 2)
        model, took = train(row, *data, say)
        torch.save({"model": model.state_dict(), "row": row.name, **took}, path)
    state = torch.load(path, weights_only=True)
    model = build(row)
    model.load_state_dict(state["model"])
    return model, {key: state[key] for key in ("seconds", "patches")}


@torch.no_grad()
def evaluate(model: Model, patches: Tensor, ensemble: bool) -> common.Record:
    """Mean log-density in nat, its standard error, and the number of patches; uint8 [m, 8, 8]."""
    generator = torch.Generator().manual_seed(3)
    found = torch.cat([nats(model, noisy(part, generator), ensemble) for part in patches.split(BATCH)]).double()
    return {"nats": float(found.mean()), "error": float(found.std()) / math.sqrt(len(found)), "tested": len(found)}


def main() -> None:
    """Train, measure, and write the table."""
    options = common.parser(__doc__).parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    by_name = {row.name: row for row in ROWS}
    shown = [row for row in ROWS if options.rows is None or row.name in options.rows]
    test: Tensor | None = None
    records: list[common.Record] = []
    for row in shown:
        source = by_name[row.of] if row.of else row
        model, took = trained(source, options.work, common.say)
        if options.train:
            continue
        count = row.tested if options.limit is None else min(row.tested, options.limit)

        def measure(row: Row = row, model: Model = model, count: int = count) -> common.Record:
            nonlocal test
            test = draw(common.bsds300()[2], COUNTS["test"], 3) if test is None else test
            return evaluate(model, test[:: len(test) // count][:count], row.of is not None)

        stamp = f"patch-{source.name}-{took['patches']}-{took['seconds']:.3f}"
        found = common.measured(options.work, stamp, f"{row.name} {count}", measure)
        nat = float(found["nats"] or 0)
        record: common.Record = {"model": row.label, "nat": round(nat, 2), "paper, nat": row.paper}
        record["bit/px"] = bits_per_pixel(nat)
        record["paper, bit/px"] = None if row.paper is None else bits_per_pixel(row.paper)
        record["standard error"] = round(float(found["error"] or 0), 2)
        record["test patches"] = found["tested"]
        record["minutes"] = round(took["seconds"] / 60, 1)
        record["million patches"] = round(took["patches"] / 1e6, 2)
        records.append(record)
        common.say(str(records[-1]))
    if records:
        common.write(options.to, "patches", "Table 1, 8x8 patches (BSDS300)", NOTES, records, "patches.png")
        figures.bars(
            options.to / "patches.png",
            [row.label for row in shown],
            [float(record["nat"] or 0) for record in records],
            [row.paper for row in shown],
            "log-density of 63 dimensions, nat",
        )


if __name__ == "__main__":
    main()
