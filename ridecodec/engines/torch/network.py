"""The float network behind a recorded program: the same operations, its weights as parameters that can be trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.engines.schedule import ancestors
from ridecodec.engines.torch.families import family
from ridecodec.engines.torch.steps import Arrays, Pixels, arrays, step
from ridecodec.exact.program import Program


class ProgramNet(nn.Module):
    """A program in float32: gives code lengths, and gradients of the weights that its definition was given.

    The weights are in the definition's own units, so that rates of learning and decay mean what they do in a network
    of `torch.nn`.
    """

    def __init__(self, program: Program) -> None:
        """``program``: as its definition recorded it; one from a file has nothing to train."""
        super().__init__()
        self.program = program
        ends = [value for output in program.outputs for value in output.parts.values()]
        self.needed = sorted(ancestors(program, ends))
        self.steps = {k: step(k, program.operations[k], real=True) for k in self.needed}
        self.families = [family(output, torch.device("cpu")) for output in program.outputs]
        self.trained = nn.ParameterDict()
        self.names: dict[str, str] = {}
        self._parts: dict[int, list[str]] = {}
        for k in self.needed:
            operation = program.operations[k]
            held = arrays(operation, True, torch.float32)
            self._parts[k] = list(held)
            for part, value in held.items():
                scale = operation.scale.get(part)
                if scale is None:
                    self.register_buffer(f"{k}_{part}", value, persistent=False)
                    continue
                factor = torch.from_numpy(scale).float().expand_as(value).contiguous()
                self.register_buffer(f"{k}_{part}", factor, persistent=False)
                name = f"{operation.name}.{part}"
                self.names[name] = _key(name)
                if _key(name) not in self.trained:
                    self.trained[_key(name)] = nn.Parameter((value.double() / torch.from_numpy(scale)).float())

    @property
    def layers(self) -> list[str]:
        """Names of the layers that are trained."""
        operations = (self.program.operations[k] for k in self.needed)
        return [operation.name for operation in operations if operation.kind == "affine" and operation.scale]

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What is trained, by the names that a definition gave."""
        return ((name, self.trained[key]) for name, key in self.names.items())

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, as a definition takes them."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.named_weights()}

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights of the same names and shapes; KeyError or RuntimeError where they do not fit."""
        with torch.no_grad():
            for name, value in self.named_weights():
                value.copy_(weights[name])

    def forward(self, pixels: Pixels, rough: Collection[str] = ()) -> Tensor:
        """Code lengths of m pixels' own samples, bits [channels, m].

        ``rough``: names of layers that are computed in bfloat16.
        """
        values: dict[int, Tensor] = {}
        for k in self.needed:
            operation = self.program.operations[k]
            inputs = [values[number] for number in operation.inputs]
            if operation.name in rough and operation.kind == "affine":
                with torch.autocast(inputs[0].device.type, torch.bfloat16):
                    values[k] = self.steps[k](pixels, inputs, self._arrays(k)).float()
            else:
                values[k] = self.steps[k](pixels, inputs, self._arrays(k))
        bits = []
        for channel, output in enumerate(self.program.outputs):
            parts = {part: values[number] for part, number in output.parts.items()}
            bits.append(self.families[channel].bits(parts, pixels.sample(channel)))
        return torch.stack(bits)

    def _arrays(self, k: int) -> Arrays:
        """An operation's arrays in the units of the program's integers."""
        operation = self.program.operations[k]
        held: dict[str, Tensor] = {}
        for part in self._parts[k]:
            value = getattr(self, f"{k}_{part}")
            trained = part in operation.scale
            held[part] = self.trained[_key(f"{operation.name}.{part}")] * value if trained else value
        return held


def _key(name: str) -> str:
    """A name that `nn.Module` allows."""
    return name.replace(".", "_")
