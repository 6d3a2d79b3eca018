"""The command line: what is kept of a file besides its pixels, and what is left out or removed on request."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zlib
from pathlib import Path

import numpy as np
import pytest
from commands import RGB, assert_fails, compress, names, pixels, run
from picturefiles import png, png_chunk
from PIL import Image

import ridecodec
from ridecodec.container import rdca
from ridecodec.errors import OutputError
from ridecodec.files import exactfile, metadata
from ridecodec.picture import Picture

TEXT = png_chunk(b"tEXt", b"Title\0a picture")
EXIF = png_chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0")
LATE = png_chunk(b"tIME", bytes((7, 208, 1, 2, 3, 4, 5)))
RASTER = b"".join(b"\0" + row.tobytes() for row in RGB)
TOLD = png(14, 9, 8, 2, RASTER, TEXT, EXIF).replace(png_chunk(b"IEND", b""), LATE + png_chunk(b"IEND", b"") + b"tail")
"""A PNG file of `RGB` with metadata, packed by zlib, and bytes after its end."""


@pytest.fixture
def told(folder: Path) -> Path:
    """The folder, and in it told.png."""
    Path("told.png").write_bytes(TOLD)
    return folder


def kinds(path: str) -> list[bytes]:
    return [chunk.kind for chunk in Picture.open(path, pixels=True).metadata]


def test_metadata_goes_there_and_back(told: Path) -> None:
    assert compress("told.png").exit_code == 0
    said = run("info", "told.rdc").stdout
    for line in (
        "tEXt: text Title: a picture, 15 bytes",
        "eXIf: EXIF, 10 bytes",
        "tIME: time stamp 2000-01-02 03:04:05",
    ):
        assert f"    {line}" in said
    found = json.loads(run("info", "--json", "told.rdc").stdout)["metadata"]
    assert found[0] == {"kind": "tEXt", "bytes": 15, "words": "text Title: a picture"}
    assert run("decompress", "told.rdc", "back.png").exit_code == 0
    assert Picture.open("back.png").metadata == Picture.open("told.png", pixels=True).metadata
    assert Path("back.png").read_bytes() != TOLD


@pytest.mark.parametrize(
    ("strip", "left"),
    [
        (["--strip", "all"], []),
        (["--strip", "exif"], [b"tEXt", b"IDAT", b"tIME"]),
        (["--strip", "exif, time"], [b"tEXt"]),
        (["--strip", "exif", "--strip", "text"], [b"IDAT", b"tIME"]),
    ],
)
def test_metadata_is_stripped(told: Path, strip: list[str], left: list[bytes]) -> None:
    assert compress("told.png", *strip).exit_code == 0
    assert run("decompress", "told.rdc", "back.png").exit_code == 0
    assert kinds("back.png") == left


def test_strip_names_what_there_is(told: Path) -> None:
    assert_fails(compress("told.png", "--strip", "exif,smell"), 2, "'smell'", *metadata.CATEGORIES)
    assert_fails(compress("told.png", "--strip", ""), 2, "unknown metadata ''")


def test_hidden_colours(folder: Path) -> None:
    pixels = np.zeros((5, 6, 4), np.uint8)
    pixels[:] = (9, 8, 7, 0)
    pixels[2:, :, 3] = 200
    Picture.from_numpy(pixels).save("in.png")
    assert run("compress", "in.png", "exact.rdc").exit_code == 0
    assert run("compress", "in.png", "clean.rdc", "--alpha", "clean").exit_code == 0
    np.testing.assert_array_equal(ridecodec.decompress("exact.rdc").to_numpy(), pixels)
    pixels[:2] = 0
    np.testing.assert_array_equal(ridecodec.decompress("clean.rdc").to_numpy(), pixels)


@pytest.mark.parametrize("target", ["back.png", "-"])
def test_the_exact_file(told: Path, target: str) -> None:
    result = compress("told.png", "--exact-file")
    assert result.stderr.startswith("told.png -> told.rdc: ")
    assert "PNG: how to restore the exact PNG file" in run("info", "told.rdc").stdout
    result = run("decompress", "told.rdc", target)
    assert result.exit_code == 0
    assert (result.stdout_bytes if target == "-" else Path(target).read_bytes()) == TOLD


@pytest.mark.parametrize(
    "more", [("part.png", "--region", "1,2,3,4"), ("whole.tif",), ("-o", "x.png", "--format", "ppm")]
)
def test_a_recipe_that_is_not_asked_for(told: Path, more: tuple[str, ...]) -> None:
    assert compress("told.png", "--exact-file").exit_code == 0
    result = run("decompress", "told.rdc", *more)
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)


@pytest.mark.parametrize(
    ("name", "said"), [("foreign.png", "not packed by a known version of zlib"), ("in.tif", "is not a PNG file")]
)
def test_an_exact_file_that_cannot_be_had(told: Path, name: str, said: str) -> None:
    exotic(Path("foreign.png"))
    Image.fromarray(RGB).save("in.tif")
    result = compress(name, "out.rdc", "--exact-file", "--delete-source", "-q")
    assert result.exit_code == 0
    first, second = result.stderr.splitlines()
    assert f"{name}: " in first
    assert said in first
    assert second.endswith("is not deleted: it cannot be restored completely")
    assert Path(name).exists()
    np.testing.assert_array_equal(ridecodec.decompress("out.rdc").to_numpy(), RGB)
    assert "notes" in json.loads(compress(name, "more.rdc", "--exact-file", "--json").stdout)


def exotic(path: Path) -> None:
    """A PNG file whose pixels no zlib packs like this: in blocks that end early."""
    packer = zlib.compressobj()
    halves = [packer.compress(RASTER[:50]) + packer.flush(zlib.Z_FULL_FLUSH), packer.compress(RASTER[50:])]
    stream = b"".join(halves) + packer.flush()
    whole = png(14, 9, 8, 2, RASTER)
    path.write_bytes(whole.replace(png_chunk(b"IDAT", zlib.compress(RASTER)), png_chunk(b"IDAT", stream)))


def test_another_zlib(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compress("told.png", "--exact-file").exit_code == 0

    def otherwise(picture: Picture, recipe: bytes) -> bytes:
        raise OutputError("the exact file cannot be restored: this zlib packs differently, or the metadata was changed")

    monkeypatch.setattr(exactfile, "rebuild", otherwise)
    result = run("decompress", "told.rdc", "back.png", "-q")
    assert result.exit_code == 0
    assert "told.rdc: the exact file cannot be restored" in result.stderr
    assert "a PNG file of the same pixels is written instead" in result.stderr
    np.testing.assert_array_equal(pixels("back.png"), RGB)
    assert kinds("back.png") == [b"tEXt", b"eXIf", b"IDAT", b"tIME"]


@pytest.mark.parametrize("more", [("--strip", "all"), ("--alpha", "clean")])
def test_what_the_exact_file_contradicts(told: Path, more: tuple[str, ...]) -> None:
    assert_fails(
        compress("told.png", "--exact-file", *more), 2, "--exact-file cannot be used with --strip or --alpha clean"
    )


def test_times_are_preserved_on_request(told: Path) -> None:
    os.utime("told.png", ns=(10**18, 10**18 + 123456789))
    assert compress("told.png", "--preserve").exit_code == 0
    assert Path("told.rdc").stat().st_mtime_ns == 10**18 + 123456789
    assert run("decompress", "told.rdc", "back.png", "--preserve").exit_code == 0
    assert run("decompress", "told.rdc", "back.tif", "--preserve").exit_code == 0
    assert run("decompress", "told.rdc", "new.png").exit_code == 0
    times = [Path(name).stat().st_mtime_ns for name in ("back.png", "back.tif", "new.png")]
    assert times[:2] == [10**18 + 123456789] * 2
    assert times[2] > 10**18 + 123456789


@pytest.mark.parametrize(
    "args", [("compress", "-", "x.rdc"), ("compress", "in.png", "-"), ("decompress", "done.rdc", "-")]
)
def test_streams_have_no_times(folder: Path, args: tuple[str, ...]) -> None:
    before = names(folder)
    assert_fails(run(*args, "--preserve", stdin=TOLD), 2, "--preserve")
    assert names(folder) == before


def test_sources_are_deleted_when_all_is_safe(told: Path) -> None:
    assert compress("told.png", "--delete-source", "--exact-file").exit_code == 0
    assert compress("gray.png", "--delete-source").exit_code == 0
    assert names(told) == {"in.png", "done.rdc", "told.rdc", "gray.rdc"}
    assert run("decompress", "told.rdc", "-d", "back").exit_code == 0
    np.testing.assert_array_equal(pixels("back/told.png"), RGB)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("in.png", "--no-verify"), 2),
        (("in.png", "-"), 2),
        (("-", "x.rdc"), 2),
        (("in.png", "done.rdc"), 5),
        (("in.png", "nosuch/x.rdc"), 3),
    ],
)
def test_sources_are_kept_otherwise(folder: Path, more: tuple[str, ...], code: int) -> None:
    before = names(folder)
    assert_fails(compress("--delete-source", *more, stdin=TOLD), code)
    assert names(folder) == before


def test_a_source_that_changes_meanwhile_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: Path("in.png").write_bytes(b"newer"))
    assert_fails(compress("--delete-source", "in.png"), 3, "in.png: was changed")
    assert Path("in.png").read_bytes() == b"newer"


def test_a_source_is_kept_where_the_disk_holds_something_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(descriptor: int) -> None:
        next(Path.cwd().glob(".ridecodec-*.part")).write_bytes(b"something else")

    monkeypatch.setattr("os.fsync", lie)
    assert_fails(compress("--delete-source", "in.png"), 3, "in.png: in.rdc does not contain what was written")
    assert Path("in.png").exists()


def test_what_is_larger_than_the_file_is_said_and_the_file_kept(folder: Path) -> None:
    Image.new("RGB", (30, 30)).save("in.webp", lossless=True)
    size = Path("in.webp").stat().st_size
    result = compress("in.webp", "-m", "uniform", "--delete-source", "-q")
    assert result.stderr.splitlines() == [
        f"ridecodec: in.webp: is larger when compressed: {Path('in.rdc').stat().st_size:,} bytes instead of {size}",
        "ridecodec: in.webp: is not deleted: it is the smaller file",
    ]
    assert Path("in.webp").exists()


def test_lossy_files_are_refused_and_kept(folder: Path) -> None:
    Image.fromarray(RGB).save("in.webp", quality=1)
    for more in (), ("--dry-run",):
        assert_fails(compress("in.webp", "--delete-source", *more), 3, "in.webp: is a lossy WebP file", "--pixels")
    result = compress("in.webp", "--delete-source", "--pixels", "-q")
    assert result.stderr.splitlines() == [
        "ridecodec: in.webp: loses everything but its pixels and usual metadata",
        "ridecodec: in.webp: is not deleted: it cannot be restored completely",
    ]
    assert Path("in.webp").exists()


def test_files_of_which_only_the_pixels_are_kept(folder: Path) -> None:
    Image.fromarray(RGB).save("in.sgi")
    for more in (), ("--dry-run",):
        assert_fails(
            compress("in.sgi", *more), 3, "in.sgi: SGI files may hold more", "use --pixels to keep only the pixels"
        )
    result = compress("in.sgi", "--pixels", "--delete-source", "--json")
    assert json.loads(result.stdout)["notes"] == [
        "loses everything but its pixels and usual metadata",
        "is not deleted: it cannot be restored completely",
    ]
    assert Path("in.sgi").exists()
    assert run("decompress", "in.rdc", "back.png").exit_code == 0
    np.testing.assert_array_equal(pixels("back.png"), RGB)


def test_what_would_be_lost_of_a_tiff_keeps_the_source(folder: Path) -> None:
    Image.fromarray(RGB).save("in.tif", tiffinfo={33550: (1.0, 1.0, 0.0)})
    with Path("in.tif").open("ab") as file:
        file.write(b"more than a gap between two structures")
    result = compress("in.tif", "--delete-source", "-q")
    assert result.stderr.splitlines() == [
        "ridecodec: in.tif: loses 38 bytes that nothing in it points to",
        "ridecodec: in.tif: is not deleted: it cannot be restored completely",
    ]
    assert Path("in.tif").exists()


def test_an_output_that_somebody_else_writes_meanwhile_keeps_the_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copymode", lambda *paths: Path("in.rdc").write_bytes(b"theirs"))  # the last moment
    assert_fails(compress("in.png", "--delete-source"), 5, "in.png: ", "in.rdc already exists")
    assert Path("in.png").exists()
    Path("in.rdc").unlink()
    result = compress("in.png", "--delete-source", "--skip-existing")
    assert (result.exit_code, result.stderr) == (0, "in.png -> in.rdc: skipped, the output exists\n")
    assert Path("in.png").exists()
    assert Path("in.rdc").read_bytes() == b"theirs"


def test_a_source_goes_when_the_output_is_on_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and the folder are synchronised before."""
    done: list[str] = []
    fsync, unlink = os.fsync, os.unlink

    def wait(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def remove(path: str) -> None:
        done.append("removed")
        unlink(path)

    monkeypatch.setattr(os, "fsync", wait)
    monkeypatch.setattr(os, "unlink", remove)
    assert compress("in.png", "--delete-source").exit_code == 0
    assert [step for step in done if step != "removed"] == ["file", "folder"]
    assert done[-1] == "removed"
    assert not Path("in.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="has other permissions")
def test_outputs_have_no_permission_that_their_inputs_have_not(folder: Path) -> None:
    def mode(name: str) -> int:
        return Path(name).stat().st_mode & 0o777

    seen = []
    Path("in.png").chmod(0o600)
    assert compress("in.png", "secret.rdc").exit_code == 0
    assert run("decompress", "secret.rdc", "secret.png").exit_code == 0
    assert run("decompress", "secret.rdc", "secret.tif").exit_code == 0
    seen += [mode(f"secret.{ending}") for ending in ("rdc", "png", "tif")]
    Path("secret.rdc").chmod(0o644)
    assert compress("in.png", "secret.rdc", "--force").exit_code == 0
    assert run("compress", "-m", "uniform", "--archive", "set.rdca", "in.png", "gray.png").exit_code == 0
    Path("pictures").mkdir()
    Path("in.png").rename("pictures/in.png")
    assert run("compress", "-m", "uniform", "--archive", "folder.rdca", "pictures").exit_code == 0
    Path("pictures/in.png").rename("in.png")
    assert run("decompress", "set.rdca", "new").exit_code == 0
    seen += [mode(name) for name in ("secret.rdc", "set.rdca", "folder.rdca", "new/gray.png")]
    assert seen == [0o600] * 7
    Path("gray.png").chmod(0o440)
    assert compress("gray.png").exit_code == 0
    assert mode("gray.rdc") == 0o440
    umask = os.umask(0o027)
    try:
        Path("in.png").chmod(0o666)
        assert compress("in.png", "open.rdc").exit_code == 0
    finally:
        os.umask(umask)
    assert mode("open.rdc") == 0o640


def test_limits_of_pixels(folder: Path) -> None:
    assert_fails(compress("in.png", "--max-pixels", "125"), 3, "in.png: claims 14 x 9 pixels, more than the 125")
    assert_fails(run("decompress", "done.rdc", "--max-pixels", "125"), 3, "done.rdc: claims 14 x 9 pixels")
    assert_fails(run("verify", "done.rdc", "--max-pixels", "125"), 3, "done.rdc: claims 14 x 9 pixels")
    assert run("decompress", "done.rdc", "a.png", "--max-pixels", "126").exit_code == 0
    assert compress("in.png", "tiled.rdc", "--tile", "8").exit_code == 0
    region = ("decompress", "tiled.rdc", "b.png", "--region", "0,0,3,2")
    assert_fails(run(*region, "--max-pixels", "63"), 3, "tiled.rdc: claims 8 x 8 pixels")
    assert run(*region, "--max-pixels", "64").exit_code == 0
    assert run("decompress", "done.rdc", "c.png", "--max-pixels", "0").exit_code == 0
    packed = ("compress", "-m", "gradient", "--archive", "x.rdca", "in.png")
    assert_fails(run(*packed, "--max-pixels", "125"), 3, "in.png: claims 14 x 9 pixels")
    assert run(*packed).exit_code == 0
    assert_fails(run("decompress", "x.rdca", "new", "--max-pixels", "125"), 3, "claims 14 x 9 pixels")
    shutil.copy("in.png", "too.png")
    both = (*packed[:4], "y.rdca", "in.png", "too.png")
    assert_fails(run(*both, "--max-pixels", "251"), 3, "252 pixels in total, more than the 251")
    assert run(*both).exit_code == 0
    for command in ("decompress", "y.rdca", "new"), ("verify", "y.rdca"):
        assert_fails(run(*command, "--max-pixels", "251"), 3, "252 pixels in total, more than the 251")
    assert run("decompress", "y.rdca", "new", "--only", "too", "--max-pixels", "126").exit_code == 0


def test_a_header_that_claims_much_is_refused_by_default(folder: Path) -> None:
    Path("large.png").write_bytes(png(20000, 20000, 1, 0, b""))
    assert_fails(compress("large.png"), 3, "large.png: claims 20000 x 20000 pixels, more than the 178956970")


def test_verify(folder: Path) -> None:
    assert run("compress", "-m", "gradient", "--archive", "set.rdca", "in.png", "gray.png").exit_code == 0
    result = run("verify", "done.rdc", "set.rdca")
    assert result.exit_code == 0
    first, second, last = result.stderr.splitlines()
    assert first.startswith("done.rdc: OK, 1 picture, ")
    assert second.startswith("set.rdca: OK, 2 pictures, ")
    assert last.startswith("2 done, 0 skipped, 0 failed; ")
    done = json.loads(run("verify", "--json", "set.rdca").stdout)
    assert (done["input"], done["pictures"], done["pixels"]) == ("set.rdca", 2, 252)
    assert run("verify", "-", "-q", stdin=Path("done.rdc").read_bytes()).output == ""


def test_verify_goes_through_all_and_names_what_is_damaged(folder: Path) -> None:
    assert run("compress", "-m", "gradient", "--archive", "set.rdca", "in.png", "gray.png").exit_code == 0
    for name in ("set.rdca", "done.rdc"):
        data = bytearray(Path(name).read_bytes())
        data[-1] ^= 1
        Path(f"bad-{name}").write_bytes(data)
    before = names(folder)
    result = run("verify", "bad-done.rdc", "bad-set.rdca", "in.png", "done.rdc", "nosuch.rdc")
    assert result.exit_code == 4
    assert "bad-done.rdc: the pixel data is damaged" in result.stderr
    assert "bad-set.rdca: 1 of its 2 pictures is damaged: 'gray'" in result.stderr
    assert "done.rdc: OK" in result.stderr
    assert result.stderr.endswith(f"1 done, 0 skipped, 4 failed; {Path('done.rdc').stat().st_size:,} bytes\n")
    assert names(folder) == before


def test_names_in_an_archive_stay_in_the_folder(folder: Path) -> None:
    hostile = ["../up", "/ridecodec-abs", "..", "C:\\x", "nul", "in/side"]
    held = rdca.read(_packed(["a", "b", "c", "d", "e", "f"]))
    data = rdca.write(hostile, [held.picture(number) for number in range(6)])
    Path("x.rdca").write_bytes(data)
    before = names(folder)
    assert run("decompress", "x.rdca", "deep/new").exit_code == 0
    made = {path.name for path in Path("deep/new").iterdir()}
    assert made == {".._up.png", "_ridecodec-abs.png", "_...png", "C__x.png", "_nul.png", "in_side.png"}
    assert names(folder) - before == made | {"deep", "new"}
    assert not Path("/ridecodec-abs.png").exists()


def _packed(entries: list[str]) -> bytes:
    for name in entries:
        Image.fromarray(RGB).save(f"{name}.png")
    inputs = [f"{name}.png" for name in entries]
    assert run("compress", "-m", "gradient", "--archive", "named.rdca", *inputs).exit_code == 0
    return Path("named.rdca").read_bytes()


def test_an_archive_of_all_types_keeps_metadata_and_the_exact_files(folder: Path) -> None:
    Path("in").mkdir()
    image = Image.fromarray(RGB).quantize(9)
    image.info["dpi"] = (300, 300)
    image.save("in/few.png", dpi=(300, 300))
    Image.fromarray(RGB).convert("CMYK").save("in/ink.tif")
    Picture.from_numpy(np.arange(24, dtype=np.uint16).reshape(3, 2, 4)).save("in/deep.png")
    result = run("compress", "--archive", "x.rdca", "in", "in.png", "--exact-file", "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert (done["pictures"], len(done["notes"])) == (4, 1)
    assert "in/ink.tif: only its pixels" in done["notes"][0]
    assert run("decompress", "x.rdca", "out").exit_code == 0
    assert names(Path("out")) == {"few.png", "ink.tif", "deep.png", "in.png"}
    for name in ("in/few.png", "in/deep.png", "in.png"):
        assert Path("out", Path(name).name).read_bytes() == Path(name).read_bytes()
    np.testing.assert_array_equal(pixels("out/ink.tif"), pixels("in/ink.tif"))
    found = json.loads(run("info", "--json", "x.rdca").stdout)
    assert {each["name"]: each["colour"] for each in found["pictures"]}["few"] == "PALETTE"
    assert all(sum(each["forms"].values()) == 1 for each in found["pictures"])


def test_an_archive_from_and_to_standard_streams(folder: Path) -> None:
    result = run("compress", "-m", "gradient", "--archive", "-", "gray.png", "-", stdin=Path("in.png").read_bytes())
    assert result.exit_code == 0
    assert run("decompress", "-", "out", stdin=result.stdout_bytes).exit_code == 0
    assert names(Path("out")) == {"stdin.png", "gray.png"}
    np.testing.assert_array_equal(pixels("out/stdin.png"), RGB)
    assert_fails(run("decompress", "-", stdin=result.stdout_bytes), 2, "name an output folder")
    assert_fails(run("compress", "--archive", "x.rdca", "-", "-", stdin=b""), 2, "only once")


def test_auto_takes_every_picture(folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (5, 6, 4), np.uint16)
    Picture.from_numpy(pixels).save("deep.png")
    assert run("compress", "deep.png").exit_code == 0
    for back in ("back.png", "back.tif"):
        assert run("decompress", "deep.rdc", back).exit_code == 0
        np.testing.assert_array_equal(Picture.open(back).to_numpy(), pixels)
    assert_fails(run("decompress", "deep.rdc", "back.bmp"), 3, "cannot hold 16-bit RGB with alpha pictures; write .png")


def test_what_is_compressed_already(folder: Path) -> None:
    assert_fails(compress("done.rdc", "-o", "x.rdc"), 3, "done.rdc: is already compressed by ridecodec")
