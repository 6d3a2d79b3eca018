"""Programs: ranges hold, what cannot be proven is refused by name, and files give back what was written."""

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
from programs import RandomProgram

from ridecodec.engines.reference import Reference
from ridecodec.errors import ModelRefusedError
from ridecodec.exact import programfile
from ridecodec.exact.parts import CONSTANT
from ridecodec.exact.program import Program
from ridecodec.exact.recorder import Recorder
from ridecodec.models import programs, registry
from ridecodec.models.photo.definition import ACTIVATION_UNIT

LAYERS = ["first", "second", "heads.0", "heads.2", "outputs.1", "linear.2"]


def shipped(name: str) -> bytes:
    card = registry.current(name)
    assert card.file is not None
    return (registry.WEIGHTS / card.file).read_bytes()


def changed(program: Program, name: str, part: str, change: Callable[[Any], Any]) -> Program:
    """The program with an array of the operation of this name changed."""
    operations = [
        replace(each, attributes={**each.attributes, part: change(each.attributes[part])})
        if each.name == name
        else each
        for each in program.operations
    ]
    assert any(each.name == name for each in program.operations)
    return replace(program, operations=tuple(operations))


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_values_are_within_their_ranges(seed: int) -> None:
    made = RandomProgram(seed)
    runner = Reference().open(made.program)
    for _, values in runner.evaluate(made.tile(7, 11), made.parameters()):
        for number in values:  # where something recurs, those of the passes ahead are apart
            found = made.program.ranges[number]
            assert (values[number] >= found.lo[:, None]).all(), made.program.operations[number]
            assert (values[number] <= found.hi[:, None]).all(), made.program.operations[number]


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_files_give_back_what_was_written(seed: int) -> None:
    program = RandomProgram(seed).program
    extra, arrays = {"side": "none"}, {"a": np.arange(300)}
    data = programfile.save({"1": program}, extra, arrays)
    found, extra_found, arrays_found = programfile.load(data)
    assert programfile.save(found, extra_found, arrays_found) == data
    assert extra_found == extra
    assert arrays_found["a"].tolist() == arrays["a"].tolist()
    again = found["1"]
    for own, other in zip(again.operations, program.operations, strict=True):
        assert (own.kind, own.inputs, own.attributes.keys()) == (other.kind, other.inputs, other.attributes.keys())
        assert all(np.array_equal(own.attributes[key], value) for key, value in other.attributes.items())
    assert (again.kept, again.parameters) == (program.kept, program.parameters)
    assert all(a.lo.tolist() == b.lo.tolist() for a, b in zip(again.ranges, program.ranges, strict=True))


@pytest.fixture(scope="module")
def photo() -> Program:
    """The shipped photo model for RGB."""
    return programfile.load(shipped("photo"))[0]["3"]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_whose_bound_fails_is_refused(photo: Program, name: str) -> None:
    with pytest.raises(ModelRefusedError, match=f"'affine' \\({name}\\), has partial sums"):
        changed(photo, name, "weight", lambda weight: weight << 37)
    with pytest.raises(ModelRefusedError, match=f"'affine' \\({name}\\), has shifts out of range"):
        changed(photo, name, "shift", lambda shift: shift - 100)
    with pytest.raises(ModelRefusedError, match=f"'affine' \\({name}\\), has 'weight' of the wrong shape"):
        changed(photo, name, "weight", lambda weight: weight[:, :-1])


def test_tables_that_a_layer_adds_count() -> None:
    ops = Recorder(1)
    index = ops.tap([(0, (0, -1))])
    table = np.zeros((256, 1), np.int64)
    table[7] = 2**52
    adds = {"weight": np.ones((1, 1), np.int64), "bias": np.zeros(1, np.int64), "shift": np.zeros(1, np.int64)}
    with pytest.raises(ModelRefusedError, match=r"\(sums\), has partial sums"):
        ops.record("affine", [index, ops.lookup(index, table)], adds, name="sums")


def test_arrays_that_are_no_integers_are_refused() -> None:
    tensors = safetensors.numpy.load(shipped("photo"))
    head = json.loads(tensors["programs"].tobytes())
    layer = next(each for each in head["programs"]["3"]["operations"] if each[3:4] == ["second"])
    key = layer[2]["weight"]
    tensors[key] = tensors[key].astype(np.float32) + np.float32(0.25)
    with pytest.raises(ModelRefusedError, match="second: weight holds float32, not integers"):
        programs.program_codec("photo", safetensors.numpy.save(tensors))


def _in_pass(ops: Recorder, lead: int, made: int | None, offset: tuple[int, int]) -> object:
    """A tap of a pass on a plane that another one makes, or on the samples."""
    plane = 0
    if made is not None:
        with ops.ahead(made):
            plane = ops.planes(1, 0, 1, CONSTANT)
    with ops.ahead(lead):
        return ops.tap([(plane, offset)])


MISUSES: dict[str, tuple[Callable[[Recorder], object], str]] = {
    "an own value, too early": (lambda ops: _in_pass(ops, 2, 1, (0, 2)), "not causal"),
    "a border ahead": (lambda ops: _in_pass(ops, 2, None, (-1, 0)), "not constant outside"),
    "no given plane": (lambda ops: ops.given([(0, (0, 0))]), "a plane that is not given"),
    "beyond a margin": (lambda ops: ops.given([(ops.give("x", 0, 1, 2), (0, 3))]), "beyond the margin"),
    "neighbours behind": (lambda ops: ops.tap([(0, (0, 1))]), "not causal"),
    "itself": (lambda ops: ops.tap([(0, (0, 0))]), "not causal"),
    "no plane": (lambda ops: ops.tap([(4, (0, -1))]), "a plane that does not exist"),
    "no channel": (lambda ops: ops.sample(2), "a channel that does not exist"),
    "short table": (
        lambda ops: ops.lookup(ops.tap([(0, (0, -1))]), np.zeros((255, 1), np.int64)),
        "outside its table",
    ),
    "groups": (lambda ops: ops.tap([(0, (0, -1))] * 3).sum(2), "groups that do not fit"),
    "parts": (lambda ops: ops.select(ops.place(1)[0], ops.place(1)[:3], 2), "selects a part that does not exist"),
    "sizes": (lambda ops: ops.place(1) + ops.place(1)[:2], "pairs 6 rows with 2"),
    "limits": (lambda ops: ops.place(1).clamp(3, 2), "wrong order"),
    "large products": (lambda ops: (ops.place(1) << 30) * (ops.place(1) << 30), "products beyond what is exact"),
    "shift": (lambda ops: ops.place(1) << 41, "shifts beyond what is exact"),
    "kind": (lambda ops: ops.record("exp", [ops.place(1)]), "a kind that this version does not know"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_what_cannot_be_proven_is_refused(misuse: str) -> None:
    wrong, said = MISUSES[misuse]
    with pytest.raises(ModelRefusedError, match=said):
        wrong(Recorder(2))


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
def test_tables_of_distributions_are_checked(photo: Program, table: str, change: Callable[[Any], Any]) -> None:
    first = photo.outputs[0]
    output = replace(first, tables={**first.tables, table: change(first.tables[table])})
    with pytest.raises(ModelRefusedError, match="parts or tables that are out of range"):
        replace(photo, outputs=(output, *photo.outputs[1:]))


def test_a_file_that_is_none_is_refused() -> None:
    data = shipped("photo")
    other = safetensors.numpy.save({"weight": np.zeros((3, 4), np.int64)})
    for wrong in (b"", b"abc", data[:1000], data[:-1], other):
        with pytest.raises(ModelRefusedError):
            programs.program_codec("photo", wrong)


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
