"""RIDE and the MCGSM in floating point: the LSTM against a double loop, densities against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pictures import crop
from torch import Tensor

from ridecodec.errors import UsageError
from ridecodec.models.ride.lstm import MEMORY_LIMIT, SpatialLSTM, packing
from ridecodec.models.ride.mcgsm import MCGSM
from ridecodec.models.ride.network import Ride, RideConfig, causal
from ridecodec.models.ride.whitening import Whitening
from ridecodec.training.ride import grow


def plain_lstm(layer: SpatialLSTM, x: Tensor) -> Tensor:
    """Equations 8 and 9 pixel by pixel, memory cells limited: [H, W, B, inputs] -> h [H, W, B, hidden]."""
    height, width, batch, _ = x.shape
    zero = x.new_zeros(batch, layer.hidden)
    h: dict[tuple[int, int], Tensor] = {}
    c: dict[tuple[int, int], Tensor] = {}
    for i in range(height):
        for j in range(width):
            h_left, h_up = h.get((i, j - 1), zero), h.get((i - 1, j), zero)
            c_left, c_up = c.get((i, j - 1), zero), c.get((i - 1, j), zero)
            before = torch.cat([h_left, h_up, c_left, c_up] if layer.extended else [h_left, h_up], 1)
            g, o, i_, f_up, f_left = (layer.input(x[i, j]) + before @ layer.recurrent).chunk(5, 1)
            memory = g.tanh() * i_.sigmoid() + c_left * f_left.sigmoid() + c_up * f_up.sigmoid()
            c[i, j] = memory.clamp(-MEMORY_LIMIT, MEMORY_LIMIT)
            h[i, j] = torch.tanh(c[i, j] * o.sigmoid())
    return torch.stack([torch.stack([h[i, j] for j in range(width)]) for i in range(height)])


def along_diagonals(layer: SpatialLSTM, x: Tensor) -> Tensor:
    """The same by `SpatialLSTM`."""
    height, width, batch, inputs = x.shape
    order, back = packing(height, width)
    packed = layer(x.reshape(height * width, batch, inputs)[order].flatten(0, 1), height, width)
    return packed.view(height * width, batch, -1)[back].view(height, width, batch, -1)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("size", [(5, 7), (6, 3), (1, 4), (4, 1), (1, 1)])
def test_lstm_is_the_double_loop(size: tuple[int, int], extended: bool) -> None:
    torch.manual_seed(1)
    layer = SpatialLSTM(4, 3, extended).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(*size, 2, 4, dtype=torch.float64, requires_grad=True)
    expected, found = plain_lstm(layer, x), along_diagonals(layer, x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), [x, *layer.parameters()])
    gradients = torch.autograd.grad((found * weight).sum(), [x, *layer.parameters()])
    for mine, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


def test_layers_are_stacked_in_raster_order() -> None:
    torch.manual_seed(2)
    model = Ride(RideConfig(layers=2, hidden=3, components=2)).double()
    x = torch.randn(4, 6, 3, 12, dtype=torch.float64)
    state, expected = model.states(x)
    first, second = model.layers
    wanted = plain_lstm(second, plain_lstm(first, model.whitening(x)[0]))  # type: ignore[arg-type]
    torch.testing.assert_close(state.view(4, 6, 3, 3), wanted)
    assert expected.shape == (4, 6, 3)


@pytest.mark.parametrize(("width", "pixels"), [(3, 4), (5, 12), (7, 24), (9, 40), (11, 60), (13, 84)])
def test_neighbourhoods_of_the_paper(width: int, pixels: int) -> None:
    offsets = RideConfig(width=width).offsets
    assert len(set(offsets)) == pixels
    half = width // 2
    assert all(-half <= dx <= half and -half <= dy <= 0 and (dy < 0 or dx < 0) for dy, dx in offsets)
    assert len(RideConfig(width=width).taps) == pixels


def test_neighbourhoods_may_be_wider_than_high() -> None:
    assert causal(9, 5) == RideConfig(width=9).offsets  # 9 wide and 5 high, 40 pixels
    assert len(causal(9, 2)) == 9 + 4
    for width, height in ((4, 2), (1, 1), (5, 0)):
        with pytest.raises(UsageError, match="neighbourhood"):
            causal(width, height)


def test_gather_takes_the_taps_from_their_places() -> None:
    config = RideConfig(channels=3, channel=2, width=3, components=2)
    model, hood = Ride(config), config.hood
    height, width = 3, 4
    planes = torch.arange(3 * (height + hood.top) * (width + 2)).float().view(1, 3, height + hood.top, width + 2)
    x, y = model.gather(planes)
    assert x.shape == (height, width, 1, 3 * 4 + 2)
    for i in range(height):
        for j in range(width):
            assert y[i, j, 0] == planes[0, 2, hood.top + i, 1 + j]
            for k, (channel, (dy, dx)) in enumerate(config.taps):
                assert x[i, j, 0, k] == planes[0, channel, hood.top + i + dy, 1 + j + dx]


def mixture(features: int | None, inputs: int = 3) -> MCGSM:
    torch.manual_seed(3)
    model = MCGSM(inputs, 4, 2, features).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("features", [5, None])
def test_mcgsm_is_its_formula(features: int | None) -> None:
    model = mixture(features)
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    own = {name: value.detach().numpy() for name, value in model.named_parameters()}
    for row, value, found in zip(x.numpy(), y.numpy(), model.log_density(x, y).tolist(), strict=True):
        gates, parts = np.empty((4, 2)), np.empty((4, 2))
        for c in range(4):
            if features is None:
                root = np.tril(own["factors"][c])
                energy = row @ (root @ root.T) @ row
            else:
                energy = sum(own["weights"][c, n] ** 2 * (own["features"][n] @ row) ** 2 for n in range(features))
            for s in range(2):
                precision = math.exp(own["precisions"][c, s])
                gates[c, s] = math.exp(own["priors"][c, s] - precision / 2 * energy)
                distance = value - own["predictors"][c] @ row - own["means"][c]
                parts[c, s] = math.sqrt(precision / (2 * math.pi)) * math.exp(-precision / 2 * distance**2)
        assert found == pytest.approx(math.log((gates * parts).sum() / gates.sum()), abs=1e-10)


@pytest.mark.parametrize("features", [5, None])
def test_mcgsm_density_integrates_to_one_and_to_its_masses(features: int | None) -> None:
    model, step = mixture(features), 1e-3
    x = torch.randn(2, 3, dtype=torch.float64)
    y = torch.arange(-30, 30, step, dtype=torch.float64) + step / 2
    for row in x:
        density = model.log_density(row.expand(len(y), -1), y).exp().detach() * step
        assert float(density.sum()) == pytest.approx(1, abs=1e-6)
        inside = density[(y > -0.7) & (y < 0.4)].sum()
        mass = model.log_mass(row[None], torch.tensor([-0.7]).double(), torch.tensor([0.4]).double()).exp().detach()
        assert float(mass) == pytest.approx(float(inside), abs=1e-6)


def test_masses_of_all_values_sum_to_one_and_have_gradients() -> None:
    model = mixture(5)
    edges = torch.cat([torch.tensor([-math.inf]), torch.linspace(-4, 4, 255), torch.tensor([math.inf])]).double()
    x = torch.randn(1, 3, dtype=torch.float64).expand(256, -1)
    masses = model.log_mass(x, edges[:-1], edges[1:])
    assert float(masses.exp().sum().detach()) == pytest.approx(1, abs=1e-9)
    masses.mean().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_whitening_leaves_nothing_correlated() -> None:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(5000, 4, generator=generator) @ torch.randn(4, 4, generator=generator) * 20 + 100
    y = x @ torch.tensor([0.5, -0.2, 0.3, 0.1]) + 3 * torch.randn(5000, generator=generator)
    whitening = Whitening(4)
    whitening.fit(x, y)
    white, expected = whitening(x)
    rest = (y - expected) / whitening.deviation
    together = torch.cat([white, rest[:, None]], 1)
    torch.testing.assert_close(together.T @ together / 5000, torch.eye(5), atol=2e-3, rtol=0)
    assert together.mean(0).abs().max() < 2e-3
    assert float(whitening.deviation) == pytest.approx(3, rel=0.05)
    torch.testing.assert_close(whitening.matrix, whitening.matrix.T)


def photograph(height: int = 22, width: int = 24) -> Tensor:
    """Real pixels, float64 [1, 1, H, W]."""
    return torch.from_numpy(crop("camera", height, width).astype(np.float64))[None, None]


def fitted(layers: int) -> Ride:
    """A network whose whitening fits the photograph; its other weights are as they begin."""
    torch.manual_seed(5)
    model = Ride(RideConfig(layers=layers, hidden=6, components=3)).double()
    x, y = model.gather(photograph(120, 130) + torch.rand(1, 1, 120, 130))
    model.whitening.fit(x.flatten(0, 2), y.flatten())
    return model


@pytest.mark.parametrize("layers", [0, 1])
def test_density_in_value_units_integrates_to_one(layers: int) -> None:
    """The rate counts the whitening's log-Jacobian."""
    model, step = fitted(layers), 0.5
    values = torch.arange(-1000, 1300, step, dtype=torch.float64) + step / 2
    planes = photograph(3, 5).expand(len(values), -1, -1, -1).clone()  # of one pixel that has all its neighbours
    planes[:, 0, 2, 2] = values
    with torch.no_grad():
        assert float(model.log_density(planes).exp().sum() * step) == pytest.approx(1, abs=1e-4)
        torch.testing.assert_close(model.density_rate(planes), 8 + model.log_density(planes) / math.log(2))


