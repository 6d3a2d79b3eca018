"""Tiles of many small pictures, coded side by side before each picture is coded by itself.

A small tile does not fill the lanes of an engine; several do. What becomes of a picture does not change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.engines.tilecoder import EncodedTile, Tick, TileCodec
from ridecodec.engines.wrapper import Wrapper
from ridecodec.tiles.parallel import Meter, spread, workers

_BATCHES = 8
"""Times as many tiles are handed to an engine at once as it codes side by side."""
Planes = NDArray[np.uint8]
_Key = tuple[str, tuple[int, ...], bytes]


class Ahead:
    """Tiles that were coded ahead; ``label``: their class, where a model knows some."""

    def __init__(self, label: int | None = None) -> None:
        self._label = label
        self._found: dict[_Key, EncodedTile] = {}

    def code(self, wanted: Iterable[tuple[TileCodec, Planes]], threads: int, meter: Meter) -> None:
        """Code those tiles [C, H, W] that are alike and small; others that were coded before are forgotten."""
        self._found.clear()
        alike: dict[tuple[TileCodec, tuple[int, ...]], dict[bytes, Planes]] = defaultdict(dict)
        for codec, planes in wanted:
            alike[codec, planes.shape][planes.tobytes()] = planes
        jobs = []
        for (codec, shape), same in alike.items():
            together = codec.batch(*shape[1:])
            if together > 1 and len(same) > 1:
                tiles, step = list(same.values()), together * _BATCHES
                jobs += [(codec, tiles[first : first + step]) for first in range(0, len(tiles), step)]

        def work(job: tuple[TileCodec, list[Planes]]) -> None:
            codec, tiles = job
            coded = codec.encode_batch(np.stack(tiles), lambda pixels, bits: meter.tick(0, 0.0), self._label)
            self._found.update((_key(codec, tile), each) for tile, each in zip(tiles, coded, strict=True))

        if jobs:
            spread(work, jobs, workers(threads), meter)

    def of(self, codec: TileCodec) -> TileCodec:
        """A codec that does not code again what is known."""
        return _Knowing(codec, self._found)


def _key(codec: TileCodec, planes: Planes) -> _Key:
    return codec.name, planes.shape, planes.tobytes()


class _Knowing(Wrapper):
    def __init__(self, inner: TileCodec, found: Mapping[_Key, EncodedTile]) -> None:
        super().__init__(inner)
        self.half, self._found = inner.half, found

    def encode(self, pixels: Planes, tick: Tick, label: int | None = None) -> EncodedTile:
        known = self._found.get(_key(self.inner, pixels))
        if known is None:
            return self.inner.encode(pixels, tick, label)
        tick(pixels[0].size, float(known.bits.sum(dtype=np.float64)))
        return known
