"""Trains the graphics model: how far to trust each colour that came before, from pictures of graphics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec.corpora import graphics as drawing
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.reference import Reference
from ridecodec.exact.families import Logistics, Spikes
from ridecodec.exact.program import Program
from ridecodec.files import sets
from ridecodec.models import gradient, registry
from ridecodec.models.graphics.definition import (
    CHANNELS,
    HIDDEN,
    HIDDEN_TOP,
    HIDDEN_UNIT,
    INPUTS,
    LOGITS,
    constants,
    define,
)
from ridecodec.models.graphics.side import LargestSample
from ridecodec.models.programs import save
from ridecodec.picture import CODING_ORDER, ColourType, Picture
from ridecodec.tiles.forms.indexing import displayed, inverse, lights
from ridecodec.tiles.forms.part import Shape
from ridecodec.training.learning_rates import decay

_EASY = 0.05
"""Share of the pixels that learn where all that came before agrees: most pixels of graphics, and nothing to learn."""
_WHOLE, _CROPS, _CROP = 200_000, 4, 320
"""Pixels of a picture from which on pieces of it learn, how many, and their side."""
_KINDS = (ColourType.GRAY, ColourType.RGB, ColourType.RGBA, ColourType.PALETTE)
_BATCH = 8192
_RATE = 3e-3


@dataclass
class Samples:
    """Sub-pixels for a network: what it sees, and how likely each part of the mixture makes the truth."""

    inputs: Tensor  # uint8 [m, inputs]
    alive: Tensor  # bool [m, LOGITS]
    likely: Tensor  # float32 [m, LOGITS]
    weight: Tensor  # float32 [m]


class Net(nn.Module):
    """A float network, of the first channel or of the later ones."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, HIDDEN)
        self.out = nn.Linear(HIDDEN, LOGITS)

    def bits(self, samples: Samples) -> Tensor:
        """Code lengths [m]."""
        logits = self.out(self.hidden(samples.inputs.float()).clamp(0, HIDDEN_TOP / HIDDEN_UNIT))
        weights = logits.masked_fill(~samples.alive, -math.inf).softmax(1)
        weights = weights * (1 - 2.0 ** (2 - Spikes.WEIGHT_BITS)) + 2.0 ** (-Spikes.WEIGHT_BITS - 2)
        return -torch.log2((weights * samples.likely).sum(1))


def pictures(paths: Sequence[Path], drawn: int, seed: int) -> Iterator[Picture]:
    """Those that can be read among ``paths`` and in their folders, and ``drawn`` that are drawn."""
    yield from sets.readable(paths)
    for index in range(drawn):
        yield Picture.from_pil(drawing.picture(seed, index))


def parts(picture: Picture) -> Iterator[NDArray[np.uint8]]:
    """What of a picture goes to the model, uint8 [C, H, W] in coding order: alpha apart and together with the colours,
    indices in the order of lightness, and the colours that they show."""
    if picture.bit_depth == 16 or picture.colour not in _KINDS:
        return
    planes = picture.planes.astype(np.uint8)
    if picture.colour is ColourType.PALETTE:
        part = planes.astype(np.uint16)
        shape = Shape(1, picture.height, picture.width, 1 << picture.bit_depth, picture.palette)
        yield inverse(lights(shape))[part].astype(np.uint8)
        shown = displayed(part, shape)
        if shown is not None:
            yield shown.astype(np.uint8)
        return
    planes = planes[CODING_ORDER[len(planes)]]
    yield planes
    if len(planes) == 4:
        yield planes[:1]
        yield planes[1:]


