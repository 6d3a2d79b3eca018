"""Schedules, settings from files, plans and learning rates."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ridecodec.errors import InputError, UsageError
from ridecodec.models.ride.network import RideConfig
from ridecodec.training import settings
from ridecodec.training.presets import PRESETS, Schedule, learning_rates, plan


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objective": "beauty"}, "choose one of: density, likelihood"),
        ({"flips": 3}, "flips is 3"),
        ({"sizes": ()}, "sizes is empty"),
        ({"sizes": (8, 0)}, "sizes is 0; the minimum is 1"),
        ({"rates": (0.1,), "sizes": (8, 9)}, "differ in number, 1 and 2"),
        ({"steps": 0}, "steps is 0; the minimum is 1"),
        ({"threads": 1025}, "threads is 1025; the maximum is 1024"),
        ({"seed": 2**63}, "the maximum is 9223372036854775807"),
        ({"validation": 1.0}, "less than 1"),
        ({"momentum": 1.0}, "less than 1"),
        ({"minutes": None}, "give steps, minutes or epochs"),
        ({"epochs": 0.0}, "only L-BFGS trains"),
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
    with pytest.raises(UsageError, match=r"it must be (a whole number|a number|a list of|true or false)"):
        settings.build(Schedule, values)


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.json: there is no setting 'hiden'; choose from channel, "):
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
