"""Work in several processes: results as they come, processes that end before their time, and none left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from ridecodec.cli import processes


def begin() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def square(number: int) -> int:
    return number * number


def die_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def own_number(_: int) -> int:
    return os.getpid()


def wait_at_one(folder: Path) -> str:
    if folder.name == "1":
        folder.touch()
        time.sleep(600)
    return folder.name


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_item_has_its_result(count: int) -> None:
    assert sorted(processes.results(square, range(5), count, begin)) == [(n, n * n) for n in range(5)]


def test_items_share_processes() -> None:
    numbers = {result for _, result in processes.results(own_number, range(6), 2, begin)}
    assert len(numbers) <= 2
    assert os.getpid() not in numbers


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_is_killed_costs_its_item_only(count: int) -> None:
    found = dict(processes.results(die_at_two, range(5), count, begin))
    assert found == {0: 0, 1: 1, 2: None, 3: 3, 4: 4}


def test_what_a_process_tells() -> None:
    told: list[tuple[int, str]] = []
    found = dict(processes.results(tells, range(4), 2, begin, lambda item, message: told.append((item, message))))
    assert found == {0: 0, 1: 1, 2: 2, 3: 3}
    assert sorted(told) == [(item, f"{step} of {item}") for item in range(4) for step in range(2)]
    processes.tell("nobody")


def tells(number: int) -> int:
    for step in range(2):
        processes.tell(f"{step} of {number}")
    return number


def test_closing_ends_the_processes(tmp_path: Path) -> None:
    results = processes.results(wait_at_one, [tmp_path / "1", tmp_path / "2"], 2, begin)
    assert next(results) == (tmp_path / "2", "2")
    while not (tmp_path / "1").exists():
        time.sleep(0.01)
    results.close()
    assert not multiprocessing.active_children()


def test_ctrl_c_is_for_the_process_that_started_them() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    masks = dict(processes.results(blocked, [signal.SIGINT], 1, begin))
    assert masks == {signal.SIGINT: True}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def blocked(number: signal.Signals) -> bool:
    return number in signal.pthread_sigmask(signal.SIG_BLOCK, [])
