"""The tables under benchmarks/results: Kodak, and the photographs held out from training, each in RGB and in gray.

    python benchmarks/kodak.py [--set kodak-rgb ...]

The pictures are looked for in $RIDECODEC_DATA, or else in ../shared/data: kodak/ and photos-train/.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ridecodec.evaluation import benchmark, corpora, report
from ridecodec.evaluation.results import Measurement
from ridecodec.models import registry
from ridecodec.training import photos

RESULTS = Path(__file__).parent / "results"
HELD_OUT = 40


def kodak() -> list[Path]:
    """Kodak's 24 pictures."""
    return corpora.find("kodak")


def held_out() -> list[Path]:
    """Files of the pictures that training never saw."""
    return photos.split(corpora.data_folder("photos-train"), HELD_OUT)[1]


SETS: dict[str, tuple[Callable[[], list[Path]], bool]] = {
    "kodak-rgb": (kodak, False),
    "kodak-gray": (kodak, True),
    "heldout-rgb": (held_out, False),
    "heldout-gray": (held_out, True),
}


def note(whole: Measurement) -> None:
    """Write a model's rate to its card, which does not count in the model's hash."""
    for card in registry.cards():
        if card.name == whole.codec and card.current and card.file is not None:
            path = (registry.WEIGHTS / card.file).with_suffix(".json")
            record = json.loads(path.read_text()) | {"kodak_bpsp": round(whole.bpsp, 4)}
            path.write_text(json.dumps(record, indent=2) + "\n")


def _say(name: str, number: float, pictures: Sequence[Path]) -> None:
    """Which picture comes next."""
    if number == int(number) and number < len(pictures):
        print(f"{name} {int(number) + 1}/{len(pictures)} {pictures[int(number)]}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmark and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=SETS, dest="sets", help="only this one (default: all)")
    parser.add_argument("--model", action="append", dest="models", help="default: photo and gradient")
    parser.add_argument("--peer", action="append", dest="peers", help="default: all that are installed and quick")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only the first pictures")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for the tables")
    parser.add_argument("--cards", action="store_true", help="write Kodak's rates to the models' cards, too")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for name in options.sets or SETS:
        files, gray = SETS[name]
        results = benchmark.run(
            files(),
            models=options.models or ("photo", "gradient"),
            peers=options.peers,
            limit=options.limit,
            threads=options.threads,
            step=partial(_say, name),
            gray=gray,
        )
        results = replace(results, settings={"command": " ".join(["python", *sys.argv]), **results.settings})
        for suffix in (".md", ".csv"):
            report.write(results, options.to / f"{name}{suffix}")
        if options.cards and name == "kodak-rgb":
            for row in results.totals:
                note(row.measurement)
        print(f"{name}\n{report.text(results, pictures=False)}", flush=True)


if __name__ == "__main__":
    main()
