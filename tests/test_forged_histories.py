"""Nothing that a file says of a history is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from historypictures import RGB, Twice, compress, photo_cd, with_logo

import ridecodec
from ridecodec.container import rdc
from ridecodec.container.varint import write_varint
from ridecodec.errors import DamagedError, InputError, ModelMissingError
from ridecodec.histories import registry, tree
from ridecodec.histories.base import Frame


def forged(data: bytes, section: bytes | None = None, payloads: Sequence[bytes] | None = None, **header: int) -> bytes:
    """A file with another history, other payloads, or another header."""
    held = rdc.read(data)
    kept = [bytes(held.payload(number)) for number in range(len(held.lengths))]
    return rdc.write(
        replace(held.header, **header),
        held.metadata,
        kept if payloads is None else payloads,
        held.history if section is None else section,
    )


def payloads_of(data: bytes) -> list[bytes]:
    held = rdc.read(data)
    return [bytes(held.payload(number)) for number in range(len(held.lengths))]


DATA_CD = compress(with_logo(photo_cd(48, 52)))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (b"\0", "there is none"),
        (b"\1\1\1\0\0\0\0\0\0", "bytes after its end"),
        (b"\1\1\1\0\0\0\0", "cut short"),
        (b"\1\1\1\100\0\0\0\0", "not those of Photo CD"),
        (b"\1\1\2\0\0\0\0\0\0", "not those of Photo CD"),
        (b"\1\1\1\2\0\0\0\0", "no such samples"),
        (b"\1\1\1\5\0\0\0\0", "no such samples"),
        (b"\1\1\1\0\xff\xff\x7f\0\0\0", "more exceptions than pixels"),
        (b"\1\1\1\0\0\1\1\1\0\0\0\0\0\0\0", "not those of Photo CD"),
        (b"\1\1\xff\xff\x7f", "too many parameters"),
        (b"\1\1\1\0\0\0\0\0", "not that of the history's source"),
    ],
)
def test_forged_histories_are_refused(section: bytes, message: str) -> None:
    data = forged(DATA_CD, section)
    with pytest.raises(DamagedError, match=message):
        ridecodec.decompress(data)
    with pytest.raises(DamagedError, match=message):
        ridecodec.read_info(data)


def test_unknown_histories_need_a_newer_version() -> None:
    for section in (b"\xfe\1\0\0\0", b"\1\2\1\0\0\0\0\0"):
        with pytest.raises(ModelMissingError, match="needs a newer ridecodec"):
            ridecodec.decompress(forged(DATA_CD, section))


def test_histories_are_not_put_on_one_another_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "HISTORIES", (Twice,))
    step = bytes([255, 1, 0]) + write_varint(0)
    section = step * 5 + b"\0"
    data = forged(DATA_CD, section, payloads_of(DATA_CD)[:1], width=64, height=64)
    with pytest.raises(DamagedError, match="too many histories on one another"):
        ridecodec.decompress(data)
    frame = Frame(64, 64, RGB, 8)
    assert tree.read(step * 4 + b"\0", frame).frame == frame


def test_forged_exceptions_are_refused() -> None:
    places, numbers, *rest = payloads_of(DATA_CD)
    for wrong in (
        [places, numbers[:-1], *rest],
        [places, numbers + b"\0", *rest],
        [places, b"", *rest],
        [b"\0\0", numbers, *rest],
        [b"\0\1", numbers, *rest],
        [b"\0\2", numbers, *rest],
        [b"", numbers, *rest],
        [places, numbers, *rest[:2], b""],
        [places, numbers, *rest[::-1]],
    ):
        with pytest.raises(DamagedError):
            ridecodec.decompress(forged(DATA_CD, payloads=wrong))


@pytest.mark.parametrize(
    "size", [{"width": 51}, {"height": 2**31 - 1}, {"width": 2**30, "height": 2**30}, {"width": 1}]
)
def test_forged_sizes_are_refused(size: dict[str, int]) -> None:
    with pytest.raises((DamagedError, InputError)):
        ridecodec.decompress(forged(DATA_CD, **size), max_pixels=10**6)


def test_every_cut_of_a_file_is_refused() -> None:
    for end in range(0, len(DATA_CD), 7):
        with pytest.raises(DamagedError):
            ridecodec.decompress(DATA_CD[:end])


def test_a_file_and_its_history_go_together() -> None:
    held = rdc.read(DATA_CD)
    with pytest.raises(ValueError, match="do not go together"):
        rdc.write(held.header, (), payloads_of(DATA_CD))
    with pytest.raises(ValueError, match="do not go together"):
        rdc.write(replace(held.header, model="auto"), (), payloads_of(DATA_CD)[:1], held.history)
