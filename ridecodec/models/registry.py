"""The models at hand: their cards, which need no torch, and their backends, by name or content hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridecodec.errors import ModelMissingError, ModelRefusedError, UsageError

if TYPE_CHECKING:
    import torch

    from ridecodec.models.base import Backend

WEIGHTS = Path(__file__).parent.parent / "weights"
HASH_BYTES = 4


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it."""

    name: str
    purpose: str
    hash: str
    """First four bytes of the SHA-256 of its file, hexadecimal."""
    bytes: int
    channels: tuple[int, ...]
    kodak_bpsp: float | None
    file: str | None
    """Name in the weights folder; None for a model without weights."""
    current: bool = True
    """Whether new files use it; older releases stay for decoding."""


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[: 2 * HASH_BYTES]


_UNIFORM = ModelCard(
    "uniform",
    "every value equally likely; for tests",
    _hash(b"ridecodec uniform 1"),
    0,
    (1, 3),
    8.0,
    None,
)


@cache
def cards() -> list[ModelCard]:
    """All models, the default first."""
    found = []
    for path in sorted(WEIGHTS.glob("*.json")):
        data = json.loads(path.read_text())
        names = ModelCard.__dataclass_fields__
        card = {k: v for k, v in data.items() if k in names}
        found.append(ModelCard(**{**card, "channels": tuple(card["channels"])}))
    return [*sorted(found, key=lambda c: (c.name != "photo", not c.current, c.name)), _UNIFORM]


def current(name: str) -> ModelCard:
    """The model that new files use under this name; UsageError where there is none."""
    for card in cards():
        if card.name == name and card.current:
            return card
    known = ", ".join(dict.fromkeys(c.name for c in cards()))
    raise UsageError(f"there is no model {name!r}; choose one of: {known}")


def find(name: str, hash4: bytes) -> ModelCard:
    """The very model that a file was made with; ModelMissingError where it is not at hand."""
    for card in cards():
        if card.hash == hash4.hex() and card.name == name:
            return card
    raise ModelMissingError(
        f"it needs the model {name!r} with hash {hash4.hex()}, which this version does not have; install the version "
        "of ridecodec that wrote it, or a newer one"
    )


def write(path: Path, data: bytes, name: str, purpose: str, training: Any = None) -> ModelCard:
    """Write a model file for gray and RGB, and its card (JSON, with how it was trained) beside it."""
    card = ModelCard(name, purpose, _hash(data), len(data), (1, 3), None, path.name)
    path.write_bytes(data)
    record = asdict(card) | ({"training": training} if training else {})
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return card


@cache
def load(card: ModelCard, device: torch.device) -> Backend:
    """The backend on a device; raises ModelRefusedError where its file is damaged or its bounds do not hold."""
    from ridecodec.coding.exact import check_products

    check_products(device)
    if card.file is None:
        from ridecodec.models.uniform import Uniform

        return Uniform(device)
    path = WEIGHTS / card.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelMissingError(f"{path}: the model's weights cannot be read ({error.strerror})") from error
    if _hash(data) != card.hash:
        raise ModelRefusedError(f"{path}: the model's weights are damaged; install ridecodec again")
    if card.name == "gradient":
        from ridecodec.models.gradient import Gradient

        return Gradient(data, device)
    from ridecodec.models.photo.backend import Photo

    return Photo(data, device)
