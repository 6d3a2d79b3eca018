"""Settings of all tests: no test fails because the machine is busy. And what tests of training share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a process for each core already
settings.register_profile("ridecodec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ridecodec")


@pytest.fixture
def little_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation of trainings on as little as they learn from."""
    monkeypatch.setattr("ridecodec.training.ride.HELD_PIXELS", 3000)
