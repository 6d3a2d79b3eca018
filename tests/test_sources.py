"""Histories against the second decoder's formulas, which docs/format.md states."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pictures import noise
from reference_sources import SAMPLINGS, SOURCES

from ridecodec.histories.base import Frame, History
from ridecodec.histories.conversions import WORDS
from ridecodec.histories.enlarged import Enlarged, Scale
from ridecodec.histories.mapped import Mapped
from ridecodec.histories.repeated import Repeated
from ridecodec.histories.ycbcr import YCbCr
from ridecodec.picture import Picture

TABLES = tuple(np.random.default_rng(3).integers(0, 256, n).astype("<u2").tobytes() for n in (200, 90, 200))
HISTORIES = [
    *(YCbCr(number, 0) for number in range(len(WORDS))),
    *(YCbCr(0, number) for number in range(1, len(SAMPLINGS))),
    Enlarged(Scale(2, 5, 3), Scale(1, 300, 299)),
    Repeated(5, 7),
    Mapped((0, 1, 0), TABLES),
]


@pytest.mark.parametrize("history", HISTORIES, ids=repr)
def test_the_second_decoder_makes_the_same(history: History) -> None:
    """Of any samples, which files may hold, in a picture of a size that is no multiple of anything."""
    frame = Frame.of(Picture.from_numpy(noise((13, 17, 3), 0)))
    sources = history.sources(frame)
    of = SimpleNamespace(
        width=frame.width, height=frame.height, colour=int(frame.colour), depth=8, parameters=history.write()
    )
    sizes, made = SOURCES[history.number]
    assert sizes(of) == [(each.width, each.height, each.colour, each.bit_depth) for each in sources]
    draw = np.random.default_rng(1)
    planes = [draw.integers(0, 256, (e.channels, e.height, e.width), np.uint8) for e in sources]
    assert np.array_equal(history.redo(planes, frame, frame.box), made(of, planes))
