"""PNG files of every type, read and written exactly, with all their chunks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from ridecodec.files.pngchunks import MARK, SIGNATURE, Header, Scan, damaged, framed, parts, scan
from ridecodec.files.pngrows import Bytes, filtered_rows, packed, unfiltered, unpacked
from ridecodec.files.source import Source, behind
from ridecodec.picture import MAX_PIXELS, Chunk, ColourType, Picture

__all__ = [
    "MARK",
    "SIGNATURE",
    "Header",
    "Scan",
    "filtered_rows",
    "framed",
    "parts",
    "raster",
    "read",
    "scan",
    "unfiltered",
    "write",
]

_PIECE = 1 << 20
_LEVEL = 6
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def is_png(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes, or like one whose signature a transfer has damaged."""
    return start.startswith(SIGNATURE) or b"IHDR" in start[8:20]


def read(stream: BinaryIO, max_pixels: int = MAX_PIXELS) -> Source:
    """Read a PNG file (see `Source`); what libpng takes with a warning is taken."""
    found = scan(stream, max_pixels)
    header = found.header
    inflated = _Inflated(stream, found.pixels)
    shape = (header.height, header.width, header.colour.channels)
    samples = np.empty(shape, np.uint16 if header.bit_depth == 16 else np.uint8)
    padded = False
    for part in header.passes:
        above = None
        spare = 8 * part.row_bytes - part.width * header.bit_depth * header.colour.channels
        for band in part.bands():
            rows = np.frombuffer(inflated.take((band.stop - band.start) * (part.row_bytes + 1)), np.uint8)
            rows = rows.reshape(-1, part.row_bytes + 1)
            try:
                raw = unfiltered(rows[:, 0], rows[:, 1:], header.bpp, above)
            except ValueError as error:
                raise damaged(str(error)) from error
            inside = part.of(samples)[band]
            inside[:] = unpacked(raw, inside.shape, header.bit_depth)
            padded = padded or bool((raw[:, -1] & ((1 << spare) - 1)).any())
            above = raw[-1]
    further = inflated.finish()
    lost = (*found.lost, *(["the bits after the last pixel of its rows"] if padded else []), *further)
    if not found.ended and not inflated.checked:
        raise damaged("it is cut short")
    notes = [] if inflated.checked or further else ["has no checksum of its pixels"]
    notes += [] if found.ended else ["has no IEND chunk, which ends a PNG file"]
    try:
        picture = Picture(samples.transpose(2, 0, 1), header.colour, header.bit_depth, found.metadata)
    except ValueError as error:
        raise damaged(str(error)) from error
    return Source(picture, (*lost, *behind(stream, found.end)), tuple(notes))


def write(stream: BinaryIO, picture: Picture) -> None:
    """Write a picture as a PNG file, its chunks around the pixels where they stood.

    Metadata that no PNG file has is left out; a raw ICC profile becomes an iCCP chunk.  Raises `OutputError` for a type
    of picture that PNG does not have.
    """
    header = Header.of(picture)
    before, after = parts(_permitted(picture))
    stream.write(SIGNATURE + framed(b"IHDR", header.data))
    _write_chunks(stream, before)
    packer = zlib.compressobj(_LEVEL)
    plain = header.colour is ColourType.PALETTE or header.bit_depth < 8  # filters do no good there
    held = b""
    for rows in raster(picture, header, 0 if plain else None):
        held += packer.compress(rows.data)
        if len(held) > _PIECE:
            stream.write(framed(b"IDAT", held))
            held = b""
    stream.write(framed(b"IDAT", held + packer.flush()))
    _write_chunks(stream, after)
    stream.write(framed(b"IEND", b""))


def raster(picture: Picture, header: Header, kind: int | Bytes | None) -> Iterator[Bytes]:
    """The rows of a picture as PNG packs them, in bands, uint8 [h, 1 + row_bytes]: filter type, filtered bytes.

    `kind` is as in `filtered_rows`; an array has a type for each row of all passes.
    """
    samples, done = picture.interleaved(), 0
    for part in header.passes:
        above = None
        for band in part.bands():
            raw = packed(part.of(samples)[band], header.bit_depth)
            own = kind[done : done + len(raw)] if isinstance(kind, np.ndarray) else kind
            types, filtered = filtered_rows(raw, header.bpp, own, above)
            yield np.concatenate([types[:, None], filtered], axis=1)
            above, done = raw[-1], done + len(raw)


