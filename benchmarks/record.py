"""Writes the model file of `record`: the networks of `photo`, their distributions mixed while a tile is coded.

python benchmarks/record.py [--out ridecodec/weights/record-1.safetensors]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ridecodec.models import registry
from ridecodec.models.photo import export


def main() -> None:
    """Write it, and its card beside it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=registry.WEIGHTS / "record-1.safetensors")
    photo = Path(str(registry.current("photo").file))
    training = json.loads(photo.with_suffix(".json").read_text())["training"]
    data = export.model_file(export.networks(photo.read_bytes()), mixed=True)
    registry.write(
        parser.parse_args().out, data, "record", "photographs, gray and RGB; learns while it codes", training
    )


if __name__ == "__main__":
    main()
