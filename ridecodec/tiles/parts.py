"""The parts of a picture's source in a file: which payload codes what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridecodec.box import Box
from ridecodec.container import rdc
from ridecodec.container.rdc import Container, Header, TileBoxes
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame

if TYPE_CHECKING:
    from ridecodec.histories.tree import Node


@dataclass(frozen=True)
class Part:
    """A picture of the tree, in squares, and its payloads from number ``first`` on.

    A picture without a history has one for each square. One with exceptions has the places of all squares, and then
    their differences; one without exceptions has none.
    """

    node: Node
    first: int
    boxes: TileBoxes

    @property
    def payloads(self) -> int:
        """How many there are."""
        if self.node.history is None:
            return len(self.boxes)
        return 2 * len(self.boxes) if self.node.exceptions else 0

    @property
    def named(self) -> Iterator[tuple[str, Box, int, int]]:
        """What each payload codes: a word, the square, the channels, and the bits of a sample."""
        frame = self.node.frame
        if self.node.history is None:
            yield from (("source", box, frame.channels, frame.bit_depth) for box in self.boxes)
        elif self.node.exceptions:
            yield from (("places of exceptions", box, 1, 1) for box in self.boxes)
            yield from (("exceptions", box, frame.channels, max(8, frame.bit_depth)) for box in self.boxes)


def frame_of(header: Header) -> Frame:
    """The frame of the picture in a file."""
    return Frame(header.width, header.height, header.colour, header.bit_depth)


def layout(root: Node, side: int) -> list[Part]:
    """The parts of a tree, in the order of the file, cut into squares of ``side`` pixels; 0: none is cut."""
    parts: list[Part] = []
    at = 0
    for node in root.nodes:
        parts.append(Part(node, at, rdc.tile_boxes(node.frame.width, node.frame.height, side)))
        at += parts[-1].payloads
    return parts


def read(held: Container) -> list[Part]:
    """The parts of a file that has a history; raises DamagedError."""
    from ridecodec.histories import tree  # with all histories, which few files need

    found = layout(tree.read(held.history, frame_of(held.header)), held.header.tile)
    if sum(part.payloads for part in found) != len(held.lengths):
        raise DamagedError("the tile index is damaged: it is not that of the history's source")
    return found
