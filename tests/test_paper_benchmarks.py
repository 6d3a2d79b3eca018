"""The benchmarks of the paper's tables: densities of patches, mixtures, rows that train themselves."""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import piece
from PIL import Image

pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "paper"))

import cifar
import cifar_sheets
import common
import patches
import van_hateren

from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.ride.network import Ride, RideConfig
from ridecodec.models.ride.patch import PatchMCGSM, PatchRide, remove_mean, restore
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.ride import Schedule

TINY = {"components": 3, "scales": 2, "features": 4}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(5)


def models(side: int) -> list[Any]:
    """One of each kind, with innovations that are not trivial."""
    made = [
        PatchMCGSM(side, tied=True, **TINY),
        PatchMCGSM(side, tied=True, **TINY).untie(),
        PatchRide(RideConfig(layers=1, hidden=5, **TINY), side),
    ]
    count = side**2 - 1
    for model in made:
        model.innovations.fit(torch.randn(500, count) @ torch.randn(count, count) + 3)
    return made


def test_mean_removed_and_restored() -> None:
    x = torch.rand(7, 8, 8) * 255
    z = remove_mean(x)
    assert z.shape == (7, 63)
    torch.testing.assert_close(restore(z), x - x.mean((1, 2), keepdim=True), atol=1e-3, rtol=0)


def test_dc_conversion() -> None:
    # the paper's printed pairs of nat and bit/px
    for nat, rate in ((155.1, 3.413), (155.8, 3.430), (156.4, 3.443), (158.1, 3.481)):
        assert patches.bits_per_pixel(nat) == pytest.approx(rate, abs=2e-3)
    # the Jacobian determinant of (z, mean) -> x, by brute force
    count = 64
    matrix = torch.zeros(count, count, dtype=torch.float64)
    matrix[:-1, :-1] = torch.eye(count - 1)
    matrix[-1, :-1], matrix[:, -1] = -1, 1
    assert math.log(abs(float(torch.linalg.det(matrix)))) == pytest.approx(4.1589, abs=1e-4)


@pytest.mark.parametrize("kind", range(3))
def test_density_of_a_patch_is_one(kind: int) -> None:
    """2x2 patches have 3 dimensions: the density integrates to one, in values and in values / 256 alike."""
    model = models(2)[kind]
    steps = torch.linspace(-1, 1, 81)
    grid = torch.cartesian_prod(steps, steps, steps)
    spread = torch.linalg.inv(model.innovations.matrix)  # 12 deviations of the innovations to either side
    z = model.innovations.mean + 12 * grid @ spread.T
    cell = (12 / 40) ** 3 * float(spread.diagonal().prod())
    with torch.no_grad():
        density = torch.cat([patches.nats(model, part) for part in z.split(60_000)]).double().exp()
    assert float(density.sum()) * cell / 256**3 == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", range(3))
def test_density_of_a_patch_by_the_chain_rule(kind: int) -> None:
    """Change of variables: ln p(z) = ln p(u) + ln |du/dz|, the Jacobian by brute force."""
    model = models(4)[kind].double()
    z = torch.randn(3, 15, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda one: model.innovations(one[None])[0], z[0])
    whitened = models(4)[kind].double()
    whitened.load_state_dict(model.state_dict())
    whitened.innovations.mean.zero_()
    whitened.innovations.matrix.copy_(torch.eye(15))
    with torch.no_grad():
        expected = whitened.log_density(model.innovations(z)) + torch.linalg.slogdet(jacobian)[1]
        torch.testing.assert_close(model.log_density(z), expected)


