"""PixelCNN and its kin: what each output sees, integers against floats, both ways of evaluation, file and loader."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from checker import codec as shipped
from checker import coding_planes
from engines import check_engines
from pictures import Array, crop
from torch import Tensor

import ridecodec
from ridecodec.container.payload import join_payload, split_payload
from ridecodec.engines import choose
from ridecodec.engines.codec import ProgramCodec
from ridecodec.engines.halves import Halves
from ridecodec.engines.labels import Labels
from ridecodec.engines.tilecoder import TileCodec, decode_halves, decode_tiles, encode_tile
from ridecodec.errors import DamagedError, ModelRefusedError, UsageError
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.export import model_file
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.programs import program_codec

SMALL = PixelConfig(maps=12, layers=3, head=12, first=2)
KINDS = {
    "gated": SMALL,
    "gated-5x5": replace(SMALL, reach=2, layers=2),
    "gray": replace(SMALL, channels=1),
    "pixelcnn": replace(SMALL, kind="pixelcnn"),
    "row-lstm": replace(SMALL, kind="row-lstm", layers=2),
    "diagonal-lstm": replace(SMALL, kind="diagonal-lstm", layers=2),
    "mixture": replace(SMALL, mixtures=3),
    "classes": replace(SMALL, classes=4),
    "auto-encoder": replace(SMALL, vector=5, encoder=6),
    "painted": replace(SMALL, vector=5, encoder=6, painted=4),
    "half": replace(SMALL, half=12, half_layers=2, spatial=4),
}


TRIES = 16
"""Pictures: rectified units hide what they see of some."""


def ignore(pixels: int, bits: float) -> None:
    pass


def model(name: str, sharp: float = 3.0) -> PixelModel:
    """An untrained network whose distributions are not flat."""
    torch.manual_seed(1)
    net = PixelModel(KINDS[name]).eval()
    with torch.no_grad():
        for each in (net.network, net.smaller):
            if each is not None:
                each.last.weight.mul_(sharp)
    return net


@cache
def codec(name: str, engine: str = "auto") -> TileCodec:
    return program_codec(name, model_file(model(name)), engine, "cpu")


def tiles(name: str, height: int = 9, width: int = 11) -> list[Array]:
    arrays = [crop("astronaut", height, width, 80 + 20 * k, 200) for k in range(3)]
    channels = KINDS[name].channels
    return [coding_planes(array[:, :, 1] if channels == 1 else array) for array in arrays]


def reached(net: PixelModel, height: int, width: int, y: int, x: int, channel: int) -> Tensor:
    """Which sub-pixels, bool [C, H, W], change the outputs of a sub-pixel when they alone are changed."""
    rng = torch.Generator().manual_seed(3)
    net.double()
    seen = torch.zeros(net.config.channels * height * width, dtype=torch.bool)
    count = len(seen)
    for _ in range(TRIES):
        base = torch.randint(0, 256, (1, net.config.channels, height, width), generator=rng).double()
        changed = base.repeat(count, 1, 1, 1)
        changed.view(count, -1)[range(count), range(count)] = (base.view(-1) + 128) % 256
        with torch.no_grad():
            wanted, found = (net.network(each)[:, channel, :, y, x] for each in (base, changed))
        seen |= (found != wanted).any(1)
    return seen.view(net.config.channels, height, width)


def by_gradient(net: PixelModel, height: int, width: int, y: int, x: int, channel: int) -> Tensor:
    """The same by gradients."""
    rng = torch.Generator().manual_seed(4)
    net.double()
    seen = torch.zeros(net.config.channels, height, width, dtype=torch.bool)
    for _ in range(3 * TRIES):
        picture = torch.randint(0, 256, (1, net.config.channels, height, width), generator=rng).double()
        picture.requires_grad_()
        out = net.network(picture)[0, channel, :, y, x]
        weights = torch.randn(len(out), generator=rng, dtype=torch.float64)
        (gradient,) = torch.autograd.grad((out * weights).sum(), picture)
        seen |= gradient[0] != 0
    return seen


def before(channels: int, height: int, width: int, y: int, x: int, channel: int) -> Tensor:
    """All sub-pixels that come before one."""
    order = torch.arange(channels * height * width).view(height, width, channels).permute(2, 0, 1)
    return order < order[channel, y, x]


def square(seen: Tensor, y: int, x: int, reach: int) -> Tensor:
    """Of ``seen`` only what is within ``reach`` rows and columns of a pixel."""
    near = torch.zeros_like(seen)
    near[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = True
    return seen & near


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("look", [reached, by_gradient])
def test_gated_sees_all_before_and_nothing_else(channel: int, look: object) -> None:
    """3 layers: the first reaches 2, the others 1 each; nothing within that is missed."""
    net, (height, width), (y, x) = model("gated"), (7, 11), (5, 5)
    seen = look(net, height, width, y, x, channel)  # type: ignore[operator]
    wanted = square(before(3, height, width, y, x, channel), y, x, 4)
    assert torch.equal(seen, wanted)


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("look", [reached, by_gradient])
def test_pixelcnn_has_a_blind_spot(channel: int, look: object) -> None:
    """What is above and to the right is seen only along a diagonal: a row up, at most the reach of a layer more."""
    net, (height, width), (y, x) = model("pixelcnn"), (8, 13), (6, 6)
    seen = look(net, height, width, y, x, channel)  # type: ignore[operator]
    wanted = square(before(3, height, width, y, x, channel), y, x, 5)
    blind = torch.zeros_like(wanted)
    for up in range(1, 6):  # the first layer goes 2 to the right in any row, the three blocks 1 a row
        blind[:, y - up, min(width, x + 2 + min(up - 1, 3) + 1) :] = True
    assert torch.equal(seen, wanted & ~blind)
    assert (wanted & blind).any()


@pytest.mark.parametrize("name", ["row-lstm", "diagonal-lstm"])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_recurrent_networks_see_only_what_is_before(name: str, channel: int) -> None:
    net, (height, width), (y, x) = model(name), (6, 7), (4, 3)
    seen = reached(net, height, width, y, x, channel)
    wanted = before(3, height, width, y, x, channel)
    assert not (seen & ~wanted).any()
    if name == "diagonal-lstm":  # Pixel Recurrent Neural Networks, section 3.2: the whole of what is before
        wanted[2, y - 1, width - 1] = False  # no position tells of its own last channel, and none is right of this one
        assert torch.equal(seen, wanted)
    else:  # a triangle above, and to the left what the convolutions reach
        assert seen[:, : y - 1, x - 2 : x + 3].all()


@pytest.mark.parametrize("name", KINDS)
def test_stepwise_is_teacher_forced(name: str) -> None:
    """The tables on a decoder's way, front by front, give the very code lengths that an encoder finds."""
    coder, tile = codec(name, "reference"), tiles(name)[0]
    whole = coder.inner if isinstance(coder, (Halves, Labels)) else coder
    assert isinstance(whole, ProgramCodec)
    check_engines(whole, tile)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (9, 11), (2, 5), (5, 2), (1, 7)])
