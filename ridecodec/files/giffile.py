"""GIF files of one picture: the blocks are walked here, so that nothing in them goes unseen; Pillow unpacks pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from ridecodec.errors import InputError
from ridecodec.files import metadata, pilfiles
from ridecodec.files.palettes import is_ramp
from ridecodec.files.source import Source, behind
from ridecodec.picture import Chunk, ColourType, Picture, check_pixels

_SIGNATURES = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"
_TEXT, _CONTROL, _COMMENT, _APPLICATION = 0x01, 0xF9, 0xFE, 0xFF
_XMP, _PROFILE, _LOOP = b"XMP DataXMP", b"ICCRGBG1012", (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_XMP_END = b"\1" + bytes(range(255, -1, -1))
_SQUARE = 49
"""The aspect ratio that means square pixels, as 0 does."""
_LONGEST_CODE = 12


def is_gif(start: bytes) -> bool:
    """Whether a file begins like one that `read` takes."""
    return start.startswith(_SIGNATURES)


def read(stream: BinaryIO, max_pixels: int) -> Source:
    """Read a GIF file of one picture (see `Source`)."""
    walk = _Walk(stream)
    walk.all()
    if walk.frames > 1:
        raise InputError(f"a picture of several frames (GIF, {walk.frames} frames) is not supported")
    if not walk.frames:
        raise _damaged("it has no picture")
    if walk.palette is None:
        raise InputError("a GIF file without a palette is not supported")
    check_pixels(*walk.screen, max_pixels)
    stream.seek(0)
    with pilfiles.opened(stream, max_pixels) as image:
        check_pixels(*image.size, max_pixels)
        indices = np.asarray(pilfiles.loaded(image), np.uint8)
    chunks = [*walk.first, Chunk(b"PLTE", walk.palette)]
    colour = ColourType.PALETTE
    palette = np.frombuffer(walk.palette, np.uint8).reshape(-1, 3)
    if is_ramp(palette, 8) and walk.transparent is None:
        colour, chunks = ColourType.GRAY, [*walk.first]
    elif walk.transparent is not None:
        if walk.transparent < len(palette):
            chunks.append(Chunk(b"tRNS", b"\xff" * walk.transparent + b"\0"))
        else:
            walk.lost.append("a transparent colour that its palette does not have")
    lost = tuple(dict.fromkeys(walk.lost)) + (behind(stream, walk.end) if walk.whole else ())
    others = [chunk for chunk in walk.others if chunk.kind != b"bKGD" or colour is ColourType.PALETTE]
    picture = Picture(indices[None], colour, 8, (*chunks, *others))
    if len(others) < len(walk.others):
        lost += ("its background",)
    return Source(picture, lost, tuple(walk.notes))


@dataclass
class _Walk:
    """What the blocks of a file say."""

    stream: BinaryIO
    screen: tuple[int, int] = (0, 0)
    frames: int = 0
    palette: bytes | None = None
    transparent: int | None = None
    first: list[Chunk] = field(default_factory=list)
    others: list[Chunk] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = True
    end: int = 0
    control: bytes | None = None

    def all(self) -> None:
        """Go through the file."""
        head = self._take(13)
        self.screen = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        flags, background, aspect = head[10:]
        self.palette = self._take(3 << (flags & 7) + 1) if flags & 0x80 else None
        if aspect not in (0, _SQUARE):
            self.lost.append("the aspect ratio of its pixels")
        while (kind := self.stream.read(1)) != _TRAILER:
            if kind == _EXTENSION:
                self._extension()
            elif kind == _IMAGE:
                self._image(background)
            elif kind == b"":
                self.whole = False
                self.notes.append("the block that ends it is missing")
                return
            else:
                raise _damaged(f"it has a block of kind {kind[0]}, which does not exist")
        self.end = self.stream.tell()
        if self.control is not None:
            self.lost.append("a control block without a picture")

    def _take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise _damaged("it is cut short")
        return data

    def _blocks(self) -> bytes:
        """The data of sub-blocks, joined."""
        data = bytearray()
        while length := self._take(1)[0]:
            data += self._take(length)
        return bytes(data)

    def _extension(self) -> None:
        label = self._take(1)[0]
        if label == _APPLICATION:
            self._application()
            return
        data = self._blocks()
        if label == _COMMENT:
            chunk = _comment(data)
            if chunk is not None:
                self.others.append(chunk)
            else:
                self.lost.append("a comment with bytes of 0")
        elif label == _CONTROL and len(data) == 4:
            if self.control is not None:
                self.lost.append("a control block without a picture")
            self.control = data
        elif label == _TEXT:
            self.lost.append("its blocks of plain text")
        else:
            self.lost.append("its blocks of unknown kinds")

    def _application(self) -> None:
        name = self._take(self._take(1)[0])
        begin = self.stream.tell()
        data = self._blocks()
        if name == _XMP:
            end = self.stream.tell()
            self.stream.seek(begin)
            data = self.stream.read(end - begin)[:-1]  # its sub-blocks are the text itself, up to a tail that ends them
            if data.endswith(_XMP_END):
                self.others.append(metadata.xmp_chunk(data[: -len(_XMP_END)]))
                return
        elif name == _PROFILE and not self.first:
            self.first.append(Chunk(b"ICC ", data))
            return
        loop = name in _LOOP
        words = "".join(char if char.isprintable() else "?" for char in name.decode("latin-1"))
        self.lost.append("its number of repeats" if loop else f"the data of an application ({words})")

    def _image(self, background: int) -> None:
        self.frames += 1
        left, top, width, height = (int.from_bytes(self._take(2), "little") for _ in range(4))
        flags = self._take(1)[0]
        shared = self.palette is not None
        if flags & 0x80:
            own = self._take(3 << (flags & 7) + 1)
            if shared and own != self.palette:
                self.lost.append("its palette for all frames")
            shared, self.palette = False, own
        if (left, top, width, height) != (0, 0, *self.screen):
            self.lost.append("the position of its picture on a screen of another size")
        if background and shared and self.palette is not None and background < len(self.palette) // 3:
            self.others.append(Chunk(b"bKGD", bytes([background])))
        elif background:
            self.lost.append("its background")
        if self.control is not None:
            delayed, self.transparent = self._controlled(self.control)
            self.lost += ["its delay or its disposal method"] if delayed else []
            self.control = None
        codes = self._take(1)[0]
        data = self._blocks()
        if self.frames == 1 and not _is_complete(data, codes, width * height):
            self.lost.append("the codes after its pixels")

    @staticmethod
    def _controlled(data: bytes) -> tuple[bool, int | None]:
        """Whether a control block asks for anything but to show the picture, and its transparent colour."""
        return bool(data[0] & ~1 or data[1] or data[2]), data[3] if data[0] & 1 else None


def _comment(data: bytes) -> Chunk | None:
    """The chunk that holds a comment; None where there is none."""
    try:
        return metadata.text_chunk("Comment", data.decode())
    except UnicodeDecodeError:
        return metadata.text_chunk("Comment", data.decode("latin-1"))


def _is_complete(data: bytes, bits: int, pixels: int) -> bool:
    """Whether the codes of a picture end where its pixels end; raises `InputError` where they end before."""
    if not 1 <= bits <= 11:
        raise _damaged(f"it has codes of {bits} bits")
    clear = 1 << bits
    lengths = [1] * clear + [0, 0]
    width, held, count, previous, done = bits + 1, 0, 0, 0, 0
    for at, byte in enumerate(data):
        held |= byte << count
        count += 8
        while count >= width:
            code = held & ((1 << width) - 1)
            held >>= width
            count -= width
            if code == clear:
                del lengths[clear + 2 :]
                width, previous = bits + 1, 0
            elif code == clear + 1:
                if done < pixels:
                    raise _damaged("its pixels are cut short")
                return done == pixels and at == len(data) - 1
            else:
                known = len(lengths)
                if previous and known < 1 << _LONGEST_CODE:
                    lengths.append(previous + 1)
                    if len(lengths) == 1 << width and width < _LONGEST_CODE:
                        width += 1
                if code >= len(lengths) or (not previous and code > clear):
                    raise _damaged("a code of its pixels is not known")
                previous = lengths[code]
                done += previous
    if done < pixels:
        raise _damaged("its pixels are cut short")
    return done == pixels


def _damaged(what: str) -> InputError:
    return InputError(f"the GIF data is damaged: {what}")