@pytest.mark.parametrize("kind", range(2))
def test_training_gradient_is_that_of_the_density(kind: int) -> None:
    model = models(4)[kind]
    z = torch.randn(30, 15)
    parameters = list(model.parameters())
    plain = torch.autograd.grad(model.log_density(z).sum(), parameters)
    quick = torch.autograd.grad(model.total(z), parameters)
    for one, other in zip(plain, quick, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_untied_patch_mcgsm_starts_as_the_tied_one() -> None:
    tied = models(4)[0]
    z = torch.randn(6, 15)
    torch.testing.assert_close(tied.untie().log_density(z), tied.log_density(z))


@pytest.mark.parametrize("kind", range(3))
def test_mixture_is_at_most_three_bits_from_the_best_way(kind: int) -> None:
    model = models(4)[kind]
    z = torch.randn(20, 15) * 5
    with torch.no_grad():
        whole = patches.nats(model, z, ensemble=True)
        turned = restore(z)
        ways = torch.stack([patches.nats(model, patches.turn(turned, way).flatten(1)[:, :-1]) for way in range(8)])
    torch.testing.assert_close(whole, ways.double().exp().mean(0).log().float(), rtol=1e-4, atol=1e-3)
    short = (ways.max(0).values - whole) / math.log(2)  # what the code loses, before its 3 bits, bits
    assert float(short.min()) > -1e-4
    assert float(short.max()) < 3 + 1e-4
    torch.testing.assert_close(common.mixture(torch.zeros(8, 2)), torch.zeros(2))


def test_density_rate_of_patches() -> None:
    net = Ride(RideConfig(layers=1, hidden=4, **TINY))
    arrays = [np.random.default_rng(3).integers(0, 256, (1, 21, 17), np.uint8)]
    planes = common.cut(arrays[0], 8)
    assert planes.shape == (4, 1, 8, 8)
    assert torch.equal(planes[1, 0], torch.from_numpy(arrays[0][0, :8, 8:16]).float())
    plain, mixed = (common.density([net], planes, ensemble, seed=0) for ensemble in (False, True))
    noisy = planes + torch.rand(planes.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(plain, net.density_rate(noisy).mean((0, 1)).double(), rtol=1e-4, atol=1e-4)
    assert bool((mixed > plain - 3 / (6 * 4) - 1e-6).all())


def test_row_trains_itself_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (1, 40, 40), np.uint8) for _ in range(3)]
    schedule = Schedule(minutes=0.005, pixels=512, sizes=(12,))
    first = common.Row("first", "RIDE", None, RideConfig(layers=1, hidden=4, **TINY), schedule)
    second = common.Row("second", "RIDE, 2", None, RideConfig(layers=2, hidden=4, **TINY), schedule, "first")
    both = common.Row("both", "EoRIDE", None, of="second")
    rows = (first, second, both)
    called: list[int] = []

    def data() -> tuple[list[Any], list[Any]]:
        called.append(1)
        return arrays[:2], arrays[2:]

    found = common.trained(both, rows, data, tmp_path, lambda line: None)
    assert found.nets[0].config.layers == 2
    assert len(found.minutes) == 2
    assert found.megapixels > 0
    assert common.trained(second, rows, data, tmp_path, lambda line: None).stamp == found.stamp
    assert len(called) == 2

    record = common.rate(both, found, lambda: arrays, 3, tmp_path, 16)
    assert record == common.rate(both, found, list, 3, tmp_path, 16)
    common.write(tmp_path, "table", "A table", ["a note"], [{"model": both.label, **record, "minutes": found.time}])
    assert "| EoRIDE |" in (tmp_path / "table.md").read_text()
    with (tmp_path / "table.csv").open() as stream:
        assert float(next(csv.DictReader(stream))["density"]) == record["density"]


def test_patch_row_trains_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (1, 30, 30), np.uint8).repeat(2, 2) for _ in range(2)]
    drawn = patches.draw(arrays, 600, 1)
    assert drawn.shape == (600, 8, 8)
    for row in (patches.Row("m", "MCGSM", None, 2, 3, 0, 0.005), patches.Row("r", "RIDE", None, 2, 3, 1, 0.005)):
        model, took = patches.train(row, drawn, drawn[:100], lambda line: None)
        assert took["patches"] > 0
        assert math.isfinite(patches.evaluate(model, drawn[:50], True)["nats"])


def test_van_hateren_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIDECODEC_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["van_hateren.py", "--to", str(tmp_path), "--work", str(tmp_path)])
    van_hateren.main()
    table = (tmp_path / "van-hateren.md").read_text()
    assert table.count(van_hateren.MISSING) == len(van_hateren.ROWS)


def test_van_hateren_intensities_as_bytes() -> None:
    made = van_hateren.to_bytes(np.array([[0, 100], [1000, 65535]], np.uint16))
    assert made.shape == (1, 2, 2)
    assert made.min() == 0
    assert made.max() == 255


@pytest.fixture
def small_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """24 pictures of 8x8 in place of CIFAR-10, small networks, trainings of two steps."""
    pixels = np.stack([piece((8, 8, 3), k).transpose(2, 0, 1) for k in range(24)])
    labels = (np.arange(24) % 3).astype(np.uint8)
    small, quick = PixelConfig(maps=6, layers=2, head=6, first=1), PixelSchedule(steps=2, images=2, evaluations=0)
    told = cifar.Row("conditional", "told", None, replace(small, classes=10), quick, "base")
    monkeypatch.setattr(cifar, "pictures", lambda part: (pixels, labels))
    monkeypatch.setattr(cifar, "ROWS", (cifar.Row("base", "base", 3.0, small, quick), told))
    monkeypatch.setattr(cifar, "BRIEF", quick)
    monkeypatch.setattr(cifar, "SIDE", 8)


def test_rows_of_cifar(small_set: None, tmp_path: Path) -> None:
    cifar.table(cifar.ROWS, tmp_path, tmp_path, 6)
    with (tmp_path / "cifar.csv").open() as stream:
        plain, told, *_ = csv.DictReader(stream)
    for record in (plain, told):
        assert abs(float(record["loss %"])) < 1
        assert float(record["ideal"]) < float(record["archive"]) < float(record["single"])
    assert (float(plain["told"]), float(told["told"])) == (0, 8 / 192)
    assert float(told["minutes"]) >= 0
    assert plain["worth"] == ""
    assert abs(float(told["worth"])) < 1


def test_sheets_of_cifar(small_set: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar_sheets, "SIDE", 3)
    monkeypatch.setattr(cifar_sheets, "EMBEDDING", replace(cifar.ROWS[0].config, vector=2, encoder=2))
    monkeypatch.setattr(cifar_sheets, "ENCODER_SCHEDULE", PixelSchedule(steps=2, images=4))
    monkeypatch.setattr(cifar_sheets, "rgb", lambda planes: planes[[1, 0, 2], :3, :3].transpose(1, 2, 0))
    cifar_sheets.classes(tmp_path, tmp_path)
    cifar_sheets.embeddings(tmp_path, tmp_path)
    for name in ("classes", "embeddings"):
        with Image.open(tmp_path / f"cifar-{name}.png") as page:
            assert page.width > 20
