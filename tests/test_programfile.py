"""Model files of programs: whatever is changed in one is refused or proven, and never more than an error."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ridecodec.errors import ModelMissingError, ModelRefusedError
from ridecodec.exact import programfile
from ridecodec.models import programs, registry

NAMES = ("gradient", "photo", "mcgsm-gray")
Tensors = dict[str, NDArray[Any]]


def data(name: str) -> bytes:
    card = registry.current(name)
    assert card.file is not None
    return (registry.WEIGHTS / card.file).read_bytes()


def tensors(name: str) -> Tensors:
    return safetensors.numpy.load(data(name))


def load(changed: Tensors) -> None:
    programs.program_codec("own", safetensors.numpy.save(changed), "reference")


def prove(changed: Tensors) -> None:
    programfile.load(safetensors.numpy.save(changed))


def side_arrays(held: Tensors) -> list[str]:
    """What the side information needs; without any, arrays are for other readers."""
    return [each for each in held if each.startswith("extra") and head(held)["extra"]["side"] != "none"]


def head(held: Tensors) -> Any:
    return json.loads(held["programs"].tobytes())


def with_head(held: Tensors, new: Any) -> Tensors:
    return held | {"programs": np.frombuffer(json.dumps(new).encode(), np.uint8)}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_comes_back(name: str) -> None:
    held, extra, arrays = programfile.load(data(name))
    assert programfile.save(held, extra, arrays) == data(name)


@pytest.mark.parametrize("name", [*NAMES, "mixture-cifar"])
def test_every_integer_of_a_model_file_is_checked_to_be_one(name: str) -> None:
    held = tensors(name)
    used = {text for text in _texts(head(held)["programs"]) if text in held}
    real = {
        text for program in head(held)["programs"].values() for each in program["operations"] for text in _real(each)
    }
    beside = side_arrays(held)
    for each in sorted(used - real) + beside:
        for wrong, dtype in ((0.5, np.float32), (1 << 62, np.int64)):
            changed = held[each].astype(dtype)
            changed.reshape(-1)[-1] = wrong
            with pytest.raises(ModelRefusedError):
                (load if each in beside else prove)(held | {each: changed})


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def _real(operation: list[Any]) -> list[str]:
    return list(operation[4].values()) if len(operation) > 3 else []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [lambda t: t[:-1], lambda t: t[:0], lambda t: t[None]], ids=["short", "none", "deep"])
def test_tensors_that_do_not_fit_are_refused(name: str, cut: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    held = tensors(name)
    weights = {
        each[2]["weight"]
        for program in head(held)["programs"].values()
        for each in program["operations"]
        if each[0] == "affine" and isinstance(each[2]["weight"], str)
    }
    for each in [*weights, *side_arrays(held)]:
        with pytest.raises(ModelRefusedError):
            load(held | {each: cut(held[each]).copy()})


@given(st.data())
@settings(max_examples=60)
def test_a_changed_program_is_refused_or_proven(draw: st.DataObject) -> None:
    """Whatever is written in the place of one number: nothing but a refusal, and what passes is a program."""
    held = tensors("gradient")
    new = head(held)
    places = list(_places(new["programs"]["3"]))
    inner, key = places[draw.draw(st.integers(0, len(places) - 1))]
    inner[key] = draw.draw(
        st.sampled_from([-1, 0, 1, 255, 1 << 40, 1 << 70, -(1 << 63), 0.5, None, "a0", "x", [], [1]])
    )
    with contextlib.suppress(ModelRefusedError):
        load(with_head(held, new))


def _places(value: Any) -> Any:
    """(container, key) of everything in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_none_is_refused(name: str) -> None:
    whole = data(name)
    for wrong in (b"", b"abc", whole[:1000], whole[:-1], whole[:8] + b"[" + whole[9:]):
        with pytest.raises(ModelRefusedError):
            programs.program_codec("own", wrong, "reference")


def test_a_model_file_must_have_its_hash() -> None:
    for name in ("photo", "gradient"):
        card = replace(registry.current(name), hash="00000000")
        with pytest.raises(ModelRefusedError, match="damaged"):
            registry.load(card)


def test_a_model_file_that_is_gone() -> None:
    with pytest.raises(ModelMissingError, match=r"gone\.safetensors"):
        registry.load(replace(registry.current("photo"), file="gone.safetensors"))
