"""Training: patches, settings, the loop with its checkpoints, RIDE and the MCGSM, several processes."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import ridecodec
from ridecodec.cli.app import cli
from ridecodec.coding import orientation
from ridecodec.errors import InputError, UsageError
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.training import checkpoints, patches, settings
from ridecodec.training.distributed import Workers
from ridecodec.training.interruption import Interruption
from ridecodec.training.plan import Plan, Settings
from ridecodec.training.presets import PRESETS, Schedule, learning_rates, plan
from ridecodec.training.ride import load, train
from ridecodec.training.task import Batch, Place, Report, Task
from ridecodec.training.trainer import Trainer

CPU = torch.device("cpu")
SMALL = RideConfig(layers=1, hidden=6, components=3, scales=2, features=4, width=3)
QUICK: dict[str, Any] = {
    "sizes": (6, 8),
    "pixels": 400,
    "warmup": 5,
    "evaluations": 4,
    "rate": 0.03,
    "mcgsm_rate": 0.03,
}
quietly: Callable[[str], None] = lambda _: None  # noqa: E731


@pytest.fixture(autouse=True)
def _little_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ridecodec.training.ride.HELD_PIXELS", 3000)


def texture(seed: int, side: int = 40) -> NDArray[np.uint8]:
    """A gray picture of rectangles with little noise, which a mixture predicts well; uint8 [1, side, side]."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side))
    for _ in range(side * 4):
        y, x, height, width = (*rng.integers(0, side, 2), *rng.integers(4, 14, 2))
        picture[y : y + height, x : x + width] = rng.uniform(20, 235)
    return (picture + rng.normal(0, 2, (side, side))).clip(0, 255).astype(np.uint8)[None]


TEXTURES = [texture(seed) for seed in range(3)]


def trained(schedule: Schedule, checkpoint: Path | None = None, config: RideConfig = SMALL, **options: Any) -> Ride:
    return train(TEXTURES, config, schedule, checkpoint, **{"say": quietly, "validation": [texture(9)], **options})


def rate(model: Ride) -> float:
    """Bits a pixel of a texture that no training saw, with noise."""
    generator = torch.Generator().manual_seed(3)
    planes = torch.from_numpy(texture(11)).float()[None]
    with torch.no_grad():
        return float(-model.log_density(planes + torch.rand(planes.shape, generator=generator)).mean() / math.log(2))


# --- patches -------------------------------------------------------------------------------------------------------


def test_transforms_are_undone() -> None:
    planes = torch.arange(24).view(2, 3, 4)
    results = [orientation.transform(planes, way) for way in range(orientation.WAYS)]
    assert len({(tuple(r.shape), tuple(r.flatten().tolist())) for r in results}) == 8
    for way, result in enumerate(results):
        assert torch.equal(orientation.inverse(result, way), planes)


@pytest.mark.parametrize("ways", [1, 2, 8])
def test_patches_are_pieces_of_the_padded_pictures(ways: int) -> None:
    pictures = [np.random.default_rng(k).integers(0, 256, (2, 7 + k, 9), np.uint8) for k in range(2)]
    data = patches.Patches(pictures, 2, CPU)
    assert (data.pixels, data.smallest) == (7 * 9 + 8 * 9, 7)
    found = data.draw(40, 5, torch.Generator().manual_seed(1), ways)
    assert found.shape == (40, 2, 2 + 5, 2 + 5 + 2)
    padded = [torch.from_numpy(np.pad(p, ((0, 0), (2, 2), (2, 2)), mode="edge")).float() for p in pictures]
    pieces = {
        tuple(orientation.transform(whole[:, y : y + 9, x : x + 9], way)[:, :7].flatten().tolist())
        for whole in padded
        for y in range(whole.shape[1] - 8)
        for x in range(whole.shape[2] - 8)
        for way in range(ways)
    }
    assert all(tuple(patch.flatten().tolist()) in pieces for patch in found)


def test_patches_that_do_not_fit_are_refused() -> None:
    data = patches.Patches(TEXTURES, 2, CPU)
    with pytest.raises(InputError, match=r"41 x 41 pixels do not fit .* 40 pixels"):
        data.draw(1, 41, torch.Generator())


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.01, 1), (0.2, 2), (0.99, 9)])
def test_crops_of_a_picture_stay_together(share: float, count: int) -> None:
    paths = [Path(f"p{k}-{crop}.png") for k in range(10) for crop in (0, 1)]
    training, held = patches.hold_out(paths, share)
    assert sorted(training + held) == paths
    assert len(held) == 2 * count
    assert not {p.name[:2] for p in training} & {p.name[:2] for p in held}


