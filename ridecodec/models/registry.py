"""The models at hand: their cards, which need no torch, and their backends, by name or content hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridecodec import extras
from ridecodec.container.modelfield import AUTO, HISTORY
from ridecodec.engines.names import chosen
from ridecodec.errors import ModelMissingError, ModelRefusedError, UsageError
from ridecodec.files.placing import placed
from ridecodec.models import files

if TYPE_CHECKING:
    from ridecodec.engines.tilecoder import TileCodec

PROGRAM = "program"
"""The family of the models that are programs."""
DEVICES = ("auto", "cpu", "cuda")
WEIGHTS = Path(__file__).parent.parent / "weights"
HASH_BYTES = 4
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


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
    """Path of the weights, in the card itself relative to it; None for a model without weights."""
    current: bool = True
    """Whether new files use it; older releases stay for decoding."""
    family: str = ""
    """What kind of backend it is; by default the one of its name."""
    ensemble: bool = False
    """Whether tiles are coded in the best of their eight orientations."""
    members: tuple[tuple[str, str], ...] = ()
    """Of a bundle of models: the name and hash of each; its own hash is of them."""

    @property
    def family_name(self) -> str:
        """What kind of model it is."""
        return self.family or self.name

    @property
    def pictures(self) -> str:
        """What it codes, in words."""
        return words(self.channels)


def words(channels: Iterable[int]) -> str:
    """Pictures of so many channels, in words."""
    return " and ".join({1: "gray", 3: "RGB"}.get(c, f"{c}-channel") for c in channels)


def short_hash(data: bytes) -> str:
    """The first four bytes of the SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()[: 2 * HASH_BYTES]


_OPTIONAL = ("family", "ensemble", "members")

_UNIFORM = ModelCard(
    "uniform",
    "every value equally likely; for tests",
    short_hash(b"ridecodec uniform 1"),
    0,
    (1, 3),
    8.0,
    None,
)


def cards() -> list[ModelCard]:
    """All models, the default first: the shipped ones, and those in the folder that ``$RIDECODEC_MODELS`` names."""
    return _cards(os.environ.get("RIDECODEC_MODELS", ""))


@cache
def _cards(own: str) -> list[ModelCard]:
    found = _shipped() + (_own(Path(own)) if own else [])
    return [*sorted(found, key=lambda c: (c.name not in ("auto", "photo"), not c.current, c.name)), _UNIFORM]


def _shipped() -> list[ModelCard]:
    return [_card(path, "install ridecodec again") for path in sorted(WEIGHTS.glob("*.json"))]


def _own(folder: Path) -> list[ModelCard]:
    """The models in a folder of the user's; JSON files of something else do not matter."""
    if not folder.is_dir():
        raise UsageError(f"$RIDECODEC_MODELS names {folder}, which is not an existing folder")
    found: dict[Path, ModelCard] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            card = _card(path, "export the model again, or take the file out of $RIDECODEC_MODELS")
        except ModelRefusedError:
            if path.with_suffix(".safetensors").exists():
                raise
            continue
        if card.name in _reserved():
            raise UsageError(f"{path}: a model named {card.name!r} comes with ridecodec; export yours with another")
        for other, known in found.items():
            if known.name == card.name and known.current and card.current:
                raise UsageError(
                    f"{path}: its model has the name {card.name!r}, like that of {other.name}; export one with another "
                    "name, or take it out of $RIDECODEC_MODELS"
                )
        found[path] = card
    return list(found.values())


def _reserved() -> set[str]:
    return {card.name for card in (*_shipped(), _UNIFORM)}


def _card(path: Path, remedy: str) -> ModelCard:
    try:
        data = json.loads(files.read(path, files.MOST_CARD, links=_is_shipped(path)))
        kept = {name: data[name] for name in ModelCard.__dataclass_fields__ if name not in _OPTIONAL or name in data}
        lists = {"channels": tuple(kept["channels"]), "members": tuple(map(tuple, kept.get("members", ())))}
        card = ModelCard(**{**kept, **lists})
        _check_types(card)
        if card.file is None:
            return card
        if not files.is_name(card.file):
            raise ModelRefusedError(f"{path}: the model file {card.file!r} is not in the folder of the card; {remedy}")
        return replace(card, file=str(path.parent / card.file))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelRefusedError(f"{path}: the model's card is damaged; {remedy}") from error


def _check_types(card: ModelCard) -> None:
    """TypeError where a field of a card does not hold what it should."""
    texts = [card.name, card.purpose, card.hash, card.family, *(part for member in card.members for part in member)]
    flags, counts = [card.current, card.ensemble], [card.bytes, *card.channels]
    pairs = all(len(member) == 2 for member in card.members)
    rate = card.kodak_bpsp is None or isinstance(card.kodak_bpsp, (int, float))
    for values, kind in ((texts, str), (flags, bool), (counts, int)):
        if not pairs or not rate or not all(isinstance(value, kind) for value in values):
            raise TypeError("a field has the wrong type")


def _is_shipped(path: Path) -> bool:
    """Whether a file came with the package, whose files an installer may have made links."""
    return path.parent == WEIGHTS


def current(name: str) -> ModelCard:
    """The model that new files use under this name; UsageError where there is none."""
    for card in cards():
        if card.name == name and card.current:
            return card
    known = ", ".join(dict.fromkeys(c.name for c in cards()))
    raise UsageError(f"there is no model {name!r}; choose one of: {known}")


