"""What a network of the PixelCNN family is made of. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ridecodec.errors import UsageError
from ridecodec.models.fields import check, setting

VALUES = 256
_MOST = 1024
KINDS = ("pixelcnn", "gated", "row-lstm", "diagonal-lstm")


@dataclass(frozen=True)
class PixelConfig:
    """What a network is made of."""

    kind: str = setting("gated", "Gated PixelCNN, PixelCNN, or PixelRNN with one of its LSTMs.", choices=KINDS)
    channels: int = setting(3, "1 for gray, 3 for RGB.", choices=(1, 3))
    maps: int = setting(
        48, "Feature maps per layer, a multiple of the channels (PixelCNN: of twice the channels).", 1, _MOST
    )
    layers: int = setting(8, "Number of layers or residual blocks.", 1, 64)
    reach: int = setting(1, "Reach of the convolutions: 1 for 3x3, 2 for 5x5.", 1, 16)
    first: int = setting(3, "Reach of the first convolution.", 1, 16)
    head: int = setting(96, "Feature maps before the outputs, a multiple of the channels.", 1, _MOST)
    mixtures: int = setting(0, "Number of logistics in the mixture for a sub-pixel; 0 for a softmax.", 0, 32)
    classes: int = setting(0, "Number of classes that the network is conditioned on (Gated PixelCNN).", 0, 256)
    vector: int = setting(0, "Length of the code that an encoder makes of each picture (auto-encoder).", 0, _MOST)
    encoder: int = setting(0, "Feature maps of the encoder.", 0, _MOST)
    painted: int = setting(0, "Number of 8x8 maps made from the code; 0 uses the same code everywhere.", 0, _MOST)
    half: int = setting(0, "Feature maps of a network that first codes the picture at half size.", 0, _MOST)
    half_layers: int = setting(6, "Layers of that network.", 1, 64)
    spatial: int = setting(16, "Number of maps that pass the half-size picture to the main network.", 1, _MOST)

    def __post_init__(self) -> None:
        check(self)
        for name, unit in (("maps", 2 if self.kind == "pixelcnn" else 1), ("head", 1), ("half", 1)):
            if getattr(self, name) % (unit * self.channels):
                raise UsageError(f"{name} is {getattr(self, name)}; choose a multiple of {unit * self.channels}")
        if bool(self.classes) + bool(self.vector) + bool(self.half) > 1:
            raise UsageError("classes, vector and half cannot be used together; give one of them")
        if bool(self.encoder) != bool(self.vector):
            raise UsageError("vector and encoder must be used together")
        if self.painted and not self.vector:
            raise UsageError("painted needs vector and encoder")
        if self.context and self.kind != "gated":
            raise UsageError(f"kind is {self.kind!r}, but only 'gated' supports classes, vector and half")

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
