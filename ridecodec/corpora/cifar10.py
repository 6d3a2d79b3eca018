"""CIFAR-10 as it is fetched, a tar archive of pickles, made into arrays."""

from __future__ import annotations

import pickle
import re
import tarfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError

SIDE = 32
PARTS = {"train": re.compile(r"data_batch_\d+"), "test": re.compile(r"test_batch")}


class _Plain(pickle.Unpickler):
    """Of a pickle takes arrays, text and numbers, and no other code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("_core", "core"), name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


def arrays(archive: Path) -> dict[str, NDArray[np.uint8]]:
    """``train`` and ``test``, pictures uint8 [N, 32, 32, 3], and ``train-labels`` and ``test-labels``, uint8 [N].

    Raises InputError where it is another archive, or damaged.
    """
    found: dict[str, list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]] = {part: [] for part in PARTS}
    try:
        with tarfile.open(archive) as tar:
            for member in sorted(tar.getmembers(), key=lambda member: member.name):
                for part, names in PARTS.items():
                    stream = tar.extractfile(member) if names.fullmatch(Path(member.name).name) else None
                    if stream is not None:
                        found[part].append(_batch(stream))
    except (OSError, tarfile.TarError, pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{archive}: not CIFAR-10's archive for Python, or damaged ({error})") from error
    made = {}
    for part, batches in found.items():
        if not batches:
            raise InputError(f"{archive}: it does not contain the part {part}")
        made[part] = np.concatenate([pixels for pixels, _ in batches])
        made[f"{part}-labels"] = np.concatenate([labels for _, labels in batches])
    return made


def _batch(stream: IO[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    held = _Plain(stream, encoding="bytes").load()
    pixels, labels = np.asarray(held[b"data"]), np.asarray(held[b"labels"])
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3 * SIDE**2) or not len(labels):
        raise ValueError(f"its pictures are {pixels.dtype} {pixels.shape}")
    return pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels.astype(np.uint8)
