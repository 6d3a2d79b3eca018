"""Whole folders of pictures through compress, verify, decompress and comparison: pixels, palette, metadata.

    python benchmarks/any_image.py [FOLDER ...] [--jobs 2]

By default pngsuite, assorted, kodak and brodatz of $RIDECODEC_DATA. Every file that can be read is compressed to an
.rdc file, which is verified and decompressed to PNG, and that is read again; all that a picture has must be the same.
The table says, for each, what the file, Pillow's optimized PNG and lossless WebP (method 6, quality 100, colours under
transparent pixels kept) take, both without metadata, and what ridecodec takes with all metadata, and without any. Of
PNG and ridecodec what has no metadata is compared, and the PNG file itself with what has all.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from PIL import Image

import ridecodec
from ridecodec.errors import InputError, OutputError
from ridecodec.evaluation import corpora
from ridecodec.files.preparing import stripped
from ridecodec.picture import ColourType, Picture

FOLDERS = ("pngsuite", "assorted", "kodak", "brodatz")
RESULTS = Path(__file__).parent / "results"
SLACK = 24
"""Bytes that a file may be larger than the PNG."""
_WEBP = {ColourType.GRAY: "RGB", ColourType.RGB: "RGB", ColourType.RGBA: "RGBA", ColourType.GRAY_ALPHA: "RGBA"}


@dataclass(frozen=True)
class Line:
    """One picture. Sizes are bytes; None where a format cannot hold it."""

    picture: str
    type: str
    size: str
    file: int
    png: int | None
    webp: int | None
    rdc: int
    stripped: int
    model: str

    @property
    def fits(self) -> bool:
        """Whether it is not larger than the PNG, neither without metadata nor, where the file is one, with all."""
        whole = not self.picture.endswith(".png") or self.rdc <= self.file + SLACK
        return whole and (self.png is None or self.stripped <= self.png + SLACK)


def measure(path: Path) -> Line | str:
    """Take one file all the way; a string says why it cannot be read."""
    torch.set_num_threads(1)
    try:
        picture = Picture.open(path, pixels=True)
    except InputError as error:
        return f"{path.parent.name}/{path.name}: {error}"
    data = ridecodec.compress(picture, threads=1, verify=False)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.png"
        again = ridecodec.decompress(data, threads=1)
        same(picture, again, f"{path}, decompressed")
        try:
            again.save(target)
        except OutputError as error:  # CMYK, say, is for TIFF
            print(f"{path.name}: not as PNG: {error}", flush=True)
        else:
            same(picture, Picture.open(target), f"{path}, decompressed to PNG")
    plain = stripped(picture, ["all"])
    same_picture = plain.metadata == picture.metadata
    bare = data if same_picture else ridecodec.compress(plain, threads=1, verify=False)
    return Line(
        f"{path.parent.name}/{path.name}",
        f"{picture.colour.name} {picture.bit_depth}",
        f"{picture.width}x{picture.height}",
        path.stat().st_size,
        _png(path),
        _webp(picture),
        len(data),
        len(bare),
        ridecodec.read_info(data).model,
    )


def same(picture: Picture, again: Picture, what: str) -> None:
    """SystemExit where two pictures are not one."""
    parts = ("colour", "bit_depth", "metadata")
    wrong = [part for part in parts if getattr(picture, part) != getattr(again, part)]
    if picture.planes.shape != again.planes.shape or (picture.planes != again.planes).any():
        wrong.append("samples")
    if wrong:
        raise SystemExit(f"{what}: other {', '.join(wrong)}")


def _png(path: Path) -> int | None:
    """What Pillow's optimized PNG takes; None where Pillow would change the picture."""
    out = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.save(out, "PNG", optimize=True, icc_profile=None, exif=b"")
    except (OSError, ValueError):
        return None
    return len(out.getvalue()) if path.suffix != ".png" or _kept(path, out.getvalue()) else None


def _kept(path: Path, data: bytes) -> bool:
    before, after = Picture.open(path, pixels=True), Picture.open(io.BytesIO(data))
    return before.bit_depth <= after.bit_depth or before.bit_depth < 8


def _webp(picture: Picture) -> int | None:
    """What lossless WebP takes of the pixels; None above 8 bits, and where it has no such type."""
    if picture.bit_depth == 16 or picture.colour in (ColourType.RGBX, ColourType.CMYK):
        return None
    image = picture.to_pil()
    mode = _WEBP.get(picture.colour, "RGBA" if picture.transparency is not None else "RGB")
    if max(image.size) > 16383:
        return None
    out = io.BytesIO()
    image.convert("RGBA" if picture.transparency is not None else mode).save(
        out, "WEBP", lossless=True, quality=100, method=6, exact=True
    )
    return len(out.getvalue())


def table(lines: Sequence[Line], refused: Sequence[str]) -> str:
    """Markdown."""
    names = [field.name for field in fields(Line)]
    rows = ["| " + " | ".join(names) + " |", "|---|---|---|" + "---:|" * (len(names) - 4) + "---|"]
    rows += ["| " + " | ".join(_cell(getattr(line, name)) for name in names) + " |" for line in lines]
    rows += ["", *_totals(lines), ""]
    rows += [f"- not read: {reason}" for reason in refused]
    return "\n".join(rows) + "\n"


def _totals(lines: Sequence[Line]) -> Iterator[str]:
    for folder in dict.fromkeys(line.picture.split("/")[0] for line in lines):
        part = [line for line in lines if line.picture.startswith(f"{folder}/")]
        also = [line for line in part if line.webp is not None]
        yield (
            f"- {folder}: {len(part)} pictures, files {sum(line.file for line in part):,} bytes, ridecodec "
            f"{sum(line.rdc for line in part):,}, without metadata {sum(line.stripped for line in part):,}. Of the "
            f"{len(also)} that WebP can hold: WebP {sum(line.webp or 0 for line in also):,}, ridecodec without "
            f"metadata {sum(line.stripped for line in also):,}. Larger than the PNG by over {SLACK} bytes: "
            f"{sum(not line.fits for line in part)}."
        )


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """All folders, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--to", type=Path, default=RESULTS / "any-image.md", help="the table")
    options = parser.parse_args()
    folders = options.folders or [corpora.data_folder(name) for name in FOLDERS]
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    lines, refused = [], []
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(measure, paths):
            print(found, flush=True)
            (refused if isinstance(found, str) else lines).append(found)
    options.to.write_text(f"# Any image\n\n{(__doc__ or '').strip()}\n\n{table(lines, refused)}", encoding="utf-8")
    worse = [line.picture for line in lines if not line.fits]
    if worse:
        raise SystemExit(f"larger than the PNG: {', '.join(worse)}")


if __name__ == "__main__":
    main()
