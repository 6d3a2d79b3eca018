"""RIDE and the MCGSM with indicators: nothing outside of a map is known, from training to files and samples."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checker import CPU, coding_planes
from click.testing import CliRunner
from numpy.typing import NDArray
from pictures import crop
from PIL import Image
from torch import Tensor

import ridecodec
from ridecodec.cli.app import cli
from ridecodec.engines.tilecoder import encode_tile
from ridecodec.errors import UsageError
from ridecodec.generation.ancestral import neighbourhood
from ridecodec.generation.sampling import margin, sample, sample_in_margin, with_margin
from ridecodec.models import registry
from ridecodec.models.programs import program_codec
from ridecodec.models.ride.export import pack, read_checkpoint
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training.distributed import Workers
from ridecodec.training.patches import Patches
from ridecodec.training.presets import Schedule
from ridecodec.training.ride import RideTask, fit_whitening, train
from ridecodec.training.ride import margin as training_margin
from ridecodec.training.task import Place

CONFIG = RideConfig(hidden=6, components=4, scales=3, features=5, indicators=True)
CONFIGS = [replace(CONFIG, width=7), replace(CONFIG, layers=2), replace(CONFIG, layers=1, extended=True)]
QUICK: dict[str, Any] = {"steps": 60, "sizes": (8, 16), "pixels": 1500, "warmup": 5, "rate": 0.02, "mcgsm_rate": 0.02}


def pieces(channels: int, count: int = 6, side: int = 64) -> list[NDArray[np.uint8]]:
    """Crops of a photograph, in coding order."""
    corners = itertools.product((40, 150, 260), (60, 200, 330))
    found = [crop("astronaut", side, side, *corner) for corner in itertools.islice(corners, count)]
    return [coding_planes(part if channels == 3 else part[:, :, 1]) for part in found]


def trained(config: RideConfig, **options: Any) -> Ride:
    return train(pieces(config.channels), config, Schedule(**{**QUICK, **options}), say=lambda line: None)


@pytest.mark.parametrize("channel", [0, 2])
def test_inputs_by_definition(channel: int) -> None:
    """Neighbours, with 128 for what is outside, then where that is, then the pixel's channels before."""
    model = Ride(replace(CONFIG, channels=3, channel=channel, width=7, height=3))
    planes = torch.arange(2 * 3 * 4 * 5).float().view(2, 3, 4, 5)
    x, y = model.gather(planes)
    assert x.shape == (4, 5, 2, 4 * 17 + channel)
    for i, j, b in itertools.product(range(4), range(5), range(2)):
        near = [(i + dy, j + dx) for dy, dx in model.config.offsets]
        inside = [v >= 0 and 0 <= u < 5 for v, u in near]
        wanted = [
            float(planes[b, c, v, u]) if there else 128.0
            for c in range(3)
            for (v, u), there in zip(near, inside, strict=True)
        ]
        wanted += [0.0 if there else 1.0 for there in inside]
        assert x[i, j, b].tolist() == [*wanted, *planes[b, :channel, i, j].tolist()]
        assert y[i, j, b] == planes[b, channel, i, j]


