"""docs/format.md suffices: a second decoder, written from it alone, reads what the package writes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import reference_forms
from checker import CIFAR, MODELS, fit, label
from hypothesis import given, settings
from numpy.typing import NDArray
from pictures import typed
from reference_decoder import Bytes, RangeDecoder, decode
from test_pixelcnn import KINDS, model

import ridecodec
from ridecodec.exact import programfile
from ridecodec.exact.coder import Encoder
from ridecodec.models import registry
from ridecodec.models.pixelcnn.export import model_file
from ridecodec.picture import Chunk, Picture
from ridecodec.tiles.forms import folding
from ridecodec.tiles.forms.part import Shape
from ridecodec.tiles.forms.rows import Rows

WEIGHTS = Path(ridecodec.__file__).parent / "weights"
SHAPES = [(1, 1), (1, 1, 3), (1, 90), (70, 1, 3), (2, 2, 3), (3, 17), (17, 3, 3), (8, 11, 3)]


def smooth(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint8]:
    """Waves with a little noise, and an edge; uint8."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = 128 + 90 * np.sin(x / 5) * np.cos(y / 7) + 40 * (x > y)
    noise = np.random.default_rng(seed).normal(0, 3, shape)
    return (waves.reshape(shape[:2] + (1,) * (len(shape) - 2)) + noise).clip(0, 255).astype(np.uint8)


