"""The histories of one picture: a tree, as each picture of a source may have a history of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ridecodec.container.reader import Reader
from ridecodec.container.varint import LIMIT, write_varint
from ridecodec.errors import DamagedError
from ridecodec.histories import registry
from ridecodec.histories.base import MOST_PARAMETERS, Frame, History

DEEPEST = 4
"""Histories on one another."""
FREE_SAMPLES = 4096
"""That a source may have beside twice those of the picture."""
_NONE = 0
_PART = "history"


@dataclass(frozen=True)
class Node:
    """A picture, and what it was made from; without a history it is coded as it is.

    ``exceptions`` are the pixels that the history does not give.
    """

    frame: Frame
    history: History | None = None
    exceptions: int = 0
    sources: tuple[Node, ...] = ()

    @property
    def nodes(self) -> Iterator[Node]:
        """This one and all below it, a picture before its sources: the order of the file."""
        yield self
        for source in self.sources:
            yield from source.nodes

    @property
    def words(self) -> str:
        """All histories, for people: `Photo CD 4:2:0, 0.2 % exceptions`, and what the source was made from."""
        found = [node._words for node in self.nodes if node.history is not None]
        return "; ".join(found)

    @property
    def _words(self) -> str:
        assert self.history is not None
        if not self.exceptions:
            return self.history.words
        share = 100 * self.exceptions / (self.frame.width * self.frame.height)
        return f"{self.history.words}, {max(share, 0.01):.2g} % exceptions"


def write(node: Node) -> bytes:
    """What `read` takes."""
    if node.history is None:
        return bytes([_NONE])
    parameters = node.history.write()
    head = bytes([node.history.number, node.history.version]) + write_varint(len(parameters)) + parameters
    return head + write_varint(node.exceptions) + b"".join(map(write, node.sources))


def read(section: bytes | memoryview, frame: Frame) -> Node:
    """The tree of a picture with this frame; raises DamagedError, and ModelMissingError for unknown histories."""
    reader = Reader(memoryview(section))
    found = _read(reader, frame, 0)
    if reader.left:
        raise DamagedError("the history is damaged: there are bytes after its end")
    if found.history is None:
        raise DamagedError("the history is damaged: there is none")
    if sum(node.frame.samples for node in found.nodes) > DEEPEST * most_samples(frame):
        raise DamagedError("the history is damaged: its source is larger than sources can be")
    return found


def most_samples(frame: Frame) -> int:
    """How many samples the source of a picture may have."""
    return 2 * frame.samples + FREE_SAMPLES


def _read(reader: Reader, frame: Frame, depth: int) -> Node:
    number = reader.integer(1, _PART)
    if number == _NONE:
        return Node(frame)
    if depth == DEEPEST:
        raise DamagedError("the history is damaged: there are too many histories on one another")
    kind = registry.of_number(number, reader.integer(1, _PART))
    length = reader.varint(_PART)
    if length > MOST_PARAMETERS:
        raise DamagedError("the history is damaged: it has too many parameters")
    history = kind.read(bytes(reader.take(length, _PART)), frame)
    exceptions = reader.varint(_PART)
    sources = history.sources(frame)
    wrong = any(not 0 < side < LIMIT for each in sources for side in (each.width, each.height))
    if wrong or sum(each.samples for each in sources) > most_samples(frame):
        raise DamagedError("the history is damaged: its source is larger than sources can be")
    if exceptions > frame.width * frame.height:
        raise DamagedError("the history is damaged: it has more exceptions than pixels")
    return Node(frame, history, exceptions, tuple(_read(reader, each, depth + 1) for each in sources))
