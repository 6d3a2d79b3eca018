"""Nothing in a file is trusted: damage ends in an error that says so, never in wrong pixels or in another exception."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker import CPU, EITHER, MODELS, fit
from numpy.typing import NDArray
from pictures import Array, crop

import ridecodec
from ridecodec.container import chunks, rdc
from ridecodec.container.payload import join_payload
from ridecodec.container.rdc import Header
from ridecodec.container.varint import write_varint
from ridecodec.errors import (
    DamagedError,
    InputError,
    ModelMissingError,
    ModelRefusedError,
    UsageError,
    VerificationError,
)
from ridecodec.models import registry
from ridecodec.picture import Chunk, ColourType, Picture
from ridecodec.tiles import codec
from ridecodec.tiles.progress import Progress

SMALL = crop("astronaut", 2, 3)
LARGE = crop("astronaut", 33, 40)
_BEFORE_CHECK = 4
"""Magic and version."""


def compressed(model: str, array: Array, tile: int = 0) -> bytes:
    return ridecodec.compress(array, model=model, tile=tile, verify=False)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, put in, left out or moved."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(out) + 1)
        end = min(len(out), at + rng.choice((1, 1, 4, 40)))
        kind = rng.randrange(5)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at:end] = rng.randbytes(end - at)
        elif kind == 2:
            out[at:at] = rng.randbytes(rng.choice((1, 4, 40)))
        elif kind == 3:
            del out[at:end]
        else:
            other = rng.randrange(len(out) + 1)
            out[at:end] = out[other : other + end - at]
    return bytes(out)


def decodes(data: bytes, array: Array) -> bool:
    """Whether the file still gives its picture; where not, it is refused, and in no other way."""
    try:
        found = ridecodec.decompress(data, threads=1).to_numpy()
    except (DamagedError, ModelMissingError):
        return False
    assert np.array_equal(found, array)
    return True


@pytest.mark.parametrize("model", EITHER)
def test_truncated_at_every_byte(model: str) -> None:
    for data in (compressed(model, SMALL), compressed(model, crop("camera", 9, 12), 5)):
        for length in range(len(data)):
            with pytest.raises(DamagedError):
                ridecodec.decompress(data[:length])
        with pytest.raises(DamagedError):
            ridecodec.decompress(data + b"\0")


@pytest.mark.parametrize("model", EITHER)
@pytest.mark.parametrize("tile", [0, 2])
def test_every_bit_flipped(model: str, tile: int) -> None:
    data = compressed(model, SMALL, tile)
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            ridecodec.decompress(bytes(wrong))


@pytest.mark.parametrize("model", EITHER)
@pytest.mark.parametrize("tile", [0, 16])
def test_random_damage(model: str, tile: int) -> None:
    data = compressed(model, LARGE, tile)
    rng = random.Random(f"{model} {tile}")
    for _ in range(400):
        wrong = mutated(data, rng)
        assert decodes(wrong, LARGE) == (wrong == data)


@pytest.mark.parametrize(
    ("model", "times"), [("uniform", 100), ("gradient", 60), ("photo", 30), ("eoride-gray", 30), ("ride-rgb", 20)]
)
@pytest.mark.parametrize("tile", [0, 8])
@pytest.mark.parametrize("name", ["camera", "astronaut"])
def test_damage_that_no_checksum_shows(model: str, times: int, tile: int, name: str) -> None:
    """Payloads are damaged and get new checksums: the decoder itself meets garbage."""
    array = fit(model, crop(name, 14, 16))
    held = rdc.read(compressed(model, array, tile))
    payloads = [bytes(held.payload(i)) for i in range(len(held.lengths))]
    rng = random.Random(f"{model} {tile} {name}")
    kept = 0
    for _ in range(times):
        wrong = list(payloads)
        i = rng.randrange(len(wrong))
        wrong[i] = mutated(wrong[i], rng)
        kept += decodes(rdc.write(held.header, held.metadata, wrong), array)
    assert kept < times / 4


@pytest.mark.parametrize("model", MODELS)
def test_payloads_of_garbage(model: str) -> None:
    array = fit(model, crop("astronaut", 4, 3))
    header = rdc.read(compressed(model, array)).header
    rng = random.Random(model)
    tails = [b"", b"\0", b"\xff", b"\xff" * 50, b"\0" * 50, *(rng.randbytes(40) for _ in range(20))]
    for side in (b"", b"\0", b"\x80", b"\xff" * 5, write_varint(3), write_varint(1000), write_varint(2**31 - 1)):
        for tail in tails:
            assert not decodes(rdc.write(header, (), [side + tail]), array)


@pytest.mark.parametrize("model", [*MODELS, "graphics"])
def test_claims_take_no_time(model: str) -> None:
    """A decoder stops where the code ends, whatever the header claims: counted in pixels."""
    known = registry.load(registry.current(model), CPU)
    size, channels = 160, min(registry.current(model).channels)
    colour = ColourType.GRAY if channels == 1 else ColourType.RGB
    card = registry.current(model)
    header = Header(size, size, colour, 8, card.name, bytes.fromhex(card.hash), 0)
    side = bytes([0] if known.half else [0] * (card.ensemble + (known.classes > 0) + known.code))
    done = [0]

    def progress(how: Progress) -> None:
        done[0] = how.pixels_done

    payload = join_payload(b"\xff" if model == "graphics" else side, b"\x12\x34\x56")
    with pytest.raises(DamagedError, match="ends before the pixels do"):
        ridecodec.decompress(rdc.write(header, (), [payload]), threads=1, device="cpu", progress=progress)
    assert done[0] < 50


def with_check(head: bytes) -> bytes:
    """A header with the check that it should have."""
    return head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")


@pytest.mark.parametrize("model", EITHER)
@pytest.mark.parametrize("tile", [0, 4])
def test_headers_that_lie(model: str, tile: int) -> None:
    """Headers are damaged and get a new check. Decoding takes as long as they claim, so large claims are left out."""
    array = crop("astronaut", 7, 9)
    data = compressed(model, array, tile)
    size = rdc.read(data).header_bytes
    rng = random.Random(f"{model} {tile}")
    for _ in range(250):
        head = data[:_BEFORE_CHECK] + mutated(data[_BEFORE_CHECK : size - 2], rng)
        wrong = with_check(head) + data[size:]
        with suppress(DamagedError, InputError, ModelMissingError):
            claimed = rdc.read(wrong).header
            if claimed.sub_pixels < 8 * array.size:
                assert ridecodec.decompress(wrong).checksum() == claimed.samples_checksum


def test_another_type_or_size_of_the_same_samples_is_noticed() -> None:
    """The samples' checksum covers both, as their order alone tells neither."""
    picture = Picture(np.zeros((4, 6, 4), np.uint8), ColourType.RGBA)
    held = rdc.read(ridecodec.compress(picture, threads=1))
    payload = bytes(held.payload(0))
    kinds = [(ColourType.CMYK, 8), (ColourType.RGBX, 8)]
    headers = [replace(held.header, colour=colour, bit_depth=depth) for colour, depth in kinds]
    for header in (*headers, replace(held.header, width=6, height=4), replace(held.header, width=8, height=3)):
        with pytest.raises(DamagedError, match="checksum"):
            ridecodec.decompress(rdc.write(header, (), [payload]), threads=1)
    assert ridecodec.decompress(rdc.write(held.header, (), [payload]), threads=1).colour is ColourType.RGBA


