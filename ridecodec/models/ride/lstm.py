"""The spatial LSTM (RIDE paper, https://arxiv.org/abs/1506.03478, section 2.3, eq. 8 and 9): in floating point, along
anti-diagonals, and as a part of programs.

A map of H x W positions is packed diagonal by diagonal, each diagonal by row, and the images of a batch stand side
by side: position (y, x) of image b is row ``rank(y, x) * B + b``. A diagonal is then one contiguous slice, and so are
the left and upper neighbours of its rows; H + W - 1 steps evaluate a batch of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.exact.order import Offset
from ridecodec.exact.recorder import Recorder, Value

T = TypeVar("T")

MEMORY_LIMIT = 1.25
"""Memory cells stop here: both forget gates open would let them grow without end over a large picture."""
EXPLOSION = 30.0
"""A memory cell's gradient stops at this many times the root mean square of what comes from above."""
GATES = 5
"""g, o, i, f^r (the forget gate of the row above), f^c (of the column before), in this order."""

GATE_BITS = 10
"""In programs gates and memory cells are in 1/2^10, and so are the steps of the tables' arguments."""
OUTPUT_BITS = 9
"""Hidden units are in 1/2^9: they fit 16 bits, as do gates and memory cells."""
_UNIT = 1 << GATE_BITS
OUTPUT_TOP, MEMORY_TOP = 1 << OUTPUT_BITS, int(MEMORY_LIMIT * _UNIT)
_MIDDLE = 8 * _UNIT
"""Arguments of the gates' tables end at 8."""
_BEFORE: tuple[Offset, ...] = ((0, -1), (-1, 0))


@dataclass(frozen=True)
class _Step:
    """One diagonal: its rows in the packed map, and where the next diagonal's neighbours of them stand."""

    begin: int
    end: int
    own_left: tuple[int, int]  # slice of this diagonal that stands left of ...
    next_left: tuple[int, int]  # ... this slice of the packed map
    own_up: tuple[int, int]
    next_up: tuple[int, int]


@lru_cache(maxsize=64)
def _steps(height: int, width: int) -> tuple[_Step, ...]:
    last = height + width - 1
    low = [max(0, t - width + 1) for t in range(last + 1)]
    high = [min(height, t + 1) for t in range(last + 1)]
    begin = [0]
    for t in range(last):
        begin.append(begin[-1] + high[t] - low[t])
    steps = []
    for t in range(last):
        pairs = []
        for down in (0, 1):  # the row itself is the left neighbour of the next diagonal, the row below has it above
            first, past = max(low[t], low[t + 1] - down), min(high[t], high[t + 1] - down)
            past = first if t == last - 1 else max(first, past)
            at = begin[t + 1] - low[t + 1] + down
            pairs += [(begin[t] - low[t] + first, begin[t] - low[t] + past), (at + first, at + past)]
        steps.append(_Step(begin[t], begin[t + 1], *pairs))
    return tuple(steps)


@lru_cache(maxsize=64)
def packing(height: int, width: int) -> tuple[Tensor, Tensor]:
    """(raster position of each packed one, packed position of each raster one), int64 [H * W] both."""
    y = torch.arange(height).repeat_interleave(width)
    x = torch.arange(width).repeat(height)
    order = torch.argsort((x + y) * height + y)
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order))
    return order, back


def _edges(step: _Step | None, batch: int, left: T, up: T, start: int) -> Iterator[tuple[T, slice, slice]]:
    """Of a diagonal its rows that are neighbours of the next one's, and those, counted from row ``start``; with what is
    given for the side on which they stand. Nothing before the first diagonal."""
    if step is None:
        return
    for given, own, following in ((left, step.own_left, step.next_left), (up, step.own_up, step.next_up)):
        target = slice(following[0] * batch - start, following[1] * batch - start)
        yield given, slice(own[0] * batch, own[1] * batch), target


