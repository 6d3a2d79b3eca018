"""Channels that are tables of others, or of fewer values: gray in RGB, stretched contrast, 12 bits in 16."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ridecodec.box import Box
from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError
from ridecodec.histories.base import Frame, History
from ridecodec.picture import ColourType, Picture, Samples

_COLOURS = (ColourType.GRAY, ColourType.GRAY_ALPHA, ColourType.RGB, ColourType.RGBA)
"""By their number of channels."""
_SAMPLE = 1 << 16
"""Pixels by which a picture is judged."""
_FEW = 0.85
"""Share of the values up to which a channel uses few."""
_OFTEN = 8
"""Samples of a value from which on it is no chance that the next one has none."""
_PER_VALUE = 32
"""Pixels for each value of a table: the values that few pixels have are few by chance."""
_ALIKE = 0.995
"""Share of the pixels at which a channel is what a table makes of another."""
_LONGEST = 1 << 13
"""Bytes of tables up to which they may pay."""

Table = NDArray[np.uint16]


@dataclass(frozen=True)
class Mapped(History):
    """8 or 16 bits; each channel is looked up in a table by a channel of the source, which may have fewer of them.

    ``channels`` are the source's, by channel of the picture; ``tables`` have two bytes for each of its values,
    little-endian. The source has 8 bits if no table has more than 256 values.
    """

    number: ClassVar[int] = 5
    name: ClassVar[str] = "mapped"

    channels: tuple[int, ...]
    tables: tuple[bytes, ...]

    @classmethod
    def detect(cls, picture: Picture) -> Mapped | None:
        """Judged by some rows; if they say so, by all."""
        if picture.colour not in _COLOURS or picture.bit_depth < 8:
            return None
        rows = max(1, _SAMPLE // picture.width)
        some = np.ascontiguousarray(picture.planes[:, :: -(-picture.height // rows)]).reshape(picture.channels, -1)
        if (some == some[:, :1]).all():
            return None
        sources = _sources(some)
        few = [_few(some[channel]) for channel in range(len(some))]
        if len(set(sources)) == len(sources) and not any(few):
            return None
        found = _tables(picture, sources, few)
        fewer = len(set(sources)) < len(sources) or any(len(t) // 2 < 1 << picture.bit_depth for t in found.tables)
        return found if fewer and len(found.write()) <= _LONGEST else None

    @classmethod
    def read(cls, parameters: bytes, frame: Frame) -> Mapped:
        """The source's channel of each, the number of values of each of the source's, and the tables, deflated."""
        if frame.colour not in _COLOURS or frame.bit_depth < 8:
            raise DamagedError("the history is damaged: it has tables of values for a picture that cannot have them")
        reader = Reader(memoryview(parameters))
        channels = tuple(reader.take(frame.channels, "history"))
        if sorted(set(channels)) != list(range(len(set(channels)))):
            raise DamagedError("the history is damaged: it has tables of channels that do not exist")
        counts = [reader.varint("history") for _ in set(channels)]
        if not all(0 < count <= 1 << frame.bit_depth for count in counts):
            raise DamagedError("the history is damaged: it has tables of too many values")
        lengths = [2 * counts[channel] for channel in channels]
        steps = np.frombuffer(_inflated(reader, sum(lengths)), "<u2")
        ends = np.cumsum(lengths) // 2
        tables = [np.cumsum(each, dtype=np.uint16) for each in np.split(steps, ends[:-1])]
        if any(int(table.max()) >> frame.bit_depth for table in tables):
            raise DamagedError("the history is damaged: it has a table with a value that is out of range")
        return cls(channels, tuple(table.astype("<u2").tobytes() for table in tables))

    def write(self) -> bytes:
        """As `read` reads it; tables as differences, modulo 2^16."""
        counts = b"".join(write_varint(count) for count in self._counts)
        steps = b"".join(np.diff(each, prepend=np.uint16(0)).astype("<u2").tobytes() for each in self._looked_up)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
        return bytes(self.channels) + counts + packer.compress(steps) + packer.flush()

    @property
    def words(self) -> str:
        """Such as `1 channel of 256 values`."""
        counts = self._counts
        values = str(counts[0]) if len(set(counts)) == 1 else f"{', '.join(map(str, counts[:-1]))} and {counts[-1]}"
        return f"{len(counts)} channel{'s' * (len(counts) > 1)} of {values} value{'s' * (counts != [1])}"

    @property
    def _counts(self) -> list[int]:
        """Values of each channel of the source."""
        return [len(self.tables[self.channels.index(source)]) // 2 for source in range(max(self.channels) + 1)]

    @property
    def _looked_up(self) -> list[Table]:
        return [np.frombuffer(table, "<u2").astype(np.uint16) for table in self.tables]

    def sources(self, frame: Frame) -> tuple[Frame, ...]:
        """A picture of as many channels as are not tables of others."""
        counts = self._counts
        depth = 8 if max(counts) <= 256 else 16
        return (Frame(frame.width, frame.height, _COLOURS[len(counts) - 1], depth),)

    def undo(self, picture: Picture) -> tuple[Samples, ...]:
        """Of each channel of the source, where the values of the first picture's channel of it stand in its table."""
        (frame,) = self.sources(Frame.of(picture))
        found = np.empty((frame.channels, frame.height, frame.width), frame.dtype)
        tables = self._looked_up
        for source in range(frame.channels):
            channel = _finest(self.channels, tables, source)
            rank = np.zeros(1 << picture.bit_depth, frame.dtype)
            rank[tables[channel]] = np.arange(len(tables[channel]))
            found[source] = rank[picture.planes[channel]]
        return (found,)

    def needs(self, frame: Frame, box: Box) -> tuple[Box, ...]:
        """The same pixels."""
        return (box,)

    def redo(self, source: Sequence[Samples], frame: Frame, box: Box) -> Samples:
        """Look up; a sample beyond a table is as its last one."""
        planes = [
            table.astype(frame.dtype)[np.minimum(source[0][channel], len(table) - 1)]
            for channel, table in zip(self.channels, self._looked_up, strict=True)
        ]
        return np.stack(planes)


