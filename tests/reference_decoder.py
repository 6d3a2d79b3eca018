"""A second decoder of .rdc and .rdca files, written from docs/format.md alone: numpy and plain Python, a pixel at a
time.

It shares no line with the package and needs no torch, so what it decodes shows that the specification suffices. It is
as slow as it is plain, and trusts its input beyond the checksums: for tests with small pictures, and for study.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import reference_forms
import reference_histories
import reference_programs
from safetensors.numpy import load

MODELS = {1: "photo", 2: "gradient", 3: "uniform", 4: "mcgsm-gray", 5: "ride-gray", 6: "ride-rgb"}
MODELS |= {7: "eomcgsm-gray", 8: "eoride-gray", 9: "pixelcnn-cifar", 10: "gated-cifar", 11: "conditional-cifar"}
MODELS |= {
    12: "autoencoder-cifar",
    13: "pixelrnn-cifar",
    14: "multiscale-cifar",
    15: "auto",
    16: "graphics",
    17: "deep",
    18: "mixture-cifar",
    19: "ride-cifar",
    20: "history",
    21: "record",
}
DEPTHS = (8, 1, 2, 4, 16)
CHANNELS = (1, 4, 3, 1, 2, 4, 4, 2)
ORDERS = {1: [0], 2: [1, 0], 3: [1, 0, 2], 4: [3, 1, 0, 2]}
MEMBERS = ("photo", "gradient", "graphics", "deep")
ENSEMBLES = ("eomcgsm-gray", "eoride-gray")
TOTAL = 2**24 - 16  # of a table of 16 symbols, whose floor is 1 / 2^24 each
CUMULATIVE = 64 * (TOTAL - 256)  # what a model's distribution reaches


class Bytes:
    """The file, read from its beginning."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        assert self.at + count <= len(self.data), "cut short"
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def decode(data: bytes, weights: Path) -> np.ndarray:
    """The samples in ``data``, [H, W] or [H, W, C], uint16 if there are 16 bits, else uint8.

    ``weights`` is the folder of the models' files.
    """
    file = Bytes(data)
    assert file.take(3) == b"\x92RD"
    assert file.number(1) == 1
    flags = file.number(1)
    width, height = file.varint(), file.varint()
    name, model_hash = model_field(file)
    samples = file.number(4)
    side = file.varint() if flags & 128 else 0
    metadata, metadata_check = (file.varint(), file.number(4)) if flags & 64 else (0, 0)
    check = zlib.crc32(data[: file.at]) & 0xFFFF
    assert file.number(2) == check
    section = file.take(metadata)
    assert zlib.crc32(section) == metadata_check
    if not side and name != "history":
        check = file.number(4)
        assert zlib.crc32(data[file.at :]) == check
    body = file.take(len(data) - file.at)
    return decode_body(body, flags, width, height, side, name, model_hash, section, samples, weights)


def decode_archive(data: bytes, weights: Path) -> dict[str, np.ndarray]:
    """The samples of every picture in an archive, by name."""
    file = Bytes(data)
    assert file.take(3) == b"\x92RA"
    assert file.number(1) == 1
    count, models, sections, kinds = (file.varint() for _ in range(4))
    named = [model_field(file) for _ in range(models)]
    metadata = [file.take(file.varint()) for _ in range(sections)]
    known = []
    for _ in range(kinds):
        flags = file.number(1)
        model, width, height = file.varint(), file.varint(), file.varint()
        side = file.varint() if flags & 128 else 0
        section = metadata[file.varint()] if flags & 64 else b""
        known.append((flags, width, height, side, *named[model], section))
    names = zlib.decompress(file.take(file.varint()), -15).decode().split("\n")
    assert len(names) == count
    index = []
    for number in range(count):
        kind = file.varint() if 1 < kinds < count else 0 if kinds == 1 else number
        index.append((known[kind], file.varint(), file.number(4)))
    check = zlib.crc32(data[: file.at])
    assert file.number(4) == check
    found = {
        name: decode_body(file.take(length), *kind, samples, weights)
        for name, (kind, length, samples) in zip(names, index, strict=True)
    }
    assert file.at == len(data)
    return found


def model_field(file: Bytes) -> tuple[str, bytes]:
    """Name and hash of a model."""
    number = file.number(1)
    name = MODELS[number] if number else file.take(file.varint()).decode("ascii")
    return name, file.take(4)


