"""The container: what is written is read back, and whatever is damaged is noticed without taking memory for it."""

from __future__ import annotations

import io
import random
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridecodec.box import Box
from ridecodec.container import modelfield, rdc
from ridecodec.container.rdc import Container, Header
from ridecodec.errors import DamagedError, ModelMissingError, RidecodecError
from ridecodec.picture import Chunk, ColourType

HEADER = Header(300, 200, ColourType.RGB, 8, "photo", b"hash", 0x12345678)
TYPES = list(rdc.TYPES.values())
OF_TILES = [name for name in modelfield.MODEL_IDS.values() if name != modelfield.HISTORY]
NAMES = st.sampled_from([*OF_TILES, "a", "mcgsm-2.1", "~" * 64])
CHUNKS = st.lists(
    st.builds(Chunk, st.sampled_from([b"iCCP", b"eXIf", b"a ~!"]), st.binary(max_size=300)), max_size=3
).map(tuple)


def parts(file: Container) -> tuple[Header, tuple[Chunk, ...], list[bytes]]:
    """Everything in a file, all checksums verified."""
    return file.header, file.metadata, [bytes(file.payload(i)) for i in range(len(file.lengths))]


def varint(value: int) -> bytes:
    low = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in low[:-1]), low[-1]])


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def checked(head: bytes) -> bytes:
    """A header with its check."""
    return head + crc(head)[:2]


def head(flags: int, *fields: bytes, model: bytes = b"\1hash") -> bytes:
    """A header put together from docs/format.md: the fields before the model, then those after the samples' CRC."""
    return checked(
        b"\x92RD\1" + bytes([flags]) + b"".join(fields[:2]) + model + b"\x78\x56\x34\x12" + b"".join(fields[2:])
    )


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, tuple[Chunk, ...], list[bytes]]:
    width, height = draw(st.integers(1, 500)), draw(st.integers(1, 500))
    tile = draw(st.one_of(st.just(0), st.integers(max(width, height) // 6 + 1, 600)))
    colour, depth = draw(st.sampled_from(TYPES))
    hash4, checksum = draw(st.binary(min_size=4, max_size=4)), draw(st.integers(0, 2**32 - 1))
    header = Header(width, height, colour, depth, draw(NAMES), hash4, checksum, tile)
    count = len(header.boxes)
    return header, draw(CHUNKS), draw(st.lists(st.binary(max_size=200), min_size=count, max_size=count))


@given(files())
def test_round_trip(file: tuple[Header, tuple[Chunk, ...], list[bytes]]) -> None:
    header, metadata, payloads = file
    data = rdc.write(header, metadata, payloads)
    back = rdc.read(data)
    assert parts(back) == (replace(header, tile=header.tile if len(payloads) > 1 else 0), metadata, payloads)
    assert back.header_bytes + back.metadata_bytes + back.index_bytes + back.lengths.sum() == len(data)
    assert back.total_bytes == len(data)


@given(files())
def test_the_head_is_read_alone(file: tuple[Header, tuple[Chunk, ...], list[bytes]]) -> None:
    data = rdc.write(*file)
    held = rdc.read(data)
    head = data[: held.header_bytes + held.metadata_bytes]
    assert rdc.read_head(io.BytesIO(data)) == (held.header, held.metadata)
    assert rdc.read_head(io.BytesIO(head)) == (held.header, held.metadata)
    with pytest.raises(DamagedError):
        rdc.read_head(io.BytesIO(head[:-1]))


def test_damaged_metadata_in_a_head() -> None:
    data = bytearray(rdc.write(HEADER, [Chunk(b"eXIf", random.Random(1).randbytes(500))], [b""]))
    data[300] ^= 1
    with pytest.raises(DamagedError, match="metadata is damaged: its checksum"):
        rdc.read_head(io.BytesIO(data))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (32, 32), (16383, 16383)])
def test_one_tile_costs_at_most_24_bytes(width: int, height: int) -> None:
    payload = bytes(300)
    data = rdc.write(replace(HEADER, width=width, height=height), (), [payload])
    assert len(data) <= 24 + len(payload)
    assert parts(rdc.read(data))[2] == [payload]


def test_bytes_are_those_of_the_specification() -> None:
    payload = b"payload"
    one_tile = head(2, varint(300), varint(200)) + crc(payload) + payload
    assert rdc.write(HEADER, (), [payload]) == one_tile
    assert one_tile[:-11].hex(" ") == "92 52 44 01 02 ac 02 c8 01 01 68 61 73 68 78 56 34 12 9d cb"

    noise = np.random.default_rng(1).bytes(200)
    chunks = b"eXIf" + varint(200) + noise
    payloads = [b"one", b""]
    index = b"".join(varint(len(p)) + crc(p) for p in payloads)
    tiled = head(
        0b11100000, varint(300), varint(200), varint(200), varint(len(chunks)) + crc(chunks), model=b"\0\3abchash"
    )
    tiled += chunks + index + crc(index) + b"one"
    header = replace(HEADER, colour=ColourType.GRAY, bit_depth=16, model="abc", tile=200)
    assert rdc.write(header, [Chunk(b"eXIf", noise)], payloads) == tiled


def test_metadata_is_deflated_where_that_is_shorter() -> None:
    chunks = (Chunk(b"tEXt", b"Comment\0" + b"word " * 100), Chunk(b"tIME", bytes(7)))
    data = rdc.write(HEADER, chunks, [b"payload"])
    back = rdc.read(data)
    assert back.metadata == chunks
    assert back.metadata_bytes < 60
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(1 << 20)) + packed.flush()
    for claimed in (len(bomb), 1 << 20, 2**31 - 1):
        section = b"\0" + varint(claimed) + bomb
        fields = varint(len(section)) + crc(section)
        with pytest.raises(DamagedError, match="metadata"):
            rdc.read(head(0x42, varint(3), varint(3), fields) + section + crc(b""))


