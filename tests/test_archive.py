"""Archives of many pictures: round trips, single pictures, damage, and the sets they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checker import CIFAR, label
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import crop, identical, piece, typed
from reference_decoder import decode_archive

import ridecodec
from ridecodec.container import chunks, rdc, rdca
from ridecodec.container.rdc import Header
from ridecodec.errors import DamagedError, InputError, RidecodecError, UsageError, VerificationError
from ridecodec.files import sets
from ridecodec.files.sets import Entry, Loose
from ridecodec.picture import Chunk, ColourType, Picture
from ridecodec.tiles import setcodec

MODEL = "gradient"
WEIGHTS = Path(ridecodec.__file__).parent / "weights"


def entry(name: str, array: object) -> Entry:
    return Entry(name, Picture.from_numpy(array))  # type: ignore[arg-type]


def mixed() -> list[Entry]:
    """Alike ones, others, gray ones."""
    alike = [entry(f"alike-{k}", piece((8, 9, 3), k)) for k in range(4)]
    return [
        *alike,
        entry("wide", crop("rocket", 3, 30)),
        entry("gray", crop("camera", 7, 6)),
        entry("dot", alike[0].picture.to_numpy()[:1, :1]),
    ]


def packed(entries: list[Entry], threads: int = 1, model: str = MODEL, **options: Any) -> bytes:
    return setcodec.encode(entries, model=model, device="cpu", threads=threads, **options)


def restored(data: bytes) -> dict[str, Picture]:
    """All pictures of an archive, with their metadata."""
    held = rdca.read(data)
    found = {held.names[k]: each for k, each in setcodec.decode(held, range(len(held.names)), device="cpu", threads=1)}
    assert all(isinstance(each, Picture) for each in found.values())
    return found  # type: ignore[return-value]


def unpacked(data: bytes, only: list[str] | None = None, threads: int = 1) -> dict[str, np.ndarray]:
    held = rdca.read(data)
    numbers = held.numbers(only) if only is not None else range(len(held.names))
    found = setcodec.decode(held, list(numbers), device="cpu", threads=threads)
    pictures = {}
    for number, picture in found:
        if isinstance(picture, DamagedError):
            raise picture
        pictures[held.names[number]] = picture.to_numpy()
    return pictures


def test_round_trip() -> None:
    entries = mixed()
    data = packed(entries)
    assert packed(entries, threads=3) == data
    for threads in (1, 3):
        found = unpacked(data, threads=threads)
        assert sorted(found) == sorted(each.name for each in entries)
        for each in entries:
            assert np.array_equal(found[each.name], each.picture.to_numpy())


@settings(max_examples=8)
@given(st.lists(typed(8), min_size=1, max_size=5), st.sampled_from([0, 5]))
def test_pictures_of_all_types(pictures: list[Picture], tile: int) -> None:
    """With all metadata, each smaller than as a file of its own; read by the second decoder too."""
    entries = [Entry(str(number), each) for number, each in enumerate(pictures)]
    data = packed(entries, model="auto", tile=tile, verify=True)
    found, again = restored(data), decode_archive(data, WEIGHTS)
    files = [ridecodec.compress(each, tile=tile, verify=False) for each in pictures]
    for number, each in enumerate(pictures):
        assert identical(found[str(number)], each)
        assert np.array_equal(again[str(number)], each.to_numpy())
    held = rdca.read(data)
    beside = len(rdca.MAGIC) + 1 + 4 + 5 * len(held.models) + held.names_bytes + 4  # of no one picture
    assert len(data) - beside <= sum(map(len, files))


def test_a_picture_takes_less_than_its_file() -> None:
    """A large one in tiles too; what pictures share is stored once."""
    profile = (Chunk(b"ICC ", bytes(range(256)) * 9),)
    shared = [Picture(piece((9, 8, 3), k).transpose(2, 0, 1), ColourType.RGB, 8, profile) for k in range(4)]
    large = Picture.from_numpy(np.tile(np.arange(1100, dtype=np.uint8)[None, :], (6, 1)))
    entries = [Entry(str(number), each) for number, each in enumerate([*shared, large])]
    data = packed(entries, model="auto")
    found, held = restored(data), rdca.read(data)
    assert all(identical(found[each.name], each.picture) for each in entries)
    assert held.metadata_bytes == len(chunks.write(profile)) + 2
    files = sum(len(ridecodec.compress(each.picture, verify=False)) for each in entries)
    assert len(data) < files - 3 * held.metadata_bytes


def test_what_is_decoded_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [entry("a", piece((3, 3, 3), 1)), entry("b", piece((3, 3, 3), 2))]
    wrong = Picture(entries[0].picture.planes, ColourType.RGB, 8, (Chunk(b"tEXt", b"a\0b"),))
    monkeypatch.setattr(setcodec, "decode", lambda *args, **options: iter([(0, entries[0].picture), (1, wrong)]))
    with pytest.raises(VerificationError, match="'b' gives a different picture"):
        packed(entries, verify=True)


def test_pictures_that_fail_are_left_out() -> None:
    """Names that cannot be, and types that the model does not code; the others are there."""
    bad = [entry("a", piece((3, 3), 1)), entry("b\n", piece((3, 3), 2)), entry("c", np.zeros((3, 3, 4), np.uint8))]
    good = [entry("b", piece((3, 3), 3)), entry("a", piece((3, 3), 4))]
    told: list[tuple[Entry, RidecodecError]] = []
    data = packed([good[1], *bad, good[0]], refused=lambda each, error: told.append((each, error)))
    assert [each for each, _ in told] == bad
    assert rdca.read(data).names == ("a", "b")
    assert np.array_equal(restored(data)["a"].planes, good[1].picture.planes)


@pytest.mark.parametrize("model", ["auto", "photo"])
def test_what_is_coded_side_by_side_is_as_each_alone(model: str) -> None:
    few = crop("camera", 20, 24) // 40 * 40
    entries = [entry(f"{k:02}", crop("rocket", 20 + k, 24)[k:]) for k in range(5)]
    entries += [entry(f"few {k}", np.roll(few, k, 0)) for k in range(3)]
    held = rdca.read(packed(entries, model=model))
    for number, each in enumerate(entries):
        alone = ridecodec.compress(each.picture, model=model, threads=1, verify=False)
        assert held.picture(number).payload(0) == rdc.read(alone).payload(0)


@pytest.mark.parametrize("model", CIFAR)
def test_batches_of_one_and_of_64(model: str) -> None:
    """The same file whatever is coded together, its pictures those of single files, decoded at once or alone."""
    entries = [entry(f"{k:02}", piece((4, 3, 3), k)) for k in range(64)]
    files = {packed(entries, threads, model, label=label(model)) for threads in (1, 2)}
    (data,) = files
    held = rdca.read(data)
    for number in (0, 17, 63):
        alone = ridecodec.compress(entries[number].picture, model=model, label=label(model), threads=1, verify=False)
        assert bytes(held.picture(number).payload(0)) == bytes(rdc.read(alone).payload(0))
        assert np.array_equal(unpacked(data, [f"{number:02}"])[f"{number:02}"], entries[number].picture.to_numpy())
    for threads in (1, 2):
        found = unpacked(data, threads=threads)
        assert all(np.array_equal(found[each.name], each.picture.to_numpy()) for each in entries)


def test_one_picture_alone() -> None:
    """Of a damaged archive too, where the damage is elsewhere."""
    entries = mixed()
    data = bytearray(packed(entries))
    data[-1] ^= 255  # the last picture's
    assert list(unpacked(bytes(data), ["wide", "alike-2"])) == ["wide", "alike-2"]
    found = dict(setcodec.decode(rdca.read(bytes(data)), range(len(entries)), device="cpu", threads=1))
    for number, each in enumerate(entries[:-1]):
        assert isinstance(found[number], Picture)
        assert np.array_equal(found[number].to_numpy(), each.picture.to_numpy())
    assert isinstance(found[len(entries) - 1], DamagedError)
    with pytest.raises(UsageError, match="no picture 'nobody'"):
        rdca.read(bytes(data)).numbers(["nobody"])


def test_archive_beats_single_files() -> None:
    entries = [entry(f"{k:03}", piece((8, 8, 3), k)) for k in range(30)]
    single = sum(len(ridecodec.compress(each.picture, model=MODEL)) for each in entries)
    assert len(packed(entries)) < single - 12 * len(entries)


def test_damage_is_seen() -> None:
    """Whatever byte is changed, and wherever the file is cut: an error, or the pictures."""
    entries = [entry(str(k), piece((3, 4, 3), k)) for k in range(3)]
    data = packed(entries)
    wanted = {each.name: each.picture.to_numpy() for each in entries}
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x41
        try:
            found = unpacked(bytes(broken))
        except RidecodecError:
            continue
        assert all(np.array_equal(found[name], array) for name, array in wanted.items()), at
    for length in range(0, len(data), 3):
        with pytest.raises(DamagedError):
            unpacked(data[:length])
    with pytest.raises(DamagedError, match="after its end"):
        unpacked(data + b"\0")


@given(st.binary(max_size=200))
def test_noise_is_no_archive(noise: bytes) -> None:
    for data in (noise, rdca.MAGIC + b"\1" + noise):
        with pytest.raises(RidecodecError):
            rdca.read(data)


def test_names_are_unique() -> None:
    twice = [entry("a", piece((3, 3), 1)), entry("a", piece((3, 3), 2))]
    with pytest.raises(InputError, match="already has a picture named 'a'"):
        packed(twice)
    held = rdc.read(rdc.write(Header(1, 1, ColourType.GRAY, 8, MODEL, b"1234", 0), (), [b"x"]))
    with pytest.raises(ValueError, match="unique"):
        rdca.write(["a", "a"], [held, held])
    with pytest.raises(InputError, match="no pictures"):
        packed([])


def test_sets_of_folders_mosaics_and_arrays(tmp_path: Path) -> None:
    first, second = crop("astronaut", 6, 8), crop("chelsea", 6, 8)
    Picture.from_numpy(first).save(tmp_path / "b.png")
    Picture.from_numpy(second).save(tmp_path / "a.webp")
    (tmp_path / "notes.txt").write_text("no picture")
    found = list(sets.entries([tmp_path]))
    assert [each.name for each in found] == ["a", "b"]
    assert np.array_equal(found[1].picture.to_numpy(), first)
    parts = list(sets.entries([tmp_path / "b.png"], (4, 3)))
    assert [each.name for each in parts] == ["b-0", "b-1", "b-2", "b-3"]
    assert np.array_equal(parts[1].picture.to_numpy(), first[:3, 4:])
    assert np.array_equal(parts[2].picture.to_numpy(), first[3:, :4])
    assert [each.name for each in sets.entries([tmp_path], (4, 3), 5)] == ["a-0", "a-1", "a-2", "a-3", "b-0"]
    np.save(tmp_path / "c.npy", np.stack([first, second]))
    array = list(sets.entries([tmp_path / "c.npy"]))
    assert [each.name for each in array] == ["c-0", "c-1"]
    assert np.array_equal(array[1].picture.to_numpy(), second)
    stacked = sets.stacked(array, 3)
    assert stacked.shape == (2, 3, 6, 8)
    assert np.array_equal(stacked[0, 0], first[:, :, 1])


@pytest.mark.parametrize(
    ("make", "cut", "count", "text"),
    [
        (lambda path: path.mkdir(), None, None, "no pictures in this folder"),
        (lambda path: path.write_bytes(b"no picture"), None, None, "set.png: "),
        (lambda path: Picture.from_numpy(crop("camera", 8, 8)).save(path), (3, 4), None, "cannot be cut"),
        (
            lambda path: Picture.from_numpy(crop("camera", 8, 8)).save(path),
            (4, 4),
            5,
            "5 pictures were requested, but there are 4 pictures",
        ),
    ],
)
def test_sets_that_cannot_be_read(make: object, cut: object, count: object, text: str, tmp_path: Path) -> None:
    path = tmp_path / "set.png"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=text):
        list(sets.entries([path], cut, count))  # type: ignore[arg-type]


def test_sets_of_files_that_fail_and_of_any_type(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    palette = typed_file(tmp_path / "b.png")
    told: list[str] = []
    sources = [tmp_path, Loose("loose", "standard input", (tmp_path / "b.png").read_bytes())]
    found = list(sets.entries(sources, failed=lambda name, error: told.append(f"{name}: {error}")))
    assert [each.name for each in found] == ["b", "loose"]
    assert all(identical(each.picture, palette) for each in found)
    assert [each.position for each in found] == sorted(each.position for each in found)
    assert found[-1].position == 1
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path / 'a.png'}: is damaged")
    parts = list(sets.entries([tmp_path / "b.png"], (2, 3)))
    assert all(each.picture.metadata == palette.metadata for each in parts)
    np.save(tmp_path / "c.npy", np.zeros((2, 3, 4, 2), np.uint16))
    np.save(tmp_path / "d.npy", np.zeros((3, 4), np.bool_))
    found = list(sets.entries([tmp_path / "c.npy", tmp_path / "d.npy"]))
    assert [(each.name, each.picture.colour.name, each.picture.bit_depth) for each in found] == [
        ("c-0", "GRAY_ALPHA", 16),
        ("c-1", "GRAY_ALPHA", 16),
        ("d", "GRAY", 1),
    ]


def typed_file(path: Path) -> Picture:
    """A palette picture of 4 x 6 pixels with transparency and a text."""
    chunks = (Chunk(b"PLTE", bytes(range(12))), Chunk(b"tRNS", b"\1"), Chunk(b"tEXt", b"Title\0a picture"))
    picture = Picture(np.arange(24, dtype=np.uint8).reshape(1, 6, 4) % 4, ColourType.PALETTE, 2, chunks)
    picture.save(path)
    return picture


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3, 3), np.int16), np.zeros((3, 3), np.float32), np.zeros((2, 3, 3, 5), np.uint8)]
)
def test_arrays_that_are_no_sets(array: object, tmp_path: Path) -> None:
    path = tmp_path / "set.npy"
    np.save(path, array)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="it must be uint8"):
        list(sets.entries([path]))


def test_stacked_needs_pictures_alike() -> None:
    with pytest.raises(InputError, match="b: 4 x 3 x 3 samples, but the others have 3 x 3 x 3"):
        sets.stacked([entry("a", piece((3, 3, 3), 1)), entry("b", piece((3, 4, 3), 1))], 3)
    with pytest.raises(InputError, match="samples"):
        sets.stacked([entry("a", piece((3, 3), 1))], 3)


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    np.save(path, np.array([0, 2, 1]))
    assert sets.labels(path, 3).tolist() == [0, 2, 1]
    for wrong in (np.array([0, 3]), np.array([0.5]), np.zeros((2, 2), int), np.array([], int)):
        np.save(path, wrong)
        with pytest.raises(InputError, match=r"labels must be whole numbers \[N\] from 0 to 2"):
            sets.labels(path, 3)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not an array"):
        sets.labels(path, 2)
