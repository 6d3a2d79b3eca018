"""What a network of the PixelCNN family is made of. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.errors import UsageError
from ridecodec.fields import check, setting

VALUES = 256
_MOST = 1024
KINDS = ("pixelcnn", "gated", "row-lstm", "diagonal-lstm")


@dataclass(frozen=True)
class PixelConfig:
    """What a network is made of."""

    kind: str = setting("gated", "Gated PixelCNN, PixelCNN, or PixelRNN with one of its LSTMs.", choices=KINDS)
    channels: int = setting(3, "Gray or RGB.", choices=(1, 3))
    maps: int = setting(48, "Feature maps of a layer, a multiple of the channels (PixelCNN: of twice them).", 1, _MOST)
    layers: int = setting(8, "Layers, or residual blocks.", 1, 64)
    reach: int = setting(1, "Of a layer's convolution: 1 for 3x3, 2 for 5x5.", 1, 16)
    first: int = setting(3, "Of the first layer's.", 1, 16)
    head: int = setting(96, "Maps before the outputs, a multiple of the channels.", 1, _MOST)
    mixtures: int = setting(0, "Logistics that a sub-pixel is a mixture of, in place of a softmax.", 0, 32)
    classes: int = setting(0, "Classes whose labels the network is told (Gated PixelCNN).", 0, 256)
    vector: int = setting(0, "Numbers that an encoder says of each picture: an auto-encoder's code.", 0, _MOST)
    encoder: int = setting(0, "Feature maps of that encoder.", 0, _MOST)
    painted: int = setting(0, "Maps of 8x8 cells that a code is made into; 0: it is told everywhere alike.", 0, _MOST)
    half: int = setting(0, "Feature maps of a network that codes the picture at half its size first.", 0, _MOST)
    half_layers: int = setting(6, "Of that network.", 1, 64)
    spatial: int = setting(16, "Maps that the whole picture's network is then told.", 1, _MOST)

    def __post_init__(self) -> None:
        check(self)
        for name, unit in (("maps", 2 if self.kind == "pixelcnn" else 1), ("head", 1), ("half", 1)):
            if getattr(self, name) % (unit * self.channels):
                raise UsageError(f"{name} is {getattr(self, name)}; choose a multiple of {unit * self.channels}")
        if bool(self.classes) + bool(self.vector) + bool(self.half) > 1:
            raise UsageError("classes, vector and half exclude one another; give one of them")
        if bool(self.encoder) != bool(self.vector):
            raise UsageError("a code has a length and an encoder that makes it; give both vector and encoder, or none")
        if self.painted and not self.vector:
            raise UsageError("only a code is painted; give vector and encoder too")
        if self.context and self.kind != "gated":
            raise UsageError(f"kind is {self.kind!r}, and only 'gated' can be told something")

    @property
    def context(self) -> int:
        """Numbers, or maps, that condition the network."""
        return self.classes + (self.painted or self.vector) + (self.spatial if self.half else 0)

    @property
    def smaller(self) -> PixelConfig:
        """The network of the picture at half its size."""
        return PixelConfig(
            "gated", self.channels, self.half, self.half_layers, self.reach, self.first, self.head, self.mixtures
        )

    @property
    def outputs(self) -> int:
        """Numbers that say a sub-pixel's distribution."""
        return 3 * self.mixtures or VALUES
