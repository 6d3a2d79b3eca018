"""What was done to a picture, found out: all histories that seem to pay, and what is left to be coded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ridecodec.histories import exceptions
from ridecodec.histories.base import Frame, History
from ridecodec.histories.tree import DEEPEST, Node
from ridecodec.picture import Picture, Samples

_MOST_PIXELS = 1 << 26
"""Pixels up to which histories are looked for: they are undone at once, in some ten bytes a pixel."""
_WORTH = 1.15
"""Estimated share of the bits up to which a history is tried."""
_EXCEPTION = 20
"""Bits that one takes, about."""
_SAMPLE, _BAND = 1 << 18, 32
"""Pixels of a picture by which its bits are estimated, and how many rows of them lie together."""
_CLASSES = 18


@dataclass(frozen=True, eq=False)
class Undone:
    """A picture, and what it was made from if its node has a history; ``difference`` [C, H, W] are the exceptions."""

    node: Node
    picture: Picture
    difference: Samples | None = None
    sources: tuple[Undone, ...] = ()
    share: float = 1.0
    """Of the bits of the picture, what the source takes, about."""
    rate: float = 0.0
    """Bits of a sample of the picture, about."""

    @property
    def all(self) -> Iterator[Undone]:
        """This one and all below it, in the order of `Node.nodes`."""
        yield self
        for source in self.sources:
            yield from source.all


def undone(picture: Picture, histories: Sequence[type[History]]) -> Undone:
    """The picture taken back as far as that seems to pay; its node has no history where it does not."""
    return _undone(picture, histories, DEEPEST if picture.width * picture.height <= _MOST_PIXELS else 0)


def _undone(picture: Picture, histories: Sequence[type[History]], depth: int) -> Undone:
    frame = Frame.of(picture)
    for kind in histories if depth else ():
        history = kind.detect(picture)
        if history is None:
            continue
        found = by(picture, history)
        if found.share < _WORTH:
            inner = tuple(_undone(each.picture, histories, depth - 1) for each in found.sources)
            node = replace(found.node, sources=tuple(each.node for each in inner))
            return replace(found, node=node, sources=inner)
    return Undone(Node(frame), picture)


def by(picture: Picture, history: History) -> Undone:
    """The picture taken back by one history, whether that pays or not."""
    frame = Frame.of(picture)
    source = history.undo(picture)
    difference = picture.planes - history.redo(source, frame, frame.box)
    count = int(np.count_nonzero(exceptions.places(difference)))
    pictures = [_picture(*each, picture) for each in zip(history.sources(frame), source, strict=True)]
    taken = sum(map(_bits, pictures)) + _EXCEPTION * count + 8 * len(history.write())
    plain = _bits(picture)
    inner = tuple(Undone(Node(Frame.of(each)), each) for each in pictures)
    node = Node(frame, history, count, tuple(each.node for each in inner))
    return Undone(node, picture, difference, inner, taken / max(plain, 1.0), plain / frame.samples)


def _picture(frame: Frame, samples: Samples, whole: Picture) -> Picture:
    """A source, with the palette of the picture where it has indices."""
    palette = tuple(chunk for chunk in whole.metadata if chunk.kind == b"PLTE") if frame.colour.indexed else ()
    return Picture(samples, frame.colour, frame.bit_depth, palette)


def _bits(picture: Picture) -> float:
    """What a picture takes, about: by the sizes of the errors of a prediction from the left and above."""
    rows = max(_BAND, _SAMPLE // picture.width)
    every = -(-picture.height // rows)
    planes = picture.planes if every == 1 else _bands(picture.planes, every)
    bits = 0.0
    for plane in _related(planes.astype(np.int32), picture.bit_depth):
        sizes = np.bincount(np.frexp(_errors(plane))[1].reshape(-1), minlength=_CLASSES)
        share = sizes[sizes > 0] / sizes.sum()
        bits -= float(sizes[sizes > 0] @ np.log2(share)) - float(sizes @ np.arange(len(sizes)))
    return float(bits * picture.planes[0].size / planes[0].size)


def _bands(planes: Samples, every: int) -> Samples:
    """Some bands of rows of a picture."""
    bands = [planes[:, top : top + _BAND] for top in range(0, planes.shape[1], _BAND * every)]
    return np.concatenate(bands, axis=1)


def _related(planes: NDArray[np.int32], bits: int) -> Iterator[NDArray[np.int32]]:
    """Planes whose sizes of errors add up: of colours, what differs from green."""
    for number, plane in enumerate(planes):
        if len(planes) >= 3 and number in (0, 2):
            half = 1 << (bits - 1)
            yield (plane - planes[1] + half) % (1 << bits) - half
        else:
            yield plane


def _errors(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of each sample, what it differs from the median of left, above and their sum without the one between."""
    ends = np.pad(plane, ((1, 0), (1, 0)), "edge")
    left, above, corner = ends[1:, :-1], ends[:-1, 1:], ends[:-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    found: NDArray[np.int32] = plane - np.clip(left + above - corner, low, high)
    return found