def both(model: Ride, picture: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Bits of every pixel [H, W] of a gray picture: the float network's, and the ideal ones of the integers."""
    planes = torch.from_numpy(picture[None, None]).float()
    with torch.no_grad():
        found = model.bits(planes)[:, :, 0]
    codec = program_codec("ride", pack([model]))
    return found, torch.from_numpy(encode_tile(codec, picture[None], lambda pixels, bits: None).bits)


def test_what_a_pixel_depends_on() -> None:
    """Float and integer MCGSM: a pixel matters to those whose neighbourhood has it, and to no border."""
    model = trained(replace(CONFIG, width=7))
    picture = pieces(1)[0][0, :9, :10]
    before = both(model, picture)
    for y, x in [(0, 0), (0, 9), (4, 0), (5, 9), (8, 4)]:
        other = picture.copy()
        other[y, x] ^= 64
        reached = np.zeros(picture.shape, bool)
        reached[y, x] = True
        for dy, dx in model.config.offsets:
            if y - dy < 9 and 0 <= x - dx < 10:
                reached[y - dy, x - dx] = True
        for first, second in zip(before, both(model, other), strict=True):
            assert np.array_equal((first != second).numpy(), reached)


def test_a_crop_differs_at_its_borders_alone() -> None:
    """A pixel that has all its neighbours costs the same in the crop; one that has not is told so."""
    model = trained(replace(CONFIG, width=5))
    picture = pieces(1)[0][0, :20, :24]
    whole, part = both(model, picture), both(model, picture[4:16, 5:19])
    for first, second in zip(whole, part, strict=True):
        same = torch.isclose(first[4:16, 5:19], second, rtol=0, atol=1e-4)
        assert same[2:, 2:-2].all()
        assert same[:2].float().mean() < 0.1
        assert same[:, [0, 1, -2, -1]].float().mean() < 0.2


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("objective", ["density", "likelihood"])
def test_it_learns(config: RideConfig, objective: str) -> None:
    held = torch.from_numpy(pieces(1, 7)[-1][None]).float()
    models = [trained(config, steps=steps, objective=objective) for steps in (1, QUICK["steps"])]
    with torch.no_grad():
        first, last = (float(model.bits(held).mean()) for model in models)
    assert last < first - 0.08


@pytest.mark.parametrize("objective", ["density", "likelihood"])
@pytest.mark.parametrize("layers", [0, 1])
def test_training_sees_patches_without_surroundings(layers: int, objective: str) -> None:
    """Batches, validation and the rows for L-BFGS are maps without a margin, all of whose pixels count."""
    config = replace(CONFIG, layers=layers)
    assert training_margin(config) == 0
    generator = torch.Generator().manual_seed(1)
    data = Patches(pieces(1), 0, CPU)
    model = Ride(config)
    fit_whitening(model, data, generator)
    task = RideTask(model, data, Schedule(sizes=(9,), pixels=400, objective=objective), Workers(CPU), data)
    batch = task.draw(Place(0, 0.0, 0), generator)
    assert batch.data.shape == (4, 1, 9, 9)
    assert batch.pixels == 4 * 81
    assert bool((batch.data % 1 > 0).any()) == (objective == "density")
    assert task.held is not None
    assert task.held.shape[1:] == (1, 64, 64)
    state, *edges = task._rows(batch.data)
    score = model.mcgsm.log_density if objective == "density" else model.mcgsm.log_mass
    rows = -score(state, *edges).mean() / math.log(2)
    scale = model.whitening.deviation.log2() if objective == "density" else 0.0
    torch.testing.assert_close(rows + scale, task.loss(model, batch.data))
    gray = model.whitening(torch.cat([torch.full((12,), 128.0), torch.zeros(12)])[None])[0]
    assert gray.abs().max() < 8  # indicators are whitened for maps larger than the neighbourhood


def test_lbfgs_and_a_layer_on_top() -> None:
    lower = trained(replace(CONFIG, layers=1))
    upper = train(
        pieces(1),
        replace(CONFIG, layers=2),
        Schedule(**{**QUICK, "steps": 5, "lbfgs": 10, "lbfgs_pixels": 2000}),
        say=lambda line: None,
        start=lower,
    )
    assert all(bool(value.isfinite().all()) for value in upper.state_dict().values())
    for other in (replace(lower.config, indicators=False), replace(lower.config, layers=2, indicators=False)):
        with pytest.raises(UsageError, match="start from"):
            train(pieces(1), other, Schedule(**QUICK), say=lambda line: None, start=lower)


@pytest.mark.parametrize("kind", ["ride", "mcgsm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_from_the_command_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, channels: int) -> None:
    """Trained, resumed, exported, and a photograph in tiles there and back; the integers lose little."""

    def run(*args: str) -> None:
        result = CliRunner().invoke(cli, args, prog_name="ridecodec")
        assert result.exit_code == 0, result.output

    def picture(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return planes[0] if channels == 1 else np.ascontiguousarray(planes[[1, 0, 2]].transpose(1, 2, 0))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIDECODEC_MODELS", str(tmp_path))
    Path("data").mkdir()
    for number, planes in enumerate(pieces(channels)):
        Image.fromarray(picture(planes)).save(f"data/{number}.png")
    options = ["--components", "6", "--scales", "3", "--features", "8", "--indicators", "--channels", str(channels)]
    options += ["--hidden", "8"] * (kind == "ride") + ["--sizes", "10,16", "--pixels", "2000", "--validation", "0"]
    options += ["--width", "5"]
    names = [f"{c}.pt" for c in range(channels)]
    for c, name in enumerate(names):
        run("train", kind, "--data", "data", "--out", name, *options, "--channel", str(c), "--steps", "60")
    run("train", kind, "--data", "data", "--out", names[0], "--steps", "80")
    assert read_checkpoint(Path(names[0]))[0].config.indicators
    result = CliRunner().invoke(cli, ["train", kind, "--data", "data", "--out", names[0], "--no-indicators"])
    assert result.exit_code == 2
    assert "other indicators" in result.output
    run("export", *names, "--out", "edges.safetensors", "--ensemble", "eoedges")

    pixels = picture(pieces(channels, 7)[-1])[:50, :61]
    Image.fromarray(pixels).save("in.png")
    for model in ("edges", "eoedges")[: 1 if channels == 3 else 2]:
        run("compress", "in.png", "-o", f"{model}.rdc", "--model", model, "--tile", "32")
        run("decompress", f"{model}.rdc", "-o", f"{model}.png")
        with Image.open(f"{model}.png") as again:
            assert np.array_equal(np.asarray(again), pixels)
        found = ridecodec.evaluate(pixels, model=model, tile=32)
        assert found.likelihood is not None
        assert found.ideal < 1.005 * found.likelihood
        assert found.ideal / 50 / 61 / channels < 6.2


def test_samples_need_no_margin(tmp_path: Path) -> None:
    model = program_codec("ride", pack([trained(CONFIGS[1])]))
    assert margin(model) == 0
    assert with_margin(12, 14, margin(model)) == (12, 14)
    drawn = sample_in_margin(model, 1, 12, 14, seed=3)
    assert np.array_equal(drawn, sample(model, 1, 12, 14, seed=3))
    assert margin(registry.load(registry.current("ride-gray"), "cpu")) == 8


def test_parts_of_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="indicators"):
        neighbourhood([Ride(CONFIG)])
