"""Exact arithmetic: bounds are proven when a model is loaded, and what passes computes in integers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import ridecodec
from ridecodec.coding.exact import ExactLinear, _products, quantise
from ridecodec.errors import ModelMissingError, ModelRefusedError
from ridecodec.models import registry
from ridecodec.models.programs import program_codec

CPU = torch.device("cpu")


def layer(weight: list[list[float]], bias: float = 0, limit: Tensor | float = 1, **options: Any) -> ExactLinear:
    outputs = len(weight)
    return ExactLinear(
        "test",
        torch.tensor(weight, dtype=torch.float64),
        torch.full((outputs,), bias, dtype=torch.float64),
        torch.zeros(outputs),
        limit=limit,
        **options,
    )


@pytest.mark.parametrize(
    ("bound", "dtype"),
    [(2**24 - 1, torch.float32), (2**24, torch.float64), (2**53 - 1, torch.float64)],
)
def test_the_smallest_type_that_holds_is_chosen(bound: int, dtype: torch.dtype) -> None:
    chosen = layer([[1, 0], [bound // 2, -(bound - bound // 2)]])
    assert chosen.bound == bound
    assert chosen.dtype == chosen.weight.dtype == chosen.bias.dtype == chosen.scale.dtype == dtype


def test_a_bound_that_does_not_hold_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match=r"layer test .*bound"):
        layer([[2.0**53]])
    with pytest.raises(ModelRefusedError, match="layer test"):
        layer([[float(2**52), -float(2**52)]])
    with pytest.raises(ModelRefusedError, match="layer test is not exact in float32"):
        layer([[2.0**24]], dtype=torch.float32)
    assert layer([[1.0]], dtype=torch.float64).dtype == torch.float64


def test_everything_that_is_added_counts() -> None:
    top = 2.0**24
    assert layer([[top / 2]]).dtype == torch.float32
    assert layer([[top / 2]], bias=-top / 2).dtype == torch.float64
    assert layer([[top / 2]], limit=2).dtype == torch.float64
    assert layer([[top / 2]], plus=top / 2).dtype == torch.float64
    assert layer([[top / 2, 1.0]], limit=torch.tensor([1.0, top / 2])).dtype == torch.float64
    assert layer([[1.0, 1.0]], limit=torch.tensor([1.0, top / 2])).dtype == torch.float32


@pytest.mark.parametrize("wrong", [0.5, float("nan"), float("inf"), 1 + 2.0**-40])
def test_weights_that_are_no_integers_are_refused(wrong: float) -> None:
    with pytest.raises(ModelRefusedError, match="layer test has weights that are not integers"):
        layer([[wrong]])
    with pytest.raises(ModelRefusedError, match="layer test has weights that are not integers"):
        layer([[1.0]], bias=wrong)


integers = st.integers(-(2**11), 2**11)
triples = st.lists(integers, min_size=3, max_size=3)


@given(
    st.lists(st.tuples(triples, integers, st.integers(0, 16)), min_size=1, max_size=4),
    st.lists(st.lists(st.integers(-127, 127), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_a_layer_computes_in_integers(
    rows: list[tuple[list[int], int, int]], inputs: list[list[int]], dtype: torch.dtype
) -> None:
    weight, bias, exponent = (torch.tensor(x) for x in zip(*rows, strict=True))
    made = ExactLinear("test", weight, bias, exponent, limit=127, plus=3 * 2**11, dtype=dtype)
    x = torch.tensor(inputs).float().T
    out = made(x)
    assert out.dtype == dtype
    assert out.tolist() == [
        [floor(Fraction(sum(a * b for a, b in zip(w, i, strict=True)) + c, 2**e)) for i in inputs] for w, c, e in rows
    ]
    instead = (-5 * made.scale).expand(out.shape)
    assert torch.equal(made(x, plus=instead), ExactLinear("test", weight, torch.full_like(bias, -5), exponent, 127)(x))


@given(st.integers(0, 2**16), st.floats(1e-3, 1e3))
def test_quantised_layers_are_exact_in_float32(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = size * torch.randn(4, 20, generator=generator)
    bias = 100 * torch.randn(4, generator=generator)
    made = ExactLinear("test", **quantise(weight, bias, 127), limit=127, dtype=torch.float32)
    x = torch.randint(-127, 128, (20, 50), generator=generator).float()
    wanted = weight.double() @ x.double() + bias.double()[:, None]
    step = 20 * 127 / 2 * torch.exp2(-quantise(weight, bias, 127)["exponent"])[:, None]
    assert ((made(x) - wanted).abs() <= 1 + step).all()


SETTINGS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "tf32": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "by backend": lambda: [setattr(o, n, {"ieee": "tf32"}.get(exact, exact)) for o, n, exact in _products()][-1],
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_put_back(setting: str) -> None:
    """In a process of its own, as torch does not let all of them be undone."""
    code = f"""
