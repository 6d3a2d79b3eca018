"""What every history must do, whatever it is. All tests of histories go through `check_history`."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from ridecodec.box import Box
from ridecodec.errors import DamagedError
from ridecodec.histories.base import MOST_PARAMETERS, Frame, History
from ridecodec.picture import Picture, Samples

_BOXES = 8


def check_history(history: History, picture: Picture, seed: int = 0) -> Samples:
    """Hold a history against its contract on a picture; returns where the map gives other pixels, bool [H, W]."""
    frame = Frame.of(picture)
    parameters = history.write()
    assert len(parameters) <= MOST_PARAMETERS
    assert type(history).read(parameters, frame) == history
    _check_damage(history, parameters, frame)
    assert 0 < history.number < 256
    assert history.name.replace("-", "").isalnum()
    assert history.words

    sources = history.sources(frame)
    assert sources
    assert all(each.width > 0 and each.height > 0 and each.bit_depth in each.colour.depths for each in sources)
    assert sum(each.samples for each in sources) <= 2 * frame.samples + 4096

    before = picture.planes.copy()
    source = history.undo(picture)
    assert np.array_equal(picture.planes, before)
    assert len(source) == len(sources)
    for samples, each in zip(source, sources, strict=True):
        _check_samples(samples, each, each.box)
    whole = redone(history, source, frame, frame.box)

    draw = random.Random(seed)
    for _ in range(_BOXES):
        x, y = draw.randrange(frame.width), draw.randrange(frame.height)
        box = Box(x, y, draw.randint(1, frame.width - x), draw.randint(1, frame.height - y))
        part = redone(history, source, frame, box)
        assert np.array_equal(part, box.cut(whole, frame.box))

    noise = np.random.default_rng(seed)
    wild = [noise.integers(0, 1 << e.bit_depth, (e.channels, e.height, e.width)).astype(e.dtype) for e in sources]
    redone(history, wild, frame, frame.box)
    return np.asarray((whole != picture.planes).any(0))


def redone(history: History, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
    """What a history makes of the boxes of a whole source that it needs for a box, checked."""
    parts = []
    for needed, samples, each in zip(history.needs(frame, box), source, history.sources(frame), strict=True):
        assert 0 <= needed.x < needed.x + needed.width <= each.width
        assert 0 <= needed.y < needed.y + needed.height <= each.height
        parts.append(needed.cut(samples, each.box))
    found = history.redo(parts, frame, box)
    _check_samples(found, frame, box)
    return found


def _check_samples(samples: Samples, frame: Frame, box: Box) -> None:
    assert samples.shape == (frame.channels, box.height, box.width)
    assert samples.dtype == frame.dtype
    assert frame.bit_depth >= 8 or samples.max() < 1 << frame.bit_depth


def _check_damage(history: History, parameters: bytes, frame: Frame) -> None:
    """Parameters that are cut short or too long are refused, and no others give anything but a history."""
    for damaged in (parameters[:-1] if parameters else b"\0", parameters + b"\0"):
        try:
            type(history).read(damaged, frame)
        except DamagedError:
            continue
        raise AssertionError("damaged parameters are taken")