def test_an_index_that_lies() -> None:
    data = compressed("uniform", LARGE, 16)
    held = rdc.read(data)
    start, end = held.header_bytes, held.header_bytes + held.index_bytes
    rng = random.Random(1)
    for _ in range(300):
        index = mutated(data[start : end - 4], rng)
        wrong = data[:start] + index + zlib.crc32(index).to_bytes(4, "little") + data[end:]
        assert decodes(wrong, LARGE) == (wrong == data)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_damaged_tile_is_named(threads: int) -> None:
    data = bytearray(compressed("uniform", LARGE, 16))
    data[-1] ^= 1
    with pytest.raises(DamagedError, match=r"tile 8 \(at 32,32\)"):
        ridecodec.decompress(bytes(data), threads=threads)
    found = ridecodec.decompress(bytes(data), threads=threads, region=(0, 0, 40, 32))
    assert np.array_equal(found.to_numpy(), LARGE[:32])


def test_tiles_in_the_wrong_order() -> None:
    held = rdc.read(compressed("gradient", LARGE, 16))
    payloads = [bytes(held.payload(i)) for i in (1, 0, *range(2, len(held.lengths)))]
    with pytest.raises(DamagedError, match="checksum"):
        ridecodec.decompress(rdc.write(held.header, (), payloads))


