"""What is known of the corpora that others publish: address, licence, sizes and checksums, a JSON file each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ridecodec.errors import UsageError

_PACKAGED = Path(__file__).with_name("manifests")
_FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "corpora"  # that of a checkout


@dataclass(frozen=True)
class File:
    """One file to fetch; ``bytes`` and ``sha256``, in hexadecimal, are None where nobody publishes them."""

    address: str
    bytes: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.address.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Corpus:
    """A set of pictures, and the public files that contain it."""

    name: str
    what: str
    home: str
    """Address of the page that describes it."""
    licence: str
    checksums: str
    """Where the SHA-256 in ``files`` come from."""
    files: tuple[File, ...]

    @property
    def bytes(self) -> int | None:
        """Size of all files together, None where that of any is not known."""
        sizes = [file.bytes for file in self.files if file.bytes is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    @property
    def checkable(self) -> int:
        """Number of files whose SHA-256 is known."""
        return sum(file.sha256 is not None for file in self.files)


def names() -> list[str]:
    """Names of all corpora, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def corpus(name: str) -> Corpus:
    """The corpus ``name``; raises UsageError where there is none."""
    if name not in names():
        raise UsageError(f"there is no corpus {name!r}; choose one of: {', '.join(names())}")
    content = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Corpus(**{**content, "files": tuple(File(**each) for each in content["files"])})
