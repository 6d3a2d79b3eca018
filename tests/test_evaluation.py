"""The benchmark: other codecs, corpora, measurements, and the reports."""

from __future__ import annotations

import csv
import importlib.util
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from pictures import typed
from PIL import Image

import ridecodec
from ridecodec.errors import InputError, OutputError, UsageError, VerificationError
from ridecodec.evaluation import benchmark, corpora, peers, report
from ridecodec.evaluation.results import Measurement, Results, total
from ridecodec.picture import Picture

FAST = ("png", "png-optimize", "webp", "jxl-e7")


def crop(name: str, height: int, width: int) -> np.ndarray:
    """A piece of one of scikit-image's photographs."""
    (path,) = (p for p in corpora.find("skimage") if p.stem == name)
    return Picture.open(path, pixels=True).to_numpy()[100 : 100 + height, 120 : 120 + width].copy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RGB PNG and a gray PGM."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(crop("astronaut", 40, 56)).save(folder / "a&b.png")
    Image.fromarray(crop("camera", 33, 21)).save(folder / "gray.pgm")
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return benchmark.run([folder], models=("gradient", "uniform"), peers=FAST, threads=1)


@pytest.mark.parametrize("name", peers.PEERS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (37, 61), (37, 61, 3)])
def test_peers_are_lossless(name: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    found = peers.measure(peers.PEERS[name], pixels)  # verifies
    assert found.size > 0
    assert (found.codec, found.pixels, found.sub_pixels) == (name, shape[0] * shape[1], pixels.size)


def test_a_lossy_peer_is_caught() -> None:
    lossy = replace(peers.PEERS["png-optimize"], decode=lambda data: np.zeros((4, 4), np.uint8))
    with pytest.raises(VerificationError, match="PNG, Pillow optimize"):
        peers.measure(lossy, np.eye(4, dtype=np.uint8))


def test_choice_of_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peers.choose(None) == ("png", "png-optimize", "webp", "jxl-e7", "jxl-e9")
    assert peers.choose(("webp", "png")) == ("png", "webp")
    with pytest.raises(UsageError, match="choose one of: png, "):
        peers.choose(("gif",))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert peers.choose(None) == ("png", "png-optimize", "webp")
    with pytest.raises(UsageError, match=r"JPEG XL -e 9 is not installed: pip install 'ridecodec\[bench\]'"):
        peers.choose(("jxl-e9",))


def test_corpus_of_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    found = corpora.find("skimage")
    assert {p.name for p in found} >= {"astronaut.png", "camera.png", "rocket.jpg"}
    assert {Picture.open(p, pixels=True).channels for p in found} == {1, 3}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install"):
        corpora.find("skimage")


def test_corpora_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(corpora.DATA_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="set RIDECODEC_DATA"):
        corpora.find("kodak")
    (tmp_path / "kodak").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        corpora.find("kodak")
    for name in ("b.png", "a.png", "readme.txt"):
        (tmp_path / "kodak" / name).touch()
    assert [p.name for p in corpora.find("kodak")] == ["a.png", "b.png"]
    with pytest.raises(UsageError, match="skimage, kodak"):
        corpora.find("nothing")


def test_pictures_to_measure(folder: Path) -> None:
    given = [folder / "gray.pgm", folder]
    assert [p.name for p in benchmark.pictures(given, None, None)] == ["gray.pgm", "a&b.png", "gray.pgm"]
    assert len(benchmark.pictures(given, "skimage", 5)) == 5
    with pytest.raises(UsageError, match="no pictures"):
        benchmark.pictures([], None, None)


def test_sizes_and_rates(results: Results, folder: Path) -> None:
    colour, gray = results.images
    assert (colour.name, colour.width, colour.height, colour.channels) == ("a&b.png", 56, 40, 3)
    assert (gray.width, gray.height, gray.channels) == (21, 33, 1)
    assert [m.codec for m in colour.measurements] == [*FAST, "gradient", "uniform"]
    assert [m.codec for m in gray.measurements] == [*FAST[1:], "gradient", "uniform"]
    assert colour.reference == colour.measurements[0].size == (folder / "a&b.png").stat().st_size
    assert colour.measurements[0].encode is None
    assert gray.reference == gray.measurements[0].size  # a PGM is compared with the optimized PNG
    for image in results.images:
        for m in image.measurements[-2:]:
            assert m.ideal is not None
            assert m.size == len(ridecodec.compress(folder / image.name, model=m.codec))
            assert m.ideal / 8 < m.size < m.ideal / 8 + 40
            heat = image.heat_maps[m.codec]
            assert heat.shape == image.preview.shape[:2] == (image.height, image.width)
            assert 0.8 * m.ideal < heat.sum() < 1.001 * m.ideal  # what a tile is told as a whole belongs to no pixel


def test_totals(results: Results) -> None:
    rows = {row.measurement.codec: row for row in results.totals}
    assert [codec for codec, row in rows.items() if row.image == "total"] == [*FAST[1:], "gradient", "uniform"]
    assert rows["png"].image == "1 of 2"  # one picture did not come as PNG
    parts = [image.measurements[-1] for image in results.images]
    whole = rows["uniform"].measurement
    assert whole == total(parts)
    assert whole.size == sum(m.size for m in parts)
    assert whole.bpsp == 8 * whole.size / (40 * 56 * 3 + 33 * 21)
    assert rows["uniform"].ratio == whole.size / sum(image.reference for image in results.images)


def test_a_sum_lacks_what_a_part_lacks() -> None:
    part = Measurement("x", 10, 30, 5, 1.0, 2.0, 7.0, 8.0)
    assert total([part, part]) == Measurement("x", 20, 60, 10, 2.0, 4.0, 14.0, 16.0)
    assert total([part, replace(part, encode=None, likelihood=None)]).encode_speed is None
    assert total([part, replace(part, encode=None, likelihood=None)]).likelihood_bpsp is None
    assert (part.encode_speed, part.ideal_bpsp) == (1e5, 8 / 30)


def test_gray_and_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "PREVIEW_SIDE", 10)
    pixels = crop("coffee", 16, 25)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    steps: list[float] = []
    found = benchmark.run(
        [tmp_path / "x.png"],
        None,
        ["uniform"],
        ["png"],
        likelihood=False,
        step=lambda number, files: steps.append(number),
        gray=True,
    )
    (image,) = found.images
    assert steps == [0, 0.5, 1]  # the second codec begins at a half
    assert image.channels == 1
    assert [m.codec for m in image.measurements] == ["uniform"]  # the PNG as given has other pixels
    assert image.measurements[0].likelihood is None
    assert image.preview.shape == image.heat_maps["uniform"].shape == (6, 9)