HEADER = Header(3, 2, ColourType.RGB, 8, "photo", b"none", 0)


def test_a_model_that_is_not_at_hand() -> None:
    held = rdc.read(compressed("photo", SMALL))
    payload = bytes(held.payload(0))
    for name in ("photo", "gradient", "mcgsm"):
        with pytest.raises(ModelMissingError, match=f"'{name}' with the hash 6e6f6e65"):
            ridecodec.decompress(rdc.write(replace(held.header, model=name, model_hash=b"none"), (), [payload]))


@pytest.mark.parametrize("colour", [c for c in ColourType if c not in (ColourType.GRAY, ColourType.RGB)])
def test_one_model_alone_codes_gray_and_rgb_only(colour: ColourType) -> None:
    with pytest.raises(InputError, match=f"8-bit {colour.words} pictures cannot be coded with a single model"):
        ridecodec.decompress(rdc.write(replace(HEADER, colour=colour), (), [bytes(100)]))


TOP = 2**31 - 1


@pytest.mark.parametrize(
    "header",
    [
        replace(HEADER, width=TOP, height=TOP),
        replace(HEADER, width=10**7, height=1),
        replace(HEADER, width=1, height=10**7),
        replace(HEADER, width=60000, height=1000),
        replace(HEADER, width=TOP, height=3, tile=2**20),
        replace(HEADER, width=40000, height=40000, tile=10000),
    ],
)
@pytest.mark.parametrize("model", EITHER)
def test_claims_take_no_memory(header: Header, model: str) -> None:
    own = rdc.read(compressed(model, SMALL)).header  # and the model is loaded
    header = replace(header, model=own.model, model_hash=own.model_hash)
    data = rdc.write(header, (), [bytes(300)] * len(header.boxes))
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    try:
        with pytest.raises((DamagedError, InputError)):
            ridecodec.decompress(data)
        assert tracemalloc.get_traced_memory()[1] - began < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("model", "name", "fits"), [("ride-gray", "astronaut", "gray"), ("ride-rgb", "camera", "RGB")])
def test_colours_that_a_model_does_not_code(model: str, name: str, fits: str) -> None:
    other = {"gray": "RGB", "RGB": "gray"}[fits]
    with pytest.raises(UsageError, match=f"codes {fits} pictures only, this one is {other}"):
        ridecodec.compress(crop(name, 4, 5), model=model)
    held = rdc.read(compressed("uniform", crop(name, 4, 5)))
    card = registry.current(model)
    header = replace(held.header, model=card.name, model_hash=bytes.fromhex(card.hash))
    with pytest.raises(DamagedError, match=f"codes {fits} pictures only"):
        ridecodec.decompress(rdc.write(header, (), [bytes(held.payload(0))]))