def test_round_trip(name: str, size: tuple[int, int]) -> None:
    """The same payloads by every engine, each of which decodes them."""
    three = tiles(name, *size)
    wanted = [encode_tile(codec(name, "reference"), tile, ignore).payload for tile in three]
    for engine in ("reference", "torch", "auto"):
        coder = codec(name, engine)
        payloads = [encode_tile(coder, tile, ignore).payload for tile in three]
        assert payloads == wanted, engine
        decode(coder, payloads, three)


def test_engines_are_the_fastest_there_are() -> None:
    """Rows that run backwards are not compiled."""
    assert codec("gated").engine == next(choose.engines()).name
    assert codec("diagonal-lstm").engine == "reference"


def decode(coder: TileCodec, payloads: list[bytes], three: list[Array]) -> None:
    """Three tiles together, one alone, and the halves of those that have some."""
    together = decode_tiles(coder, payloads, *three[0].shape, ignore)
    assert np.array_equal(together, np.stack(three))
    alone = decode_tiles(coder, payloads[1:2], *three[0].shape, ignore)
    assert np.array_equal(alone[0], three[1])
    if coder.half is not None:
        halves = decode_halves(coder, payloads, *three[0].shape, ignore)
        assert np.array_equal(halves, np.stack(three)[:, :, ::2, ::2])


def test_the_shipped_encoder_tells_pictures_apart() -> None:
    coder = shipped("autoencoder-cifar")
    planes = [coding_planes(crop("astronaut", 32, 32, top)) for top in (100, 300, 460)]
    codes = [np.frombuffer(coder.side_information(each), np.int8).astype(int) for each in planes]
    for one, other in itertools.combinations(codes, 2):
        assert np.abs(one - other).max() > 4


@pytest.mark.parametrize("name", KINDS)
def test_integers_cost_what_the_float_network_says(name: str) -> None:
    coder = codec(name)
    for tile in tiles(name, 16, 16):
        coded = encode_tile(coder, tile, ignore)
        side, _ = split_payload(coded.payload)
        promised = coder.likelihood(tile, side)
        assert promised is not None
        assert abs(coded.bits.sum() / float(promised.sum()) - 1) < 2e-3


@pytest.mark.parametrize("name", KINDS)
def test_the_program_s_likelihood_is_the_network_s(name: str) -> None:
    """Within a thousandth of a bit a sub-pixel: only what tables round is rounded."""
    net, coder = model(name), codec(name)
    for tile in tiles(name, 12, 13):
        side, _ = split_payload(encode_tile(coder, tile, ignore).payload)
        promised = coder.likelihood(tile, side)
        assert promised is not None
        labels = torch.tensor([side[0]]) if net.config.classes else None
        with torch.no_grad():
            wanted = net.bits(torch.from_numpy(tile)[None].float(), labels)[0].numpy()
        assert abs(promised.sum() - wanted.sum()) < 1e-3 * tile.size
        assert np.abs(promised - wanted).max() < 0.05