def decode_body(
    body: bytes,
    flags: int,
    width: int,
    height: int,
    side: int,
    name: str,
    model_hash: bytes,
    section: bytes,
    samples: int,
    weights: Path,
) -> np.ndarray:
    """The samples of a picture, of its tile index and payloads, or of its one payload if ``side`` is 0."""
    file = Bytes(body)
    depth = DEPTHS[flags >> 3 & 7]
    order = ORDERS[CHANNELS[flags & 7]]  # channels in coding order
    if name == "history":
        frame = reference_histories.Frame(width, height, flags & 7, depth)
        colours = palette(section) if flags & 7 == 3 else None
        picture = from_history(file, frame, side, model_hash, weights, colours).transpose(1, 2, 0)
        picture = np.ascontiguousarray(picture, np.uint16 if depth == 16 else np.uint8)
        return checked(picture, flags, depth, samples)
    index = [(len(body), zlib.crc32(body))]
    step = side or max(width, height)
    corners = [(y, x) for y in range(0, height, step) for x in range(0, width, step)]
    if side:
        index = [(file.varint(), file.number(4)) for _ in corners]
        check = zlib.crc32(body[: file.at])
        assert file.number(4) == check
    picture = np.empty((height, width, len(order)), np.uint16 if depth == 16 else np.uint8)
    decoder = forms(model_hash, weights, depth, palette(section) if flags & 7 == 3 else None)
    if name != "auto":
        model = make_model(name, model_hash, weights)

        def decoder(payload: bytes, height: int, width: int, channels: int) -> np.ndarray:
            return decode_tile(model, payload, height, width, channels, ensemble=name in ENSEMBLES)

    for (y, x), (length, check) in zip(corners, index, strict=True):
        payload = file.take(length)
        assert zlib.crc32(payload) == check
        part = picture[y : y + step, x : x + step]
        planes = decoder(payload, *part.shape)
        part[:, :, order] = planes.transpose(1, 2, 0)
    assert file.at == len(body)
    return checked(picture, flags, depth, samples)


def checked(picture: np.ndarray, flags: int, depth: int, samples: int) -> np.ndarray:
    """The picture [H, W, C], or [H, W] of one channel, held against the checksum of its samples."""
    height, width, channels = picture.shape
    kind = bytes([flags & 7, depth]) + width.to_bytes(4, "little") + height.to_bytes(4, "little")
    assert zlib.crc32(kind + picture.tobytes()) == samples
    return picture if channels > 1 else picture[:, :, 0]


def from_history(
    file: Bytes,
    frame: reference_histories.Frame,
    side: int,
    model_hash: bytes,
    weights: Path,
    colours: np.ndarray | None,
) -> np.ndarray:
    """The samples [C, H, W] of a picture that is made from a source."""
    reader = Bytes(file.take(file.varint()))
    reference_histories.read(reader, frame)
    assert reader.at == len(reader.data)
    index = [(file.varint(), file.number(4)) for _ in range(file.varint())]
    check = zlib.crc32(file.data[: file.at])
    assert file.number(4) == check

    def part(channels: int, depth: int, height: int, width: int, indexed: bool = False) -> np.ndarray:
        length, check = index.pop(0)
        payload = file.take(length)
        assert zlib.crc32(payload) == check
        if not length:
            return np.zeros((channels, height, width), int)
        planes = forms(model_hash, weights, depth, colours if indexed else None)(payload, height, width, channels)
        return planes[np.argsort(ORDERS[channels])]

    def picture(frame: reference_histories.Frame) -> np.ndarray:
        channels, step = CHANNELS[frame.colour], side or max(frame.width, frame.height)
        squares = [
            (slice(y, min(y + step, frame.height)), slice(x, min(x + step, frame.width)))
            for y in range(0, frame.height, step)
            for x in range(0, frame.width, step)
        ]
        out = np.zeros((channels, frame.height, frame.width), int)
        sizes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in squares]
        if not frame.number:
            for (rows, columns), size in zip(squares, sizes, strict=True):
                out[:, rows, columns] = part(channels, frame.depth, *size, frame.colour == 3)
            return out
        if frame.exceptions:
            places = [part(1, 1, *size)[0] == 1 for size in sizes]
            for (rows, columns), where in zip(squares, places, strict=True):
                numbers = part(channels, max(8, frame.depth), 1, int(where.sum()))
                out[:, rows, columns][:, where] = reference_histories.difference(numbers[:, 0])
        found = reference_histories.made(frame, [picture(source) for source in frame.sources])
        return (found + out) % (65536 if frame.depth == 16 else 256)

    found = picture(frame)
    assert not index
    assert file.at == len(file.data)
    return found


