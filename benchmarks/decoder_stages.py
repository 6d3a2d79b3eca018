"""Where a decoder's time goes, by stage, on one picture in one tile or in several.

    python benchmarks/decoder_stages.py [PICTURE] [--tile 256] [--model photo]

Stages are timed by Python's profiler, which itself costs time: compare the shares.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from pathlib import Path

import ridecodec
from ridecodec.errors import InputError
from ridecodec.evaluation import corpora

STAGES = {
    "begin": "context: gather, features, trunk, linear experts",
    "step": "spatial LSTMs",
    "distribution": "gates, means, scales",
    "high_table": "tables of the high nibble",
    "low_table": "tables of the low nibble",
    "_decode": "range decoder",
    "observe": "values back into the context",
}
FILES = ("base.py", "backend.py", "memory.py", "tables.py", "tilecoder.py")


def main() -> None:
    """Decode under the profiler and print the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?", type=Path, help="default: Kodak's first, or scikit-image's astronaut")
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--model", default="photo")
    options = parser.parse_args()
    data = ridecodec.compress(options.picture or default(), model=options.model, tile=options.tile, verify=False)
    with cProfile.Profile() as profile:
        ridecodec.decompress(data, threads=1)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed does not know it
    spent = dict.fromkeys(STAGES, 0.0)
    whole = 0.0
    for (file, _, function), (_, _, own, cumulative, _) in stats.items():
        whole += own
        if function in STAGES and Path(file).name in FILES:
            spent[function] = max(spent[function], cumulative)
    spent["distribution"] -= spent["step"]  # which it calls
    print(f"{whole:.2f} s under the profiler")
    for function, text in STAGES.items():
        print(f"{100 * spent[function] / whole:5.1f} %  {text}")
    print(f"{100 * (1 - sum(spent.values()) / whole):5.1f} %  the rest: checksums, bookkeeping")


def default() -> Path:
    """The first picture of Kodak, or else scikit-image's astronaut."""
    try:
        return corpora.find("kodak")[0]
    except InputError:
        return corpora.find("skimage")[0]


if __name__ == "__main__":
    main()
