"""Figures 3 and 4 of the RIDE paper: textures, what an MCGSM and RIDE make of them, and a hole that RIDE fills.

    python benchmarks/textures.py [--texture D106 ...] [--models FOLDER]

Writes docs/textures.png, docs/inpainting.png and benchmarks/results/textures.md. The textures, Brodatz's, are looked
for in $RIDECODEC_DATA, or else in ../shared/data: brodatz/. Models that --models holds are not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ridecodec.evaluation import corpora
from ridecodec.generation.inpainting import Settings, inpaint
from ridecodec.generation.synthesis import Length, Texture, learn, rates, split
from ridecodec.models import registry
from ridecodec.models.ride.floats import networks
from ridecodec.training.memory import keep_memory
from ridecodec.training.patches import load

ROOT = Path(__file__).parent.parent
TEXTURES = ("D12", "D34", "D104", "D106", "D110")
SIDE, HOLE, GAP = 256, 71, 16
SEED = 1
say = partial(print, file=sys.stderr, flush=True)


def texture(name: str) -> NDArray[np.uint8]:
    """Planes [1, H, W]."""
    return load(corpora.data_folder("brodatz") / f"{name}.png", 1)


def model(name: str, kind: str, steps: int, folder: Path) -> Texture:
    """A texture's model, trained unless the folder has it."""
    path = folder / f"{name.lower()}-{kind}.safetensors"
    pixels = texture(name)
    if path.exists():
        nets = networks(path.read_bytes())
        regions, held = split(pixels, SEED)
        return Texture(nets, regions, rates(nets, held, SEED))
    say(f"{name} {kind}")
    learnt = learn(pixels, kind, Length(steps=steps), SEED, say)
    record = {"steps": steps, "seed": SEED}
    registry.write(path, learnt.pack(), path.stem, f"{kind} of the texture {name}", record, (1,))
    return learnt


def trained_for(folder: Path, name: str, kind: str) -> int:
    """Steps, from the model's card."""
    card = json.loads((folder / f"{name.lower()}-{kind}.json").read_text())
    return int(card["training"]["steps"])


def centre(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The middle of a picture [H, W]."""
    y, x = ((size - side) // 2 for size in pixels.shape)
    return pixels[y : y + side, x : x + side]


def sheet(rows: dict[str, list[NDArray[np.uint8]]], titles: list[str], path: Path) -> None:
    """Pictures of one size in rows and columns, named on the left and above."""
    side, left = len(next(iter(rows.values()))[0]), 40
    size = (left + len(titles) * (side + 4), GAP + len(rows) * (side + 4))
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    for column, title in enumerate(titles):
        draw.text((left + column * (side + 4), 2), title, fill=0)
    for row, (name, pictures) in enumerate(rows.items()):
        draw.text((4, GAP + row * (side + 4)), name, fill=0)
        for column, picture in enumerate(pictures):
            image.paste(Image.fromarray(picture), (left + column * (side + 4), GAP + row * (side + 4)))
    image.save(path, optimize=True)


def filled(name: str, learnt: Texture, sweeps: int) -> list[NDArray[np.uint8]]:
    """A hole in the region held out: the hole, the densest fill, after the sweeps, and what was there."""
    region = split(texture(name), SEED)[1]
    mask = np.zeros(region.shape[1:], np.bool_)
    start = (len(mask) - HOLE) // 2
    mask[start : start + HOLE, start : start + HOLE] = True
    reports = []
    settings = Settings(sweeps=sweeps, seed=SEED, flips=False)  # the model has seen the texture one way only
    for report in inpaint(learnt.nets, region, mask, settings):
        say(f"{name} sweep {report.sweep}: log-density {report.log_density:.1f} bits, {report.acceptance:.1%} accepted")
        reports.append(report)
    return [np.where(mask, 255, region)[0].astype(np.uint8), reports[0].planes[0], reports[-1].planes[0], region[0]]


def main() -> None:
    """Train, sample, fill, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texture", action="append", choices=TEXTURES, dest="names", help="default: all five")
    parser.add_argument("--steps", type=int, default=1600, help="to train RIDE")
    parser.add_argument("--mcgsm-steps", type=int, default=600)
    parser.add_argument("--fill", nargs="*", default=["D106", "D110"], help="textures to make a hole in")
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--models", type=Path, help="folder that keeps the models")
    parser.add_argument("--to", type=Path, default=ROOT, help="where docs/ and benchmarks/results/ are")
    options = parser.parse_args()
    keep_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.models or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        steps = {"mcgsm": options.mcgsm_steps, "ride": options.steps}
        pictures, holes, table = {}, {}, []
        for name in options.names or TEXTURES:
            learnt = {kind: model(name, kind, steps[kind], folder) for kind in steps}
            samples = [learnt[kind].sample(SIDE, SIDE, SEED)[0] for kind in steps]
            pictures[name] = [centre(texture(name)[0], SIDE), *samples]
            found = [value for kind in steps for value in (learnt[kind].rates.density, learnt[kind].rates.likelihood)]
            taken = " and ".join(str(trained_for(folder, name, kind)) for kind in steps)
            table.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in found) + f" | {taken} |")
            say(table[-1])
            if name in options.fill:
                holes[name] = filled(name, learnt["ride"], options.sweeps)
    for part in ("docs", "benchmarks/results"):
        (options.to / part).mkdir(parents=True, exist_ok=True)
    sheet(pictures, ["texture", "MCGSM", "RIDE"], options.to / "docs/textures.png")
    if holes:
        titles = ["hole", "densest fill", f"after {options.sweeps} sweeps", "what was there"]
        sheet(holes, titles, options.to / "docs/inpainting.png")
    lines = [
        "Rates of the region held out of each texture, bit/px: density of values divided by 256 (higher is better) and",
        "code length of the integers (lower is better).",
        "",
        "| texture | MCGSM density | MCGSM code length | RIDE density | RIDE code length | training steps |",
        "|---|---:|---:|---:|---:|---|",
        *table,
        "",
        "Trained on fifteen of sixteen regions.",
        f"Made by `{' '.join(['python', *sys.argv])}`.",
    ]
    (options.to / "benchmarks/results/textures.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
