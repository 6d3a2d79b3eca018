"""The very bytes of PNG files again: whatever zlib was told; recipes that are damaged, or of another picture."""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from picturefiles import PNGSUITE, RGB, encoded, opened, png_chunk
from pictures import crop, typed
from PIL import Image

from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError, OutputError, RidecodecError
from ridecodec.files import exactfile, pngfile
from ridecodec.files.pngfile import Header
from ridecodec.picture import Chunk, ColourType, Picture

TYPES = [(c, d) for c in ColourType for d in c.depths if c.name in ("GRAY", "RGB", "PALETTE", "GRAY_ALPHA", "RGBA")]


def packed(
    picture: Picture,
    interlaced: bool = False,
    types: NDArray[np.uint8] | int | None = None,
    settings: tuple[int, int, int, int] = (6, 15, 8, 0),
    pieces: tuple[int, ...] = (8192,),
    tail: bytes = b"",
) -> bytes:
    """A PNG file that zlib packs by (level, window bits, memory level, strategy), in IDAT chunks of `pieces`."""
    header = Header.of(picture, interlaced)
    level, window, memory, strategy = settings
    packer = zlib.compressobj(level, zlib.DEFLATED, window, memory, strategy)
    stream = packer.compress(b"".join(r.tobytes() for r in pngfile.raster(picture, header, types))) + packer.flush()
    before, after = pngfile.parts(picture.metadata)
    out = [pngfile.SIGNATURE, png_chunk(b"IHDR", header.data), *(png_chunk(c.kind, c.data) for c in before)]
    sizes = iter(pieces)
    size = next(sizes)
    while stream:
        out.append(png_chunk(b"IDAT", stream[:size]))
        stream = stream[size:]
        size = next(sizes, size)
    out += [png_chunk(c.kind, c.data) for c in after]
    return b"".join([*out, png_chunk(b"IEND", b""), tail])


SETTINGS = st.one_of(
    st.tuples(st.integers(1, 9), st.sampled_from([15, 12, 9]), st.integers(1, 9), st.sampled_from([0, 1, 4])),
    st.tuples(st.sampled_from([1, 6]), st.just(15), st.sampled_from([8, 9]), st.sampled_from([2, 3])),
)


@given(
    typed(types=TYPES),
    st.booleans(),
    SETTINGS,
    st.one_of(st.none(), st.integers(0, 4), st.just(-1)),
    st.lists(st.integers(1, 300), min_size=1, max_size=4),
    st.binary(max_size=9),
)
def test_files_are_rebuilt(
    picture: Picture,
    interlaced: bool,
    settings: tuple[int, int, int, int],
    kind: int | None,
    pieces: list[int],
    tail: bytes,
) -> None:
    types = kind
    if kind == -1:
        rows = sum(part.height for part in Header.of(picture, interlaced).passes)
        types = np.random.default_rng(rows).integers(0, 5, rows, np.uint8)
    data = packed(picture, interlaced, types, settings, tuple(pieces), tail)
    held = opened(data)
    assert exactfile.rebuild(held, exactfile.record(data, held)) == data


PHOTO = Picture.from_numpy(crop("astronaut", 200, 300))
FILE = packed(PHOTO, settings=(9, 15, 8, 1), tail=b"tail")
RECIPE = exactfile.record(FILE, PHOTO)


@pytest.mark.parametrize("settings", [(1, 15, 8, 0), (2, 15, 8, 1), (5, 15, 9, 0), (6, 15, 9, 1), (9, 13, 9, 0)])
def test_settings_of_a_photograph_are_found(settings: tuple[int, int, int, int]) -> None:
    data = packed(PHOTO, settings=settings)
    recipe = exactfile.record(data, PHOTO)
    assert exactfile.rebuild(PHOTO, recipe) == data
    assert len(recipe) < 64


@pytest.mark.parametrize("path", PNGSUITE, ids=lambda path: path.stem)
def test_pngsuite(path: Path) -> None:
    """All but two files: one stores its pixels unpacked, and one is of another packer than zlib."""
    if path.stem.startswith("x"):
        return
    data, picture = path.read_bytes(), Picture.open(path)
    if path.stem in ("z00n2c08", "tm3n3p02"):
        with pytest.raises(OutputError, match="not packed by a known version of zlib"):
            exactfile.record(data, picture)
    else:
        assert exactfile.rebuild(picture, exactfile.record(data, picture)) == data


