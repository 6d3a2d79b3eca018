"""The engine in torch against the reference: the same bytes and the same integers, on the CPU and on CUDA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from checker import coding_planes
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import crop
from programs import without

from ridecodec.engines import choose
from ridecodec.engines.base import silent
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.reference import Reference
from ridecodec.engines.torch.engine import Torch
from ridecodec.errors import UsageError
from ridecodec.exact.operations import LEARNERS
from ridecodec.models import registry

_SYSTEMS = ("least_squares",)
SHAPES = [(1, 1), (1, 40), (30, 1), (13, 9), (5, 2), (3, 40)]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))]


@pytest.mark.parametrize("device", DEVICES)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES))
@settings(max_examples=12)
def test_random_programs(device: str, seed: int, shape: tuple[int, int]) -> None:
    made = without(_SYSTEMS, seed)
    engine = Torch(torch.device(device))
    assert engine.supports(made.program) is None
    tiles = [(made.tile(*shape), made.parameters()) for _ in range(2)]
    reference = Reference().open(made.program)
    runner = engine.open(made.program)
    y, x = (int(made.random.integers(n)) for n in shape)
    found, wanted = (each.trace(*tiles[0], y, x) for each in (runner, reference))
    for number, (own, other) in enumerate(zip(found, wanted, strict=True)):
        assert own.tolist() == other.tolist(), f"operation {number}, {made.program.operations[number]}"
    coded = [reference.encode(*tile, silent) for tile in tiles]
    own_code = runner.encode(*tiles[0], silent)
    assert own_code.code == coded[0].code
    np.testing.assert_allclose(own_code.bits, coded[0].bits, rtol=1e-5, atol=1e-4)
    decoded = runner.decode_batch([each.code for each in coded], [told for _, told in tiles], *shape, silent)
    assert (decoded == np.stack([planes for planes, _ in tiles])).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", [2, 40])
def test_values_at_all_pixels(device: str, seed: int) -> None:
    made = without(LEARNERS, seed)
    planes, parameters = made.tile(20, 11), made.parameters()
    narrow = [k for k, each in enumerate(made.program.ranges) if each.top.max() < 1 << 31]
    wanted = [k for k in narrow if made.program.operations[k].lead == 0]
    expected = Reference().open(made.program).values(planes, parameters, wanted)
    found = Torch(torch.device(device)).open(made.program).values(planes, parameters, wanted)
    assert (found == expected).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["gradient", "graphics", "uniform"])
def test_shipped_models(device: str, name: str) -> None:
    """Payloads of two tiles; a batch is decoded in one go."""
    codec = registry.load(registry.current(name))
    assert isinstance(codec, ProgramCodec)
    own = ProgramCodec(name, codec.programs, codec.sides, Torch(torch.device(device)))
    height, width = 18, 21
    for array in (crop("astronaut", height, width), crop("camera", height, width)):
        planes = np.ascontiguousarray(coding_planes(array))
        tiles = [planes, np.ascontiguousarray(planes[:, ::-1])]
        payloads = [codec.encode(tile, silent).payload for tile in tiles]
        assert [own.encode(tile, silent).payload for tile in tiles] == payloads
        assert (own.decode(payloads, len(planes), height, width, silent) == np.stack(tiles)).all()


def test_programs_with_least_squares_are_left_to_other_engines() -> None:
    codec = registry.load(registry.current("photo"))
    assert isinstance(codec, ProgramCodec)
    for program in codec.programs.values():
        assert "least_squares" in (Torch(torch.device("cpu")).supports(program) or "")


def test_it_is_chosen_by_device_and_name() -> None:
    programs = [without(_SYSTEMS, 1).program]
    assert choose.engine_for(programs, "torch", "cpu").words == "torch (cpu)"
    assert choose.engine_for(programs, device="cpu").name != "torch"
    if torch.cuda.is_available():
        assert choose.engine_for(programs, device="cuda").words == "torch (cuda)"
    else:
        with pytest.raises(UsageError, match="no CUDA device"):
            choose.engine_for(programs, device="cuda")
