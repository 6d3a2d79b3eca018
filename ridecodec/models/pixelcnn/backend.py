"""PixelCNN and its kin as a codec backend, teacher-forced layer by layer or stepwise front by front."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ridecodec.coding.tables import Distribution
from ridecodec.errors import DamagedError, ModelRefusedError, UsageError
from ridecodec.models.base import Backend, Rows, Stepper, refuse_side_information
from ridecodec.models.pixelcnn import exact_recurrent
from ridecodec.models.pixelcnn.board import Board
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import CODE_BITS
from ridecodec.models.pixelcnn.exact import Context, Gated, Head, Inputs, Layer, Masked, Residual, State
from ridecodec.models.pixelcnn.exact_context import Enlarging, Painting, coded, labelled
from ridecodec.models.pixelcnn.exact_outputs import Outputs
from ridecodec.models.pixelcnn.gated import GatedLayer
from ridecodec.models.pixelcnn.integers import GateTables
from ridecodec.models.pixelcnn.masked import Conv
from ridecodec.models.pixelcnn.model import PixelModel
from ridecodec.models.pixelcnn.network import PixelNetwork, neighbourhood
from ridecodec.models.pixelcnn.recurrent import DiagonalBiLSTM, RowLSTM
from ridecodec.models.pixelcnn.residual import ResidualBlock
from ridecodec.models.pixelcnn.rounding import check_shapes, fill

_MODEL_FILE = (safetensors.SafetensorError, KeyError, IndexError, TypeError, ValueError, RuntimeError, UsageError)
_CHUNK = 1024
"""Pixels whose distributions are made at once."""
_BATCH = 1 << 16
"""Pixels of a batch of tiles."""


class NetworkBackend(Backend):
    """One network of the family, without anything that it is told."""

    bounded = True
    tile = 64
    largest_tile = 256

    def __init__(self, net: PixelNetwork, gates: GateTables, outputs: Outputs, name: str, device: torch.device) -> None:
        self.name, self.device, self.network, self.outputs = name, device, net, outputs
        self.inputs = Inputs(net.config.channels)
        self.layers = [_layer(layer, k, net, gates) for k, layer in enumerate(net.layers)]
        self.head = Head(net, outputs.bits)
        self.hood = neighbourhood(net.config)
        self.pixel_bytes = 4 * self._held()

    def _held(self) -> int:
        """Numbers that all layers together hold of a pixel."""
        board = self.board(1, 1, 1)
        below = self.inputs.open(board, None)
        return sum(maps.shape[1] for layer in self.layers for maps in layer.open(board, below).maps)

    def batch(self, height: int, width: int) -> int:
        return max(1, _BATCH // (height * width))

    def board(self, tiles: int, height: int, width: int) -> Board:
        """Where a batch's maps stand."""
        reach = max(self.network.config.first, self.network.config.reach)
        return Board(tiles, height, width, reach, reach, self.device)

    def context(self, sides: list[bytes], board: Board) -> Context | None:
        """What the tiles' side information tells the network; raises DamagedError."""
        refuse_side_information(sides)
        return None

    def rows(self, planes: Tensor, side: bytes) -> Iterator[Rows]:
        channels, height, width = planes.shape
        board = self.board(1, height, width)
        below = self.inputs.open(board, self.context([side], board))
        for c in range(channels):
            self.inputs.observe(below, board.rows(0, height), c, planes[c].reshape(-1))
        for layer in self.layers:
            state = layer.open(board, below)
            layer.walk(state, below, channels)
            below = state
        step = max(1, _CHUNK // width)
        for y0 in range(0, height, step):
            y1 = min(height, y0 + step)
            turn: list[Tensor] = []
            places = board.rows(y0, y1)
            yield Rows(y0, y1, [self.outputs(self.head(below, turn, places, c)) for c in range(channels)])

    def stepper(self, channels: int, height: int, width: int, sides: list[bytes]) -> Stepper:
        board = self.board(len(sides), height, width)
        return _PixelStepper(self, board, self.context(sides, board))

    def likelihood(self, planes: Tensor, side: bytes) -> Tensor | None:
        return self.network.bits(planes[None].to(self.device))[0].cpu()


class PixelBackend(NetworkBackend):
    """Backend of the family `pixelcnn`: a network, and what tells it of the picture.

    Side information: a label (1 byte), a code (int8 each), or the picture at half its size (`halved`), raw.
    """

    def __init__(self, data: bytes, device: torch.device, name: str = "pixelcnn") -> None:
        """``data``: a model file written by `ridecodec.models.pixelcnn.export`."""
        try:
            tensors = safetensors.torch.load(data)
            config = PixelConfig(**json.loads(bytes(tensors["config"].numpy())))
            with torch.device("meta"):  # a file of a few bytes can claim the largest network
                check_shapes(PixelModel(config), tensors)
            self.model = PixelModel(config).eval()
            fill(self.model, tensors)
            tables = {name[7:]: value for name, value in tensors.items() if name.startswith("tables.")}
            gates = GateTables(tables["tanh"], tables["sigmoid"]).to(device)
            outputs = Outputs(config, tables, device)
        except _MODEL_FILE as error:
            raise ModelRefusedError(f"the model file of {name!r} is damaged ({error})") from error
        self.config = config
        # only encoders compute codes; double precision makes a difference between devices very unlikely
        self.chooser = copy.deepcopy(self.model).double() if config.classes or config.vector else None
        self.model.to(device)
        super().__init__(self.model.network, gates, outputs, name, device)
        self.classes, self.code = config.classes, config.vector
        self.painting = None if self.model.painter is None else Painting(self.model.painter)
        self.enlarging = None if self.model.enlarger is None else Enlarging(self.model.enlarger)
        if self.model.smaller is not None:
            self.half = NetworkBackend(self.model.smaller, gates, outputs, name, device)

    def side_information(self, planes: Tensor, label: int | None = None) -> bytes:
        """``label``, or the one with which the picture costs least; the picture's code; or nothing."""
        if label is not None:
            return bytes([label])
        if self.chooser is None:
            return b""
        picture = planes[None].double().cpu()
        if self.chooser.encoder is not None:
            code = self.chooser.encoder(picture)[0] * (1 << CODE_BITS)
            return bytes(code.round().to(torch.int8).view(torch.uint8).tolist())
        costs = [float(self.chooser.bits(picture, label[None]).sum()) for label in torch.arange(self.classes)]
        return bytes([costs.index(min(costs))])

    def context(self, sides: list[bytes], board: Board) -> Context | None:
        if self.classes:
            if any(len(side) != 1 or side[0] >= self.classes for side in sides):
                raise DamagedError("the pixel data is damaged: it has no label that the model knows")
            return labelled([side[0] for side in sides], self.classes, self.device)
        if self.config.vector:
            if any(len(side) != self.config.vector or 0x80 in side for side in sides):
                raise DamagedError("the pixel data is damaged: it has no code of the model's length")
            code = coded(sides, self.device)
            return code if self.painting is None else self.painting(code, board)
        if self.enlarging is not None:
            shape = (len(sides), -1, (board.height + 1) // 2, (board.width + 1) // 2)
            pixels = torch.frombuffer(bytearray(b"".join(sides)), dtype=torch.uint8)
            return self.enlarging(pixels.to(self.device).double().view(shape), board)
        return super().context(sides, board)

    def likelihood(self, planes: Tensor, side: bytes) -> Tensor | None:
        labels = torch.tensor([side[0]], device=self.device) if self.classes else None
        return self.model.bits(planes[None].to(self.device), labels)[0].cpu()


def _layer(layer: torch.nn.Module, index: int, net: PixelNetwork, gates: GateTables) -> Layer:
    name = f"layers.{index}"
    if isinstance(layer, GatedLayer):
        return Gated(layer, name, net, index, gates)
    if isinstance(layer, ResidualBlock):
        return Residual(layer, name, net)
    if isinstance(layer, RowLSTM):
        return exact_recurrent.Rows(layer, name, net, gates)
    if isinstance(layer, DiagonalBiLSTM):
        return exact_recurrent.Diagonals(layer, name, net, gates)
    assert isinstance(layer, Conv)
    return Masked(layer, name, net)


class _PixelStepper(Stepper):
    def __init__(self, model: NetworkBackend, board: Board, context: Context | None) -> None:
        self.model, self.board = model, board
        self.slope = model.hood.pace(board.width)
        self.inputs = model.inputs.open(board, context)
        below = self.inputs
        self.levels: list[tuple[Layer, State, State]] = []
        for layer in model.layers:
            state = layer.open(board, below)
            self.levels.append((layer, state, below))
            below = state
        self.top = below
        self.turn: list[Tensor] = []
        self.t = -max(layer.lead for layer in model.layers) - 1
        self.places = board.front(0, self.slope)

    def begin(self, t: int) -> None:
        if self.model.hood.raster and t and t % self.board.width == 0:
            for layer, state, below in self.levels:
                layer.finish(state, below, t // self.board.width - 1)
        while self.t < t:
            self.t += 1
            for layer, state, below in self.levels:
                places = self.board.front(self.t, self.slope, layer.lead)
                if len(places):
                    layer.prepare(state, below, places)
        self.places = self.board.front(t, self.slope)
        for layer, state, _ in self.levels:
            layer.enter(state, self.places)

    def distribution(self, channel: int) -> Distribution:
        for layer, state, below in self.levels:
            layer.run(state, below, self.places, channel)
        return self.model.outputs(self.model.head(self.top, self.turn, self.places, channel))

    def observe(self, channel: int, values: Tensor) -> None:
        self.model.inputs.observe(self.inputs, self.places, channel, values)