def test_one_picture_is_trained_on() -> None:
    assert patches.hold_out([Path("a.png")], 0.1) == ([Path("a.png")], [])


def test_pictures_are_read_in_coding_order(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (3, 4, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").touch()
    (path,) = patches.pictures(tmp_path)
    assert np.array_equal(patches.load(path, 3), rgb.transpose(2, 0, 1)[[1, 0, 2]])
    assert patches.load(path, 1).shape == (1, 3, 4)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a picture"):
        patches.load(path, 1)
    for size in ((1 << 20, 1 << 20), (1, 1)):  # a bomb, and a header alone
        header = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\4bad!" + b"junk" * 2)
        with pytest.raises(InputError, match=r"a\.png: not a picture"):
            patches.load(path, 1)
    path.unlink()
    with pytest.raises(InputError, match="no pictures in this folder"):
        patches.pictures(tmp_path)


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objective": "beauty"}, "choose one of: density, likelihood"),
        ({"flips": 3}, "flips is 3"),
        ({"sizes": ()}, "sizes is empty"),
        ({"sizes": (8, 0)}, "sizes is 0; the least is 1"),
        ({"rates": (0.1,), "sizes": (8, 9)}, "differ in number, 1 and 2"),
        ({"steps": 0}, "steps is 0; the least is 1"),
        ({"threads": 1025}, "threads is 1025; the most is 1024"),
        ({"seed": 2**63}, "the most is 9223372036854775807"),
        ({"validation": 1.0}, "less than 1"),
        ({"momentum": 1.0}, "less than 1"),
        ({"minutes": None}, "give steps, minutes or epochs"),
        ({"epochs": 0.0}, "L-BFGS alone"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Schedule(**wrong)


def test_settings_come_from_toml_and_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"sizes": [8, 10], "rate": 1, "tf32": True, "features": None, "height": 0}))
    values = settings.read(file)
    schedule = settings.build(Schedule, {"rate": 2.0, "seed": 4}, values)
    assert (schedule.sizes, schedule.rate, schedule.tf32, schedule.seed) == ((8, 10), 1.0, True, 4)
    config = settings.build(RideConfig, values)
    assert (config.features, config.height) == (None, None)
    with pytest.raises(UsageError, match="patience is 0"):
        settings.build(Schedule, {"patience": 0})
    file = tmp_path / "a.toml"
    file.write_text("sizes = [8, 10]\nfeatures = 0")
    if sys.version_info >= (3, 11):
        assert settings.build(RideConfig, settings.read(file)).features is None
    else:
        with pytest.raises(UsageError, match="json"):
            settings.read(file)


@pytest.mark.parametrize("values", [{"rate": "fast"}, {"seed": 1.5}, {"sizes": 8}, {"seed": True}, {"tf32": 1}])
def test_settings_of_the_wrong_type_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"which is no (whole number|number|list of|true or false)"):
        settings.build(Schedule, values)


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.json: there is no setting 'hiden'; there are channel, "):
        settings.known({"hiden": 3}, RideConfig, Schedule, source="a.json")
    (tmp_path / "a.json").write_text("{1")
    with pytest.raises(InputError, match=r"a\.json"):
        settings.read(tmp_path / "a.json")


def test_plans() -> None:
    paper = Schedule(**PRESETS["ride"]["paper"])
    # a pass is as many steps of 50 patches as the pictures have pixels for
    found = plan(paper, 50 * 8 * 8 * 100)
    assert found.steps == sum(math.ceil(6400 / size**2) for size in paper.sizes)
    assert found.ends[0] == (100 / found.steps, 100 / found.steps)
    assert found.ends[-1] == (1.0, 1.0)
    assert plan(Schedule(steps=70, sizes=(8, 16)), 10**6).ends[0] == pytest.approx((0.5, 0.5), abs=0.01)
    timed = plan(Schedule(minutes=2, sizes=(8, 9), lbfgs=5), 1)
    assert (timed.steps, timed.seconds) == (None, 120)
    assert np.allclose(timed.ends, ((0.35, 0.5), (0.85, 1.0)))
    alone = plan(Schedule(**PRESETS["mcgsm"]["paper"]), 1000)
    assert (alone.steps, alone.ends) == (0, ((0.0, 1.0),))


