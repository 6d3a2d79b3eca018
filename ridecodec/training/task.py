"""What the trainer asks of a model that is to be trained."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Place(NamedTuple):
    """Where on its way a training is."""

    step: int
    fraction: float
    stage: int


class Batch(NamedTuple):
    """What a step learns from, and how many pixels of it are predicted."""

    data: Tensor
    pixels: int


@dataclass(frozen=True)
class Report:
    """What a progress bar shows."""

    step: int
    fraction: float
    rate: float
    """Of the last steps, in the task's unit."""
    unit: str
    held: float | None
    """Of the last validation."""
    pixels_per_second: float
    seconds_left: float
    doing: str


class Task(abc.ABC):
    """A model with its optimizer, its data and its loss."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    unit: str = "bit/px"
    """Of the loss."""
    rounds: int = 0
    """How often `polish` is called after each stage, at most."""

    @abc.abstractmethod
    def draw(self, place: Place, generator: torch.Generator) -> Batch:
        """This process's part of a step's data; everything random comes from ``generator``, noise too."""

    @abc.abstractmethod
    def loss(self, model: nn.Module, data: Tensor) -> Tensor:
        """Mean code length, a scalar. Uses nothing but ``model``, which may be a wrapped one, and ``data``."""

    @abc.abstractmethod
    def rates(self, place: Place) -> Sequence[float]:
        """Learning rate of each of the optimizer's groups."""

    def validate(self) -> float | None:
        """The loss of what is held out, the same in every process; None where nothing is."""
        return None

    def polish(self, place: Place, turn: int, enough: Callable[[], bool]) -> None:
        """Another optimizer's turn after a stage; returns early when ``enough``. Repeatable: nothing in it depends on
        the trainer's generator, so that an interrupted turn is taken again."""
        raise NotImplementedError
