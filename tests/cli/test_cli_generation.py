"""sample, synthesize and inpaint on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import assert_fails, pixels, run
from PIL import Image


def save(path: Path, samples: np.ndarray) -> str:
    Image.fromarray(samples).save(path)
    return str(path)


def texture(side: int) -> np.ndarray:
    """Stripes with noise, uint8 [side, side]."""
    noise = np.random.default_rng(1).integers(0, 40, (side, side))
    return (100 + 50 * ((np.arange(side) // 3) % 2) + noise).astype(np.uint8)


def test_sample_writes_the_picture_of_its_seed(tmp_path: Path) -> None:
    outputs = [str(tmp_path / f"{i}.png") for i in range(3)]
    for output, seed in zip(outputs, ("1", "1", "2"), strict=True):
        result = run("sample", output, "--model", "gradient", "--size", "30x20", "--seed", seed)
        assert result.exit_code == 0, result.output
    assert result.stderr.startswith(f"{outputs[-1]}: 30 x 20, RGB, ")
    assert result.stderr.endswith(" bytes, drawn from gradient\n")
    first, again, other = map(pixels, outputs)
    assert first.shape == (20, 30, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    result = run("sample", str(tmp_path / "gray.pgm"), "--model", "gradient", "--size", "9x8", "--gray", "-q")
    assert result.output == ""
    assert pixels(tmp_path / "gray.pgm").shape == (8, 9)


def test_sample_says_what_it_cannot_do(tmp_path: Path) -> None:
    output = save(tmp_path / "there.png", texture(8))
    assert_fails(run("sample", output), 5, "there.png", "--force")
    fresh = str(tmp_path / "new.png")
    assert_fails(run("sample", fresh, "--model", "nothing"), 2, "'nothing'")
    assert_fails(run("sample", str(tmp_path / "new.jpg")), 2, "'jpg'")
    for size in ("30", "0x3", "3x3x3", "99999x1"):
        assert_fails(run("sample", fresh, "--size", size), 2, size, "WxH")


def test_from_a_texture_to_a_filled_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that synthesize keeps is one for sample and inpaint."""
    source = save(tmp_path / "stripes.png", texture(160))
    kept, output = tmp_path / "stripes.safetensors", str(tmp_path / "more.png")
    small = ("--hidden", "4", "--components", "2", "--steps", "2", "--size", "32x24")
    result = run("synthesize", source, output, *small, "--keep-model", str(kept), "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["held_out_density_rate"] == pytest.approx(8 - said["held_out_likelihood"], abs=0.2)
    drawn = pixels(output)
    assert drawn.shape == (24, 32)
    assert 95 < drawn.min() < drawn.max() < 195

    monkeypatch.setenv("RIDECODEC_MODELS", str(tmp_path))
    result = run("sample", str(tmp_path / "sample.png"), "--model", "stripes", "--size", "20x10")
    assert result.exit_code == 0, result.output
    assert pixels(tmp_path / "sample.png").shape == (10, 20)

    picture = save(tmp_path / "picture.png", texture(40))
    hole = np.zeros((40, 40), bool)
    hole[10:17, 20:28] = True
    mask = save(tmp_path / "mask.png", hole)  # one bit a pixel
    result = run("inpaint", picture, mask, output, "--model", "stripes", "--sweeps", "2", "--fills", "2", "-f")
    assert result.exit_code == 0, result.output
    *lines, last = result.stderr.splitlines()
    size = Path(output).stat().st_size
    assert last == f"{output}: 40 x 40, gray, {size:,} bytes, filled by stripes"
    assert [line.split(":")[0] for line in lines] == ["densest fill", "sweep 1 of 2", "sweep 2 of 2"]
    assert "log-density -" in lines[-1]
    assert "% accepted" in lines[-1]
    assert np.array_equal(pixels(output)[~hole], texture(40)[~hole])
    assert run("inpaint", picture, mask, output, "-m", "stripes", "--sweeps", "0", "-q", "-f").output == ""

    def fails(code: int, *said: str, picture: str = picture, mask: str = mask, model: str = "stripes") -> None:
        assert_fails(run("inpaint", picture, mask, str(tmp_path / "o.png"), "-m", model), code, *said)

    fails(2, "40x40", "9x8", mask=save(tmp_path / "small.png", np.zeros((8, 9), np.uint8)))
    fails(2, "the mask is empty", mask=save(tmp_path / "black.png", np.zeros((40, 40), np.uint8)))
    fails(2, "gray", "RGB", picture=save(tmp_path / "rgb.png", np.zeros((40, 40, 3), np.uint8)))
    fails(2, "'gradient' cannot fill holes", model="gradient")
    fails(3, "nowhere.png", "no such file", mask=str(tmp_path / "nowhere.png"))
    fails(3, "stripes.json", mask=str(tmp_path / "stripes.json"))
    assert_fails(run("inpaint", picture, mask, str(tmp_path / "o.png"), "--seed", str(2**70)), 2, "--seed")


def test_synthesize_says_what_it_cannot_do(tmp_path: Path) -> None:
    small, output = save(tmp_path / "small.png", texture(150)), str(tmp_path / "o.png")
    assert_fails(run("synthesize", small, output), 3, "150x150", "40x40")
    assert_fails(run("synthesize", small, output, "--model", "mcgsm", "--layers", "2"), 2, "--layers")
    assert_fails(run("synthesize", small, str(tmp_path / "no" / "o.png")), 3, "no such folder for the output")
    for kept, said in (("x.json", "card"), ("-x.safetensors", "'-x'"), ("ride-gray.x", "comes with ridecodec")):
        assert_fails(run("synthesize", small, output, "--keep-model", str(tmp_path / kept)), 2, said)
    (tmp_path / "kept.json").write_text("{}")
    assert_fails(run("synthesize", small, output, "--keep-model", str(tmp_path / "kept.safetensors")), 5, "kept.json")
