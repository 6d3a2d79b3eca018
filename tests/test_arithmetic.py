"""Exact arithmetic in torch: what a caller has set does not reach the code, and is put back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ridecodec
from ridecodec.engines.torch.arithmetic import _products, check_products, exact_arithmetic
from ridecodec.errors import ModelRefusedError

SETTINGS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "tf32": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "by backend": lambda: [setattr(o, n, {"ieee": "tf32"}.get(exact, exact)) for o, n, exact in _products()][-1],
}


@pytest.mark.parametrize("settings", [("none", "medium", "high"), ("tf32",), ("by backend",)], ids="-".join)
def test_settings_are_put_back(settings: tuple[str, ...]) -> None:
    """In a process of its own, as torch does not let all of them be undone."""
    code = f"import test_arithmetic\nfor setting in {settings}: test_arithmetic.check_put_back(setting)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parent)


def check_put_back(setting: str) -> None:
    """In this thread and in others, also where several ask for exact arithmetic."""
    torch.set_num_threads(2)
    SETTINGS[setting]()
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

    def other() -> None:
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


@pytest.mark.parametrize("bits", [8, 11], ids=["bfloat16", "tf32"])
def test_products_of_reduced_precision_are_noticed(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def rounded(x: torch.Tensor) -> torch.Tensor:
        mantissa, exponent = torch.frexp(x)
        return torch.ldexp((mantissa * 2**bits).round(), exponent - bits)

    check_products(torch.device("cpu"))
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: rounded(a).mm(rounded(b)))
    with pytest.raises(ModelRefusedError, match="reduced precision is forced"):
        check_products(torch.device("cpu"))