def palette(section: bytes) -> np.ndarray:
    """The colours in the metadata, [entries, 3]."""
    reader = Bytes(section)
    if section[:1] == b"\0":
        reader = Bytes(zlib.decompress(section[1 + (section[1] > 127) + 1 :], -15))
    while True:
        kind = reader.take(4)
        found = reader.take(reader.varint())
        if kind == b"PLTE":
            return np.frombuffer(found, np.uint8).reshape(-1, 3).astype(int)


def forms(
    model_hash: bytes, weights: Path, depth: int, colours: np.ndarray | None
) -> Callable[[bytes, int, int, int], np.ndarray]:
    """Decodes tiles of the model `auto`."""

    def decoder(payload: bytes, height: int, width: int, channels: int) -> np.ndarray:
        def modelled(member: int, payload: bytes, channels: int, height: int, width: int) -> np.ndarray:
            name, hash4 = members[member]
            assert name == MEMBERS[member]
            return decode_tile(make_model(name, bytes.fromhex(hash4), weights), payload, height, width, channels)

        cards = [json.loads(path.read_text()) for path in weights.glob("auto*.json")]
        members = next(card["members"] for card in cards if card["hash"] == model_hash.hex())
        reader = Bytes(payload)
        found = reference_forms.Part(reader, height, width, colours, modelled).read(channels, 2**depth)
        assert reader.at == len(payload)
        return found

    return decoder


class RangeDecoder:
    """Range coder with a state of 64 bits, words of 32 and probabilities of 24."""

    def __init__(self, code: bytes) -> None:
        self.words = Bytes(code + bytes(8))
        self.low, self.range = 0, 2**64 - 1
        self.point = self.word() << 32 | self.word()

    def word(self) -> int:
        return int.from_bytes(self.words.take(4), "big")

    def symbol(self, edges: list[int]) -> int:
        """The next symbol; symbol s is as likely as ``(edges[s + 1] - edges[s]) / 2^24``."""
        scale = self.range >> 24
        quantile = (self.point - self.low) % 2**64 // scale
        found = max(s for s in range(len(edges) - 1) if edges[s] <= quantile)
        self.low = (self.low + scale * edges[found]) % 2**64
        self.range = scale * (edges[found + 1] - edges[found])
        if self.range < 2**32:
            self.low = (self.low << 32) % 2**64
            self.point = (self.point << 32) % 2**64 | self.word()
            self.range <<= 32
        return found

    def decision(self, likely: int) -> int:
        """1 with the probability ``likely / 2^24``, else 0."""
        return self.symbol([0, 2**24 - likely, 2**24])


class Tile:
    """The planes of a tile, int64 [P, H, W]: channels in coding order, then what the model derives from them."""

    def __init__(
        self, slope: int, channels: int, height: int, width: int, side: bytes, half: np.ndarray | None = None
    ) -> None:
        self.slope, self.channels, self.height, self.width, self.side = slope, channels, height, width, side
        self.half = half
        self.planes = np.zeros((3 * channels, height, width), np.int64)
        self.memory: Any = None  # for the model
        self.outside: list[tuple[int, int]] = [(0, 128)] * channels + [(0, 0)] * 2 * channels

    def value(self, plane: int, y: int, x: int) -> int:
        rule, initial = self.outside[plane]
        if rule == 1 and (y < 0 or not 0 <= x < self.width):
            return initial
        if y < 0:  # rows above repeat row 0, each further to the right
            y, x = 0, x + self.slope * y
        if x < 0:
            y, x = y - 1, 0
        if y < 0:
            return initial
        return int(self.planes[plane, y, min(x, self.width - 1)])

    def around(self, plane: int, y: int, x: int, offsets: list[tuple[int, int]]) -> np.ndarray:
        return np.array([self.value(plane, y + dy, x + dx) for dy, dx in offsets])


@dataclass
class Model:
    """How a tile is decoded."""

    pixel: Callable[[Tile, int, int], Iterator[Any]]
    """Gives the cumulative M(0..256) of each channel; when resumed, the channel is in the tile's planes."""
    slope: Callable[[int], int]
    """By the tile's width."""
    half: Model | None = None
    ahead: Callable[[Tile, int], None] | None = None
    """Runs the passes ahead of a front."""
    lead: int = 0
    """How many fronts the first of them is ahead."""