def test_learning_rates() -> None:
    modern = Schedule(rate=1.0, mcgsm_rate=0.5, warmup=10)
    assert learning_rates(modern, 4, 0.1, 0) == (0.5, 0.25)
    assert learning_rates(modern, 50, 0.2, 0) == (1.0, 0.5)
    assert learning_rates(modern, 99, 1.0, 3) == pytest.approx((0.01, 0.005))
    paper = Schedule(**PRESETS["ride"]["paper"])
    assert learning_rates(paper, 0, 0.0, 1) == (0.5 * math.log(2),) * 2


# --- the loop ------------------------------------------------------------------------------------------------------


class Toy(Task):
    """Learns the mean of what it draws; `held` says what each validation finds."""

    def __init__(self, held: list[float], rounds: int = 0) -> None:
        torch.manual_seed(1)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.found = iter(held)
        self.seen: list[Tensor] = []
        self.rounds = rounds

    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        return Batch(torch.rand(4, 2, generator=generator), 4)

    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        value: Tensor = (model(data) - 1).square().mean()
        return value

    def rates(self, place: Place) -> tuple[float]:
        return (0.1,)

    def validate(self) -> float | None:
        self.seen.append(self.model.weight.detach().clone())
        return next(self.found, None)

    def polish(self, place: Place, turn: int, enough: Callable[[], bool]) -> None:
        with torch.no_grad():
            self.model.weight += 1


def loop(task: Task, steps: int = 8, ends: int = 1, **options: Any) -> Trainer:
    stages = tuple(((k + 1) / ends,) * 2 for k in range(ends))
    return Trainer(task, Plan(steps, math.inf, stages), Settings(**options), Workers(CPU), say=quietly)


def test_the_weights_that_validated_best_are_kept() -> None:
    task = Toy([5.0, 3.0, 4.0, 6.0])
    loop(task, evaluations=4).run()
    assert torch.equal(task.model.weight, task.seen[1])
    assert len(task.seen) == 4


def test_without_validation_the_last_weights_are_kept() -> None:
    task = Toy([])
    trainer = loop(task, evaluations=4, patience=1)
    trainer.run()
    assert trainer.at.step == 8
    assert torch.equal(task.model.weight, task.seen[-1])


def test_patience_ends_training_early() -> None:
    task = Toy([5.0, 3.0, 4.0, 3.5, 1.0])
    trainer = loop(task, evaluations=8, patience=2)
    trainer.run()
    assert trainer.at.step == 4
    assert torch.equal(task.model.weight, task.seen[1])


def test_a_stage_without_gain_ends_training() -> None:
    task = Toy([5.0, 3.0, 4.0, 1.0])
    trainer = loop(task, ends=4, evaluations=0, patience=1)
    trainer.run()
    assert trainer.at.step == 6
    assert torch.equal(task.model.weight, task.seen[1])


def test_polishing_that_makes_it_worse_is_undone() -> None:
    task = Toy([5.0, 4.0, 4.5], rounds=3)
    trainer = loop(task, evaluations=0)
    trainer.run()
    assert torch.equal(task.model.weight, task.seen[0] + 1)  # the first turn stays, the second is undone
    assert trainer.at.held == 4.0


def test_a_rate_that_is_no_number_ends_training(tmp_path: Path) -> None:
    task = Toy([])
    task.rates = lambda _: (1e30,)  # type: ignore[method-assign, assignment]
    with pytest.raises(UsageError, match="lower learning rates"):
        loop(task).run()


def test_a_wild_gradient_is_left_out_and_a_long_one_cut() -> None:
    class Wild(Toy):
        def draw(self, place: Place, generator: torch.Generator) -> Batch:
            self.seen.append(self.model.weight.detach().clone())
            data, pixels = super().draw(place, generator)
            return Batch(data * {5: 1e3, 6: 4.0}.get(place.step, 1.0), pixels)

    task = Wild([])
    task.optimizer = torch.optim.SGD(task.model.parameters(), lr=0.01)
    task.rates = lambda _: (0.01,)  # type: ignore[method-assign, assignment]
    trainer = loop(task, evaluations=0, clip=1.0)
    trainer.run()
    moved = [float((b - a).norm()) for a, b in itertools.pairwise(task.seen[:8])]
    assert moved[5] == 0
    assert 0 < moved[6] <= 0.01 * 1.001 * trainer.at.usual * 2