def find(name: str, hash4: bytes) -> ModelCard:
    """The very model that a file was made with; ModelMissingError where it is not at hand."""
    name = AUTO if name == HISTORY else name
    for card in cards():
        if card.hash == hash4.hex() and card.name == name:
            return card
    raise ModelMissingError(
        f"it needs the model {name!r} with the hash {hash4.hex()}, which this version does not have; install the "
        "version of ridecodec that wrote it, or a newer one"
    )


def check_channels(card: ModelCard, channels: int, subject: str) -> None:
    """UsageError where the model does not code pictures, the ``subject`` among them, of so many channels."""
    if channels not in card.channels:
        pictures = f"{card.pictures} pictures only, {subject} is {words([channels])}"
        raise UsageError(f"the model {card.name!r} codes {pictures}")


def check_label(name: str, classes: int, label: int | None) -> None:
    """UsageError where the model of this name, which knows so many classes, cannot be told ``label``."""
    if label is not None and not 0 <= label < classes:
        known = f"labels 0 to {classes - 1}" if classes else "no labels"
        raise UsageError(f"there is no label {label}: the model {name!r} has {known}")


def check_name(name: str, path: Path) -> None:
    """UsageError where no model of this name can be used from ``path``."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a model's name; choose 1 to 64 characters of a-z, A-Z, 0-9, '.', '_' and '-', "
            "not beginning with '.' or '-'"
        )
    if path.resolve().parent != WEIGHTS.resolve() and name in _reserved():
        raise UsageError(f"a model named {name!r} comes with ridecodec; choose another name")


def outputs(path: Path, name: str, ensemble: str | None = None) -> list[Path]:
    """What `write` makes: the model file, its card, and the card of its ensemble; UsageError where two would be one."""
    if path.suffix.lower() == ".json":
        raise UsageError(f"{path}: the card of the model has this extension; choose another, such as .safetensors")
    stems = [path.stem]
    if ensemble is not None:
        stems.append(path.stem.replace(name, ensemble) if name in path.stem else ensemble)
        if ensemble == name or stems[0] == stems[1]:
            raise UsageError(
                f"the model and its ensemble would both be written to {ensemble!r}; choose another name for one"
            )
    return [path, *(path.parent / f"{stem}.json" for stem in stems)]


def write(
    path: Path,
    data: bytes,
    name: str,
    purpose: str,
    training: Any = None,
    channels: tuple[int, ...] = (1, 3),
    *,
    ensemble: str | None = None,
) -> ModelCard:
    """Write a model file and its card (JSON, with how it was trained) beside it; ``ensemble``: the name of a second
    card, of the same weights as an ensemble over the orientations. What exists is replaced."""
    card = ModelCard(name, purpose, short_hash(data), len(data), channels, None, path.name, True, PROGRAM)
    made = [card]
    if ensemble is not None:
        again = f"{name} in the best of eight orientations, for each tile"
        made.append(replace(card, name=ensemble, purpose=again, ensemble=True))
    records = [asdict(each) | ({"training": training} if training else {}) for each in made]
    texts = [f"{json.dumps(record, indent=2)}\n".encode() for record in records]
    for target, content in zip(outputs(path, name, ensemble), (data, *texts), strict=True):
        with placed(str(target), force=True) as part:
            part.write_bytes(content)
    return card


def check_device(name: str) -> None:
    """UsageError where there is no device of this name."""
    if name not in DEVICES:
        raise UsageError(f"unknown device {name!r}; choose {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")


def pick_device(name: str) -> str:
    """``auto``, ``cpu`` or ``cuda`` as it is; UsageError for others, and for a device that is not there."""
    check_device(name)
    if name == "cuda":
        try:
            from ridecodec.engines.torch.devices import check_cuda
        except ImportError as error:
            raise UsageError(f"the device cuda: {extras.hint(error) or error}") from error
        check_cuda()
    return name


def load(card: ModelCard, device: str = "auto") -> TileCodec:
    """What codes tiles by a model, on the engine that was chosen (`engines.choose`).

    Raises ModelRefusedError where the model's file is damaged or its bounds do not hold, and UsageError where the
    engine cannot run it.
    """
    return _load(card, device, chosen())


def engine_of(card: ModelCard) -> str:
    """What runs a model here, in words; of a bundle, what runs its members."""
    if card.members:
        engines = [engine_of(find(name, bytes.fromhex(hash4))) for name, hash4 in card.members]
        return ", ".join(dict.fromkeys(engines))
    return load(card).engine


def _is_program(card: ModelCard) -> bool:
    return card.file is None or card.family == PROGRAM


@cache
def _load(card: ModelCard, device: str, engine: str) -> TileCodec:
    from ridecodec.models import programs

    if card.members:
        raise UsageError(f"{card.name!r} is not a single density model; choose one, such as photo")
    if not _is_program(card):
        raise ModelRefusedError(f"{card.file}: the model {card.name!r} is no program; export it again")
    data = None if card.file is None else weights(card)
    found = programs.program_codec(card.name, data, engine, device)
    if not card.ensemble:
        return found
    from ridecodec.engines.orientations import Orientations

    return Orientations(found)


def weights(card: ModelCard) -> bytes:
    """The bytes of a model's file; raises ModelMissingError where there is none, ModelRefusedError for another one."""
    path = Path(str(card.file))
    try:
        data = files.read(path, files.MOST_WEIGHTS, links=_is_shipped(path))
    except OSError as error:
        raise ModelMissingError(f"{path}: the model's weights cannot be read ({error.strerror})") from error
    if short_hash(data) != card.hash:
        raise ModelRefusedError(f"{path}: the model's weights are damaged; install ridecodec again")
    return data
