"""Damaged files, a great many: every one must be read or refused in an orderly way, soon, and in little memory.

    python benchmarks/fuzz.py [--containers 1000000] [--decodes 20000] [--pictures 100000] [--seed 1]

Sound .rdc and .rdca files and pictures of all types and formats are changed at random: bytes flipped, set, inserted,
left out, copied, cut off; in half of the containers the checksums are then made right again, so that what lies behind
them is reached. `containers` are taken apart and described, `decodes` decoded too, `pictures` opened. An exception that
is no error of ridecodec's, 2 seconds for one file, and a peak of 200 MB above what the start took are failures; what
made them is written to the folder --keep.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import ridecodec
from ridecodec import archive, container, setcodec
from ridecodec.archive import is_archive
from ridecodec.errors import RidecodecError
from ridecodec.formats import metadata
from ridecodec.formats.carriers import info
from ridecodec.picture import Chunk, ColourType, Picture
from ridecodec.reader import Reader
from ridecodec.sets import Entry

SECONDS, MEGABYTES = 2.0, 200.0
RESULTS = Path(__file__).parent / "results"
_CHANGES = 4
Change = Callable[[bytearray, np.random.Generator], None]


def flip(data: bytearray, rng: np.random.Generator) -> None:
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def put(data: bytearray, rng: np.random.Generator) -> None:
    data[int(rng.integers(len(data)))] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))


def insert(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data) + 1))
    data[at:at] = rng.bytes(int(rng.integers(1, 9)))


def leave_out(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    del data[at : at + int(rng.integers(1, 9))]


def copy(data: bytearray, rng: np.random.Generator) -> None:
    start, to = (int(rng.integers(len(data))) for _ in range(2))
    part = data[start : start + int(rng.integers(1, 33))]
    data[to : to + len(part)] = part


def cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data) + 1)) :]


CHANGES: tuple[Change, ...] = (flip, flip, flip, put, put, insert, leave_out, copy, cut)


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A few changes."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, _CHANGES + 1))):
        if found:
            CHANGES[int(rng.integers(len(CHANGES)))](found, rng)
    return bytes(found)


def mended(data: bytes) -> bytes:
    """The checksums of a one-tile .rdc file made right, as far as its header can be read."""
    try:
        reader = Reader(memoryview(data))
        reader.take(4, "")
        flags = reader.integer(1, "")
        reader.varint("")
        reader.varint("")
        container.take_model(reader)
        reader.take(8, "")
        if flags & 128:
            return data
        length = reader.varint("") if flags & 64 else 0
        at = reader.position
        start = at + (4 if flags & 64 else 0) + 2
        section, payload = data[start : start + length], data[start + length + 4 :]
        head = data[:at] + (zlib.crc32(section).to_bytes(4, "little") if flags & 64 else b"")
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
        return head + section + zlib.crc32(payload).to_bytes(4, "little") + payload
    except RidecodecError:
        return data


def describe(data: bytes) -> None:
    """Take a container apart."""
    if is_archive(data):
        archive.read(data)
        return
    ridecodec.read_info(data)
    held = container.read(data)
    for chunk in held.metadata:
        metadata.describe(chunk)
        metadata.text(chunk)
    metadata.profile(held.metadata)


def decode(data: bytes) -> None:
    """Decode all of a container, with a limit on its pixels as large as the sound ones have."""
    if is_archive(data):
        held = archive.read(data)
        if sum(shape.sub_pixels for shape in held.shapes) < 1 << 16:
            list(setcodec.decode(held, range(len(held.names)), device="cpu", threads=1))
        return
    found = ridecodec.read_info(data)
    if found.width * found.height < 1 << 14:
        info(ridecodec.decompress(data, device="cpu", threads=1))


def open_picture(data: bytes) -> None:
    """Read a picture file."""
    Picture.open(io.BytesIO(data), max_pixels=1 << 20)


def sound() -> tuple[list[bytes], list[bytes]]:
    """(containers, picture files) that are as they should be."""
    rng = np.random.default_rng(1)
    made = []
    chunks = (Chunk(b"tEXt", b"Title\0a word " * 9), Chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0"), Chunk(b"IDAT", b""))
    for colour in ColourType:
        for depth in colour.depths:
            planes = rng.integers(0, 1 << depth, (colour.channels, 6, 7)).astype(np.uint16 if depth == 16 else np.uint8)
            planes[:, 2:, 3:] = planes[:, :1, :1]
            palette = (Chunk(b"PLTE", rng.bytes(3 << min(depth, 8))),) if colour.indexed else ()
            made.append(Picture(planes, colour, depth, palette + chunks + (Chunk(b"tIME", bytes(7)),)))
    files = [ridecodec.compress(picture, model="auto", threads=1) for picture in made]
    plain = Picture.from_numpy(rng.integers(0, 256, (9, 8, 3), np.uint8))
    for model in ("photo", "gradient", "graphics", "ride-rgb", "uniform"):
        files += [ridecodec.compress(plain, model=model, tile=tile) for tile in (0, 5)]
    entries = [Entry(f"{k}", plain) for k in range(4)]
    files.append(setcodec.encode(entries, model="gradient", device="cpu", threads=1))
    pictures = []
    for picture in made:
        for form in ("png", "tiff", "bmp", "webp", "pnm", "npy"):
            out = io.BytesIO()
            try:
                picture.save(out, form)
            except RidecodecError:
                continue
            pictures.append(out.getvalue())
    return files, pictures


def run(name: str, inputs: list[bytes], count: int, work: Callable[[bytes], None], seed: int, keep: Path) -> str:
    """Change and try ``count`` times; a line for the record."""
    rng = np.random.default_rng((seed, count))
    before, read, slowest, failures = peak(), 0, 0.0, 0
    for number in range(count):
        data = changed(inputs[int(rng.integers(len(inputs)))], rng)
        if work is not open_picture and rng.random() < 0.5:
            data = mended(data)
        begun = time.perf_counter()
        problem = ""
        try:
            work(data)
            read += 1
        except RidecodecError:
            pass
        except Exception as error:
            problem = repr(error)
        spent = time.perf_counter() - begun
        slowest = max(slowest, spent)
        if problem or spent > SECONDS or peak() - before > MEGABYTES:
            failures += 1
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{number}").write_bytes(data)
            print(f"{name} {number}: {problem or 'slow or large'}, {spent:.2f} s", flush=True)
            before = max(before, peak() - MEGABYTES)
        if number % 50000 == 49999:
            print(f"{name}: {number + 1:,}", flush=True)
    more = peak() - before
    return f"| {name} | {count:,} | {read:,} | {failures} | {slowest:.2f} | {more:.0f} |"


def peak() -> float:
    """Megabytes of memory that this process has had at most."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """All three, and the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=1_000_000)
    parser.add_argument("--decodes", type=int, default=20_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--to", type=Path, default=RESULTS / "fuzz.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    files, pictures = sound()
    for data in files:
        decode(data)
    lines = [
        "| what | files | read all the same | failures | slowest, s | memory, MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, inputs, count, work in (
        ("containers", files, options.containers, describe),
        ("decodes", files, options.decodes, decode),
        ("pictures", pictures, options.pictures, open_picture),
    ):
        lines.append(run(name, inputs, count, work, options.seed, options.keep))
        print(lines[-1], flush=True)
    text = f"# Damaged files\n\n{(__doc__ or '').strip()}\n\nSeed {options.seed}.\n\n" + "\n".join(lines) + "\n"
    options.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