SMALL = [
    rdc.write(HEADER, (), [b"some payload"]),
    rdc.write(
        replace(HEADER, tile=128, model="another"), [Chunk(b"eXIf", b"12345"), Chunk(b"iCCP", b"")], [b"tile"] * 6
    ),
]


@pytest.mark.parametrize("data", SMALL)
def test_truncation_at_every_byte_is_noticed(data: bytes) -> None:
    parts(rdc.read(data))
    for length in range(len(data)):
        with pytest.raises(DamagedError):
            parts(rdc.read(data[:length]))


@pytest.mark.parametrize("data", SMALL)
def test_every_flipped_bit_is_noticed(data: bytes) -> None:
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            parts(rdc.read(bytes(damaged)))


@pytest.mark.parametrize("data", SMALL)
def test_bytes_after_the_end_are_noticed(data: bytes) -> None:
    with pytest.raises(DamagedError):
        parts(rdc.read(data + b"\0"))


def test_mutations_with_a_valid_header_check() -> None:
    """Where the header's check does not help, the reader still raises its own errors or gives the right payloads."""
    rng = random.Random(1)
    header = replace(HEADER, tile=20)
    payloads = [rng.randbytes(rng.randrange(40)) for _ in range(len(header.boxes))]
    data = rdc.write(header, [Chunk(b"eXIf", rng.randbytes(100))], payloads)
    header_bytes = rdc.read(data).header_bytes
    outcomes, messages = [], []
    for _ in range(2000):
        mutated = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            end = header_bytes - 2 if rng.random() < 0.8 else len(mutated)
            position = rng.randrange(4, end)
            kind = rng.randrange(4)
            if kind == 0:
                mutated[position] = rng.randrange(256)
            elif kind == 1:
                mutated[position] ^= 1 << rng.randrange(8)
            elif kind == 2:
                mutated[position : position + 5] = b"\xff\xff\xff\xff\x07"
            elif position < header_bytes:
                mutated[position:position] = rng.randbytes(1)
                del mutated[header_bytes - 2]
        mutated[:header_bytes] = checked(bytes(mutated[: header_bytes - 2]))
        try:
            outcomes.append(parts(rdc.read(bytes(mutated)))[2] == payloads)
        except RidecodecError as error:
            messages.append(str(error))
    assert not any("\n" in message for message in messages)
    assert outcomes
    assert all(outcomes)