def test_a_second_interruption_takes_effect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Interruption() as interruption:
        interrupt()
        interrupt()  # at once after the first: the same
        assert interruption.noted == signal.SIGINT
        monkeypatch.setattr("ridecodec.training.interruption.PATIENCE", -1.0)
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ridecodec.training.trainer.REPORT_SECONDS", -1.0)
    seen: list[Report] = []
    trainer = loop(Toy([2.0]), evaluations=0)
    trainer.progress = seen.append
    trainer.run()
    assert [report.step for report in seen if report.doing == "training"][:8] == list(range(1, 9))
    assert seen[3].fraction == 0.5
    assert seen[-1].held == 2.0
    assert seen[-1].seconds_left == 0
    assert all(report.pixels_per_second > 0 and math.isfinite(report.rate) for report in seen[1:])


# --- RIDE and the MCGSM --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("objective", ["density", "likelihood"])
def test_it_learns(layers: int, objective: str) -> None:
    config = RideConfig(**{**asdict(SMALL), "layers": layers})
    before = rate(trained(Schedule(**{**QUICK, "steps": 1}), config=config))
    after = rate(trained(Schedule(**{**QUICK, "steps": 40, "objective": objective}), config=config))
    assert after < before - 0.5


def test_likelihood_learns_from_black_and_white() -> None:
    """The end bins, whose edges are infinite, have gradients."""
    model = train(
        [np.where(t > 128, np.uint8(255), np.uint8(0)) for t in TEXTURES],
        SMALL,
        Schedule(**{**QUICK, "steps": 3, "objective": "likelihood"}),
        say=quietly,
    )
    assert all(bool(p.isfinite().all()) for p in model.parameters())


PAPER = {**PRESETS["ride"]["paper"], "sizes": (6, 8), "patches": 12, "rates": (0.3, 0.1), "lbfgs": 20}
PAPER |= {"lbfgs_pixels": 1500, "epochs": 2.0}


def test_the_papers_protocol_learns() -> None:
    said: list[str] = []
    schedule = Schedule(**PAPER)
    model = trained(schedule, say=said.append)
    assert rate(model) < rate(trained(Schedule(**{**QUICK, "steps": 1}))) - 0.5
    assert len(said) == 4  # after the gradient steps and after L-BFGS of both stages
    assert int(said[-1].split()[1]) == plan(schedule, 3 * 40 * 40).steps


def test_lbfgs_alone_trains_an_mcgsm() -> None:
    values = {**PRESETS["mcgsm"]["paper"], "lbfgs": 30, "lbfgs_pixels": 1500, "sizes": (6,)}
    config = RideConfig(components=3, scales=2, features=4, width=3)
    start = trained(Schedule(**{**QUICK, "steps": 1}), config=config)
    model = trained(Schedule(**values), config=config, start=start)
    assert rate(model) < rate(start) - 0.5


def test_lbfgs_leaves_the_layers_alone() -> None:
    start = trained(Schedule(**{**QUICK, "steps": 1}))
    schedule = Schedule(**{**PAPER, "epochs": 0.0, "lbfgs_pixels": 500, "lbfgs": 5, "objective": "likelihood"})
    model = trained(schedule, start=start)
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, start.state_dict()[n])}
    assert changed
    assert all(name.startswith("mcgsm.") for name in changed)


def test_the_clock_ends_training() -> None:
    said: list[str] = []
    trained(Schedule(**{**QUICK, "minutes": 0.005, "lbfgs": 200, "lbfgs_pixels": 300}), say=said.append)
    assert float([line for line in said if line.startswith("step")][-1].split()[2]) < 0.2