def compress(pixels: NDArray[np.uint8], model: str, tile: int = 0) -> bytes:
    told = None if model == "auto" else label(model)
    return ridecodec.compress(pixels, model=model, tile=tile, label=told, device="cpu", threads=1, verify=False)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_reference_decoder_reads_small_files(model: str, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    for pixels in (smooth(shape), noise, np.full(shape, 255, np.uint8)):
        pixels = fit(model, pixels, most=4)
        assert np.array_equal(decode(compress(pixels, model), WEIGHTS), pixels)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", [(13, 19), (13, 19, 3)], ids=str)
def test_reference_decoder_reads_tiles(model: str, shape: tuple[int, ...]) -> None:
    pixels = fit(model, smooth(shape), most=6)
    assert np.array_equal(decode(compress(pixels, model, tile=4 if model in CIFAR else 8), WEIGHTS), pixels)


@pytest.mark.parametrize("name", KINDS)
def test_reference_decoder_reads_every_network_of_pixelcnn(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.safetensors"
    registry.write(path, model_file(model(name)), "own", "", channels=(KINDS[name].channels,))
    monkeypatch.setenv("RIDECODEC_MODELS", str(tmp_path))
    for shape in ((1, 1, 3), (5, 7, 3), (6, 4, 3)):
        pixels = fit("own", smooth(shape))
        assert np.array_equal(decode(compress(pixels, "own"), tmp_path), pixels)


@settings(max_examples=40)
@given(typed(6))
def test_reference_decoder_reads_pictures_of_all_types(picture: Picture) -> None:
    data = ridecodec.compress(picture, model="auto", device="cpu", threads=1, verify=False)
    assert np.array_equal(decode(data, WEIGHTS), picture.to_numpy())


@pytest.mark.parametrize("colours", [2, 5, 40])
def test_reference_decoder_reads_graphics(colours: int) -> None:
    rng = np.random.default_rng(colours)
    shown = rng.integers(0, 256, (colours, 4), np.uint8)[rng.integers(0, colours, (5, 4)).repeat(3, 0).repeat(4, 1)]
    for pixels in (shown, shown[:, :, :3], shown[:, :, 0], np.ascontiguousarray(shown[:, :, 2:])):
        assert np.array_equal(decode(compress(pixels, "auto"), WEIGHTS), pixels)
        assert np.array_equal(decode(compress(pixels, "auto", tile=7), WEIGHTS), pixels)


def test_reference_decoder_reads_folded_parts() -> None:
    """Thin ones; a drawing of few colours goes to a model."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (5, 3), np.uint8)[rng.integers(0, 5, (107, 2)).repeat(3, 0).repeat(2, 1)]
    assert np.array_equal(decode(compress(pixels, "auto"), WEIGHTS), pixels)
    for height, width in ((1, 40), (40, 1), (3, 101), (101, 2)):
        part = rng.integers(0, 256, (2, height, width), np.uint16)
        head, folded, inner = folding.fold(part, Shape(2, height, width, 256))
        reader = Bytes(head + Rows(folded, inner).encode())
        assert np.array_equal(reference_forms.Part(reader, height, width, None, None).read(2, 256), part)


def test_reference_decoder_reads_16_bits() -> None:
    y, x = np.mgrid[:34, :33]
    pixels = (9000 + 700 * np.sin(x / 5) * np.cos(y / 7) + np.random.default_rng(1).normal(0, 9, x.shape)).astype(
        np.uint16
    )
    assert np.array_equal(decode(compress(pixels, "auto"), WEIGHTS), pixels)


def test_reference_decoder_skips_metadata() -> None:
    pixels = smooth((4, 5, 3))
    picture = Picture.from_numpy(pixels)
    picture = Picture(picture.planes, picture.colour, metadata=(Chunk(b"tEXt", b"x" * 200), Chunk(b"iCCP", b"")))
    data = ridecodec.compress(picture, model="gradient", device="cpu", threads=1, verify=False)
    assert np.array_equal(decode(data, WEIGHTS), pixels)


@pytest.mark.parametrize("model", ["gradient", "photo"])
def test_programs_are_as_described(model: str) -> None:
    file = registry.current(model).file
    assert file is not None
    programs, extra, arrays = programfile.load((WEIGHTS / file).read_bytes())
    assert programs.keys() == {"1", "3"}
    assert extra == {"side": "none"}
    assert not arrays
    for channels, program in programs.items():
        slope = 12 if model == "photo" else 2
        assert (program.channels, program.top, program.hood.slope) == (int(channels), 255, slope)
        for output in program.outputs:
            logistic, inverse, exponential = (output.tables[name] for name in ("logistic", "inverse", "exponential"))
            assert (logistic.shape, inverse.shape, exponential.shape) == ((14337,), (219,), (512,))
            assert (logistic[0], logistic[-1]) == (0, 64 * (2**24 - 272) // 1024)
            assert exponential[0] == 2**15
        assert len(program.systems) == (2 * program.channels if model == "photo" else 0)


def reference_encode(intervals: list[tuple[int, int]]) -> bytes:
    """The range encoder as docs/format.md describes it."""
    low, width, words = 0, 2**64 - 1, 0  # the words written so far are one large number: a carry runs by itself
    count = 0
    for start, size in intervals:
        scale = width >> 24
        low, width = low + scale * start, scale * size
        if width < 2**32:
            words, low = (words << 32) + (low >> 32), low % 2**32 << 32
            width, count = width << 32, count + 1
    for kept in range(9):
        unit = 2 ** (64 - 8 * kept)
        point = -(-low // unit) * unit
        if point < low + width:
            break
    return ((words << 64) + point).to_bytes(4 * count + 8, "big")[: 4 * count + kept]


def test_range_coder_is_the_one_described() -> None:
    """Random tables, and symbols that hold a short binary fraction inside as long as they can: carries run far."""
    rng = np.random.default_rng(7)
    for trial in range(300):
        sharp = rng.choice([0.02, 0.3, 3.0])
        symbols, tables = [], []
        target, low, width = int(rng.integers(1, 256)) << 56, 0, 2**64 - 1
        for _ in range(int(rng.integers(1, 60))):
            sizes = 1 + np.floor(rng.dirichlet(np.full(16, sharp)) * (2**24 - 16)).astype(int)
            sizes[0] += 2**24 - sizes.sum()
            edges = [0, *itertools.accumulate(map(int, sizes))]
            scale = width >> 24
            inside = [s for s in range(16) if trial % 2 and edges[s] <= (target - low) // scale < edges[s + 1]]
            symbol = inside[0] if inside else int(rng.choice(16, p=sizes / 2**24))
            low, width = low + scale * edges[symbol], scale * (edges[symbol + 1] - edges[symbol])
            if width < 2**32:
                low, width, target = low << 32, width << 32, target << 32
            symbols.append(symbol)
            tables.append(edges)
        intervals = [(e[s], e[s + 1] - e[s]) for s, e in zip(symbols, tables, strict=True)]
        encoder = Encoder()
        encoder.encode(*np.array(intervals, np.int64).T)
        code = encoder.finish()
        assert code == reference_encode(intervals)
        decoder = RangeDecoder(code)
        assert [decoder.symbol(edges) for edges in tables] == symbols
