"""Damaged files, a great many: every one must be read or refused in an orderly way, soon, and in little memory.

    python benchmarks/fuzz.py [--containers 1000000] [--decodes 20000] [--pictures 100000] [--seed 1]

Sound .rdc and .rdca files and pictures of all types and formats, with tiles and without, some with texts and profiles
that are small only while they are packed, are changed at random: bytes flipped, set, inserted, left out, copied, cut
off; in half of the containers the checksums are then made right again, so that what lies behind them is reached.
`containers` are taken apart and described, `decodes` decoded too, half of them in a part only and all with a limit of
16,384 pixels (a network takes its time for each pixel, however few bytes claim it), `pictures` opened. An exception
that is no error of ridecodec's, 2 seconds of processor time for one file, and a peak of 200 MB above what the start
took are failures; what made them is written to the folder --keep, and the exit code is 1.
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
from mending import mended

import ridecodec
from ridecodec import archive, container, setcodec
from ridecodec.archive import is_archive
from ridecodec.errors import RidecodecError
from ridecodec.formats import metadata
from ridecodec.formats.carriers import info
from ridecodec.picture import Chunk, ColourType, Picture
from ridecodec.sets import Entry

SECONDS, MEGABYTES = 2.0, 200.0
PIXELS, ENTRIES = 1 << 14, 4
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
    """Decode a container: of an archive the first pictures, of others all or the middle."""
    if is_archive(data):
        held = archive.read(data)
        some = range(min(len(held.names), ENTRIES))
        list(setcodec.decode(held, some, device="cpu", threads=1, max_pixels=PIXELS // ENTRIES))
        return
    found = ridecodec.read_info(data)
    middle = (found.width // 2, found.height // 2, 1, 1) if zlib.crc32(data) & 1 else None
    info(ridecodec.decompress(data, device="cpu", threads=1, region=middle, max_pixels=PIXELS))


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
    swollen = zlib.compress(bytes(1 << 23), 9)
    bombs = (Chunk(b"iCCP", b"swollen\0\0" + swollen), *[Chunk(b"zTXt", b"Comment\0\0" + swollen)] * 9)
    made.append(Picture(np.zeros((3, 90, 90), np.uint8), ColourType.RGB, metadata=bombs))
    files = [ridecodec.compress(picture, model="auto", threads=1, tile=tile) for picture in made for tile in (0, 4)]
    plain = Picture.from_numpy(rng.integers(0, 256, (9, 8, 3), np.uint8))
    for model in ("photo", "gradient", "graphics", "ride-rgb", "uniform"):
        files += [ridecodec.compress(plain, model=model, tile=tile) for tile in (0, 5)]
    for count, other in ((4, plain), (300, Picture.from_numpy(plain.to_numpy()[:1]))):
        entries = [Entry(f"{k}", other if k % 2 else plain) for k in range(count)]
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


def run(
    name: str, inputs: list[bytes], count: int, work: Callable[[bytes], None], seed: int, keep: Path
) -> tuple[str, int]:
    """Change and try ``count`` times; a line for the record, and the number of failures."""
    rng = np.random.default_rng((seed, count))
    before, read, slowest, failures = forgotten_peak(), 0, 0.0, 0
    for number in range(count):
        data = changed(inputs[int(rng.integers(len(inputs)))], rng)
        if work is not open_picture and rng.random() < 0.5:
            data = mended(data)
        begun = time.process_time()
        problem = ""
        try:
            work(data)
            read += 1
        except RidecodecError:
            pass
        except Exception as error:
            problem = repr(error)
        spent = time.process_time() - begun
        slowest = max(slowest, spent)
        if problem or spent > SECONDS or peak() - before > MEGABYTES:
            failures += 1
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{number}").write_bytes(data)
            print(f"{name} {number}: {problem or 'slow or large'}, {spent:.2f} s", flush=True)
            before = max(before, forgotten_peak())
        if number % 50000 == 49999:
            print(f"{name}: {number + 1:,}", flush=True)
    line = f"| {name} | {count:,} | {read:,} | {failures} | {slowest:.2f} | {peak() - before:.0f} |"
    print(line, flush=True)
    return line, failures


def forgotten_peak() -> float:
    """The same, from now on, where Linux lets the peak be forgotten."""
    if (forget := Path("/proc/self/clear_refs")).exists():
        forget.write_text("5")
    return peak()


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
    failures = 0
    for name, inputs, count, work in (
        ("containers", files, options.containers, describe),
        ("decodes", files, options.decodes, decode),
        ("pictures", pictures, options.pictures, open_picture),
    ):
        line, failed = run(name, inputs, count, work, options.seed, options.keep)
        lines.append(line)
        failures += failed
    text = f"# Damaged files\n\n{(__doc__ or '').strip()}\n\nSeed {options.seed}.\n\n" + "\n".join(lines) + "\n"
    options.to.write_text(text, encoding="utf-8")
    if failures:
        raise SystemExit(f"{failures} failures; {options.keep} has what made them")


if __name__ == "__main__":
    main()
