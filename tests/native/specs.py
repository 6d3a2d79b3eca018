"""Write programs for the fuzzer: `python tests/native/specs.py FOLDER COUNT` makes random ones for `fuzz.cpp`.

Numbers are little-endian int64; names have their length before them, lists and arrays their count.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from programs import RandomProgram

from ridecodec.engines.native import native_spec


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def numbers(self, values: Iterable[int]) -> None:
        for value in values:
            self.data += struct.pack("<q", int(value))

    def listed(self, values: Iterable[int]) -> None:
        found = [int(value) for value in values]
        self.numbers([len(found), *found])

    def name(self, text: str) -> None:
        self.numbers([len(text)])
        self.data += text.encode()

    def arrays(self, arrays: Mapping[str, Any]) -> None:
        self.numbers([len(arrays)])
        for name, value in arrays.items():
            self.name(name)
            self.listed(np.ravel(value))
            self.listed(np.shape(value))


def written(spec: dict[str, Any]) -> bytes:
    """A program, as the compiled engine takes it, as bytes."""
    out = _Writer()
    out.numbers([spec["channels"], spec["top"], spec["slope"], *spec["hood"]])
    out.listed(spec["leads"])
    out.numbers([spec["halved"], len(spec["planes"])])
    for plane in spec["planes"]:
        out.numbers(plane)
    out.numbers([len(spec["given"])])
    for given in spec["given"]:
        out.numbers(given)
    out.listed(size for _, size in spec["parameters"])
    out.numbers([len(spec["ops"])])
    for (kind, inputs, size, stage, attributes), lo, hi in zip(spec["ops"], spec["lo"], spec["hi"], strict=True):
        out.name(kind)
        out.listed(inputs)
        out.numbers([size, stage])
        out.arrays(attributes)
        out.listed(lo)
        out.listed(hi)
    out.numbers([len(spec["outputs"])])
    for output in spec["outputs"]:
        out.name(output["family"])
        out.arrays(output["parts"])
        out.arrays(output["tables"])
    out.numbers([len(spec["kept"])])
    for kept in spec["kept"]:
        out.numbers(kept)
    return bytes(out.data)


if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        (folder / f"{seed:03}.program").write_bytes(
            written(native_spec(RandomProgram(seed, mixed=seed % 2 == 1).program))
        )