@pytest.mark.parametrize("layers", [0, 1])
def test_code_length_sums_to_one_and_is_below_the_noisy_rate(layers: int) -> None:
    model, pixels = fitted(layers), photograph()
    with torch.no_grad():
        x, _ = model.gather(pixels + 0.5)
        every = pixels[:, :, :3, :5].expand(256, -1, -1, -1).clone()
        every[:, 0, 2, 2] = torch.arange(256)
        assert float(torch.exp2(-model.bits(every)).sum()) == pytest.approx(1, abs=1e-9)
        bits = model.bits(pixels)  # [H, W, 1]
        state, expected = model.states(x)
        noisy = torch.zeros_like(bits)
        for noise in (torch.arange(32) + 0.5) / 32:
            y = model.gather(pixels + noise)[1]
            rest = ((y - expected) / model.whitening.deviation).flatten()
            density = model.mcgsm.log_density(state, rest).view(y.shape) - model.whitening.deviation.log()
            noisy -= density / math.log(2) / 32
    assert (bits <= noisy + 1e-6).all()  # Jensen, pixel by pixel
    assert bits.mean() < noisy.mean()


def test_a_new_layer_keeps_the_lower_ones() -> None:
    torch.manual_seed(6)
    lower = Ride(RideConfig(layers=1, hidden=4, components=2))
    lower.whitening.fit(torch.randn(100, 12), torch.randn(100))
    upper = Ride(RideConfig(layers=2, hidden=4, components=2))
    fresh = {name: value.clone() for name, value in upper.state_dict().items()}
    grow(upper, lower)
    for name, value in upper.state_dict().items():
        kept = name.startswith(("whitening.", "layers.0."))
        assert torch.equal(value, lower.state_dict()[name] if kept else fresh[name])
    same = Ride(lower.config)
    grow(same, lower)
    assert all(torch.equal(value, lower.state_dict()[name]) for name, value in same.state_dict().items())


@pytest.mark.parametrize(
    "other", [RideConfig(layers=2, hidden=5), RideConfig(layers=2, hidden=4, width=7), RideConfig(hidden=4)]
)
def test_layers_that_do_not_fit_are_refused(other: RideConfig) -> None:
    with pytest.raises(UsageError, match="start from"):
        grow(Ride(other), Ride(RideConfig(layers=1, hidden=4)))
