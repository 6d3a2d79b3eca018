"""Forms: every one is read back, whatever it holds; damage never gives other errors or takes long."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from checker import CPU
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import KINDS

from ridecodec.container.reader import Reader
from ridecodec.engines.tilecoder import EncodedTile, TileCodec, decode_tiles, encode_tile
from ridecodec.errors import DamagedError
from ridecodec.models import registry
from ridecodec.tiles.forms import choosing, folding, indexing, reading, rows
from ridecodec.tiles.forms.choosing import Chooser
from ridecodec.tiles.forms.members import MEMBERS
from ridecodec.tiles.forms.part import Samples, Shape
from ridecodec.tiles.forms.pieces import Pieces
from ridecodec.tiles.forms.rows import Rows
from ridecodec.tiles.forms.views import repeats


def ignore(*args: object) -> None:
    pass


def load(member: int) -> TileCodec:
    return registry.load(registry.current(MEMBERS[member].name), CPU)


def decoded(payload: bytes, shape: Shape) -> Samples:
    """A payload's samples."""
    going = reading.decode(payload, shape)
    answer: NDArray[np.uint8] | None = None
    try:
        while True:
            request = going.send(answer) if answer is not None else next(going)
            size = (request.channels, request.height, request.width)
            (answer,) = decode_tiles(load(request.member), [request.payload], *size, ignore)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def plain(payload: bytes, shape: Shape) -> Samples:
    """Samples of a payload that asks for no model."""
    with pytest.raises(StopIteration) as end:
        next(reading.decode(payload, shape))
    return end.value.value  # type: ignore[no-any-return]


