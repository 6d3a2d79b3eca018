"""PixelCNN's residual block of masked convolutions (PixelRNN paper, Figure 5, left)."""

from __future__ import annotations

from torch import Tensor, nn

from ridecodec.models.pixelcnn.masked import Conv, bounded, group_mask, rectified


class ResidualBlock(nn.Module):
    """2h maps -> h by 1x1, h by a masked square, 2h by 1x1, added to the 2h."""

    def __init__(self, maps: int, groups: int, reach: int) -> None:
        super().__init__()
        half = maps // 2
        self.narrow = Conv(maps, half, mask=group_mask(half, maps, groups, strict=False))
        self.square = Conv(half, half, reach, reach, reach, mask=group_mask(half, half, groups, strict=False))
        self.widen = Conv(half, maps, mask=group_mask(maps, half, groups, strict=False))

    def forward(self, x: Tensor) -> Tensor:
        """[B, maps, H, W] -> the same."""
        inner = rectified(self.square(rectified(self.narrow(rectified(x)))))
        return bounded(x + self.widen(inner))
