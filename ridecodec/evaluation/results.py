"""What a benchmark found: plain numbers, their sums, and the rows every report shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ridecodec.counting import counted


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates of one picture in bits per sub-pixel, and the compressed file."""

    model: str
    """Name of the model in the file."""
    likelihood: float | None
    """Rate of the float model; None for a model without a float form, and for `auto`."""
    ideal: float | None
    """Rate of the integers that the coder uses; None for `auto`."""
    achieved: float
    """Rate of the whole file."""
    sub_pixels: int
    bits_map: NDArray[np.float32]
    """[H, W] ideal bits of every pixel, all channels together; for `auto`, the bits of each tile spread evenly."""
    data: bytes
    """The compressed file."""

    def __repr__(self) -> str:
        rates = (f"{name}={_rate(getattr(self, name))}" for name in ("likelihood", "ideal", "achieved"))
        return f"<Rates {self.model}: {', '.join(rates)}, {counted(len(self.data), 'byte')}>"


def _rate(value: float | None) -> str:
    return "None" if value is None else f"{value:.4f}"


@dataclass(frozen=True)
class Measurement:
    """One codec on one picture, or the sum over several pictures.

    `size` is in bytes, the whole file counted.  `encode` and `decode` are CPU seconds, None where not measured.
    `likelihood` and `ideal` are bits, None for codecs that have no such rate.
    """

    codec: str
    pixels: int
    sub_pixels: int
    size: int
    encode: float | None
    decode: float | None
    likelihood: float | None = None
    ideal: float | None = None

    @property
    def bpsp(self) -> float:
        """Achieved rate: bits of the file a sub-pixel."""
        return 8 * self.size / self.sub_pixels

    @property
    def likelihood_bpsp(self) -> float | None:
        """Rate of the float model, bits a sub-pixel."""
        return None if self.likelihood is None else self.likelihood / self.sub_pixels

    @property
    def ideal_bpsp(self) -> float | None:
        """Rate of the integer tables that the coder uses, bits a sub-pixel."""
        return None if self.ideal is None else self.ideal / self.sub_pixels

    @property
    def encode_speed(self) -> float | None:
        """CPU seconds a megapixel for compressing."""
        return None if self.encode is None else 1e6 * self.encode / self.pixels

    @property
    def decode_speed(self) -> float | None:
        """CPU seconds a megapixel for decompressing."""
        return None if self.decode is None else 1e6 * self.decode / self.pixels


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def total(parts: Sequence[Measurement]) -> Measurement:
    """Sum of measurements of one codec; what one of them lacks, the sum lacks too."""
    return Measurement(
        parts[0].codec,
        sum(m.pixels for m in parts),
        sum(m.sub_pixels for m in parts),
        sum(m.size for m in parts),
        _sum(m.encode for m in parts),
        _sum(m.decode for m in parts),
        _sum(m.likelihood for m in parts),
        _sum(m.ideal for m in parts),
    )


@dataclass(frozen=True)
class Row:
    """One line of a table: a picture (or "total"), a codec on it, and its size relative to the PNG if there is one."""

    image: str
    measurement: Measurement
    ratio: float | None


@dataclass(frozen=True)
class ImageResult:
    """All codecs on one picture.

    `reference` is the size in bytes of the PNG that ratios refer to: the file as given where it is a PNG, else what
    Pillow writes with optimize, None where that cannot hold it.  `preview` is uint8 [h, w] or [h, w, 3] and `heat_maps`
    hold, for each model, bits a pixel as float32 [h, w], both averaged over squares where the picture is large.
    """

    name: str
    width: int
    height: int
    channels: int
    reference: int | None
    measurements: tuple[Measurement, ...]
    preview: NDArray[np.uint8] = field(repr=False)
    heat_maps: Mapping[str, NDArray[np.float32]] = field(repr=False)

    @property
    def rows(self) -> list[Row]:
        """Every codec on this picture."""
        return [Row(self.name, m, m.size / self.reference if self.reference else None) for m in self.measurements]


@dataclass(frozen=True)
class Results:
    """A whole benchmark: its pictures, the labels of the codecs by name, and the settings it ran under."""

    images: tuple[ImageResult, ...]
    labels: Mapping[str, str]
    settings: Mapping[str, str]
    failures: tuple[str, ...] = ()
    """Pictures that could not be measured, and why."""

    @cached_property
    def totals(self) -> list[Row]:
        """Sums for every codec, over all pictures, or over those that it takes: "2 of 3".

        The ratio is over those of them that have a PNG.
        """
        rows = []
        for codec in self.labels:
            found = [(m, image) for image in self.images for m in image.measurements if m.codec == codec]
            if found:
                whole = total([m for m, _ in found])
                compared = [(m.size, image.reference) for m, image in found if image.reference]
                size, reference = (sum(each) for each in zip(*compared, strict=True)) if compared else (0, 0)
                name = "total" if len(found) == len(self.images) else f"{len(found):,} of {len(self.images):,}"
                rows.append(Row(name, whole, size / reference if reference else None))
        return rows

    @property
    def rows(self) -> list[Row]:
        """Every codec on every picture, picture by picture."""
        return [row for image in self.images for row in image.rows]