def decode_tile(
    model: Model, payload: bytes, height: int, width: int, channels: int, ensemble: bool = False
) -> np.ndarray:
    reader = Bytes(payload)
    side = reader.take(reader.varint())
    way = 0
    if ensemble:
        way, side = side[0], side[1:]
        height, width = (width, height) if way & 4 else (height, width)
    half = None
    if model.half:
        half = decode_tile(model.half, side, (height + 1) // 2, (width + 1) // 2, channels)
    slope = model.slope(width)
    tile = Tile(slope, channels, height, width, side, half)
    if half is not None:
        tile.planes[:channels, ::2, ::2] = half
    coder = RangeDecoder(payload[reader.at :])
    for t in range(-model.lead, width + slope * (height - 1)):
        if model.ahead is not None:
            model.ahead(tile, t)
        places = [(y, t - slope * y) for y in range(height) if 0 <= t - slope * y < width]
        pixels = [model.pixel(tile, y, x) for y, x in places]
        coded = [half is None or y % 2 == 1 or x % 2 == 1 for y, x in places]
        for c in range(channels if places else 0):
            found = [next(pixel) for pixel in pixels]
            if callable(found[0]):  # it learns from pixel to pixel
                for (y, x), read, wanted in zip(places, found, coded, strict=True):
                    if wanted:
                        tile.planes[c, y, x] = read(coder.decision)
                continue
            bounds = [floored(each) for each, wanted in zip(found, coded, strict=True) if wanted]
            high = [coder.symbol(high_edges(f)) for f in bounds]
            low = [coder.symbol(low_edges(f, h)) for f, h in zip(bounds, high, strict=True)]
            drawn = [place for place, wanted in zip(places, coded, strict=True) if wanted]
            for i, (y, x) in enumerate(drawn):
                tile.planes[c, y, x] = 16 * high[i] + low[i]
        for pixel in pixels:
            next(pixel, None)
    planes = tile.planes[:channels]
    planes = planes[:, :, ::-1] if way & 1 else planes
    planes = planes[:, ::-1] if way & 2 else planes
    return planes.transpose(0, 2, 1) if way & 4 else planes


def floored(cumulative: np.ndarray) -> list[int]:
    inner = cumulative + 64 * np.arange(257)
    return [0, *map(int, inner[1:256]), 64 * TOTAL]


def high_edges(f: list[int]) -> list[int]:
    return [f[16 * s] // 64 + s for s in range(17)]


def low_edges(f: list[int], high: int) -> list[int]:
    part = [f[16 * high + s] - f[16 * high] for s in range(17)]
    reciprocal = (TOTAL << 26) // part[16]
    return [(part[s] * reciprocal >> 26) + s for s in range(16)] + [2**24]


@lru_cache(maxsize=3)
def make_model(name: str, model_hash: bytes, weights: Path) -> Model:
    if name == "uniform":
        assert hashlib.sha256(b"ridecodec uniform 1").digest()[:4] == model_hash
        return Model(uniform, lambda width: 1)
    files = [path.read_bytes() for path in weights.glob("*.safetensors")]
    data = next(file for file in files if hashlib.sha256(file).digest()[:4] == model_hash)
    tensors = {
        k: v if v.dtype == np.float32 else v.astype(np.int64)
        for k, v in load(data).items()
        if not k.startswith("float.")
    }
    if "programs" in tensors:
        return programs(tensors)
    raise AssertionError(name)


def programs(tensors: dict[str, np.ndarray], prefix: str = "") -> Model:
    """A model of programs, one for each number of channels, and of its half where there is one."""
    found: dict[int, reference_programs.Program] = {}
    names = json.loads(bytes(tensors["programs"].astype(np.uint8)))["programs"]

    def program(channels: int) -> reference_programs.Program:
        if channels not in found:
            found[channels] = reference_programs.Program(tensors, channels, prefix)
        return found[channels]

    def ready(tile: Tile) -> reference_programs.Program:
        held = program(tile.channels)
        if tile.memory is None:
            tile.memory = {}
            tile.outside = [held.initial(plane) for plane in range(held.channels + len(held.kept))]
            planes = np.zeros((len(tile.outside), tile.height, tile.width), np.int64)
            planes[: tile.channels] = tile.planes[: tile.channels]
            tile.planes = planes
        return held

    def pixel(tile: Tile, y: int, x: int) -> Iterator[Any]:
        return reference_programs.pixel(ready(tile), tile, y, x)

    def ahead(tile: Tile, t: int) -> None:
        reference_programs.ahead(ready(tile), tile, t)

    first = program(min(int(name) for name in names if name.isdecimal()))
    half = programs(tensors, "half.") if not prefix and any(name.startswith("half.") for name in names) else None
    return Model(pixel, first.pace, half, ahead, first.leads[0])


def uniform(tile: Tile, y: int, x: int) -> Iterator[Any]:
    for _ in range(tile.channels):
        yield np.arange(257) * (CUMULATIVE // 256)
