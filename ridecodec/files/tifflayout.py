"""How the samples of TIFF files are stored: strips or tiles, what they are packed by, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ridecodec.errors import InputError
from ridecodec.files.tiffdirectory import Directory, damaged
from ridecodec.picture import check_pixels

PLAIN, JPEG, PNG, LERC = 1, 7, 34933, 34887
DEFLATE, WEBP, JPEG2000 = (8, 32946), (50001, 34927), (33003, 33005, 34712)
"""Compressions, by the numbers that TIFF has for them."""
IMAGES = {JPEG: "JPEG", LERC: "LERC", PNG: "PNG", **dict.fromkeys(WEBP, "WebP"), **dict.fromkeys(JPEG2000, "JPEG 2000")}
"""Those whose strips are pictures themselves."""
PREDICTED = (5, *DEFLATE, 34925, 34926, 50000)
"""Those that a predictor goes with."""
_BLACK_IS_ZERO, _RGB, _CMYK, _YCBCR = 1, 2, 5, 6
"""Photometric interpretations."""
_JPEG_CMYK, _JPEG_END = 4, b"\xff\xd9"


@dataclass(frozen=True)
class Jpeg:
    """What the JPEG data of strips and tiles leaves out: tables, and the colours that they hold and are wanted."""

    tables: bytes | None
    held: int | None
    wanted: int | None

    @classmethod
    def of(cls, directory: Directory, planar: bool) -> Jpeg:
        tables = directory.fields[347].data if 347 in directory.fields else None
        photometric = (*directory.integers(262), _BLACK_IS_ZERO)[0]
        if planar:
            return cls(tables, None, _BLACK_IS_ZERO)
        if directory.integers(338) or photometric not in (_RGB, _YCBCR, _CMYK):
            return cls(tables, None, None)
        return cls(tables, _RGB if photometric == _RGB else None, _JPEG_CMYK if photometric == _CMYK else _RGB)

    def told(self, data: bytes) -> dict[str, Any]:
        """What a decoder must be told; ValueError where the data has no end, which decoders make up for."""
        if not data.rstrip(b"\0").endswith(_JPEG_END):
            raise ValueError("it is cut short")
        held = None if data[6:10] == b"JFIF" else self.held
        return {"tables": self.tables, "colorspace": held, "outcolorspace": self.wanted}


@dataclass(frozen=True)
class Layout:
    """How the samples of a directory are stored, checked: what there is no reader for raises `InputError`."""

    width: int
    height: int
    channels: int
    bits: int
    planar: bool
    compression: int
    predicted: bool
    reversed: bool
    order: str
    columns: int
    rows: int
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    two_dimensional: bool
    jpeg: Jpeg

    @classmethod
    def of(cls, directory: Directory, max_pixels: int) -> Layout:
        """The layout that a directory describes."""

        def number(tag: int, default: int | None = None) -> int:
            values = directory.integers(tag)
            value = values[0] if values else default
            if len(set(values)) > 1 or value is None or value < 0:
                raise damaged(f"its tag {tag} is missing or not valid")
            return value

        width, height = number(256), number(257)
        if not width or not height:
            raise InputError(f"a picture of {width}x{height} has no pixels")
        check_pixels(width, height, max_pixels)
        if any(number(tag, 1) != 1 for tag in (32997, 32998)):
            raise InputError("a picture of several frames (a TIFF volume) is not supported")
        tiled = 322 in directory.fields
        columns, rows = (number(322), number(323)) if tiled else (width, min(number(278, height), height))
        if not rows or not columns:
            raise damaged("its strips have no rows")
        check_pixels(columns, rows, max(max_pixels, 1 << 20))
        compression, predictor = number(259, PLAIN), number(317, 1)
        if compression not in PREDICTED and compression in IMAGES:
            predictor = 1
        if predictor not in (1, 2) or (predictor == 2 and compression not in PREDICTED):
            raise InputError(f"a TIFF file of predictor {predictor} and compression {compression} is not supported")
        bits = number(258, 1)
        if predictor == 2 and bits not in (8, 16, 32):
            raise InputError(f"a TIFF file of predicted samples of {bits} bits is not supported")
        channels = number(277, 1)
        if not 0 < channels <= 0xFFFF or len(directory.integers(258)) not in (0, 1, channels):
            raise damaged("its number of bits per sample does not match its channels")
        planar = number(284, 1) == 2
        row_bits = columns * bits * (1 if planar else channels)
        offsets, counts = directory.integers(324 if tiled else 273), directory.integers(325 if tiled else 279)
        if not counts and len(offsets) == 1 and compression == PLAIN:
            counts = ((row_bits + 7) // 8 * rows,)
        segments = -(-width // columns) * -(-height // rows) * (channels if planar else 1)
        if len(offsets) != segments or len(counts) != segments:
            raise damaged(f"it has {len(offsets)} strips or tiles, and {segments} are needed")
        return cls(
            width,
            height,
            channels,
            bits,
            planar,
            compression,
            predictor == 2,
            number(266, 1) == 2,
            directory.order,
            columns,
            rows,
            tiled,
            offsets,
            counts,
            bool(number(292, 0) & 1),
            Jpeg.of(directory, planar),
        )

    @property
    def together(self) -> int:
        """Samples of a pixel that stand side by side."""
        return 1 if self.planar else self.channels

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a strip or tile that is not compressed."""
        return (self.columns * self.together * self.bits + 7) // 8

    def places(self) -> Iterator[tuple[int, int, int]]:
        """First channel, top and left of each strip or tile."""
        for channel in range(self.channels if self.planar else 1):
            for top in range(0, self.height, self.rows):
                for left in range(0, self.width, self.columns):
                    yield channel, top, left