@st.composite
def parts(draw: st.DrawFn, side: int = 9) -> tuple[Samples, Shape]:
    """Parts of all depths: noise, few values, few colours, and pictures."""
    channels, height, width = draw(st.integers(1, 4)), draw(st.integers(1, side)), draw(st.integers(1, side))
    values = draw(st.sampled_from((2, 3, 4, 16, 17, 200, 256, 257, 4096, 65536)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(("noise", "values", "colours", "picture")))
    part = rng.integers(0, values, (channels, height, width), np.uint16)
    if kind == "values":
        part = rng.integers(0, values, 3, np.uint16)[part % 3]
    if kind == "colours":
        part = rng.integers(0, values, (3, channels), np.uint16)[part[0] % 3].transpose(2, 0, 1)
    if kind == "picture":
        drawn = draw(st.sampled_from(KINDS))
        part = np.stack([drawn((height, width), c).astype(np.uint32) * 257 % values for c in range(channels)])
    palette = None
    if channels == 1 and values <= 256 and draw(st.booleans()):
        palette = rng.integers(0, 256, (draw(st.integers(1, 256)), 3), np.uint8)
    return np.ascontiguousarray(part, np.uint16), Shape(channels, height, width, values, palette)


@settings(max_examples=60)
@given(parts())
def test_the_chosen_form_is_read_back(given_part: tuple[Samples, Shape]) -> None:
    part, shape = given_part
    payload = Chooser(part, shape, load, ignore).choose().payload
    assert np.array_equal(decoded(payload, shape), part)
    assert len(payload) <= len(Rows(part, shape).encode())


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_nothing_is_coded_twice_the_same_way(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks and colours of a part are often the same indices."""
    tried: list[tuple[str, bytes]] = []

    def model(backend: TileCodec, planes: NDArray[np.uint8], *options: Any) -> EncodedTile:
        tried.append((backend.name, planes.tobytes()))
        return encode_tile(backend, planes, *options)

    def packed(part: Samples, shape: Shape) -> Rows:
        tried.append((f"rows {shape.values}", part.tobytes()))
        return Rows(part, shape)

    monkeypatch.setattr(choosing, "encode_tile", model)
    monkeypatch.setattr(choosing, "Rows", packed)
    part = np.repeat(np.arange(64, dtype=np.uint16).reshape(1, 8, 8) // 9 * 20, channels, 0)
    Chooser(part, Shape(channels, 8, 8, 256), load, ignore).choose()
    assert len(set(tried)) == len(tried) > 2


@given(parts(20))
def test_rows(given_part: tuple[Samples, Shape]) -> None:
    part, shape = given_part
    payload = Rows(part, shape).encode()
    assert np.array_equal(plain(payload, shape), part)
    for cut in (1, len(payload) // 2):
        with pytest.raises(DamagedError):
            next(reading.decode(payload[:-cut], shape))


@given(parts(12), st.integers(0, 2**32))
def test_tables(given_part: tuple[Samples, Shape], seed: int) -> None:
    """Few colours, few values, and the order of lightness, each over packed rows."""
    part, shape = given_part
    size = 1 if shape.values <= 256 else 2
    found = indexing.colours(part)
    if found is not None:
        table, indices = found
        inner = shape.of(1, table.shape[1])
        payload = indexing.write_table(indexing.COLOURS, table, size) + Rows(indices, inner).encode()
        assert np.array_equal(plain(payload, shape), part)
    values = np.unique(part)
    ranks = np.searchsorted(values, part).astype(np.uint16)
    payload = indexing.write_table(indexing.RANKS, values[None], size)
    payload += Rows(ranks, shape.of(shape.channels, len(values))).encode()
    assert np.array_equal(plain(payload, shape), part)
    if shape.colours is not None:
        light = indexing.inverse(indexing.lights(shape))[part]
        payload = bytes([indexing.LIGHT]) + Rows(light, shape.of(1, shape.values)).encode()
        assert np.array_equal(plain(payload, shape), part)
        shown = indexing.displayed(part, shape)
        if shown is not None:
            payload = bytes([indexing.DISPLAYED]) + Rows(shown, shape.of(3, 256)).encode()
            assert np.array_equal(plain(payload, shape), part)


def test_lightness_orders_the_colours() -> None:
    palette = np.array([[255, 255, 255], [0, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    assert indexing.lights(Shape(1, 1, 1, 4, palette)).tolist() == [1, 3, 2, 0]


def test_shown_colours_must_tell_the_indices() -> None:
    palette = np.array([[1, 2, 3], [1, 2, 3], [9, 9, 9]], np.uint8)
    shape = Shape(1, 1, 2, 4, palette)
    assert indexing.displayed(np.array([[[0, 2]]], np.uint16), shape) is not None
    assert indexing.displayed(np.array([[[1, 2]]], np.uint16), shape) is None
    assert indexing.displayed(np.array([[[0, 3]]], np.uint16), shape) is None


@settings(max_examples=300)
@given(st.binary(max_size=60), st.integers(1, 4), st.sampled_from((2, 256, 65536)))
def test_any_bytes_are_samples_or_damaged(payload: bytes, channels: int, values: int) -> None:
    shape = Shape(channels, 5, 7, values, None)
    try:
        found = decoded(payload, shape)
    except DamagedError:
        return
    assert found.shape == (channels, 5, 7)
    assert found.max() < values


@settings(max_examples=100)
@given(parts(), st.data())
def test_changed_bytes_are_samples_or_damaged(given_part: tuple[Samples, Shape], data: st.DataObject) -> None:
    part, shape = given_part
    payload = bytearray(Chooser(part, shape, load, ignore).choose().payload)
    for _ in range(3):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decoded(bytes(payload), shape)
    except DamagedError:
        return
    assert found.shape == part.shape
    assert found.max() < shape.values


def test_forms_within_forms_end() -> None:
    """Tables of one colour in a row as long as you like."""
    table = indexing.write_table(indexing.RANKS, np.array([[0]], np.uint16), 1)
    with pytest.raises(DamagedError, match="its forms are nested too deeply"):
        next(reading.decode(table * 50 + reading.constant([0], Shape(1, 2, 2, 1)), Shape(1, 2, 2, 256)))


def test_what_is_packed_cannot_be_larger_than_the_picture() -> None:
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(1 << 24)) + packer.flush()
    payload = rows._framed(rows.DEFLATE, 0, bomb)
    with pytest.raises(DamagedError, match="its length does not match the picture"):
        next(reading.decode(payload, Shape(1, 10, 10, 256)))


def test_repeats() -> None:
    assert repeats(np.zeros((2, 3, 3), np.uint16)) == (8 / 9, 0)
    assert repeats(np.arange(9, dtype=np.uint16).reshape(1, 3, 3)) == (0, 6 / 9)


@given(st.integers(1, 4), st.integers(1, 7), st.integers(20, 900), st.booleans(), st.data())
def test_folded_parts(channels: int, short: int, long: int, tall: bool, data: st.DataObject) -> None:
    shape = Shape(channels, *((long, short) if tall else (short, long)), 256)
    part = np.random.default_rng(long).integers(0, 256, (channels, shape.height, shape.width), np.uint16)
    head, folded, inner = folding.fold(part, shape)
    assert folded.shape == (channels, inner.height, inner.width)
    assert inner.pixels <= 2 * shape.pixels
    payload = bytearray(head + Rows(folded, inner).encode())
    assert np.array_equal(plain(bytes(payload), shape), part)
    payload[1] = data.draw(st.integers(0, 127))
    try:
        found = plain(bytes(payload), shape)
    except DamagedError:
        return
    assert found.shape == part.shape


@pytest.mark.parametrize("shape", [(1, 1, 2048), (1, 2048, 1), (3, 5, 1500), (1, 1024, 12)])
def test_thin_drawings_are_folded(shape: tuple[int, int, int]) -> None:
    """If a model codes them, it does so in few steps."""
    drawing = np.random.default_rng(1).integers(0, 3, shape, np.uint16) * 90
    part = np.repeat(drawing, 4, int(np.argmax(shape)))[:, : shape[1], : shape[2]]
    payload = Chooser(part, Shape(*shape, 256), load, ignore).choose().payload
    going = reading.decode(payload, Shape(*shape, 256))
    try:
        request = next(going)
    except StopIteration:
        return
    assert not folding.thin(Shape(request.channels, request.height, request.width, 256))


def test_pieces_lie_where_the_code_is() -> None:
    """A small photograph on a large blank page is what its pieces are of."""
    part = np.zeros((1, 900, 1000), np.uint16)
    part[0, 300:500, 600:850] = np.random.default_rng(1).integers(0, 256, (200, 250))
    pieces = Pieces(part)
    where = np.zeros(part.shape[1:], np.float32)
    where[300:500, 600:850] = 1
    assert pieces.sum(where) > 0.5 * sum(np.empty(part.shape[1:])[place].size for place in pieces.places)
    assert 0.7 < pieces.whole(pieces.sum(where)) / where.sum() < 1.4


def test_members_take_what_they_say() -> None:
    for number, member in enumerate(MEMBERS):
        assert load(number).name == member.name


def test_a_table_is_as_long_as_it_says() -> None:
    table = np.arange(200, dtype=np.uint16)[None] // 3
    data = indexing.write_table(indexing.RANKS, table, 1)[1:]
    count, packed = data[:2], data[3:]
    assert data[2] == len(packed)
    assert np.array_equal(indexing.read_table(Reader(memoryview(data)), 1, 256), table)
    longer = zlib.compress(bytes(201), 9, -15)
    for other in (packed[:-1], packed + b"more", longer, zlib.compress(bytes(199), 9, -15)):
        with pytest.raises(DamagedError):
            indexing.read_table(Reader(memoryview(count + bytes([len(other)]) + other)), 1, 256)
