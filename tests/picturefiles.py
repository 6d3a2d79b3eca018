"""Picture files made byte by byte, for tests: what writers of files would not write."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ridecodec.errors import InputError
from ridecodec.picture import Picture

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Pictures of others, where there are some."""
PNGSUITE = sorted((DATA / "pngsuite").glob("*.png"))
GRAY = np.random.default_rng(1).integers(0, 256, (23, 31), np.uint8)
RGB = np.random.default_rng(2).integers(0, 256, (23, 31, 3), np.uint8)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Picture:
    """The picture of a file, whatever else is in it."""
    return Picture.open(io.BytesIO(data), pixels=True)


def refused(data: bytes, message: str) -> None:
    """Opening `data` must raise an `InputError` of one line that says `message`."""
    with pytest.raises(InputError, match=message) as caught:
        opened(data)
    assert "\n" not in str(caught.value)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, depth: int, colour: int, raster: bytes, *chunks: bytes) -> bytes:
    """A PNG file of `raster` (filter bytes included), with further chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(raster))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def tiff(samples: bytes, bits: tuple[int, ...], photometric: int, *tags: tuple[int, int]) -> bytes:
    """A TIFF file of one strip of 1x1 pixels; `tags` are further SHORT tags."""
    offset = 8
    bits_at = offset + len(samples)
    body = samples + struct.pack(f"<{len(bits)}H", *bits)
    entries = {256: 1, 257: 1, 259: 1, 262: photometric, 277: len(bits), 278: 1, 273: offset, 279: len(samples)}
    rows = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in [*entries.items(), *tags]]
    rows.append(struct.pack("<HHII", 258, 3, len(bits), bits_at if len(bits) > 2 else bits[0] | bits[-1] << 16))
    directory = (
        struct.pack("<H", len(rows)) + b"".join(sorted(rows, key=lambda row: struct.unpack_from("<H", row))) + bytes(4)
    )
    return b"II*\0" + struct.pack("<I", offset + len(body)) + body + directory


def jpeg2000(depth: int) -> bytes:
    data = bytearray(encoded(Image.fromarray(RGB), "JPEG2000"))
    size_marker = data.index(b"\xff\x4f\xff\x51") + 4
    data[size_marker + 38 : size_marker + 47 : 3] = bytes([depth - 1]) * 3
    return bytes(data)


def avif(deep: bool) -> bytes:
    data = bytearray(encoded(Image.fromarray(RGB), "AVIF"))
    if deep:
        data[data.index(b"av1C") + 6] |= 0x40
        depths = data.index(b"pixi") + 9
        data[depths : depths + 3] = bytes([10] * 3)
    return bytes(data)


def animation(file_format: str) -> bytes:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    return encoded(frames[0], file_format, save_all=True, append_images=frames[1:])


def sgi16() -> bytes:
    return struct.pack(">HBBHHHH", 474, 0, 2, 3, 1, 1, 3).ljust(512, b"\0") + bytes(6)


def mode(name: str, file_format: str = "PNG") -> Callable[[], bytes]:
    return lambda: encoded(Image.new(name, (5, 4)), file_format)
