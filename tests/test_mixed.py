"""Distributions that learn while a tile is coded: the same bytes everywhere, never much more than without."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from checker import codec, coding_planes
from engines import SHAPES, check_engines, ignore
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import crop, noise
from programs import RandomProgram
from reference_decoder import decode

import ridecodec
from ridecodec.engines import choose, native
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.native import Native
from ridecodec.engines.reference import Reference
from ridecodec.errors import DamagedError, ModelRefusedError, UsageError
from ridecodec.exact.families import Mixed
from ridecodec.exact.families.mixed import log2
from ridecodec.exact.program import Program
from ridecodec.models import registry
from ridecodec.models.photo import export

needs_native = pytest.mark.skipif(native.missing is not None, reason="no compiled engine")
SLACK = 8
"""Bytes that a file may be larger beyond its share."""


@cache
def record() -> ProgramCodec:
    found = codec("record")
    assert isinstance(found, ProgramCodec)
    return found


@pytest.mark.parametrize("shape", [*SHAPES[:1], (1, 40), (40, 1), (19, 13)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_engines_agree(channels: int, shape: tuple[int, int]) -> None:
    tile = coding_planes(crop("astronaut", *shape, 80, 200))[:channels]
    check_engines(record(), tile)


@needs_native
@given(st.integers(0, 2**32))
@settings(max_examples=8)
def test_engines_agree_on_random_programs(seed: int) -> None:
    made = RandomProgram(seed, mixed=True)
    tile, told = made.tile(5, 9), made.parameters()
    wanted = Reference().open(made.program).encode(tile, told, ignore).code
    for name in native.instruction_sets():
        runner = Native(name).open(made.program)
        assert runner.encode(tile, told, ignore).code == wanted
        assert np.array_equal(runner.decode(wanted, told, 5, 9, ignore), tile)


@needs_native
@pytest.mark.parametrize("name", native.instruction_sets())
def test_instruction_sets_agree(name: str) -> None:
    program, tile = record().programs[3], coding_planes(crop("astronaut", 70, 90, 30, 150))
    told = record().sides[3].read(b"", 70, 90)
    usual, other = Native().open(program), Native(name).open(program)
    code = usual.encode(tile, told, ignore).code
    assert other.encode(tile, told, ignore).code == code
    assert np.array_equal(other.decode(code, told, 70, 90, ignore), tile)


def test_threads_and_tiles_agree() -> None:
    array = crop("chelsea", 40, 50)
    files = {ridecodec.compress(array, model="record", tile=16, threads=threads) for threads in (1, 3)}
    assert len(files) == 1
    assert np.array_equal(ridecodec.decompress(files.pop()).to_numpy(), array)


@pytest.mark.parametrize("shape", [(9, 14), (11, 8, 3)], ids=str)
def test_reference_decoder_reads_it(shape: tuple[int, ...]) -> None:
    array = crop("astronaut", *shape[:2], 80, 200)
    array = array if len(shape) == 3 else np.ascontiguousarray(array[:, :, 1])
    assert np.array_equal(decode(ridecodec.compress(array, model="record"), registry.WEIGHTS), array)


def sizes(array: np.ndarray) -> tuple[int, int]:
    """Bytes of the model's file, and of that of its network alone."""
    mixed, plain = (len(ridecodec.compress(array, model=model, verify=False)) for model in ("record", "photo"))
    return mixed, plain


@needs_native
@given(st.integers(0, 255), st.sampled_from([1, 3, 64, 255]), st.integers(0, 2**32))
@settings(max_examples=8)
def test_pictures_on_which_it_learns_nothing_cost_no_more(start: int, step: int, seed: int) -> None:
    """Constant pictures, ramps that wrap, noise, and a ramp that is noise in a corner."""
    y, x = np.mgrid[:96, :96]
    ramp = ((start + step * (x + y)) % 256).astype(np.uint8)
    rough = noise((96, 96), seed)
    mended = np.where((x < 48) & (y < 48), rough, ramp)
    for array in (np.full((96, 96), start, np.uint8), ramp, rough, mended):
        for picture in (array, np.stack([array, array[::-1], array], 2)):
            mixed, plain = sizes(picture)
            assert mixed <= 1.01 * plain + SLACK


@needs_native
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_photographs_get_smaller(name: str) -> None:
    mixed, plain = sizes(crop(name, 200, 200))
    assert mixed < plain


@pytest.mark.parametrize("engine", list(choose.engines()), ids=lambda engine: engine.name)
def test_damaged_codes_are_refused(engine: Native | Reference) -> None:
    runner, told = engine.open(record().programs[1]), record().sides[1].read(b"", 12, 12)
    tile = noise((1, 12, 12), 3)
    code = runner.encode(tile, told, ignore).code
    with pytest.raises(DamagedError, match="the pixel data is damaged"):
        runner.decode(code[: len(code) // 2], told, 12, 12, ignore)


def test_torch_says_that_it_cannot() -> None:
    made = (RandomProgram(seed, mixed=True).program for seed in range(99))
    learns = next(p for p in made if any(o.family == "mixed" for o in p.outputs) and not p.systems)
    with pytest.raises(UsageError, match="learn from pixel to pixel"):
        choose.engine_for([learns], "torch", "cpu")


def changed(program: Program, table: str, values: np.ndarray) -> Program:
    outputs = [replace(each, tables={**each.tables, table: values}) for each in program.outputs]
    return replace(program, outputs=tuple(outputs))


@pytest.mark.parametrize("table", Mixed.tables)
def test_tables_that_are_out_of_range_are_refused(table: str) -> None:
    program = record().programs[1]
    held = program.outputs[0].tables[table]
    assert changed(program, table, held.copy()).outputs[0].tables[table].shape == held.shape
    for bad in (held[len(held) // 2 :], held - 2**21, held[::-1] + 2**24):
        with pytest.raises(ModelRefusedError, match="out of range"):
            changed(program, table, bad)


@given(st.integers(1, 2**31 - 2))
def test_logarithms_never_fall(x: int) -> None:
    here, next_one = log2(np.array([x, x + 1]))
    assert here <= next_one
    assert abs(here / 1024 - np.log2(x)) < 0.011


def test_networks_are_those_of_photo() -> None:
    photo, mixed = (registry.WEIGHTS / f"{name}-1.safetensors" for name in ("photo", "record"))
    networks = export.networks(photo.read_bytes())
    again = export.networks(export.model_file(networks))
    for channels, weights in networks.items():
        for name, value in weights.items():
            np.testing.assert_allclose(again[channels][name], value, rtol=1e-6)
    assert export.model_file(networks, mixed=True) == mixed.read_bytes()
