"""The spatial LSTM along anti-diagonals against a plain double loop over the pixels: time, forward and backward.

    python benchmarks/lstm.py [--out benchmarks/results/lstm.md]

One layer with 64 hidden units on maps of 64x64 positions with the 12 inputs of a 5 wide neighbourhood. Both are float32
PyTorch with autograd; on a processor on one thread (CPU time, as others may be at work), on a GPU where there is one
(time elapsed). A time is the best of some runs, the two in turn. The peak is what one large float32 matrix product
reaches on the same device in the same run; the share of it counts the multiplications of the layer's products alone
(forward once, backward twice).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ridecodec.models.ride.lstm import GATES, MEMORY_LIMIT, SpatialLSTM, packing
from ridecodec.training.memory import keep_memory

SIDE, HIDDEN, INPUTS = 64, 64, 12
BATCHES = (1, 50)
ASKED = {("cpu", 1): 5, ("cpu", 50): 2, ("cuda", 50): 20}
"""The least ratio wanted, by device and batch."""


def plain(layer: SpatialLSTM, x: Tensor) -> Tensor:
    """[H, W, B, inputs] -> h [H, W, B, hidden], position by position as in the paper's equations."""
    height, width, batch, _ = x.shape
    zero = x.new_zeros(batch, layer.hidden)
    above = [(zero, zero)] * width
    rows = []
    for i in range(height):
        h, c = zero, zero
        for j in range(width):
            h_up, c_up = above[j]
            gates = layer.input(x[i, j]) + torch.cat([h, h_up], 1) @ layer.recurrent
            g, o, put, up, left = gates.chunk(GATES, 1)
            c = g.tanh() * put.sigmoid() + c * left.sigmoid() + c_up * up.sigmoid()
            c = c.clamp(-MEMORY_LIMIT, MEMORY_LIMIT)
            h = torch.tanh(c * o.sigmoid())
            above[j] = h, c
        rows.append(torch.stack([each[0] for each in above]))
    return torch.stack(rows)


def diagonal(layer: SpatialLSTM, x: Tensor) -> Tensor:
    """The same by `SpatialLSTM`, packing and unpacking included."""
    height, width, batch, inputs = x.shape
    order, back = (index.to(x.device) for index in packing(height, width))
    packed = layer(x.reshape(height * width, batch, inputs)[order].flatten(0, 1), height, width)
    return packed.view(height * width, batch, -1)[back].view(height, width, batch, -1)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of one call, with the device's work done."""
    if device.type == "cpu":
        begun = time.process_time()
        work()
        return time.process_time() - begun
    torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def peak(device: torch.device) -> float:
    """Multiplications and additions a second of one large matrix product."""
    size = 1536 if device.type == "cpu" else 8192
    a, b = torch.rand(2, size, size, device=device)
    return 2 * size**3 / min(seconds(lambda: a @ b, device) for _ in range(8))


def measure(device: torch.device, batch: int, runs: int) -> tuple[float, float]:
    """Seconds of (the double loop, the anti-diagonals), forward and backward."""
    torch.manual_seed(1)
    layer = SpatialLSTM(INPUTS, HIDDEN).to(device)
    x = torch.randn(SIDE, SIDE, batch, INPUTS, device=device)
    with torch.no_grad():
        difference = (plain(layer, x) - diagonal(layer, x)).abs().max()
    assert float(difference) < 1e-4, "the two differ"

    def learn(function: Callable[[SpatialLSTM, Tensor], Tensor]) -> None:
        layer.zero_grad()
        function(layer, x).sum().backward()

    learn(diagonal)
    loops, diagonals = [], []
    for _ in range(runs):
        loops.append(seconds(lambda: learn(plain), device))
        diagonals += [seconds(lambda: learn(diagonal), device) for _ in range(3)]
    return min(loops), min(diagonals)


def table(device: torch.device, runs: int) -> list[str]:
    """Lines of Markdown."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "processor, one thread"
    highest = peak(device)
    products = 2 * SIDE * SIDE * (INPUTS + 2 * HIDDEN) * GATES * HIDDEN * 3
    lines = [
        f"{name}; a large matrix product reaches {highest / 1e12:.3g} Tflop/s",
        "",
        "| batch | double loop, s | anti-diagonals, s | ratio | asked for | share of the peak |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for batch in BATCHES:
        loop, own = measure(device, batch, runs)
        asked = ASKED.get((device.type, batch), "")
        share = products * batch / own / highest
        lines.append(f"| {batch} | {loop:.3f} | {own:.4f} | {loop / own:.1f} | {asked} | {share:.0%} |")
    return [*lines, ""]


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="also write it here")
    parser.add_argument("--runs", type=int, default=3, help="of the double loop")
    options = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    devices = [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])
    lines = [
        f"`python benchmarks/lstm.py`: one spatial LSTM, {SIDE}x{SIDE} positions, {INPUTS} inputs, {HIDDEN} hidden "
        f"units, float32, forward and backward; torch {torch.__version__.split('+')[0]}",
        "",
    ]
    for device in devices:
        lines += table(device, options.runs)
    if len(devices) == 1:
        lines += ["No GPU was at hand in this run; where there is one, its table follows.", ""]
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