CLAIMS = {
    "2^31 x 2^31, not a number of the format": head(2, varint(2**31), varint(2**31)),
    "most pixels in one tile": head(2, varint(2**31 - 1), varint(2**31 - 1)),
    "most pixels in tiles": head(0x82, varint(2**31 - 1), varint(2**31 - 1), varint(2**30)) + 4 * (b"\0" + crc(b"")),
    "10^9 tiles": head(0x82, varint(31623), varint(31623), varint(1)),
    "2^62 tiles": head(0x82, varint(2**31 - 1), varint(2**31 - 1), varint(1)),
    "metadata": head(0x42, varint(3), varint(3), varint(2**31 - 1), bytes(4)),
    "the name of the model": head(2, varint(3), varint(3), model=b"\0" + varint(2**31 - 1)),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_that_is_no_honest_size_takes_no_memory(claim: str) -> None:
    data = CLAIMS[claim] + bytes(1000)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError):
            rdc.read(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_lengths_of_tiles_and_chunks_are_not_trusted() -> None:
    index = varint(2**31 - 1) + crc(b"") + varint(0) + crc(b"")
    with pytest.raises(DamagedError, match="pixel data is cut short"):
        rdc.read(head(0x82, varint(9), varint(5), varint(5)) + index + crc(index))
    chunk = b"eXIf" + varint(2**31 - 1)
    with pytest.raises(DamagedError, match="metadata"):
        rdc.read(head(0x42, varint(9), varint(5), varint(len(chunk)) + crc(chunk)) + chunk + crc(b""))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (head(1 | 1 << 3, b"\5", b"\5"), "a picture type that does not exist"),
        (head(2 | 5 << 3, b"\5", b"\5"), "a picture type that does not exist"),
        (head(2 | 1 << 3, b"\5", b"\5"), "a picture type that does not exist"),
        (head(2, b"\0", b"\5"), "without pixels"),
        (head(2, b"\5", b"\0"), "without pixels"),
        (head(2, b"\x85\0", b"\5"), "shortest form"),
        (head(2, b"\x85\x80\x80\x80\x80\1", b"\5"), "too long"),
        (head(0x82, b"\5", b"\5", b"\0"), "tile size"),
        (head(0x82, b"\5", b"\5", b"\5"), "tile size"),
        (head(0x42, b"\5", b"\5", b"\0", bytes(4)), "metadata"),
        (head(2, b"\5", b"\5", model=b"\0\0hash"), "name of the model"),
        (head(2, b"\5", b"\5", model=b"\0\5photohash"), "name of the model"),
        (head(2, b"\5", b"\5", model=b"\0\1\nhash"), "name of the model"),
        (head(2, b"\5", b"\5", model=b"\0\1\xffhash"), "name of the model"),
        (b"\x89PNG\r\n\x1a\n", "not an .rdc file"),
        (b"", "not an .rdc file"),
        (b"\x92RD\2", "newer ridecodec"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(header: bytes, part: str) -> None:
    with pytest.raises(DamagedError, match=part):
        rdc.read(header + crc(b""))


def test_a_model_of_a_later_version_is_missing_not_damaged() -> None:
    with pytest.raises(ModelMissingError, match="model number 200"):
        rdc.read(head(2, b"\5", b"\5", model=b"\xc8hash") + crc(b""))


def test_a_damaged_tile_is_named_and_the_others_are_not_affected() -> None:
    file = rdc.read(SMALL[1][:-1] + b"?")
    assert [bytes(file.payload(i)) for i in range(5)] == [b"tile"] * 5
    with pytest.raises(DamagedError, match=r"tile 5 \(at 256,128\)"):
        file.payload(5)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"height": 2**31},
        {"model_hash": b"long hash"},
        {"model": ""},
        {"model": "with space"},
        {"model": "new\n"},
        {"bit_depth": 4},
        {"tile": 200},
    ],
)
def test_what_the_format_cannot_hold_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"header|range|named|picture|payloads"):
        rdc.write(replace(HEADER, **change), (), [b""])
    with pytest.raises(ValueError, match="kind"):
        rdc.write(HEADER, [Chunk(b"long kind", b"")], [b""])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 50))
def test_tiles_cover_every_pixel_once(width: int, height: int, tile: int) -> None:
    covered = np.zeros((height, width), int)
    boxes = rdc.tile_boxes(width, height, tile)
    for box in boxes:
        covered[box.y : box.y + box.height, box.x : box.x + box.width] += 1
        assert max(box.width, box.height) <= (tile or 40)
        assert min(box.width, box.height) > 0
    assert (covered == 1).all()
    assert [(box.y, box.x) for box in boxes] == sorted((box.y, box.x) for box in boxes)


def test_tiles_are_computed_when_asked_for() -> None:
    boxes = rdc.tile_boxes(2**31 - 1, 2**31 - 1, 1)
    assert len(boxes) == (2**31 - 1) ** 2
    assert boxes[-1] == Box(2**31 - 2, 2**31 - 2, 1, 1)
    assert boxes[5:7] == [Box(5, 0, 1, 1), Box(6, 0, 1, 1)]
    with pytest.raises(IndexError):
        boxes[len(boxes)]
