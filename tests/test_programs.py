"""Programs: what cannot be proven is refused by name, and a model file comes back as it was written."""

from __future__ import annotations

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
from programs import RandomProgram

from ridecodec.engines.reference import Reference
from ridecodec.errors import ModelRefusedError
from ridecodec.exact import programfile
from ridecodec.exact.program import OPERATIONS, Operation, Program
from ridecodec.exact.recorder import Recorder
from ridecodec.models import programs, registry
from ridecodec.models.photo.definition import ACTIVATION_UNIT

NAMES = ("gradient", "photo")
Tensors = dict[str, NDArray[Any]]


def data(name: str) -> bytes:
    card = registry.current(name)
    assert card.file is not None
    return (registry.WEIGHTS / card.file).read_bytes()


def tensors(name: str) -> Tensors:
    return safetensors.numpy.load(data(name))


def load(changed: Tensors) -> None:
    programs.program_codec("own", safetensors.numpy.save(changed), "reference")


def head(held: Tensors) -> Any:
    return json.loads(held["programs"].tobytes())


def with_head(held: Tensors, new: Any) -> Tensors:
    return held | {"programs": np.frombuffer(json.dumps(new).encode(), np.uint8)}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_comes_back(name: str) -> None:
    held, extra, arrays = programfile.load(data(name))
    assert programfile.save(held, extra, arrays) == data(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_integer_of_a_model_file_is_checked_to_be_one(name: str) -> None:
    held = tensors(name)
    used = {text for text in _texts(head(held)["programs"]) if text in held}
    real = {
        text for program in head(held)["programs"].values() for each in program["operations"] for text in _real(each)
    }
    for each in sorted(used - real) + [each for each in held if each.startswith("extra")]:
        for wrong, dtype in ((0.5, np.float32), (float("nan"), np.float64), (1 << 62, np.int64)):
            changed = held[each].astype(dtype)
            changed.reshape(-1)[-1] = wrong
            with pytest.raises(ModelRefusedError):
                load(held | {each: changed})


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def _real(operation: list[Any]) -> list[str]:
    return list(operation[4].values()) if len(operation) > 3 else []


@pytest.mark.parametrize("name", ["first", "second", "heads.0", "heads.2", "outputs.1", "linear.2"])
def test_a_layer_whose_sums_are_too_large_is_refused_by_name(name: str) -> None:
    held = tensors("photo")
    operation = next(each for each in head(held)["programs"]["3"]["operations"] if each[3:4] == [name])
    weight = operation[2]["weight"]
    assert isinstance(weight, str)
    with pytest.raises(ModelRefusedError, match=f"'affine' \\({name}\\), has partial sums"):
        load(held | {weight: held[weight].astype(np.int64) << 38})


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
    for each in [*weights, *(key for key in held if key.startswith("extra"))]:
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
    try:
        load(with_head(held, new))
    except ModelRefusedError as error:
        assert str(error).isprintable()


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


def small(*operations: Operation) -> Program:
    """A program of one channel, whose output is as good as any."""
    ops = Recorder(1)
    ops.output("even", {"top": ops.affine(ops.place(1), np.zeros((1, 6), np.int64), np.array([9]))}, {})
    made = ops.program()
    return Program(1, 255, made.operations + operations, made.outputs)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (Operation("tap", (), {"planes": np.array([0]), "dy": np.array([0]), "dx": np.array([0])}), "not causal"),
        (Operation("tap", (), {"planes": np.array([1]), "dy": np.array([0]), "dx": np.array([-1])}), "not there"),
        (Operation("sample", (), {"channel": 1}), "not there"),
        (Operation("lookup", (0,), {"table": np.zeros((1, 1), np.int64)}), "outside of its table"),
        (Operation("select", (0, 0), {"count": 2}), "not there"),
        (Operation("shift", (0,), {"bits": -41}), "beyond what is exact"),
        (Operation("clamp", (0,), {"lo": 3, "hi": 2}), "wrong order"),
        (Operation("add", (0, 7), {}), "not known yet"),
        (Operation("sum", (0,), {"group": 4}), "groups"),
        (Operation("affine", (0,), {"weight": np.ones((1, 5), np.int64)}), "shape"),
        (Operation("exponential", (0,), {}), "does not know"),
        (Operation("add", (0,), {}), "1 inputs"),
    ],
)
def test_operations_that_cannot_be_proven_are_refused(operation: Operation, words: str) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        small(operation)