def test_a_layer_goes_on_top_of_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    one = trained(Schedule(**{**QUICK, "steps": 3}), path)
    start = load(path)
    assert all(torch.equal(value, one.state_dict()[name]) for name, value in start.state_dict().items())
    two = RideConfig(**{**asdict(SMALL), "layers": 2})
    still = Schedule(**{**QUICK, "steps": 1, "rate": 0.0, "mcgsm_rate": 0.0})
    model = trained(still, config=two, start=start, validation=None)
    for name, value in start.state_dict().items():
        if not name.startswith("mcgsm."):
            assert torch.equal(value, model.state_dict()[name])


# --- checkpoints ---------------------------------------------------------------------------------------------------


def same(first: Any, second: Any) -> bool:
    """Whether two saved states are alike, bit for bit, but for the time they took."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first if key != "seconds")
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    return bool(first == second) or (first != first and second != second)


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def interrupt_lbfgs(report: Report) -> None:
    if report.doing == "L-BFGS":
        interrupt()


RESUMED = {**QUICK, "steps": 16}
CUTS = {
    "in a stage": (RESUMED, {"say": interrupt}),
    "in every stage": ({**RESUMED, "sizes": (6, 7, 8)}, {"say": interrupt}),
    "in L-BFGS": ({**PAPER, "lbfgs": 120, "lbfgs_pixels": 200, "epochs": 0.2}, {"progress": interrupt_lbfgs}),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_run_ends_with_the_same_bits(tmp_path: Path, cut: str) -> None:
    values, how = CUTS[cut]
    schedule = Schedule(**values)
    trained(schedule, tmp_path / "whole.pt")
    steps = [0]
    for _ in range(3 if cut == "in every stage" else 1):
        with pytest.raises(KeyboardInterrupt):
            trained(schedule, tmp_path / "cut.pt", **how)
        steps.append(checkpoints.read(tmp_path / "cut.pt")["step"])
    assert sorted(set(steps)) == steps
    model = trained(schedule, tmp_path / "cut.pt")
    whole, resumed = (checkpoints.read(tmp_path / name) for name in ("whole.pt", "cut.pt"))
    assert same(whole, resumed)
    assert all(torch.equal(value, whole["model"][name]) for name, value in model.state_dict().items())


def test_a_longer_plan_goes_on(tmp_path: Path) -> None:
    path, said = tmp_path / "a.pt", list[str]()
    trained(Schedule(**{**QUICK, "steps": 4}), path)
    trained(Schedule(**{**QUICK, "steps": 4}), path, say=said.append)
    assert said == [said[0]]
    assert said[0].startswith("nothing is left to train after 4 steps")
    trained(Schedule(**{**QUICK, "steps": 10}), path)
    state = checkpoints.read(path)
    assert (state["step"], state["schedule"]["steps"]) == (10, 10)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    schedule = Schedule(**{**QUICK, "steps": 1})
    trained(schedule, path)
    with pytest.raises(UsageError, match=r"a\.pt: holds a network with other hidden, components; name another file"):
        trained(schedule, path, RideConfig(**{**asdict(SMALL), "hidden": 7, "components": 2}))
    with pytest.raises(UsageError, match="was trained by adam"):
        trained(Schedule(**PAPER), path)
    state = checkpoints.read(path)
    checkpoints.save(path, {key: state[key] for key in checkpoints.KEYS})
    with pytest.raises(InputError, match="earlier form"):
        trained(schedule, path)
    trained(schedule, path, fresh=True)
    path.write_bytes(b"no checkpoint")
    for use in (partial(trained, schedule, path), partial(load, path), partial(load, tmp_path / "none.pt")):
        with pytest.raises(InputError, match="checkpoint"):
            use()


def test_nothing_outlasts_a_training() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    trained(Schedule(**{**QUICK, "steps": 1}))
    assert torch.equal(state, torch.get_rng_state())
    assert threads == torch.get_num_threads()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


# --- the command ---------------------------------------------------------------------------------------------------

NETWORK = ["--hidden", "4", "--components", "2", "--features", "3", "--width", "3"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: three textures under `data`."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for number, picture in enumerate(TEXTURES):
        Image.fromarray(picture[0]).save(f"data/{number}.png")
    yield tmp_path
    os.chdir("/")


def command(*args: str, out: str = "a.pt") -> Result:
    return CliRunner().invoke(cli, ["train", *args, "--data", "data", "--out", out], prog_name="ridecodec")


def stored(name: str = "a.pt") -> dict[str, Any]:
    return checkpoints.read(Path(name))


def test_command_with_a_file_and_options(folder: Path) -> None:
    Path("s.json").write_text(json.dumps({"hidden": 4, "sizes": [6, 7], "steps": 9, "pixels": 100, "preset": "modern"}))
    result = command("ride", "--config", "s.json", *NETWORK[2:], "--steps", "2", "--extended", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert "2 pictures to train on, 1 held out, on cpu" in result.stderr
    state = stored()
    assert state["step"] == 2
    assert RideConfig(**state["config"]) == RideConfig(
        layers=1, hidden=4, extended=True, components=2, features=3, width=3
    )
    assert Schedule(**state["schedule"]) == Schedule(steps=2, sizes=(6, 7), pixels=100, seed=7)
    # the checkpoint's settings are those of the resumed run
    assert command("ride", "--steps", "3").exit_code == 0
    state = stored()
    assert (state["step"], state["schedule"]["seed"], state["config"]["hidden"]) == (3, 7, 4)
    assert command("ride", "--sizes", "6", "--steps", "1", *NETWORK, "--force").exit_code == 0
    assert stored()["step"] == 1


def test_command_adds_layers(folder: Path) -> None:
    quick = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0")
    assert command("mcgsm", *quick, "--components", "2", "--full", "--height", "2").exit_code == 0
    config = RideConfig(**stored()["config"])
    assert config == RideConfig(width=9, height=2, components=2, features=None)
    assert Schedule(**stored()["schedule"]).mcgsm_rate == 0.02
    assert command("ride", *quick, *NETWORK, out="1.pt").exit_code == 0
    assert command("ride", *quick, "--start", "1.pt", out="2.pt").exit_code == 0
    assert RideConfig(**stored("2.pt")["config"]) == RideConfig(layers=2, hidden=4, components=2, features=3, width=3)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("ride", "--config", "s.json"), 2, "s.json: there is no setting 'hiden'"),
        (("ride", "--steps", "1", "--minutes", "2"), 2, "exclude one another"),
        (("ride", "--sizes", "6,x"), 2, "no list of numbers"),
        (("ride", "--width", "4"), 2, "its width is odd"),
        (("ride", "--channel", "1"), 2, "channel 1 of 1"),
        (("ride", "--rates", "0.1", "--sizes", "8,9"), 2, "differ in number, 1 and 2"),
        (("ride", "--steps", "0"), 2, "steps is 0; the least is 1"),
        (("ride", "--patience", "0"), 2, "patience is 0; the least is 1"),
        (("mcgsm", "--patches", "0"), 2, "patches is 0; the least is 1"),
        (("ride", "--threads", "100000"), 2, "threads is 100000; the most is 1024"),
        (("ride", "--seed", str(2**70)), 2, "the most is 9223372036854775807"),
        (("photo", "--seed", str(2**70)), 2, "not in the range"),
        (("ride", "--width", "201"), 2, "width is 201; it is a whole number from 3 to 63"),
        (("ride", "--height", "64"), 2, "height is 64; it is a whole number from 1 to 63"),
        (("mcgsm", "--full", "--features", "3"), 2, "leave out --features"),
        (("ride", "--config", "preset.json"), 2, "preset.json: there is no preset ['a']"),
        (("ride", "--config", "deep.json"), 3, "deep.json: nested too deeply"),
        (("ride", "--config", "large.json"), 2, "large.json: rate is larger"),
        (("ride", "--start", "junk.pt"), 3, "junk.pt: not a checkpoint"),
        (("ride", "--start", "data/0.png"), 3, "data/0.png: not a checkpoint"),
        (("ride", "--config", "none.json"), 3, "none.json: cannot be read"),
        (("ride", "--sizes", "50", "--steps", "1"), 3, "50 x 50 pixels do not fit"),
        (("mcgsm", "--config", "layers.json"), 2, "an MCGSM has no layers"),
        (("mcgsm", "--device", "cuda"), 2, "no CUDA device"),
    ],
)
def test_command_says_what_is_wrong(folder: Path, args: tuple[str, ...], code: int, said: str) -> None:
    if "cuda" in args and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    Path("s.json").write_text('{"hiden": 3}')
    Path("layers.json").write_text('{"layers": 1, "steps": 1}')
    Path("preset.json").write_text('{"preset": ["a"]}')
    Path("deep.json").write_text("[" * 10**5)
    Path("large.json").write_text(f'{{"rate": 1{"0" * 400}}}')
    Path("junk.pt").write_bytes(b"junk")
    result = command(*args)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert result.stderr.splitlines()[-1].startswith("ridecodec: ")
    assert not Path("a.pt").exists()


def test_a_start_beside_a_checkpoint_is_refused(folder: Path) -> None:
    quick = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0", *NETWORK)
    assert command("ride", *quick).exit_code == 0
    result = command("ride", *quick, "--start", "a.pt")
    assert result.exit_code == 2
    assert "--start has no effect" in result.stderr
    assert command("ride", *quick, "--layers", "1", "--start", "a.pt", "--force").exit_code == 0


DAMAGE: list[dict[str, Any]] = [
    {"config": 3},
    {"config": {3: 3}},
    {"config": {**asdict(SMALL), "hidden": "6"}},
    {"config": {**asdict(SMALL), "width": torch.ones(2)}},
    {"schedule": {"steps": "many"}},
    {"schedule": None},
    {"model": []},
    {"model": {3: 3}},
    {"model": {"whitening.mean": "none"}},
    {"step": "first"},
    {"random": 5},
    {"optimizer": {}},
    {"counters": {"stages": 4}},
]


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_damaged_checkpoints_are_named(folder: Path, damage: dict[str, Any]) -> None:
    config = ("--sizes", "6", "--steps", "1", "--pixels", "50", "--validation", "0", *NETWORK)
    assert command("ride", *config).exit_code == 0
    torch.save(stored() | damage, "a.pt")
    results = []
    if "model" not in damage or not isinstance(damage["model"], dict) or 3 in damage["model"]:
        results.append(command("ride", "--steps", "2"))  # to go on it needs the current weights, not the best
    if damage.keys() & {"config", "model"}:
        results.append(command("ride", "--start", "a.pt", out="b.pt"))
    for result in results:
        assert result.exit_code == 3, result.output
        assert "a.pt: " in result.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that nobody can write to")
def test_what_cannot_be_written_is_said_before_training(folder: Path) -> None:
    for kind in ("ride", "photo"):
        result = command(kind, out="/proc/x.pt")
        assert result.exit_code == 3, result.output
        assert "/proc/x.pt" in result.stderr
    result = command("ride", out="/dev/null")
    assert result.exit_code == 2
    assert "/dev/null is no file" in result.stderr


# --- several processes ---------------------------------------------------------------------------------------------

WORKER = """
import os, sys
from pathlib import Path
import torch
from ridecodec.models.ride.network import RideConfig
from ridecodec.training.presets import Schedule
from ridecodec.training.ride import train
import numpy as np