def test_what_compress_does_by_default_has_no_rates_but_its_own(folder: Path) -> None:
    found = benchmark.run([folder], models=["auto"], peers=[])
    for image, name in zip(found.images, ("a&b.png", "gray.pgm"), strict=True):
        (measured,) = image.measurements
        assert measured.size == len(ridecodec.compress(Picture.from_numpy(Picture.open(folder / name).to_numpy())))
        assert (measured.likelihood, measured.ideal) == (None, None)
        assert not image.heat_maps
    assert "ridecodec auto" in report.text(found)
    assert "<img" in report.html(found)


def test_a_wrong_pixel_ends_the_benchmark(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Picture.from_numpy(np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(ridecodec, "decompress", lambda data, **options: wrong)
    with pytest.raises(VerificationError, match=r"a&b.png: model uniform: .* differ"):
        benchmark.run([folder / "a&b.png"], models=["uniform"], peers=[])


@settings(max_examples=6)
@given(typed(12))
def test_pictures_of_all_types_are_measured(picture: Picture) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.tif" if picture.colour.name in ("CMYK", "RGBX", "PALETTE_ALPHA") else "x.png")
        picture.save(path)
        found = benchmark.run([path], models=["auto", "gradient"], peers=None, threads=1)
    (image,) = found.images
    measured = {m.codec: m for m in image.measurements}
    plain = picture.colour.name in ("GRAY", "RGB") and picture.bit_depth == 8
    assert ("gradient" in measured) == plain
    assert measured["auto"].sub_pixels == picture.sub_pixels
    assert {m.sub_pixels for m in image.measurements} == {picture.sub_pixels}
    assert report.html(found)


def test_failures_do_not_end_the_benchmark(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    paths = [tmp_path / "missing.png", folder / "gray.pgm", tmp_path / "broken.png", folder / "a&b.png"]
    told: list[Path] = []
    seen: list[int] = []
    found = benchmark.run(
        paths,
        models=["uniform"],
        peers=[],
        failed=lambda path, error: told.append(path),
        done=lambda results: seen.append(len(results.images)),
    )
    assert told == [paths[0], paths[2]]
    assert seen == [0, 1, 1, 2]
    assert [image.name for image in found.images] == ["gray.pgm", "a&b.png"]
    assert f"Not measured: {paths[2]}: " in report.text(found)
    with pytest.raises(InputError, match=r"a&b.png: is 8-bit RGB, which ride-gray cannot code; add --model auto"):
        benchmark.run([folder / "a&b.png"], models=["ride-gray"], peers=[])


def test_unreadable_pictures_are_named(tmp_path: Path) -> None:
    for name, content in (("broken.png", b"\x89PNG"), ("other.txt", b"text")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            benchmark.run([tmp_path / name], models=[], peers=[])
    with pytest.raises(InputError, match="missing"):
        benchmark.run([tmp_path / "missing.png"], models=[], peers=[])


def test_text_is_aligned(results: Results) -> None:
    lines = report.text(results).splitlines()
    end = lines[0].index("bpsp") + len("bpsp")
    rows = [line for line in lines[1:] if any(label in line for label in results.labels.values())]
    table = rows[: 6 + 5 + 6]
    assert all(line[end - 4] == "." and line[end : end + 2] == "  " for line in table)
    assert [line.split()[0] for line in (table[0], table[6], table[12])] == ["a&b.png", "gray.pgm", "total"]
    assert table[11].startswith("1 of 2")
    assert len(report.text(results, pictures=False).splitlines()) == len(lines) - 6 - 5 - 2


def test_report_as_table(results: Results, tmp_path: Path) -> None:
    report.write(results, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 + 5 + 6
    last = results.totals[-1].measurement
    assert rows[-1]["image"] == "total"
    assert rows[-1]["bytes"] == str(last.size)
    assert float(rows[-1]["achieved_bpsp"]) == last.bpsp
    assert rows[0]["encode_cpu_seconds_per_megapixel"] == ""
    report.write(results, tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    assert [r["codec"] for r in content["images"]] == [r["codec"] for r in rows[:11]]
    assert content["total"][-1]["achieved_bpsp"] == last.bpsp
    assert content["settings"]["threads"] == "1"


def test_report_in_markdown(results: Results, tmp_path: Path) -> None:
    report.write(results, str(tmp_path / "r.md"))
    lines = (tmp_path / "r.md").read_text().splitlines()
    assert sum(line.startswith("| total |") for line in lines) == 5
    assert f"| {results.totals[-1].measurement.bpsp:.3f} |" in "\n".join(lines)


def test_report_in_html(results: Results, tmp_path: Path) -> None:
    report.write(results, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 2 + len(results.images)
    assert "a&amp;b.png" in page
    assert "a&b.png" not in page
    assert "http" not in page
    assert "<link" not in page


def test_reports_that_cannot_be_written(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"\.html, \.md, \.csv, \.json"):
        report.write(results, tmp_path / "r.pdf")
    with pytest.raises(OutputError, match="folder"):
        report.write(results, tmp_path / "nowhere" / "r.md")
    (tmp_path / "taken.md").mkdir()
    with pytest.raises(OutputError):
        report.write(results, tmp_path / "taken.md")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="matplotlib"):
        report.check(tmp_path / "r.html")
