"""Pictures that the conditional networks draw on CIFAR-10 (Conditional PixelCNN paper, sections 3.2 to 3.4).

    python benchmarks/paper/cifar_sheets.py [--work runs/paper] [--row classes ...]

- classes: eight samples of each of the ten classes.
- embeddings: an encoder is trained by a triplet loss on the classes, and a network draws what it says. In each row a
  test picture, new pictures from its embedding, and between two embeddings a walk with one seed.
- reconstructions: test pictures, what the auto-encoder with 10 and with 100 numbers draws from its code of them, and
  beside it what an auto-encoder trained on the squared error draws.

Networks are those of cifar.py, trained where they are missing; the encoder of embeddings takes 4 minutes (in more it
learns its training pictures by heart), the network that draws them begins with that of the row `base`, and the
auto-encoders of squared error take 10 minutes each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cifar
import common
import mse
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ridecodec.engines.tilecoder import TileCodec
from ridecodec.generation.sampling import sample
from ridecodec.models.pixelcnn.export import model_file, read_checkpoint
from ridecodec.models.programs import program_codec
from ridecodec.training import embedding, pixelcnn
from ridecodec.training.pixel_schedule import PixelSchedule

DOCS = Path(__file__).parents[2] / "docs"
SIDE, GAP, ZOOM = 32, 2, 2
EMBEDDING = replace(cifar.GATED, vector=32, encoder=32)
ENCODER_SCHEDULE = PixelSchedule(minutes=4, images=64, rate=1e-3)
MSE_SCHEDULE = PixelSchedule(minutes=10, images=64, rate=2e-3)


def codec(name: str, work: Path) -> TileCodec:
    """The exact model of a row of cifar.py."""
    found = cifar.trained(cifar.row_of(name), work)
    return found.codec(found.data)


def drawn(model: TileCodec, seed: int, side: bytes) -> NDArray[np.uint8]:
    """A sample, RGB [32, 32, 3]."""
    return rgb(sample(model, 3, SIDE, SIDE, seed, side=side))


def rgb(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """From coding order [3, H, W] to [H, W, 3]."""
    return np.ascontiguousarray(planes[[1, 0, 2]].transpose(1, 2, 0))


def sheet(path: Path, rows: list[list[NDArray[np.uint8] | None]]) -> None:
    """Pictures in a grid, None for a gap."""
    step = SIDE + GAP
    page = np.full((len(rows) * step - GAP, max(map(len, rows)) * step - GAP, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, each in enumerate(row):
            if each is not None:
                page[y * step : y * step + SIDE, x * step : x * step + SIDE] = each
    size = (page.shape[1] * ZOOM, page.shape[0] * ZOOM)
    Image.fromarray(page).resize(size, Image.Resampling.NEAREST).save(path, optimize=True)
    common.say(str(path))


def codes(model: TileCodec, pixels: NDArray[np.uint8]) -> list[bytes]:
    """What the model's encoder says of pictures [N, 3, 32, 32]."""
    return [model.side_information(each) for each in pixels]


def classes(work: Path, to: Path) -> None:
    """Ten rows of a class, eight samples each."""
    model = codec("conditional", work)
    sheet(to / "cifar-classes.png", [[drawn(model, seed, bytes([k])) for seed in range(8)] for k in range(10)])


def embeddings(work: Path, to: Path) -> None:
    """Rows of a test picture, four new ones, a gap, and a walk of eight to another picture's embedding."""
    pixels, labels = cifar.pictures("train")
    first, second = work / "cifar-encoder.pt", work / "cifar-embedding.pt"
    encoder = embedding.train(pixels, labels, EMBEDDING, ENCODER_SCHEDULE, first, common.say)
    base, _, _ = cifar.network("base", work)
    pixelcnn.train(pixels, EMBEDDING, cifar.BRIEF, second, common.say, encoder=encoder, start=base)
    model = program_codec("embedding", model_file(read_checkpoint(second)[0]))
    test = cifar.spread("test", 16)[0]
    said = codes(model, test)
    rows: list[list[NDArray[np.uint8] | None]] = []
    for k in range(8):
        start, end = (np.frombuffer(said[i], np.int8).astype(float) for i in (k, k + 8))
        steps = [(start + share * (end - start)).round().astype(np.int8).tobytes() for share in np.linspace(0, 1, 8)]
        new = [drawn(model, seed, said[k]) for seed in range(4)]
        walk = [drawn(model, 100 + k, step) for step in steps]
        rows.append([rgb(test[k]), *new, None, *walk, rgb(test[k + 8])])
    sheet(to / "cifar-embeddings.png", rows)


def reconstructions(work: Path, to: Path) -> None:
    """Rows of a test picture, and for 10 and for 100 numbers: the squared error's, and three drawn."""
    pixels, test = cifar.pictures("train")[0], cifar.spread("test", 10)[0]
    rows: list[list[NDArray[np.uint8] | None]] = [[rgb(each)] for each in test]
    for name in ("autoencoder", "autoencoder-100"):
        model = codec(name, work)
        beside = mse.train(
            pixels, cifar.network(name, work)[0].config, MSE_SCHEDULE, work / f"cifar-mse-{model.code}.pt"
        )
        with torch.no_grad():
            blurred = beside(torch.from_numpy(test).float()).round().clamp(0, 255).to(torch.uint8).numpy()
        for row, blur, side in zip(rows, blurred, codes(model, test), strict=True):
            row += [None, rgb(blur), *(drawn(model, seed, side) for seed in range(3))]
    sheet(to / "cifar-reconstructions.png", rows)


class Sheet(NamedTuple):
    """A sheet, and what draws it with networks of a folder into another."""

    name: str
    draw: Callable[[Path, Path], None]


SHEETS = (Sheet("classes", classes), Sheet("embeddings", embeddings), Sheet("reconstructions", reconstructions))


def main() -> None:
    """Draw the sheets."""
    parser = common.parser(__doc__)
    parser.set_defaults(to=DOCS)
    options = parser.parse_args()
    for each in common.chosen(SHEETS, options.rows):
        each.draw(options.work, options.to)


if __name__ == "__main__":
    main()
