"""The spatial LSTM in floating point, evaluated along anti-diagonals (RIDE paper, section 2.3, eq. 8 and 9).

A map of H x W positions is packed diagonal by diagonal, each diagonal by row, and the images of a batch stand side
by side: position (y, x) of image b is row ``rank(y, x) * B + b``. A diagonal is then one contiguous slice, and so are
the left and upper neighbours of its rows; H + W - 1 steps evaluate a batch of any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

MEMORY_LIMIT = 4.0
"""Memory cells stop here: both forget gates open would let them grow without end over a large picture."""
EXPLOSION = 30.0
"""A memory cell's gradient stops at this many times the root mean square of what comes from above."""
GATES = 5
"""g, o, i, f^r (the forget gate of the row above), f^c (of the column before), in this order."""


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


class _Recurrence(torch.autograd.Function):
    """The recurrence over a packed map, with its gradient written out: no graph of H + W steps is kept."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
        """``inputs`` [H * W * B, 5 F], ``weight`` [2 F or 4 F, 5 F] -> h [H * W * B, F]."""
        batch, hidden, inner = len(inputs) // (height * width), inputs.shape[1] // GATES, len(weight)
        gates = inputs.clone()
        # [h left, h above, c left, c above] of every position
        before = inputs.new_zeros(len(inputs), 4 * hidden)
        memory, output = inputs.new_empty(2, len(inputs), hidden).unbind()
        product = inputs.new_empty(min(height, width) * batch, hidden)
        for step in _steps(height, width):
            own = slice(step.begin * batch, step.end * batch)
            past = before[own]
            now = gates[own].addmm_(past[:, :inner], weight)
            g, o, i, up, left = now.split(hidden, 1)
            g.tanh_()
            now[:, hidden:].sigmoid_()
            c = torch.mul(g, i, out=memory[own])
            c.addcmul_(past[:, 2 * hidden : 3 * hidden], left).addcmul_(past[:, 3 * hidden :], up)
            c.clamp_(-MEMORY_LIMIT, MEMORY_LIMIT)
            torch.tanh(torch.mul(c, o, out=product[: len(c)]), out=output[own])
            for k, mine, theirs in ((0, step.own_left, step.next_left), (1, step.own_up, step.next_up)):
                source, target = slice(mine[0] * batch, mine[1] * batch), slice(theirs[0] * batch, theirs[1] * batch)
                before[target, k * hidden : (k + 1) * hidden] = output[source]
                before[target, (2 + k) * hidden : (3 + k) * hidden] = memory[source]
        ctx.save_for_backward(gates, before, memory, output, weight)
        ctx.size = (height, width)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gates, before, memory, output, weight = ctx.saved_tensors
        height, width = ctx.size
        batch, hidden, inner = len(gates) // (height * width), gates.shape[1] // GATES, len(weight)
        to_output, to_memory = grads[0].clone(), torch.zeros_like(memory)
        to_gates = torch.empty_like(gates)
        most = EXPLOSION * float(to_output.square().mean().sqrt())
        scratch = gates.new_empty(4, min(height, width) * batch, hidden)
        back = gates.new_empty(len(scratch[0]), inner)
        for step in reversed(_steps(height, width)):
            own = slice(step.begin * batch, step.end * batch)
            count = own.stop - own.start
            for k, mine, theirs in ((0, step.own_left, step.next_left), (1, step.own_up, step.next_up)):
                first = step.end * batch
                source, target = (
                    slice(mine[0] * batch, mine[1] * batch),
                    slice(theirs[0] * batch - first, theirs[1] * batch - first),
                )
                if source.start < source.stop:
                    to_output[source] += back[target, k * hidden : (k + 1) * hidden]
                    to_memory[source] += scratch[2 + k][target]
                    if inner > 2 * hidden:
                        to_memory[source] += back[target, (2 + k) * hidden : (3 + k) * hidden]
            g, o, i, up, left = gates[own].split(hidden, 1)
            dg, do, di, dup, dleft = to_gates[own].split(hidden, 1)
            a, dc = scratch[0][:count], to_memory[own]
            torch.ops.aten.tanh_backward.grad_input(to_output[own], output[own], grad_input=a)
            dc.addcmul_(a, o)
            dc.clamp_(-most, most)
            torch.ops.aten.hardtanh_backward.grad_input(dc, memory[own], -MEMORY_LIMIT, MEMORY_LIMIT, grad_input=dc)
            torch.ops.aten.sigmoid_backward.grad_input(a.mul_(memory[own]), o, grad_input=do)
            past = before[own]
            for grad, value, gate, other in (
                (dg, torch.ops.aten.tanh_backward, g, i),
                (di, torch.ops.aten.sigmoid_backward, i, g),
                (dleft, torch.ops.aten.sigmoid_backward, left, past[:, 2 * hidden : 3 * hidden]),
                (dup, torch.ops.aten.sigmoid_backward, up, past[:, 3 * hidden :]),
            ):
                value.grad_input(torch.mul(dc, other, out=a), gate, grad_input=grad)
            torch.mul(dc, left, out=scratch[2][:count])
            torch.mul(dc, up, out=scratch[3][:count])
            torch.mm(to_gates[own], weight.T, out=back[:count])
        return to_gates, before[:, :inner].T @ to_gates, None, None


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
        result: Tensor = _Recurrence.apply(self.input(packed), self.recurrent, height, width)  # type: ignore[no-untyped-call]
        return result
