"""Training of the PixelCNN family: it learns, resumes bit for bit, in two processes too; Muon's steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import crop
from trainings import quietly, same

from ridecodec.errors import InputError, UsageError
from ridecodec.models import checkpoints
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.training.muon import Muon, orthogonal
from ridecodec.training.pictureset import Pictures
from ridecodec.training.pixel_schedule import PixelSchedule
from ridecodec.training.pixelcnn import train
from ridecodec.training.sketch import sketch

SMALL = PixelConfig(maps=6, layers=2, head=6, first=1, channels=1)
STEPS = PixelSchedule(steps=12, images=2, evaluations=3, warmup=2, validation=0.2, sketch=5)


def images(count: int = 20) -> np.ndarray:
    """Parts of a photograph, uint8 [N, 1, 8, 8]."""
    photo = crop("camera", 64, 8 * count // 8 * 8)
    rows = photo[: len(photo) // 8 * 8].reshape(8, 8, -1, 8).swapaxes(1, 2).reshape(-1, 1, 8, 8)
    return np.ascontiguousarray(rows[:count])


def trained(schedule: PixelSchedule = STEPS, config: PixelConfig = SMALL, **options: Any) -> PixelModel:
    return train(images(), config, schedule, **{"say": quietly, **options})


def sketches(said: list[str]) -> list[str]:
    return [line for line in said if "steps of sketches" in line]


def bits(model: PixelModel, labels: torch.Tensor | None = None) -> float:
    with torch.no_grad():
        return float(model.each(torch.from_numpy(images()).float(), labels).mean())


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
@pytest.mark.parametrize("kind", ["gated", "pixelcnn", "row-lstm", "diagonal-lstm"])
def test_training_learns(kind: str, optimizer: str) -> None:
    config = replace(SMALL, kind=kind)
    torch.manual_seed(1)
    start = bits(PixelModel(config))
    model = trained(replace(STEPS, steps=40, rate=0.01, optimizer=optimizer, bf16=False), config)
    assert bits(model) < start - 0.4


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"classes": 3}, np.arange(20, dtype=np.uint8) % 3),
        ({"vector": 3, "encoder": 4}, None),
        ({"vector": 3, "encoder": 4, "painted": 2}, None),
        ({"half": 6, "half_layers": 2, "spatial": 4}, None),
        ({"mixtures": 3}, None),
    ],
    ids=str,
)
def test_what_tells_the_network_is_learnt_too(changes: dict[str, int], labels: np.ndarray | None) -> None:
    config = replace(SMALL, **changes)  # type: ignore[arg-type]
    torch.manual_seed(STEPS.seed)
    start = {name: value.clone() for name, value in PixelModel(config).state_dict().items()}
    model = trained(replace(STEPS, steps=4, evaluations=0), config, labels=labels)
    still = [name for name, value in model.state_dict().items() if torch.equal(value, start[name])]
    assert not still


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_resumed_is_as_if_never_stopped(optimizer: str, tmp_path: Path) -> None:
    schedule = replace(STEPS, optimizer=optimizer)
    trained(schedule, checkpoint=tmp_path / "whole.pt")

    class StopError(Exception):
        pass

    def stop(report: Any) -> None:
        if report.step == 7:
            raise StopError

    from ridecodec.training import trainer

    part = tmp_path / "part.pt"
    saved = trainer.SAVE_SECONDS, trainer.REPORT_SECONDS
    trainer.SAVE_SECONDS = trainer.REPORT_SECONDS = 0.0
    try:
        with pytest.raises(StopError):
            trained(schedule, checkpoint=part, progress=stop)
    finally:
        trainer.SAVE_SECONDS, trainer.REPORT_SECONDS = saved
    assert 0 < checkpoints.read(part)["step"] < 12
    trained(schedule, checkpoint=part)
    assert same(checkpoints.read(part), checkpoints.read(tmp_path / "whole.pt"))


def test_begins_as_another_network() -> None:
    """A network that is told labels starts with the rates of one that is not; another head learns anew."""
    base = trained()
    labels = np.arange(20, dtype=np.uint8) % 3
    still = replace(STEPS, steps=1, rate=1e-9, muon_rate=1e-9)
    model = trained(still, replace(SMALL, classes=3), labels=labels, start=base)
    assert abs(bits(model, torch.from_numpy(labels)) - bits(base)) < 1e-4
    mixture = trained(still, replace(SMALL, mixtures=3), start=base)
    inner = [each.network.layers[1].state_dict()["down.weight"] for each in (mixture, base)]
    assert torch.allclose(inner[0], inner[1], atol=1e-6)


@pytest.mark.parametrize("painted", [0, 4])
def test_an_encoder_learns_to_sketch(painted: int) -> None:
    """Its codes tell pictures of one colour apart, and what is painted of them has their colours."""
    torch.manual_seed(1)
    model = PixelModel(replace(SMALL, channels=3, vector=4, encoder=16, painted=painted))
    pixels = torch.randint(0, 256, (20, 3, 1, 1), dtype=torch.uint8).expand(-1, -1, 8, 8)
    error = sketch(model, Pictures(pixels), 800, seed=1)
    assert error < 0.5 * float((pixels / 256).var(0).mean())
    assert model.encoder is not None
    with torch.no_grad():
        codes = model.encoder(pixels)
    assert len(codes.unique(dim=0)) == 20


def test_a_training_that_goes_on_does_not_sketch_again(tmp_path: Path) -> None:
    config, said = replace(SMALL, vector=3, encoder=4, painted=3), list[str]()
    schedule = replace(STEPS, steps=2)
    model = trained(schedule, config, checkpoint=tmp_path / "a.pt", say=said.append)
    trained(replace(schedule, steps=4), config, checkpoint=tmp_path / "a.pt", say=said.append)
    assert model.encoder is not None
    assert len(sketches(said)) == 1


@pytest.mark.parametrize(("changes", "count"), [({}, 0), ({"vector": 2}, 1), ({"painted": 0}, 0), ({"painted": 4}, 1)])
def test_an_encoder_sketches_unless_it_was_taught(changes: dict[str, int], count: int) -> None:
    """By the network that a training begins with."""
    config, said = replace(SMALL, vector=3, encoder=4, painted=3), list[str]()
    start = trained(replace(STEPS, steps=1), config)
    trained(replace(STEPS, steps=1), replace(config, **changes), start=start, say=said.append)
    assert len(sketches(said)) == count


def test_a_given_encoder_does_not_sketch() -> None:
    config, said = replace(SMALL, vector=3, encoder=4, painted=3), list[str]()
    encoder = trained(replace(STEPS, steps=1), config).encoder
    model = trained(replace(STEPS, steps=2, rate=0.01), config, encoder=encoder, say=said.append)
    assert not sketches(said)
    assert encoder is not None
    assert model.encoder is not None
    assert same(encoder.state_dict(), model.encoder.state_dict())


def test_another_network_must_fit() -> None:
    with pytest.raises(UsageError, match="layers 2; give it the same"):
        trained(config=replace(SMALL, layers=3), start=trained())


def test_checkpoint_of_another_network(tmp_path: Path) -> None:
    trained(checkpoint=tmp_path / "a.pt")
    with pytest.raises(InputError, match="not a checkpoint of this network"):
        trained(config=replace(SMALL, layers=3), checkpoint=tmp_path / "a.pt")


@pytest.mark.parametrize("shape", [(5, 5), (4, 9), (9, 4)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    """Singular values near 1, and the same singular vectors."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    found = orthogonal(matrix)
    assert found.shape == matrix.shape
    values = torch.linalg.svdvals(found)
    assert (values > 0.4).all()
    assert (values < 1.4).all()
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    wanted = u @ v
    assert float((found * wanted).sum() / (found.norm() * wanted.norm())) > 0.9


def test_the_rest_is_adams() -> None:
    start = torch.randn(7, generator=torch.Generator().manual_seed(3))
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    first = Muon([{"params": [ours], "lr": 0.1}])
    second = torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.999))
    for _ in range(5):
        for each, optimizer in ((ours, first), (theirs, second)):
            optimizer.zero_grad()
            each.pow(4).sum().backward()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)