@pytest.mark.parametrize("size", [(1, 1), (5, 20), (32, 32), (33, 17)])
def test_codes_need_no_torch(size: tuple[int, int]) -> None:
    """The encoder in numpy says what the one that was trained says."""
    net, coder, tile = model("auto-encoder"), codec("auto-encoder"), tiles("auto-encoder", *size)[0]
    assert net.encoder is not None
    with torch.no_grad():
        wanted = net.encoder.double()(torch.from_numpy(tile)[None].double())[0] * 128
    found = np.frombuffer(coder.side_information(tile), np.int8)
    assert np.abs(found - wanted.numpy()).max() < 1
    assert np.mean(found != wanted.numpy()) < 0.3


def test_label_is_the_cheapest_or_the_one_asked_for() -> None:
    coder, tile = codec("classes"), tiles("classes")[0]
    costs = []
    for label in range(4):
        coded = encode_tile(coder, tile, ignore, label)
        assert split_payload(coded.payload)[0] == bytes([label])
        costs.append(float(coded.bits.sum()))
    assert len(set(costs)) == 4
    assert split_payload(encode_tile(coder, tile, ignore).payload)[0] == bytes([int(np.argmin(costs))])


@pytest.mark.parametrize(
    ("name", "side"), [("classes", b"\4"), ("classes", b""), ("auto-encoder", b"12"), ("gated", b"1")]
)
def test_side_information_of_another_model_is_damage(name: str, side: bytes) -> None:
    with pytest.raises(DamagedError, match="pixel data is damaged"):
        codec(name).decode([join_payload(side, bytes(50))], 3, 4, 4, ignore)


def test_known_pixels_are_not_coded_again() -> None:
    """The picture at half its size has a quarter of the pixels; the code of the others does not depend on them."""
    coder = codec("half")
    tile = tiles("half", 16, 16)[0]
    coded = encode_tile(coder, tile, ignore)
    side, code = split_payload(coded.payload)
    assert coder.half is not None
    assert side == encode_tile(coder.half, np.ascontiguousarray(tile[:, ::2, ::2]), ignore).payload
    others = coded.bits.copy()
    others[::2, ::2] = 0
    assert abs(8 * len(code) - others.sum()) < 40


def rewritten(name: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A model file whose JSON was changed."""
    tensors = safetensors.numpy.load(model_file(model(name)))
    head = json.loads(tensors["programs"].tobytes())
    change(head)
    return safetensors.numpy.save(tensors | {"programs": np.frombuffer(json.dumps(head).encode(), np.uint8)})


def _program(head: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = head["programs"]["3"]
    return found


def _lead(lead: int) -> Callable[[dict[str, Any]], None]:
    """All operations of the first pass get another lead."""

    def change(head: dict[str, Any]) -> None:
        for operation in _program(head)["operations"]:
            if operation[6:] == [2]:
                operation[6] = lead

    return change


WRONG: dict[str, tuple[str, Callable[[dict[str, Any]], None], str]] = {
    "a lead": ("gated", _lead(5000), "lead out of range"),
    "two passes": ("gated", _lead(0), "not causal|another pass|runs ahead|too many|not known"),
    "a label": ("classes", lambda head: _program(head).update(parameters=[]), "parameter that does not exist"),
    "a margin": ("half", lambda head: _program(head).update(given=[["x", 0, 255, 1]] * 4), "margin"),
    "no half": ("half", lambda head: head["programs"].pop("half.3"), "no programs of the half"),
    "side information": ("gated", lambda head: head["extra"].update(side="half"), "at half its size"),
    "limits": ("gated", lambda head: head["extra"].update(limits=[64, 1 << 20, True]), "limits of tiles"),
    "softmax": ("gated", lambda head: _program(head)["outputs"][0][1].update(logits=0), "out of range"),
}


@pytest.mark.parametrize("name", WRONG)
def test_loader_refuses_what_export_does_not_make(name: str) -> None:
    kind, change, said = WRONG[name]
    with pytest.raises(ModelRefusedError, match=said):
        program_codec("x", rewritten(kind, change))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kind": "lstm"}, "choose one of"),
        ({"maps": 16}, "choose a multiple of 3"),
        ({"maps": 15, "kind": "pixelcnn"}, "choose a multiple of 6"),
        ({"classes": 3, "half": 12}, "cannot be used together"),
        ({"classes": 3, "kind": "pixelcnn"}, "only 'gated'"),
        ({"encoder": 8}, "vector and encoder must be used together"),
        ({"channels": 2}, "choose one of: 1, 3"),
        ({"layers": 0}, "the minimum is 1"),
    ],
)
def test_settings_that_make_no_network(settings: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        PixelConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("model", "size"), [("autoencoder-cifar", 10), ("conditional-cifar", 1), ("gated-cifar", 0)])
def test_info_tells_side_information_from_code(model: str, size: int) -> None:
    data = ridecodec.compress(crop("astronaut", 16, 16), model=model)
    assert [tile.side_bytes for tile in ridecodec.read_info(data).tiles] == [size]
    broken = data[:-1] + bytes([data[-1] ^ 1])
    assert [tile.side_bytes for tile in ridecodec.read_info(broken).tiles] == [None]