import threading, torch
from test_exact import SETTINGS, state
from ridecodec.coding.exact import exact_arithmetic
torch.set_num_threads(2)
SETTINGS[{setting!r}]()
before = state()
for _ in range(2):
    with exact_arithmetic():
        with exact_arithmetic():
            pass
        assert torch.get_num_threads() == 1
        assert torch.is_inference_mode_enabled()
    assert state() == before
found = []
entered, done = threading.Barrier(2), threading.Event()
def other():
    torch.set_num_threads(3)
    with exact_arithmetic():
        entered.wait()
        found.append(torch.get_num_threads())
        done.wait()
    found.append(torch.get_num_threads())
thread = threading.Thread(target=other, daemon=True)
thread.start()
with exact_arithmetic():
    entered.wait()
    new = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    new.start()
    new.join()
assert torch.get_num_threads() == 2
done.set()
thread.join()
assert state() == before
assert sorted(found) == [1, 3, 3], found
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parent)


def state() -> tuple[Any, ...]:
    """What a caller can see of torch's settings."""
    return torch.get_num_threads(), torch.is_inference_mode_enabled(), [getattr(o, n) for o, n, _ in _products()]


def test_callers_settings_do_not_reach_the_code() -> None:
    array = np.random.default_rng(3).integers(0, 256, (20, 30)).astype(np.uint8)
    plain = ridecodec.compress(array, model="mcgsm-gray")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert ridecodec.compress(array, model="mcgsm-gray") == plain
            rates = ridecodec.evaluate(array, model="mcgsm-gray")
    finally:
        torch.set_default_dtype(before)
    assert rates.likelihood == pytest.approx(ridecodec.evaluate(array, model="mcgsm-gray").likelihood, rel=1e-6)
    with torch.device("meta"):
        assert ridecodec.compress(array, model="mcgsm-gray") == plain


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_hang() -> None:
    """The parent has used torch's threads, the child loads the model first."""
    code = """
import multiprocessing, numpy, torch
import ridecodec, ridecodec.tiles.codec
torch.set_num_threads(2)
torch.rand(1000, 1000) @ torch.rand(1000, 1000)
torch.rand(1 << 20).exp()
child = multiprocessing.get_context("fork").Process(target=ridecodec.compress, args=(numpy.zeros((9, 9), numpy.uint8),))
child.start()
child.join()
assert child.exitcode == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def weights(name: str) -> bytes:
    card = registry.current(name)
    assert card.file is not None
    return (registry.WEIGHTS / card.file).read_bytes()


@pytest.mark.parametrize(("name", "step"), [("mixture-cifar", 60)])
def test_every_integer_of_a_model_file_is_checked_to_be_one(name: str, step: int) -> None:
    """Fractions, numbers that are none, and those beyond every range; of large families some tensors."""
    tensors = safetensors.torch.load(weights(name))
    names = [each for each, held in tensors.items() if each != "programs" and not held.is_floating_point()]
    for each in names[::step]:
        for wrong, dtype in ((0.5, torch.float32), (float("nan"), torch.float64), (1 << 62, torch.int64)):
            changed = tensors[each].to(dtype, copy=True)
            changed.view(-1)[-1] = wrong
            with pytest.raises(ModelRefusedError, match=r"integers|out of|does not exist|not causal|partial|too far"):
                program_codec(name, safetensors.torch.save(tensors | {each: changed}))


def test_a_model_file_must_have_its_hash() -> None:
    for name in ("photo", "gradient"):
        card = replace(registry.current(name), hash="00000000")
        with pytest.raises(ModelRefusedError, match="damaged"):
            registry.load(card)


def test_a_model_file_that_is_gone() -> None:
    with pytest.raises(ModelMissingError, match=r"gone\.safetensors"):
        registry.load(replace(registry.current("photo"), file="gone.safetensors"))