arrays = list(np.load("textures.npz").values())
config = RideConfig(layers=1, hidden=6, components=3, scales=2, features=4, width=3)
schedule = Schedule(steps=int(sys.argv[1]), sizes=(6, 8), pixels=400, warmup=2, lbfgs=5, lbfgs_pixels=400)
model = train(arrays, config, schedule, Path("shared.pt"), validation=arrays[:1])
torch.save(model.state_dict(), f"rank{os.environ.get('RANK')}.pt")
"""


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "textures.npz", *TEXTURES)
    (tmp_path / "worker.py").write_text(WORKER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(ridecodec.__file__).parents[1])}
    done = subprocess.run(
        [*torchrun, "worker.py", "4"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert same(first, second)
    start = trained(Schedule(steps=1, sizes=(6, 8), pixels=400, rate=0.0, mcgsm_rate=0.0)).state_dict()
    names = [name for name in start if not name.startswith("whitening.")]
    assert not any(torch.equal(first[name], start[name]) for name in names)
    state = checkpoints.read(tmp_path / "shared.pt")
    assert same(state["model"], first)
    assert state["step"] == 4
    streams = [each["generator"] for each in state["random"]]
    assert len(streams) == 2
    assert not torch.equal(*streams)
    assert done.stdout.count("step 4") == 2  # one process says: after the steps, and after L-BFGS
    with pytest.raises(UsageError, match="trained by 2 processes, and these are 1"):
        trained(Schedule(steps=5, sizes=(6, 8), pixels=400, lbfgs=5), tmp_path / "shared.pt")
