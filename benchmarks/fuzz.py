"""Damaged and forged files, a great many: every one must be read or refused in an orderly way, soon, in little memory.

    python benchmarks/fuzz.py [--containers 1000000] [--decodes 20000] [--claims 20000] [--models 5000]
                              [--pictures 100000] [--seed 1]

Sound .rdc and .rdca files and pictures of all types and formats, with tiles and without, some with texts and profiles
that are small only while they are packed, are changed at random: bytes flipped, set, inserted, left out, copied, cut
off; in half of the containers the checksums are then made right again, so that what lies behind them is reached.
`containers` are taken apart and described, `decodes` decoded too, half of them in a part only and all with a limit of
16,384 pixels, `pictures` opened. `claims` are files of every model, and archives, whose checksums are right and whose
headers claim up to 2048 pixels a side, or 178 million in all, for payloads of a few bytes: they are decoded with the
command line's limit. `models` are damaged model files with the hashes that they should have; one that is taken codes
a picture. An exception that is no error of ridecodec's, 2 seconds of processor time for one file (for `claims` 40 us
more for each pixel that was decoded: some bytes are the code of many black pixels), and a peak of 200 MB above what
the start took (for `claims` 1300 MB, as the tiles at hand may take a GiB together) are failures; what made them is
written to the folder --keep, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from mending import mended

import ridecodec
from ridecodec.container import rdc, rdca
from ridecodec.container.rdca import is_archive
from ridecodec.engines.tilecoder import decode_tiles, encode_tile
from ridecodec.errors import DamagedError, RidecodecError
from ridecodec.files import metadata
from ridecodec.files.carriers import info
from ridecodec.files.sets import Entry
from ridecodec.histories import finding, tree
from ridecodec.histories.base import Frame, History
from ridecodec.histories.enlarged import Enlarged, Scale
from ridecodec.histories.halves import Halves
from ridecodec.histories.mapped import Mapped
from ridecodec.histories.packed import Packed
from ridecodec.histories.photo_cd import PhotoCd
from ridecodec.histories.repeated import Repeated
from ridecodec.histories.sampling import SAMPLINGS
from ridecodec.histories.ycbcr import YCbCr
from ridecodec.models import registry
from ridecodec.picture import USUAL_PIXELS, Chunk, ColourType, Picture
from ridecodec.tiles import historycodec, parts, setcodec
from ridecodec.tiles.progress import Progress

SECONDS, A_PIXEL = 2.0, 40e-6
MEGABYTES, CLAIM_MEGABYTES = 200.0, 1300.0
FAMILIES = ("photo", "gradient", "graphics", "deep", "ride-cifar", "gated-cifar", "pixelrnn-cifar", "mixture-cifar")
"""A model of each family."""
PIXELS, ENTRIES = 1 << 14, 4
RESULTS = Path(__file__).parent / "results"
_CHANGES = 4
decoded: Counter[str] = Counter()
"""The pixels of the file at hand that were decoded, though they may be refused then."""
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


Make = Callable[[np.random.Generator], bytes]
CHANGES: tuple[Change, ...] = (flip, flip, flip, put, put, insert, leave_out, copy, cut)


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A few changes."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, _CHANGES + 1))):
        if found:
            CHANGES[int(rng.integers(len(CHANGES)))](found, rng)
    return bytes(found)


def with_number(data: bytes, rng: np.random.Generator) -> bytes:
    """A model file with one number changed, perhaps its type."""
    tensors = safetensors.torch.load(data)
    name = list(tensors)[int(rng.integers(len(tensors)))]
    kind = (torch.int64, torch.int32, torch.float32, torch.float64)[int(rng.integers(4))]
    values = tensors[name].to(kind)
    wrong: tuple[float, ...] = (-1, 1, 1 << 20, -(1 << 31))
    if kind.is_floating_point:
        wrong += (0.5, float("nan"), float("inf"))
    values.view(-1)[int(rng.integers(values.numel()))] = wrong[int(rng.integers(len(wrong)))]
    return safetensors.torch.save(tensors | {name: values})


def describe(data: bytes) -> None:
    """Take a container apart."""
    if is_archive(data):
        rdca.read(data)
        return
    ridecodec.read_info(data)
    held = rdc.read(data)
    for chunk in held.metadata:
        metadata.describe(chunk)
        metadata.text(chunk)
    metadata.profile(held.metadata)


def decode(data: bytes) -> None:
    """Decode a container: of an archive the first pictures, of others all or the middle."""
    if is_archive(data):
        held = rdca.read(data)
        some = range(min(len(held.names), ENTRIES))
        list(setcodec.decode(held, some, device="cpu", threads=1, max_pixels=PIXELS // ENTRIES))
        return
    found = ridecodec.read_info(data)
    middle = (found.width // 2, found.height // 2, 1, 1) if zlib.crc32(data) & 1 else None
    info(ridecodec.decompress(data, device="cpu", threads=1, region=middle, max_pixels=PIXELS))


def forged(files: list[bytes], rng: np.random.Generator) -> bytes:
    """A file whose header claims much, and whose payload is little."""
    data = files[int(rng.integers(len(files)))]
    code = bytes(int(rng.integers(40))) if rng.random() < 0.2 else rng.bytes(int(rng.integers(40)))
    size = rng.uniform(4, 11)
    width, height = (int(2 ** min(size + rng.uniform(-1.5, 1.5), 11)) for _ in range(2))
    if is_archive(data):
        count = int(rng.integers(1, 40))
        held = rdca.read(data).picture(0)
        body = bytes(held.body)[: int(rng.integers(8))] + code
        header = replace(held.header, width=width, height=height, tile=0)
        names = [str(number) for number in range(count)]
        return rdca.write(names, [rdc.inside(header, held.metadata, memoryview(body))] * count)
    held = rdc.read(data)
    first = bytes(held.payload(0))[: int(rng.integers(8))]
    tile = int(rng.choice([0, 64, 256]))
    header = replace(held.header, width=width, height=height, tile=tile if tile < max(width, height) else 0)
    payloads = len(header.boxes)
    if held.history:
        try:
            node = tree.read(held.history, parts.frame_of(header))
        except DamagedError:  # a size that does not fit
            header = held.header
            node = tree.read(held.history, parts.frame_of(header))
        payloads = sum(part.payloads for part in parts.layout(node, header.tile))
    return rdc.write(header, held.metadata, [first + code] * payloads, held.history)


def believe(data: bytes) -> None:
    """Decode a container with the usual limit."""

    def progress(how: Progress) -> None:
        decoded["pixels"] = how.pixels_done

    limits: dict[str, Any] = {"device": "cpu", "threads": 1, "max_pixels": USUAL_PIXELS, "progress": progress}
    if is_archive(data):
        held = rdca.read(data)
        list(setcodec.decode(held, range(len(held.names)), **limits))
    else:
        ridecodec.decompress(data, **limits)


def load(data: bytes) -> None:
    """Load a model file, the first byte of ``data`` says which, and code a picture with it."""
    card = registry.current(FAMILIES[data[0]])
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data[1:])
        file.flush()
        card = replace(card, file=file.name, hash=registry.short_hash(data[1:]))
        codec = registry.load(card, "cpu")
    pixels = np.random.default_rng(1).integers(0, 256, (card.channels[-1], 3, 4), np.uint8)
    payload = encode_tile(codec, pixels, lambda pixels, bits: None).payload
    found = decode_tiles(codec, [payload], *pixels.shape, lambda pixels, bits: None)[0]
    if not np.array_equal(found, pixels):
        raise AssertionError("other pixels")


def open_picture(data: bytes) -> None:
    """Read a picture file."""
    Picture.open(io.BytesIO(data), max_pixels=1 << 20, pixels=True)


HISTORIES = (
    PhotoCd(Halves(1, before=True), Halves(0, after=True)),
    YCbCr(0, next(number for number, each in enumerate(SAMPLINGS) if each.smooth)),
    YCbCr(3, len(SAMPLINGS) - 1),
    Enlarged(Scale(2, 3, 1), Scale(1, 3)),
    Repeated(3, 5),
    Packed(77, False),
    Packed(0, True),
    Mapped((0, 1, 0), tuple(np.arange(0, 2 * count, 2).astype("<u2").tobytes() for count in (99, 40, 99))),
)


def from_history(rng: np.random.Generator, history: History, tile: int) -> bytes:
    """A file of a picture made from a source, with exceptions."""
    frame = Frame(8, 7, ColourType.RGB, 8)
    source = [
        rng.integers(0, 170, (each.channels, each.height, each.width)).astype(each.dtype)
        for each in history.sources(frame)
    ]
    picture = Picture(history.redo(source, frame, frame.box), ColourType.RGB)
    picture.planes[:, 2:4, 3:5] ^= 9
    return historycodec.from_source(picture, finding.by(picture, history), device="cpu", threads=1, tile=tile)


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
    files += [from_history(rng, history, tile) for history in HISTORIES for tile in (0, 4)]
    plain = Picture.from_numpy(rng.integers(0, 256, (9, 8, 3), np.uint8))
    for model in ("photo", "gradient", "graphics", "ride-rgb", "uniform", "gated-cifar", "multiscale-cifar"):
        files += [ridecodec.compress(plain, model=model, tile=tile) for tile in (0, 6)]
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
    name: str,
    make: Make,
    count: int,
    work: Callable[[bytes], None],
    seed: int,
    keep: Path,
    most: float = MEGABYTES,
) -> tuple[str, int]:
    """Make and try ``count`` files; a line for the record, and the number of failures."""
    rng = np.random.default_rng((seed, count))
    before, read, slowest, failures = forgotten_peak(), 0, 0.0, 0
    for number in range(count):
        data = make(rng)
        begun = time.process_time()
        problem = ""
        decoded.clear()
        try:
            work(data)
            read += 1
        except RidecodecError:
            pass
        except BaseException as error:  # constriction's panics are no Exceptions
            if isinstance(error, KeyboardInterrupt):
                raise
            problem = repr(error)
        spent = time.process_time() - begun
        slowest = max(slowest, spent)
        if problem or spent > SECONDS + decoded["pixels"] * A_PIXEL or peak() - before > most:
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
    parser.add_argument("--claims", type=int, default=20_000)
    parser.add_argument("--models", type=int, default=5_000)
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
    models = [bytes([k]) + Path(str(registry.current(name).file)).read_bytes() for k, name in enumerate(FAMILIES)]

    def one(inputs: list[bytes]) -> Make:
        return lambda rng: changed(inputs[int(rng.integers(len(inputs)))], rng)

    def mended_or_not(rng: np.random.Generator) -> bytes:
        data = one(files)(rng)
        return mended(data) if rng.random() < 0.5 else data

    def model(rng: np.random.Generator) -> bytes:
        data = models[int(rng.integers(len(models)))]
        return data[:1] + (with_number(data[1:], rng) if rng.random() < 0.5 else changed(data[1:], rng))

    failures = 0
    for name, make, count, work, most in (
        ("containers", mended_or_not, options.containers, describe, MEGABYTES),
        ("decodes", mended_or_not, options.decodes, decode, MEGABYTES),
        ("claims", lambda rng: forged(files, rng), options.claims, believe, CLAIM_MEGABYTES),
        ("models", model, options.models, load, MEGABYTES),
        ("pictures", one(pictures), options.pictures, open_picture, MEGABYTES),
    ):
        line, failed = run(name, make, count, work, options.seed, options.keep, most)
        lines.append(line)
        failures += failed
    text = f"# Damaged files\n\n{(__doc__ or '').strip()}\n\nSeed {options.seed}.\n\n" + "\n".join(lines) + "\n"
    options.to.write_text(text, encoding="utf-8")
    if failures:
        raise SystemExit(f"{failures} failures; {options.keep} has what made them")


if __name__ == "__main__":
    main()