def with_stream(stream: bytes, picture: Picture) -> bytes:
    header = Header.of(picture)
    chunks = ((b"IHDR", header.data), (b"IDAT", stream), (b"IEND", b""))
    return pngfile.SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def test_what_zlib_does_not_make_has_no_recipe() -> None:
    picture = Picture.from_numpy(RGB)
    raster = b"".join(rows.tobytes() for rows in pngfile.raster(picture, Header.of(picture), 0))
    packer = zlib.compressobj()
    flushed = packer.compress(raster[:500]) + packer.flush(zlib.Z_SYNC_FLUSH) + packer.compress(raster[500:])
    flushed += packer.flush()
    plain = zlib.compress(raster)
    lengths = "longer or shorter than its pixels"
    streams = {
        flushed: "not packed by a known version of zlib",
        plain + b"more": lengths,
        zlib.compress(raster + b"more"): lengths,
        plain[:-1]: lengths,
    }
    for stream, message in streams.items():
        data = with_stream(stream, picture)
        assert np.array_equal(opened(data).to_numpy(), RGB)
        with pytest.raises(OutputError, match=message):
            exactfile.record(data, picture)
    assert exactfile.record(with_stream(plain, picture), picture)


def test_padding_bits_and_empty_chunks_have_no_recipe() -> None:
    picture = Picture(np.ones((1, 1, 3), np.uint8), ColourType.GRAY, 1)
    assert exactfile.record(with_stream(zlib.compress(b"\0\xe0"), picture), picture)
    with pytest.raises(OutputError, match="bits after the last pixel"):
        exactfile.record(with_stream(zlib.compress(b"\0\xff"), picture), picture)
    data = packed(picture)
    for odd in (data[:33] + png_chunk(b"IDAT", b"") + data[33:], data[:-12] + png_chunk(b"IEND", b"more")):
        with pytest.raises(OutputError, match="chunks are not arranged"):
            exactfile.record(odd, picture)


def test_a_recipe_needs_its_picture_and_its_metadata() -> None:
    note = Chunk(b"tEXt", b"Title\0a photograph")
    picture = Picture(PHOTO.planes, PHOTO.colour, metadata=(note,))
    data = packed(picture)
    with pytest.raises(OutputError, match="chunks are not arranged"):
        exactfile.record(data, PHOTO)
    recipe = exactfile.record(data, picture)
    for other in (PHOTO, Picture(PHOTO.planes ^ 1, PHOTO.colour, metadata=(note,))):
        with pytest.raises(OutputError, match="exact file cannot be restored"):
            exactfile.rebuild(other, recipe)
    with pytest.raises(DamagedError, match="do not fit the picture"):
        exactfile.rebuild(Picture(PHOTO.planes[:, 1:], PHOTO.colour, metadata=(note,)), recipe)
    cmyk = Picture(np.zeros((4, 2, 2), np.uint8), ColourType.CMYK)
    with pytest.raises(OutputError, match="PNG cannot hold"):
        exactfile.rebuild(cmyk, recipe)


@pytest.mark.parametrize("kind", [b"IDAT", b"IEND", b"IHDR", b"ABCD", b"1234"])
def test_no_chunk_of_metadata_reaches_the_pixels(kind: bytes) -> None:
    """A hostile recipe may well have the checksum of such a file."""
    body = RECIPE[:-8]
    told = Picture(PHOTO.planes, PHOTO.colour, metadata=(Chunk(b"tIME", bytes(7)), Chunk(kind, b"other pixels")))
    header, recipe = Header.of(told), exactfile._read(RECIPE, told, Header.of(told))
    raster = exactfile._raster(told, header, recipe.types)
    stream = recipe.zlib_header + b"".join(recipe.settings.pack(raster)) + zlib.adler32(raster).to_bytes(4, "big")
    chunks = [(b"IHDR", header.data), *((c.kind, c.data) for c in told.metadata)]
    chunks += [(b"IDAT", stream[at : at + 8192]) for at in range(0, len(stream), 8192)]
    file = pngfile.SIGNATURE + b"".join(png_chunk(*each) for each in (*chunks, (b"IEND", b""))) + b"tail"
    body += zlib.crc32(file).to_bytes(4, "little")
    with pytest.raises(OutputError, match="exact file cannot be restored"):
        exactfile.rebuild(told, body + zlib.crc32(body).to_bytes(4, "little"))