class _Recurrence(torch.autograd.Function):
    """The layer over a packed map, with its gradient written out: no graph of H + W steps is kept."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, height: int, width: int) -> Tensor:
        """``inputs`` [H * W * B, n], ``weight`` [n + 2 F or n + 4 F, 5 F], ``bias`` [5 F] -> h [H * W * B, F]."""
        size, hidden = inputs.shape[1], len(bias) // GATES
        batch = len(inputs) // (height * width)
        # [inputs, h left, h above; where they are inputs too c left, c above] of every position
        past = inputs.new_zeros(len(inputs), len(weight))
        past[:, :size] = inputs
        gates = inputs.new_empty(len(inputs), GATES * hidden)
        memory, output = inputs.new_empty(2, len(inputs), hidden).unbind()
        product = inputs.new_empty(min(height, width) * batch, hidden)
        before: _Step | None = None
        for step in _steps(height, width):
            own = slice(step.begin * batch, step.end * batch)
            now = torch.addmm(bias, past[own], weight, out=gates[own])
            g, o, i, up, left = now.split(hidden, 1)
            g.tanh_()
            now[:, hidden:].sigmoid_()
            c = torch.mul(g, i, out=memory[own])
            for gate, source, target in _edges(before, batch, left, up, own.start):
                c[target].addcmul_(memory[source], gate[target])
            c.clamp_(-MEMORY_LIMIT, MEMORY_LIMIT)
            torch.tanh(torch.mul(c, o, out=product[: len(c)]), out=output[own])
            for k, source, target in _edges(step, batch, 0, 1, 0):
                at = size + k * hidden
                past[target, at : at + hidden] = output[source]
                if len(weight) > size + 2 * hidden:
                    past[target, at + 2 * hidden : at + 3 * hidden] = memory[source]
            before = step
        ctx.save_for_backward(gates, past, memory, output, weight)
        ctx.size = (height, width, size)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        gates, past, memory, output, weight = ctx.saved_tensors
        height, width, size = ctx.size
        hidden, batch = output.shape[1], len(output) // (height * width)
        wanted = ctx.needs_input_grad[0]
        first = 0 if wanted else size  # of the columns of past that need gradients
        turned = weight[first:].T.contiguous()
        back = past.new_empty(len(past) if wanted else min(height, width) * batch, len(weight) - first)
        to_output, to_memory = grads[0].clone(), torch.zeros_like(memory)
        to_gates = torch.empty_like(gates)
        most = EXPLOSION * float(to_output.square().mean().sqrt())
        a = gates.new_empty(min(height, width) * batch, hidden)
        steps = _steps(height, width)
        for index in range(len(steps) - 1, -1, -1):
            step, before = steps[index], steps[index - 1] if index else None
            own = slice(step.begin * batch, step.end * batch)
            count = own.stop - own.start
            g, o, i, up, left = gates[own].split(hidden, 1)
            dg, do, di, dup, dleft = to_gates[own].split(hidden, 1)
            b, dc, c = a[:count], to_memory[own], memory[own]
            torch.ops.aten.tanh_backward.grad_input(to_output[own], output[own], grad_input=b)
            dc.addcmul_(b, o)
            dc.clamp_(-most, most)
            torch.ops.aten.hardtanh_backward.grad_input(dc, c, -MEMORY_LIMIT, MEMORY_LIMIT, grad_input=dc)
            torch.ops.aten.sigmoid_backward.grad_input(b.mul_(c), o, grad_input=do)
            torch.ops.aten.tanh_backward.grad_input(torch.mul(dc, i, out=b), g, grad_input=dg)
            torch.ops.aten.sigmoid_backward.grad_input(torch.mul(dc, g, out=b), i, grad_input=di)
            if before is None:
                to_gates[own, 3 * hidden :].zero_()
            for (gate, grad), source, target in _edges(before, batch, (left, dleft), (up, dup), own.start):
                # where there is no neighbour its gate has no gradient
                grad[: target.start].zero_()
                grad[target.stop :].zero_()
                part = torch.mul(dc[target], memory[source], out=b[: target.stop - target.start])
                torch.ops.aten.sigmoid_backward.grad_input(part, gate[target], grad_input=grad[target])
                to_memory[source].addcmul_(dc[target], gate[target])
            rows = back[own] if wanted else back[:count]
            torch.mm(to_gates[own], turned, out=rows)
            for k, source, target in _edges(before, batch, 0, 1, own.start):
                at = size - first + k * hidden
                to_output[source] += rows[target, at : at + hidden]
                if len(weight) > size + 2 * hidden:
                    to_memory[source] += rows[target, at + 2 * hidden : at + 3 * hidden]
        return back[:, :size] if wanted else None, past.T @ to_gates, to_gates.sum(0), None, None


class SpatialLSTM(nn.Module):
    """One layer. ``extended``: the memory cells before are inputs of the gates too ("ext." in the paper)."""

    def __init__(self, inputs: int, hidden: int, extended: bool = False) -> None:
        super().__init__()
        self.inputs, self.hidden, self.extended = inputs, hidden, extended
        self.input = nn.Linear(inputs, GATES * hidden)
        self.recurrent = nn.Parameter(torch.empty((4 if extended else 2) * hidden, GATES * hidden))
        nn.init.uniform_(self.input.weight, -0.08, 0.08)
        nn.init.zeros_(self.input.bias)
        nn.init.uniform_(self.recurrent, -0.08, 0.08)

    def forward(self, packed: Tensor, height: int, width: int) -> Tensor:
        """Inputs of a packed map [H * W * B, inputs] -> its hidden units h [H * W * B, hidden]."""
        weight = torch.cat([self.input.weight.T, self.recurrent])
        result: Tensor = _Recurrence.apply(packed, weight, self.input.bias, height, width)  # type: ignore[no-untyped-call]
        return result

    def limits(self) -> list[tuple[int, int]]:
        """Of the planes that the layer keeps in a program: its hidden units, then its memory cells."""
        return [(-top, top) for top in (OUTPUT_TOP, MEMORY_TOP) for _ in range(self.hidden)]

    def record(
        self, ops: Recorder, name: str, below: Value, weight: Tensor, bias: Tensor, first: int
    ) -> tuple[Value, Value]:
        """The layer in a program: its hidden units and memory cells, which are kept from plane ``first`` on.

        ``weight`` [5 F, len(below)] and ``bias`` [5 F] stand for those of `input`: they may hold what is linear below.
        """
        hidden = self.hidden
        units, cells = (
            ops.tap([(first + at + k, offset) for offset in _BEFORE for k in range(hidden)], unit=unit)
            for at, unit in ((0, OUTPUT_TOP), (hidden, _UNIT))
        )
        seen = ops.concatenate([below, units, cells] if self.extended else [below, units])
        matrix = torch.cat([weight, self.recurrent.T.double()], 1).numpy()
        start = bias.numpy() + _MIDDLE / _UNIT
        step = ops.linear(name, seen, matrix, start, unit=_UNIT, down=True).clamp(0, 2 * _MIDDLE - 1)
        argument = (np.arange(2 * _MIDDLE) - _MIDDLE + 0.5) / _UNIT
        g = _function(ops, step[:hidden], np.tanh(argument), _UNIT)
        gates = _function(ops, step[hidden:], 0.5 + 0.5 * np.tanh(argument / 2), _UNIT)
        o, i, up, left = (gates[k * hidden : (k + 1) * hidden] for k in range(GATES - 1))
        half = ops.constant(_UNIT // 2, unit=_UNIT**2, real=0.0)  # rounds, where there is rounding
        grown = g * i + cells[:hidden] * left + cells[hidden:] * up + half
        memory = grown.rescaled(GATE_BITS, smooth=True).clamp(-MEMORY_TOP, MEMORY_TOP)
        shown = (memory * o).rescaled(GATE_BITS) + ops.constant(MEMORY_TOP, unit=_UNIT)
        argument = (np.arange(2 * MEMORY_TOP + 1) - MEMORY_TOP + 0.5) / _UNIT
        return _function(ops, shown, np.tanh(argument), OUTPUT_TOP), memory


def _function(ops: Recorder, index: Value, values: NDArray[np.float64], unit: int) -> Value:
    """Entries of a table of real numbers, in 1 / unit."""
    table = values[:, None] * unit
    real = {"table": table.astype(np.float32)}
    return ops.record("lookup", [index], {"table": np.rint(table).astype(np.int64)}, unit=unit, real=real)