def _finest(channels: tuple[int, ...], tables: list[Table], source: int) -> int:
    """The channel of a picture that tells most values of a channel of the source apart."""
    return max((k for k, each in enumerate(channels) if each == source), key=lambda k: len(np.unique(tables[k])))


def _sources(planes: Samples) -> list[int]:
    """Of each channel [C, n], the one that it is a table of: itself, if of no other."""
    kinds = [len(np.unique(plane)) for plane in planes]
    order = sorted(range(len(planes)), key=lambda channel: (-kinds[channel], channel))
    found = list(range(len(planes)))
    for place, channel in enumerate(order):
        for other in order[:place]:
            told = kinds[channel] == 1 or kinds[other] * _PER_VALUE <= planes.shape[1]
            if found[other] == other and told and _looks_up(planes[other], planes[channel]):
                found[channel] = other
                break
    return found


def _looks_up(plane: Samples, other: Samples) -> bool:
    table = np.zeros(int(plane.max()) + 1, other.dtype)
    table[plane] = other
    return bool((table[plane] == other).mean() >= _ALIKE)


def _few(plane: Samples) -> bool:
    """Whether a channel leaves many values out between values that are frequent."""
    counts = np.bincount(plane)
    used = np.flatnonzero(counts)
    often = counts[used] >= _OFTEN
    gaps = (np.diff(used) - 1)[often[1:] & often[:-1]]
    return len(used) * _PER_VALUE <= len(plane) and len(used) <= _FEW * (len(used) + int(gaps.sum()))


def _tables(picture: Picture, sources: list[int], few: list[bool]) -> Mapped:
    """The tables of all pixels."""
    own = sorted(set(sources))
    values: dict[int, NDArray[np.int64]] = {}
    for channel in own:
        used = np.flatnonzero(np.bincount(picture.planes[channel].reshape(-1)))
        paired = sources.count(channel) > 1 and picture.bit_depth == 16
        values[channel] = used if few[channel] or paired else np.arange(1 << picture.bit_depth)
    tables = []
    for channel, source in enumerate(sources):
        looked_up = np.zeros(1 << picture.bit_depth, np.uint16)
        looked_up[picture.planes[source].reshape(-1)] = picture.planes[channel].reshape(-1)
        table = values[source] if channel == source else _filled(looked_up, picture.planes[source])[values[source]]
        tables.append(table.astype("<u2").tobytes())
    return Mapped(tuple(own.index(source) for source in sources), tuple(tables))


def _filled(table: Table, plane: Samples) -> Table:
    """A table whose values that no pixel has are as the ones before."""
    used = np.zeros(len(table), np.int64)
    used[plane.reshape(-1)] = 1
    last = np.maximum.accumulate(np.where(used > 0, np.arange(len(table)), 0))
    return table[last]


def _inflated(reader: Reader, length: int) -> bytes:
    """The rest, inflated, of just this length."""
    inflate = zlib.decompressobj(-15)
    try:
        data = inflate.decompress(reader.take(reader.left, "history"), length + 1)
    except zlib.error as error:
        raise DamagedError(f"the history is damaged ({error})") from error
    if len(data) != length or not inflate.eof or inflate.unused_data:
        raise DamagedError("the history is damaged: its tables do not have the length that they claim")
    return data