def writable(kind: bytes) -> bool:
    """Whether a PNG file may have a chunk of metadata of this kind: a palette, or one that readers can do without."""
    return kind == b"PLTE" or (kind.isalpha() and kind[:1].islower())


def _permitted(picture: Picture) -> list[Chunk]:
    """The metadata as a PNG file of the picture can have it: what the specification forbids is cut or left out."""
    held = list(picture.metadata)
    colour, animation = picture.colour, _animation(picture)
    gray = colour in (ColourType.GRAY, ColourType.GRAY_ALPHA)
    entries = 2**picture.bit_depth if colour is ColourType.PALETTE else 256
    if (palette := picture.chunk(b"PLTE")) is not None:
        entries = min(entries, len(palette) // 3)
    lengths = {
        b"PLTE": 0 if gray else 3 * entries,
        b"hIST": 0 if palette is None or gray else 2 * entries,
        b"tRNS": {ColourType.GRAY: 2, ColourType.RGB: 6, ColourType.PALETTE: entries}.get(colour, 0),
    }
    exact = (b"hIST", *([] if colour is ColourType.PALETTE else [b"tRNS"]))
    out = []
    for chunk in held:
        most = lengths.get(chunk.kind, len(chunk.data))
        fits = chunk.kind not in _ANIMATION or animation
        if fits and (chunk.kind not in lengths or (most and (chunk.kind not in exact or len(chunk.data) >= most))):
            out.append(Chunk(chunk.kind, chunk.data[:most]))
    return out


def _animation(picture: Picture) -> bool:
    """Whether the chunks of an animation are those of one frame of the size that the picture has."""
    found = {kind: [chunk.data for chunk in picture.metadata if chunk.kind == kind] for kind in _ANIMATION}
    size = picture.width.to_bytes(4, "big") + picture.height.to_bytes(4, "big")
    controls = found[b"fcTL"]
    return len(found[b"acTL"]) == len(controls) == 1 and controls[0][4:20] == size + bytes(8)


def _write_chunks(stream: BinaryIO, chunks: Iterable[Chunk]) -> None:
    for chunk in chunks:
        kind, data = chunk.kind, chunk.data
        if kind == b"ICC ":
            kind, data = b"iCCP", b"ICC Profile\0\0" + zlib.compress(data)
        if writable(kind):
            stream.write(framed(kind, data))


class _Inflated:
    """Unpacks the pixels piece by piece."""

    def __init__(self, stream: BinaryIO, pixels: Sequence[tuple[int, int]]) -> None:
        self._pieces = _pieces(stream, pixels)
        self._unpacker = zlib.decompressobj()

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        taken = bytearray()
        while len(taken) < count:
            more = self._some(count - len(taken))
            if not more:
                raise damaged("its pixels are cut short")
            taken += more
        return bytes(taken)

    def finish(self) -> list[str]:
        """Read on to the checksum of what was taken, and name what stands behind it: libpng leaves it out."""
        if self._some(1):
            return ["the rows beyond its height"]
        behind = self._unpacker.unused_data or any(self._pieces)
        return ["the bytes after its packed pixels"] if behind else []

    @property
    def checked(self) -> bool:
        """Whether all that was taken has the right checksum: it stands at the end, which was read."""
        return self._unpacker.eof

    def _some(self, most: int) -> bytes:
        """At least one byte, or none at the end."""
        try:
            while not self._unpacker.eof:
                data = self._unpacker.unconsumed_tail or next(self._pieces, b"")
                out = self._unpacker.decompress(data, most)
                if out or not data:
                    return out
        except zlib.error as error:
            raise damaged(f"its pixels cannot be unpacked ({error})") from error
        return b""


def _pieces(stream: BinaryIO, pixels: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for start, length in pixels:
        stream.seek(start)
        for at in range(0, length, _PIECE):
            yield stream.read(min(length - at, _PIECE))
