"""PixelCNN with what tells it of the picture: labels, an encoder, or a smaller picture and its network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ridecodec.exact.program import Program
from ridecodec.exact.recorder import Recorder, Value
from ridecodec.models.pixelcnn.config import PixelConfig
from ridecodec.models.pixelcnn.context import Encoder, Enlarger, Painter, halved
from ridecodec.models.pixelcnn.gated import Told
from ridecodec.models.pixelcnn.integers import HERE, STREAM_TOP, STREAM_UNIT, Maps
from ridecodec.models.pixelcnn.network import PixelNetwork
from ridecodec.models.pixelcnn.sides import CODE_TOP, CODE_UNIT


class PixelModel(nn.Module):
    """A network of the family, whole: ``each`` and ``bits`` are code lengths of all that a decoder must be told but
    labels and codes.

    Where the picture at half its size comes first, its pixels cost what its own network says, and the network of the
    whole picture pays for the others only.
    """

    def __init__(self, config: PixelConfig) -> None:
        super().__init__()
        self.config = config
        self.network = PixelNetwork(config)
        self.smaller = PixelNetwork(config.smaller) if config.half else None
        self.encoder = Encoder(config.channels, config.encoder, config.vector) if config.encoder else None
        self.painter = Painter(config.vector, config.painted) if config.painted else None
        self.enlarger = Enlarger(config.channels, config.spatial) if config.half else None

    def context(self, x: Tensor, labels: Tensor | None = None) -> Tensor | None:
        """What the network is told of pictures [B, C, H, W], whose ``labels`` are [B]: [B, context, 1 or H, 1 or W]."""
        if self.config.classes:
            assert labels is not None
            return nn.functional.one_hot(labels.long(), self.config.classes).to(x)[:, :, None, None]
        if self.encoder is not None:
            code: Tensor = self.encoder(x)[:, :, None, None]
            painted: Tensor = code if self.painter is None else self.painter(code, *x.shape[2:])
            return painted
        if self.enlarger is not None:
            maps: Tensor = self.enlarger(halved(x), *x.shape[2:])
            return maps
        return None

    def each(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Code length of every sub-pixel, bits [B, C, H, W]."""
        found = self.network.each(x, self.context(x, labels))
        if self.smaller is None:
            return found
        known = torch.zeros_like(found[:1, :1])
        halved(known).fill_(1)
        small = torch.zeros_like(found)
        small[:, :, ::2, ::2] = self.smaller.each(halved(x))
        return found * (1 - known) + small

    def bits(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Code length of every pixel, all channels together, bits [B, H, W]."""
        return self.each(x, labels).sum(1)

    @property
    def side(self) -> str:
        """The kind of side information that its tiles have."""
        return "label" if self.config.classes else "code" if self.encoder else "half" if self.smaller else "none"

    def program(self) -> Program:
        """The network of the whole picture, recorded."""
        ops = Recorder(self.config.channels)
        self.network.record(ops, self._told(ops))
        return ops.program(self.smaller is not None)

    def smaller_program(self) -> Program | None:
        """That of the picture at half its size, if there is one."""
        if self.smaller is None:
            return None
        ops = Recorder(self.config.channels)
        self.smaller.record(ops)
        return ops.program()

    def _told(self, ops: Recorder) -> Told | None:
        config = self.config
        if config.classes:
            label = ops.parameter("label", 0, config.classes - 1, 1)
            return Told(index=lambda: ops.told(label))
        if config.vector:
            number = ops.parameter("code", -CODE_TOP, CODE_TOP, config.vector)
            if self.painter is None:
                return Told(maps=lambda: ops.told(number, CODE_UNIT))
        if not config.context:
            return None
        with ops.ahead(self.network.lead):
            maps = Maps.declare(ops, config.context, STREAM_UNIT, 0, STREAM_TOP)
            if self.enlarger is not None:
                maps.keep(ops, self.enlarger.record(ops))
            elif self.painter is not None:
                maps.keep(ops, self.painter.record(ops, ops.told(number, CODE_UNIT)))

        def near() -> Value:
            return maps.own[0] if ops.lead == self.network.lead else maps.tap(ops, [HERE])

        return Told(maps=near)