def test_another_zlib_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", lambda level, *rest: real(1, *rest))
    with pytest.raises(OutputError, match="this zlib packs differently"):
        exactfile.rebuild(PHOTO, RECIPE)


def test_every_flipped_bit_of_a_recipe_is_noticed() -> None:
    for bit in range(8 * len(RECIPE)):
        damaged = bytearray(RECIPE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            exactfile.rebuild(PHOTO, bytes(damaged))


def test_every_cut_recipe_is_noticed() -> None:
    for length in range(len(RECIPE)):
        with pytest.raises(DamagedError):
            exactfile.rebuild(PHOTO, RECIPE[:length])


SMALL = Picture.from_numpy(RGB)


@given(st.binary(max_size=60))
def test_made_up_recipes_end_in_an_error(body: bytes) -> None:
    with pytest.raises(RidecodecError):
        exactfile.rebuild(SMALL, body + zlib.crc32(body).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("flags", "level", "memory", "runs", "types", "message"),
    [
        (2, 6, 0x78, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 10, 0x78, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 0x56, 0x78, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 6, 0x70, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 6, 0x08, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 6, 0x88, [(9, 9)], bytes(23), "settings that do not exist"),
        (0, 6, 0x78, [(0, 2**31 - 1)], bytes(23), "settings that do not exist"),
        (0, 6, 0x78, [(2**31 - 1, 2**31 - 1)] * 3, bytes(23), "exact file cannot be restored"),
        (0, 6, 0x78, [(9, 9)], bytes(24), "do not fit"),
        (0, 6, 0x78, [(9, 9)], bytes(10**8), "do not fit"),
        (0, 6, 0x78, [(9, 9)], bytes(22) + b"\5", "do not fit"),
    ],
)
def test_hostile_recipes(
    flags: int, level: int, memory: int, runs: list[tuple[int, int]], types: bytes, message: str
) -> None:
    kinds = zlib.compress(types)
    body = bytes((flags, 0x78, 0x9C, level, memory)) + write_varint(len(runs))
    body += b"".join(write_varint(length) + write_varint(count) for length, count in runs)
    body += write_varint(len(kinds)) + kinds + bytes(4)
    with pytest.raises((DamagedError, OutputError), match=message):
        exactfile.rebuild(SMALL, body + zlib.crc32(body).to_bytes(4, "little"))


def test_a_file_of_pillow_is_rebuilt_or_has_no_recipe() -> None:
    data = encoded(Image.fromarray(RGB), "PNG")
    recipe = None
    with contextlib.suppress(OutputError):  # of Pillow's own zlib, where that is another
        recipe = exactfile.record(data, opened(data))
    assert recipe is None or exactfile.rebuild(opened(data), recipe) == data


def test_a_picture_of_one_colour_takes_no_more_trials_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactfile, "_EFFORT", 0)
    picture = Picture.from_numpy(np.zeros((300, 300), np.uint8))
    tries = []
    real = exactfile._Settings.wrong_after

    def counted(settings: exactfile._Settings, raster: bytes, stream: bytes) -> int | None:
        tries.append(settings)
        return real(settings, raster, stream)

    monkeypatch.setattr(exactfile._Settings, "wrong_after", counted)
    raster = zlib.decompress(packed(picture, types=0)[41:-16])
    half = zlib.compressobj()
    stream = half.compress(raster[:-500]) + half.flush(zlib.Z_FULL_FLUSH) + half.compress(raster[-500:]) + half.flush()
    with pytest.raises(OutputError, match="not packed by a known version of zlib"):
        exactfile.record(with_stream(stream, picture), picture)
    assert 0 < len(tries) < 20