def crops(part: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """The part, or some pieces of a large one."""
    height, width = part.shape[1:]
    if height * width <= _WHOLE:
        yield part
        return
    for _ in range(_CROPS):
        y, x = (int(rng.integers(0, max(1, side - _CROP))) for side in (height, width))
        yield np.ascontiguousarray(part[:, y : y + _CROP, x : x + _CROP])


def untrained() -> dict[str, Net]:
    """The networks by name, knowing nothing."""
    return {name: Net(inputs) for name, inputs in INPUTS.items()}


def programs(nets: Mapping[str, Net]) -> dict[int, Program]:
    """The programs by number of channels; what their smooth part is comes from the current model `gradient`."""
    known = registry.load(registry.current("gradient"))
    assert isinstance(known, ProgramCodec)
    tables = gradient.tables(known.programs)
    weights = {
        f"{name}.{layer}": value.detach().numpy()
        for name, net in nets.items()
        for layer, value in net.state_dict().items()
    }
    return {channels: define(channels, weights, *tables) for channels in range(1, CHANNELS + 1)}


def samples(program: Program, planes: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[tuple[str, Samples]]:
    """(name of the network, samples) of a picture [C, H, W] in coding order; the program's networks do not matter."""
    side = LargestSample(program, {})
    known = side.read(side.write(planes, None), *planes.shape[1:])
    layers = {operation.name: operation for operation in program.operations}
    for at, found in Reference().open(program).evaluate(planes, known):
        for c, output in enumerate(program.outputs):
            parts = {name: found[value].astype(np.float64) for name, value in output.parts.items()}
            wanted = planes[c].reshape(-1)[at].astype(np.int64)
            fixed = np.repeat(constants(len(planes), c)[:, None], len(at), 1)
            inputs = np.concatenate([found[layers[f"hidden.{c}"].inputs[0]], fixed])
            alive = np.concatenate([parts["alive"], np.ones((2, len(at)))]) == 1
            smooth, even = np.exp2(-Logistics().bits(parts, wanted, output.tables)), 1 / (parts["top"][0] + 1)
            likely = np.concatenate([parts["values"] == wanted, [smooth, even]])
            easy = likely[:-2].all(0)
            kept = ~easy | (rng.random(len(at)) < _EASY)
            weight = np.where(easy, 1 / _EASY, 1.0)
            arrays = (inputs[:, kept].T.astype(np.uint8), alive[:, kept].T, likely[:, kept].T, weight[kept])
            told, can, chances, counts = (torch.from_numpy(np.ascontiguousarray(each)) for each in arrays)
            yield "later" if c else "first", Samples(told, can, chances.float(), counts.float())


def train(
    found: Iterable[Picture],
    steps: int,
    say: Callable[[str], None] = print,
    seed: int = 1,
) -> bytes:
    """The model file, whose two networks take so many steps each."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    nets = untrained()
    blank = programs(nets)
    learnt: dict[str, list[Samples]] = {name: [] for name in nets}
    for part in itertools.chain.from_iterable(map(parts, found)):
        for planes in crops(part, rng):
            for name, each in samples(blank[len(planes)], planes, rng):
                learnt[name].append(each)
    for name, net in nets.items():
        whole = _together(learnt[name])
        say(f"{name}: {len(whole.weight):,} sub-pixels")
        _fit(net, whole, steps, say)
    return save(programs(nets), "largest")


def _together(parts: Sequence[Samples]) -> Samples:
    names = ("inputs", "alive", "likely", "weight")
    return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _fit(net: Net, whole: Samples, steps: int, say: Callable[[str], None]) -> None:
    optimizer = torch.optim.Adam(net.parameters(), _RATE)
    mean = 0.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = _RATE * decay(step / steps, 0.0)
        chosen = torch.randint(len(whole.weight), (_BATCH,))
        part = Samples(whole.inputs[chosen], whole.alive[chosen], whole.likely[chosen], whole.weight[chosen])
        loss = (net.bits(part) * part.weight).sum() / part.weight.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean += 0.01 * (float(loss.detach()) - mean)
        if step % 1000 == 999:
            say(f"step {step + 1}: {mean:.4f} bits")


def write(path: Path, data: bytes, record: dict[str, Any]) -> registry.ModelCard:
    """Write the model file and its card, which has ``record`` of the training."""
    return registry.write(path, data, "graphics", "screenshots, icons, drawings", record, (1, 3))