def test_ranges_are_the_tightest_of_simple_operations() -> None:
    ops = Recorder(1)
    x = ops.tap([(0, (0, -1)), (0, (-1, 0))])
    difference = x[0] - x[1]
    assert (difference.range.lo[0], difference.range.hi[0]) == (-255, 255)
    assert (abs(difference).range.lo[0], abs(difference).range.hi[0]) == (0, 255)
    assert (difference * difference).range.top[0] == 255**2
    assert (difference.clamp(-3, 999) >> 1).range.lo[0] == -2
    assert ops.lookup(x[0], np.arange(256)[:, None] % 7).range.hi[0] == 6
    assert set(OPERATIONS) >= {each.kind for each in small().operations}


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_values_are_within_their_ranges(seed: int) -> None:
    made = RandomProgram(seed)
    runner = Reference().open(made.program)
    for _, values in runner.evaluate(made.tile(7, 11), made.parameters()):
        for number, found in enumerate(made.program.ranges):
            assert (values[number] >= found.lo[:, None]).all(), made.program.operations[number]
            assert (values[number] <= found.hi[:, None]).all(), made.program.operations[number]


@given(st.integers(0, 2**16), st.floats(1e-3, 10.0))
def test_layers_are_as_exact_as_their_integers_allow(seed: int, size: float) -> None:
    """Rounded to the unit, up to what the weights' own rounding does; every sum below float32's integers."""
    rng = np.random.default_rng(seed)
    weight, bias = size * rng.normal(size=(4, 20)), 100 * rng.normal(size=4)
    ops = Recorder(1)
    x = ops.tap([(0, (0, -1))] * 20)
    ops.linear("layer", x, weight, bias, unit=ACTIVATION_UNIT)
    ops.output("even", {"top": x[0]}, {})
    layer = next(each for each in ops.program().operations if each.name == "layer")
    integers, shift = (np.asarray(layer.attributes[key]) for key in ("weight", "shift"))
    inputs = rng.integers(0, 256, (20, 50))
    sums = integers @ inputs + np.asarray(layer.attributes["bias"])[:, None]
    assert np.abs(integers).sum(1).max() * 255 < 2**24
    wanted = ACTIVATION_UNIT * (weight @ inputs + bias[:, None])
    step = 20 * 255 / 2 / np.exp2(shift)[:, None]
    assert (np.abs((sums >> shift[:, None]) - wanted) <= 1 + step).all()


def test_distributions_come_from_what_is_known() -> None:
    ops = Recorder(2)
    own = ops.sample(0)
    ops.output("even", {"top": own}, {})
    ops.output("even", {"top": own}, {})
    with pytest.raises(ModelRefusedError, match="the top of channel 0 are not known when they are needed"):
        ops.program()


@pytest.mark.parametrize(
    ("table", "change"),
    [("logistic", lambda t: t[::-1]), ("inverse", np.zeros_like), ("exponential", lambda t: t + 1)],
)
def test_tables_of_distributions_are_checked(table: str, change: Callable[[Any], Any]) -> None:
    program = programfile.load(data("gradient"))[0]["1"]
    (output,) = program.outputs
    changed = replace(output, tables={**output.tables, table: change(output.tables[table])})
    with pytest.raises(ModelRefusedError, match="parts or tables that are out of range"):
        replace(program, outputs=(changed,))
