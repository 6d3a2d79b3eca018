"""The benchmark that tries every file of a folder: what it finds exact, noted, refused and wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from picturefiles import RGB, encoded
from PIL import Image

import ridecodec
from ridecodec.picture import Picture

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import cases


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coder has tests of its own; here it is the reading that counts."""
    monkeypatch.setattr(ridecodec, "compress", lambda picture, **options: picture)
    monkeypatch.setattr(ridecodec, "decompress", lambda picture, **options: picture)


@pytest.mark.parametrize(
    ("form", "tail", "kind", "said"),
    [
        ("BMP", b"", "exact", ""),
        ("BMP", b"tail", "noted", "loses the bytes after its end"),
        ("SGI", b"", "noted", "loses everything but its pixels and usual metadata"),
        ("TXT", b"text", "refused", "is damaged, or not a picture in a supported format"),
    ],
)
def test_files_are_exact_noted_or_refused(tmp_path: Path, form: str, tail: bytes, kind: str, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes((encoded(Image.fromarray(RGB), form) if form != "TXT" else b"") + tail)
    verdict = cases.judge(path)
    assert (verdict.kind, verdict.said) == (kind, said)
    assert ("Pillow" in verdict.checked) == (kind != "refused")


def test_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.png"
    Image.fromarray(RGB).save(path)
    with monkeypatch.context() as patched:
        patched.setattr(cases, "READERS", {"another": lambda path: RGB[::-1]})
        assert cases.judge(path) == cases.Verdict("wrong", "has other pixels by another")
    with monkeypatch.context() as patched:
        patched.setattr(ridecodec, "decompress", lambda picture, **options: Picture.from_numpy(RGB[::-1].copy()))
        assert cases.judge(path).said == "does not come back as it was"
        patched.setattr(ridecodec, "decompress", lambda picture, **options: os.write(2, b"a line\n") and picture)
        assert cases.judge(path).said == "prints 'a line'"
        patched.setattr(ridecodec, "decompress", lambda picture, **options: [][0])
        assert cases.judge(path).said.startswith("IndexError")


def test_colours_are_compared_as_far_as_readers_go() -> None:
    deep = Picture.from_numpy(np.arange(12, dtype=np.uint16).reshape(2, 6) * 4000)
    ours = cases.colours(deep)
    assert cases.same(ours, deep.to_numpy())
    assert cases.same(ours, (deep.to_numpy() >> 8).astype(np.uint8))
    assert not cases.same(ours, deep.to_numpy() + 1)
