"""The field of a file that names its model: a number, or 0 and the name spelled out."""

from __future__ import annotations

from ridecodec.container.reader import Reader
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError, ModelMissingError

AUTO = "auto"
"""No model, but many: each tile in the form that is cheapest (`ridecodec.tiles.autocodec`)."""
HISTORY = "history"
"""As `AUTO`, but what is coded is the source that a history makes the picture of (`ridecodec.tiles.historycodec`)."""
MODEL_IDS = {
    1: "photo",
    2: "gradient",
    3: "uniform",
    4: "mcgsm-gray",
    5: "ride-gray",
    6: "ride-rgb",
    7: "eomcgsm-gray",
    8: "eoride-gray",
    9: "pixelcnn-cifar",
    10: "gated-cifar",
    11: "conditional-cifar",
    12: "autoencoder-cifar",
    13: "pixelrnn-cifar",
    14: "multiscale-cifar",
    15: AUTO,
    16: "graphics",
    17: "deep",
    18: "mixture-cifar",
    19: "ride-cifar",
    20: HISTORY,
    21: "record",
}
"""The models whose names take one byte in a file.  Numbers are never reused; 0 stands for a name spelled out."""
_NAME_LIMIT = 64


def take(reader: Reader) -> tuple[int, bytes]:
    """The field that names a model, unchecked: its number, or 0 and its name."""
    number = reader.integer(1, "header")
    return number, bytes(reader.take(reader.varint("header"), "header")) if number == 0 else b""


def name(number: int, spelled: bytes) -> str:
    """The model of such a field; DamagedError, or ModelMissingError for a number of later versions."""
    if number == 0:
        if not _valid(spelled):
            raise DamagedError("the header is damaged: the name of the model is wrong")
        return spelled.decode("ascii")
    if number not in MODEL_IDS:
        raise ModelMissingError(f"the file needs model number {number}, which needs a newer ridecodec")
    return MODEL_IDS[number]


def write(model: str) -> bytes:
    """The field that names a model; ValueError for a name that cannot be."""
    for number, known in MODEL_IDS.items():
        if model == known:
            return bytes((number,))
    spelled = model.encode("ascii")
    if not _valid(spelled):
        raise ValueError(f"a model cannot be named {model!r}")
    return b"\0" + write_varint(len(spelled)) + spelled


def _valid(name: bytes) -> bool:
    """Whether a model of this name, without a number, may be in a file."""
    printable = all(0x21 <= byte <= 0x7E for byte in name)
    return 0 < len(name) <= _NAME_LIMIT and printable and name.decode("ascii") not in MODEL_IDS.values()
