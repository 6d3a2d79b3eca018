"""What goes in comes out: any picture, any size, any tiles, every model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from checker import MODELS, check_round_trip, codec, coding_planes, fit
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import KINDS, Array, arrays, constant, crop, piece, woven

import ridecodec
from ridecodec.container import rdc
from ridecodec.container.payload import split_payload
from ridecodec.engines.tilecoder import decode_tiles, encode_tile

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (13, 10)]


def tile_of(data: st.DataObject, array: Array) -> int:
    """A tile size that cuts the picture into a few pieces, or not at all."""
    side = max(array.shape[:2])
    return data.draw(st.one_of(st.just(0), st.integers(-(-side // 3), side + 1)), label="tile")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("model", MODELS)
def test_small_pictures(model: str, channels: tuple[int, ...], kind: Callable[..., Array]) -> None:
    for seed, shape in enumerate(SHAPES):
        check_round_trip(kind((*shape, *channels), seed), model)


@given(arrays(), st.data())
@settings(max_examples=25)
def test_photo(array: Array, data: st.DataObject) -> None:
    check_round_trip(array, "photo", tile_of(data, array))


@given(arrays(), st.data())
@settings(max_examples=40)
def test_gradient(array: Array, data: st.DataObject) -> None:
    check_round_trip(array, "gradient", tile_of(data, array))


@given(arrays(), st.data())
@settings(max_examples=50)
def test_uniform(array: Array, data: st.DataObject) -> None:
    check_round_trip(array, "uniform", tile_of(data, array))


@pytest.mark.parametrize("model", MODELS)
def test_tiny_tiles(model: str) -> None:
    check_round_trip(crop("astronaut", 7, 5), model, 1)
    check_round_trip(crop("camera", 11, 17), model, 3)


@pytest.mark.parametrize("shape", [(64, 65), (64, 65, 3)])
def test_tiles_that_differ(shape: tuple[int, ...]) -> None:
    """In one batch."""
    coder = codec("photo")
    tiles = [coding_planes(array) for array in (woven(shape, 1), piece(shape, 1), woven(shape, 2), constant(shape, 1))]
    payloads = [encode_tile(coder, tile, ignore).payload for tile in tiles]
    for tile, found in zip(tiles, decode_tiles(coder, payloads, *tiles[0].shape, ignore), strict=True):
        assert np.array_equal(found, tile)


def ignore(pixels: int, bits: float) -> None:
    pass


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_the_code_is_as_long_as_its_tables_say(model: str, name: str) -> None:
    tile = encode_tile(codec(model), coding_planes(fit(model, crop(name, 128, 128))), ignore)
    side, code = split_payload(tile.payload)
    ideal = float(tile.bits.sum(dtype=np.float64))
    coded = len(code) + (len(side) if codec(model).half is not None else 0)
    assert 8 * coded == pytest.approx(ideal, rel=1e-3, abs=64)


@pytest.mark.parametrize("model", MODELS)
def test_a_small_picture_has_at_most_24_bytes_of_frame(model: str) -> None:
    """At most, where a side is longer than 127; sizes below that take a byte less each."""
    for shape, wanted in (((32, 32), 22), ((128, 130), 24)):
        array = fit(model, crop("astronaut", *shape))
        if array.shape[:2] != shape:
            continue
        held = rdc.read(ridecodec.compress(array, model=model, verify=False))
        assert held.header_bytes + held.metadata_bytes + held.index_bytes == wanted


@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_photographs_shrink(name: str) -> None:
    array = crop(name, 128, 128)
    gradient, photo = (len(ridecodec.compress(array, model=m, verify=False)) for m in ("gradient", "photo"))
    assert photo < 0.95 * gradient < 0.8 * array.size


@given(st.data())
@settings(max_examples=20)
def test_regions(data: st.DataObject) -> None:
    array, model = data.draw(arrays(30)), data.draw(st.sampled_from(["uniform", "gradient"]))
    file = ridecodec.compress(array, model=model, tile=data.draw(st.integers(6, 31)), verify=False)
    height, width = array.shape[:2]
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    found = ridecodec.decompress(file, region=(x, y, w, h)).to_numpy()
    assert np.array_equal(found, array[y : y + h, x : x + w])
