"""Trains the graphics model: how far to trust each colour that came before, from pictures of graphics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ridecodec import sets
from ridecodec.coding.exact import exact_arithmetic, quantise
from ridecodec.coding.tables import intervals
from ridecodec.corpora import graphics as drawing
from ridecodec.forms.part import Shape
from ridecodec.forms.tables import displayed, inverse, lights
from ridecodec.models import registry
from ridecodec.models.graphics.backend import HIDDEN, HIDDEN_TOP, LOGITS, Graphics
from ridecodec.models.graphics.features import INPUTS, LATER
from ridecodec.models.spikes import LOGIT_UNIT, WEIGHT_BITS, SpikeTables
from ridecodec.picture import CODING_ORDER, ColourType, Picture
from ridecodec.training.rates import decay

HIDDEN_UNIT = 256
_EASY = 0.05
"""Share of the pixels that learn where all that came before agrees: most pixels of graphics, and nothing to learn."""
_WHOLE, _CROPS, _CROP = 200_000, 4, 320
"""Pixels of a picture from which on pieces of it learn, how many, and their side."""
_KINDS = (ColourType.GRAY, ColourType.RGB, ColourType.RGBA, ColourType.PALETTE)
_BATCH = 8192
_RATE = 3e-3


@dataclass
class Samples:
    """Sub-pixels for a layer: what its network sees, and how likely each part of the mixture makes the truth."""

    inputs: Tensor  # uint8 [m, inputs]
    alive: Tensor  # bool [m, LOGITS]
    likely: Tensor  # float32 [m, LOGITS]
    weight: Tensor  # float32 [m]


class Net(nn.Module):
    """The float network of one layer."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, HIDDEN)
        self.out = nn.Linear(HIDDEN, LOGITS)

    def bits(self, samples: Samples) -> Tensor:
        """Code lengths [m]."""
        logits = self.out(self.hidden(samples.inputs.float()).clamp(0, HIDDEN_TOP / HIDDEN_UNIT))
        weights = logits.masked_fill(~samples.alive, -math.inf).softmax(1)
        weights = weights * (1 - 2.0 ** (2 - WEIGHT_BITS)) + 2.0 ** (-WEIGHT_BITS - 2)
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


def blank() -> dict[str, Tensor]:
    """The model file's tensors, the networks knowing nothing."""
    gradient = registry.current("gradient").file
    assert gradient is not None
    tensors = safetensors.torch.load_file(gradient) | {"tables.weights": SpikeTables.make()}
    for name, inputs in (("first", INPUTS), ("later", LATER)):
        tensors |= layers(name, Net(inputs))
    return tensors


def layers(name: str, net: Net) -> dict[str, Tensor]:
    """A network in integers."""
    parts = {
        "hidden": quantise(net.hidden.weight * HIDDEN_UNIT, net.hidden.bias * HIDDEN_UNIT, 1.0),
        "out": quantise(net.out.weight * LOGIT_UNIT / HIDDEN_UNIT, net.out.bias * LOGIT_UNIT, float(HIDDEN_TOP)),
    }
    return {f"{name}.{part}.{key}": value.int() for part, found in parts.items() for key, value in found.items()}


@torch.no_grad()
def samples(model: Graphics, planes: NDArray[np.uint8], generator: torch.Generator) -> Iterator[tuple[bool, Samples]]:
    """(whether the first channel's, samples) of a picture [C, H, W] in coding order."""
    truth = torch.from_numpy(np.ascontiguousarray(planes)).float()
    width = truth.shape[2]
    with exact_arithmetic():
        for y0, _, state in model.states(truth, model.side_information(truth)):
            for c in range(len(truth)):
                inputs, alive, values = model.look(state, c)
                m = inputs.shape[1]
                wanted = truth[c].reshape(-1)[y0 * width : y0 * width + m]
                mixture = model.distribution(state, c)
                base = 2.0 ** -intervals(mixture.base, wanted.int()).bits()
                model.observe(state, c, wanted)
                even = 1 / mixture.count.double()
                likely = torch.cat([(values == wanted.long()).double(), torch.stack([base, even])]).T.float()
                easy = likely[:, :-2].all(1)
                kept = ~easy | (torch.rand(m, generator=generator) < _EASY)
                weight = torch.where(easy, 1 / _EASY, 1.0)
                yield c == 0, Samples(inputs.T[kept].byte(), alive.T[kept], likely[kept], weight[kept])


def train(
    found: Iterable[Picture],
    steps: int,
    say: Callable[[str], None] = print,
    seed: int = 1,
) -> bytes:
    """The model file, whose two networks take so many steps each.

    What the mixture's smooth part is comes from the current model `gradient`.
    """
    torch.manual_seed(seed)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tensors = blank()
    model = Graphics(safetensors.torch.save(tensors), torch.device("cpu"))
    learnt: dict[bool, list[Samples]] = {True: [], False: []}
    for part in itertools.chain.from_iterable(map(parts, found)):
        for planes in crops(part, rng):
            for first, each in samples(model, planes, generator):
                learnt[first].append(each)
    for first, name in ((True, "first"), (False, "later")):
        whole = _together(learnt[first])
        say(f"{name}: {len(whole.weight):,} sub-pixels")
        net = _fit(whole, INPUTS if first else LATER, steps, say)
        tensors |= layers(name, net)
    return safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()})


def _together(parts: Sequence[Samples]) -> Samples:
    names = ("inputs", "alive", "likely", "weight")
    return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _fit(whole: Samples, inputs: int, steps: int, say: Callable[[str], None]) -> Net:
    net = Net(inputs)
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
    return net


def write(path: Path, data: bytes, record: dict[str, Any]) -> registry.ModelCard:
    """Write the model file and its card, which has ``record`` of the training."""
    return registry.write(path, data, "graphics", "screenshots, icons, drawings", record, channels=(1, 3))
