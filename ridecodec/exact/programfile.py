"""Programs as bytes: one safetensors file, its operations as JSON in the tensor ``programs``, arrays beside it.

Nothing in the file is code, and nothing is trusted: `Program` proves every range again, and every array that the
arithmetic uses is one of integers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from ridecodec.errors import ModelRefusedError
from ridecodec.exact.parts import Attribute, Given, Operation, Output, Parameter, Plane
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64

_INLINE = 64
"""Numbers of a vector that stands in the JSON itself."""
_MOST_OPERATIONS = 1 << 16
_HEAD = "programs"
_DAMAGE = (
    safetensors.SafetensorError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    OverflowError,
)
"""What reading a damaged file may raise."""
Array = NDArray[Any]


def save(programs: Mapping[str, Program], extra: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The file of programs by name; ``extra`` (JSON) and ``arrays`` go with them."""
    writer = _Writer()
    written = {name: writer.program(program) for name, program in programs.items()}
    head = json.dumps({"programs": written, "extra": dict(extra)}, separators=(",", ":")).encode()
    tensors = {_HEAD: np.frombuffer(head, np.uint8), **writer.arrays}
    tensors |= {f"extra.{name}": _compact(array) for name, array in arrays.items()}
    return safetensors.numpy.save(tensors)


def load(data: bytes) -> tuple[dict[str, Program], dict[str, Any], dict[str, Array]]:
    """What `save` was given; ModelRefusedError where the file is damaged or something in it cannot be proven."""
    try:
        tensors = safetensors.numpy.load(data)
        head = json.loads(tensors.pop(_HEAD).tobytes())
        reader = _Reader(tensors)
        programs = {str(name): reader.program(written) for name, written in head["programs"].items()}
        start = "extra."
        arrays = {name[len(start) :]: array for name, array in tensors.items() if name.startswith(start)}
        return programs, dict(head["extra"]), arrays
    except _DAMAGE as error:
        raise ModelRefusedError(f"the model file is damaged ({error}); export the model again") from error


def integers(array: Array, name: str) -> Int64:
    """An array of a model file as int64; ModelRefusedError, naming it, for one that is not of integers."""
    if array.dtype.kind not in "iu":
        raise ModelRefusedError(f"{name} holds {array.dtype}, not integers; export the model again")
    return array.astype(np.int64)


def _compact(array: Array) -> Array:
    """The same integers in the smallest type that holds them."""
    if array.dtype.kind != "i":
        return np.ascontiguousarray(array)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    kind = next(
        t for t in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(t).min <= low and high <= np.iinfo(t).max
    )
    return np.ascontiguousarray(array.astype(kind))


class _Writer:
    """Puts arrays aside; equal ones are kept once."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def array(self, array: Array) -> str:
        held = _compact(array)
        key = (held.dtype.str, held.shape, held.tobytes())
        if key not in self._known:
            self._known[key] = f"a{len(self._known)}"
            self.arrays[self._known[key]] = held
        return self._known[key]

    def attribute(self, value: Attribute) -> Any:
        if not isinstance(value, np.ndarray):
            return int(value)
        return value.tolist() if value.ndim == 1 and value.size <= _INLINE else self.array(value)

    def program(self, program: Program) -> dict[str, Any]:
        written = {
            "channels": program.channels,
            "top": program.top,
            "operations": [self.operation(operation) for operation in program.operations],
            "outputs": [
                [output.family, dict(output.parts), {name: self.array(t) for name, t in output.tables.items()}]
                for output in program.outputs
            ],
            "kept": [[plane.value, plane.row, plane.rule, plane.initial] for plane in program.kept],
            "parameters": [[p.name, p.lo, p.hi, p.size] for p in program.parameters],
        }
        if program.given:
            written["given"] = [[p.name, p.lo, p.hi, p.margin] for p in program.given]
        if program.halved:
            written["halved"] = True
        return written

    def operation(self, operation: Operation) -> list[Any]:
        written: list[Any] = [
            operation.kind,
            list(operation.inputs),
            {name: self.attribute(value) for name, value in operation.attributes.items()},
        ]
        if operation.name or operation.real or operation.smooth or operation.lead:
            real = {name: self.array(value) for name, value in operation.real.items()}
            written += [operation.name, real, operation.smooth]
        if operation.lead:
            written.append(operation.lead)
        return written


class _Reader:
    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays

    def program(self, written: Mapping[str, Any]) -> Program:
        if len(written["operations"]) > _MOST_OPERATIONS:
            raise ModelRefusedError(f"a program has {len(written['operations'])} operations, which is too many")
        return Program(
            int(written["channels"]),
            int(written["top"]),
            tuple(self.operation(each) for each in written["operations"]),
            tuple(self.output(*each) for each in written["outputs"]),
            tuple(Plane(*map(int, each)) for each in written["kept"]),
            tuple(Parameter(str(name), int(lo), int(hi), int(size)) for name, lo, hi, size in written["parameters"]),
            tuple(Given(str(name), int(lo), int(hi), int(m)) for name, lo, hi, m in written.get("given", [])),
            bool(written.get("halved", False)),
        )

    def operation(self, written: list[Any]) -> Operation:
        kind, inputs, attributes, *rest = written
        usual: list[Any] = ["", {}, False, 0]
        name, real, smooth, lead = rest + usual[len(rest) :]
        return Operation(
            str(kind),
            tuple(map(int, inputs)),
            {str(key): self.attribute(value, f"{name or kind}: {key}") for key, value in attributes.items()},
            str(name),
            {str(key): self.float_array(value) for key, value in real.items()},
            bool(smooth),
            lead=int(lead),
        )

    def attribute(self, value: Any, name: str) -> Attribute:
        if isinstance(value, str):
            return integers(self.arrays[value], name)
        if isinstance(value, list):
            if any(type(each) is not int for each in value):
                raise ModelRefusedError(f"{name} does not hold integers; export the model again")
            return np.array(value, np.int64)
        if type(value) is not int:
            raise ModelRefusedError(f"{name} is not an integer; export the model again")
        return value

    def float_array(self, name: str) -> NDArray[np.float32]:
        found = self.arrays[name].astype(np.float32)
        if not np.isfinite(found).all():
            raise ModelRefusedError(f"the float weights {name} are not finite; export the model again")
        return found

    def output(self, family: str, parts: Mapping[str, int], tables: Mapping[str, str]) -> Output:
        held = {str(name): integers(self.arrays[key], name) for name, key in tables.items()}
        return Output(str(family), {str(part): int(value) for part, value in parts.items()}, held)