def test_a_billion_tiles() -> None:
    """Tiles of one pixel, claimed by a header alone."""
    data = compressed("uniform", SMALL, 1)
    size = rdc.read(data).header_bytes
    head = data[: _BEFORE_CHECK + 1] + write_varint(TOP) * 2 + data[_BEFORE_CHECK + 3 : size - 2]
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match="more tiles than bytes"):
            ridecodec.decompress(with_check(head) + data[size:])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("model", ["uniform", "gradient"])
def test_a_black_picture_is_no_false_claim(model: str) -> None:
    """The code of black pixels is nothing but zeros, and yet no tile of them is shorter than it honestly can be."""
    array = np.zeros((2048, 2048), np.uint8)
    data = ridecodec.compress(array, model=model, tile=2048, verify=False)
    assert rdc.read(data).header.sub_pixels == array.size


@pytest.mark.parametrize("data", [b"", b"\x92", b"\x92RD", b"\x92RD\x02", b"\x89PNG\r\n\x1a\n" * 9, bytes(1000)])
def test_what_is_no_rdc_file(data: bytes) -> None:
    with pytest.raises(DamagedError):
        ridecodec.decompress(data)


def test_a_failed_verification_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder codes a pixel that the picture does not have."""
    encode_tile = codec.encode_tile

    def wrong(backend: Any, pixels: NDArray[np.uint8], *rest: Any) -> Any:
        pixels = pixels.copy()
        pixels[0, 3, 3] ^= 1
        return encode_tile(backend, pixels, *rest)

    monkeypatch.setattr(codec, "encode_tile", wrong)
    array = crop("astronaut", 7, 9)
    with pytest.raises(VerificationError):
        ridecodec.compress(array, model="gradient")
    data = ridecodec.compress(array, model="gradient", verify=False)
    with pytest.raises(DamagedError, match="checksum"):
        ridecodec.decompress(data, region=(0, 0, 9, 7))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "photo"}'])
def test_a_damaged_card(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo-1.json").write_text(text)
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    registry._cards.cache_clear()
    try:
        with pytest.raises(ModelRefusedError, match="card"):
            registry.cards()
    finally:
        registry._cards.cache_clear()


@pytest.mark.parametrize("region", [(0, 0, 1), (0, 0, 1.5, 1), "0,0", (0, 0, 0, 1), (-1, 0, 2, 2), (0, 0, 99, 1)])
def test_regions_that_are_none(region: Any) -> None:
    with pytest.raises(UsageError):
        ridecodec.decompress(compressed("uniform", SMALL, 0), region=region)


def test_a_region_of_a_large_tile_is_refused_too() -> None:
    """A tile is decoded whole, so it is its pixels that count."""
    data = ridecodec.compress(np.zeros((300, 300), np.uint8), threads=1)
    with pytest.raises(InputError, match="more than the 1000 pixels"):
        ridecodec.decompress(data, region=(0, 0, 1, 1), max_pixels=1000)


def test_metadata_that_swells() -> None:
    """Small when deflated, large when not: stored as it is where it would be too large."""
    picture = Picture.from_numpy(SMALL)
    large = replace(picture, metadata=(Chunk(b"tEXt", b"a\0" + bytes(1 << 24)),))
    data = ridecodec.compress(large, threads=1, verify=False)
    assert len(data) > 1 << 24
    assert ridecodec.decompress(data).metadata == large.metadata
    for length, section in (((1 << 24) + 1, bytes((1 << 24) + 1)), (5 * 20_000, (b"tEXt" + b"\0") * 20_000)):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = b"\0" + write_varint(length) + packer.compress(section) + packer.flush()
        with pytest.raises(DamagedError, match="metadata is damaged"):
            chunks.read(memoryview(packed))
    with pytest.raises(ValueError, match="more than 16384 chunks"):
        chunks.write([Chunk(b"tEXt", b"a\0b")] * 20_000)


@pytest.mark.parametrize("shape", [(100, 100, 3), (100, 100), (70, 70, 4)])
def test_noise_takes_no_more_than_its_samples(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    assert len(ridecodec.compress(array, threads=1, verify=False)) < array.size + shape[0] + 100
