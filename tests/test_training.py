"""Training of RIDE and the MCGSM: it learns, resumes bit for bit, and runs in several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from trainings import QUICK, SMALL, TEXTURES, interrupt, quietly, rate, same, trained

import ridecodec
from ridecodec.errors import InputError, UsageError
from ridecodec.models import checkpoints
from ridecodec.models.ride.network import RideConfig
from ridecodec.training.presets import PRESETS, Schedule, plan
from ridecodec.training.ride import load, train
from ridecodec.training.task import Report

pytestmark = pytest.mark.usefixtures("little_validation")


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
    assert said[0].startswith("the training is already complete after 4 steps")
    trained(Schedule(**{**QUICK, "steps": 10}), path)
    state = checkpoints.read(path)
    assert (state["step"], state["schedule"]["steps"]) == (10, 10)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    schedule = Schedule(**{**QUICK, "steps": 1})
    trained(schedule, path)
    with pytest.raises(UsageError, match=r"a\.pt: holds a network with other hidden, components; name another file"):
        trained(schedule, path, RideConfig(**{**asdict(SMALL), "hidden": 7, "components": 2}))
    with pytest.raises(UsageError, match="was trained with adam"):
        trained(Schedule(**PAPER), path)
    state = checkpoints.read(path)
    checkpoints.save(path, {key: state[key] for key in checkpoints.KEYS})
    with pytest.raises(InputError, match="of an older version"):
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
