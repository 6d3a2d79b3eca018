"""Checkpoints: what a training saves so that it can go on, bit for bit, and what others load of it.

Keys that every checkpoint has: `model` (state_dict, the best on validation so far), `config` and `schedule` (the
dataclasses' fields), `step`, `seconds`. The others are the trainer's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ridecodec.errors import InputError, OutputError

KEYS = {"model": dict, "config": dict, "schedule": dict, "step": int, "seconds": int | float}
"""And their types."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside ``path``, then rename: what stands there is always whole."""
    part = path.with_name(path.name + ".part")
    try:
        torch.save(state, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: the checkpoint cannot be written ({error})") from error


def read(path: Path) -> dict[str, Any]:
    """All tensors on the CPU; InputError where the file is no checkpoint. Nothing in it is executed."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint") from error
    except Exception as error:  # unpickling raises whatever the damage makes it run into
        raise InputError(f"{path}: not a checkpoint, or a damaged one") from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key), kind) for key, kind in KEYS.items()):
        raise InputError(f"{path}: not a training checkpoint")
    settings = [*state["config"].items(), *state["schedule"].items()]
    if not (all(map(_plain, settings)) and all(isinstance(name, str) for name in state["model"])):
        raise InputError(f"{path}: a damaged checkpoint: its settings are not text and numbers")
    return state


def _plain(value: Any) -> bool:
    """Whether this is text, a number or nothing, or a list of such."""
    return all(map(_plain, value)) if isinstance(value, list | tuple) else isinstance(value, str | int | float | None)


def random_state(generator: torch.Generator) -> dict[str, Tensor]:
    """Of a training's generator, and of torch's own."""
    state = {"generator": generator.get_state(), "torch": torch.get_rng_state()}
    if generator.device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(generator.device)
    return state


def set_random_state(generator: torch.Generator, state: dict[str, Tensor]) -> None:
    """As `random_state` gave it; InputError where it is another device's."""
    if ("cuda" in state) != (generator.device.type == "cuda"):
        raise InputError("the checkpoint was trained on another kind of device; resume it there, or start from it")
    generator.set_state(state["generator"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], generator.device)
