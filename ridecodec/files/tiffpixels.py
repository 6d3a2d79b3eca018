"""The samples of TIFF files: strips and tiles, unpacked exactly or not at all."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ridecodec.errors import InputError
from ridecodec.files import ccittfax, codestreams, pngfile
from ridecodec.files.pngrows import Bytes, unpacked
from ridecodec.files.tiffdirectory import Directory, TiffFile, damaged
from ridecodec.files.tifflayout import DEFLATE, IMAGES, JPEG, JPEG2000, LERC, PLAIN, PNG, WEBP, Layout

_FAX = (ccittfax.RLE, ccittfax.T4, ccittfax.T6, ccittfax.RLE_WORDS)
_BYTES = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 34926: "Zstandard", 50000: "Zstandard"}
"""Compressions that pack bytes, and that tifffile has or finds in imagecodecs."""
_NAMES = {6: "old-style JPEG", 22610: "JPEG XR", 34934: "JPEG XR", 50002: "JPEG XL", 52546: "JPEG XL"}
_NAMES |= {32809: "ThunderScan", 34676: "SGILog", 34677: "SGILog", 34892: "lossy JPEG"}
"""Those that are refused."""
_START = 1 << 16
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]
"""Bytes with their bits the other way round."""


def read(file: TiffFile, layout: Layout) -> tuple[NDArray[Any], bool]:
    """The samples, uint8, uint16 or uint32 [H, W, C], and whether there is more in the strips than they need."""
    if not all(layout.counts):
        raise InputError("a TIFF file of strips or tiles without data is not supported")
    if layout.compression == PLAIN and sum(layout.counts) < layout.width * layout.height * layout.bits // 8:
        raise damaged("it is cut short: it claims more pixels than its bytes can hold")
    unpack = _unpacker(layout)
    kind = {16: np.uint16, 32: np.uint32}.get(layout.bits, np.uint8)
    out = np.empty((layout.height, layout.width, layout.channels), kind)
    more = False
    for (channel, top, left), offset, count in zip(layout.places(), layout.offsets, layout.counts, strict=True):
        if offset < 8:
            raise damaged("a strip or tile lies in its header")
        data = file.take(offset, count)
        if layout.reversed and layout.compression not in IMAGES:
            data = _REVERSED[np.frombuffer(data, np.uint8)].tobytes()
        rows = layout.rows if layout.tiled else min(layout.rows, layout.height - top)
        try:
            samples, further = unpack(data, rows)
        except (ValueError, zlib.error, RuntimeError) as error:  # of which imagecodecs' errors are
            raise damaged(f"a strip or tile cannot be unpacked ({' '.join(str(error).split())[:120]})") from error
        inside = out[top : top + rows, left : left + layout.columns, channel : channel + layout.together]
        inside[:] = samples.reshape(rows, layout.columns, layout.together)[: inside.shape[0], : inside.shape[1]]
        more = more or (further and not layout.tiled)
    return out, more


def lossy(file: TiffFile, directory: Directory) -> str:
    """The lossy coding of a directory's samples, in words, "" where there is none; its first strip or tile says it."""
    compression = (directory.integers(259) or (PLAIN,))[0]
    if compression == JPEG:
        return "JPEG"
    where = 324 if 322 in directory.fields else 273
    offsets, counts = directory.integers(where), directory.integers(where + (1 if where == 324 else 6))
    asks = {**dict.fromkeys(WEBP, codestreams.webp_is_lossy), **dict.fromkeys(JPEG2000, codestreams.wavelet_is_lossy)}
    ask = (asks | {LERC: codestreams.lerc_is_lossy}).get(compression)
    if ask and offsets and counts and ask(file.take(offsets[0], min(counts[0], _START))):
        return f"lossy {IMAGES[compression]}"
    return ""


def _unpacker(layout: Layout) -> Callable[[bytes, int], tuple[NDArray[Any], bool]]:
    """From the bytes of a strip or tile, and its rows, to samples, and whether there is more in it."""
    compression = layout.compression
    if compression in _FAX:
        if layout.bits * layout.channels != 1:
            raise damaged("a fax has one channel of one bit")
        return partial(_fax, layout)
    if compression == PNG:
        return partial(_png, layout)
    if compression in IMAGES:
        decode = _codec(compression, IMAGES[compression])
        told = {"hasalpha": layout.channels == 4} if compression in WEBP else {}
        told |= {"masks": True} if compression == LERC else {}
        return partial(_picture, layout, partial(decode, **told))
    if compression == PLAIN:
        return partial(_samples, layout)
    if compression in DEFLATE:
        return lambda data, rows: _samples(layout, _inflated(data, layout.rows * layout.row_bytes), rows)
    if compression in _BYTES:
        decode = _codec(compression, _BYTES[compression])
        return lambda data, rows: _samples(layout, decode(data, out=layout.rows * layout.row_bytes + 1), rows)
    name = _NAMES.get(compression, f"unknown compression ({compression})")
    raise InputError(f"a TIFF file of {name} is not supported")


def _codec(compression: int, name: str) -> Callable[..., Any]:
    """The decoder of a compression; `InputError`, now or when it is called, where a package is missing."""
    import tifffile

    missing = InputError(f"a TIFF file of {name} needs another package: pip install 'ridecodec[tiff]'")
    try:
        decode: Callable[..., Any] = tifffile.TIFF.DECOMPRESSORS[compression]
    except KeyError:
        raise missing from None

    def decoded(data: bytes, **told: Any) -> Any:
        try:
            return decode(data, **told)
        except (ImportError, NotImplementedError):
            raise missing from None

    return decoded


def _inflated(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    out = unpacker.decompress(data, most + 1)
    if len(out) <= most and not unpacker.eof:
        raise ValueError("it is cut short")
    return out


def _fax(layout: Layout, data: bytes, rows: int) -> tuple[Bytes, bool]:
    found = ccittfax.decode(data, rows, layout.columns, layout.compression, layout.two_dimensional)
    return found, False


def _samples(layout: Layout, data: bytes, rows: int) -> tuple[NDArray[Any], bool]:
    """Samples of unpacked bytes, and whether more than zeros stand behind them."""
    length = rows * layout.row_bytes
    if len(data) < length:
        raise ValueError(f"it has {len(data)} bytes, and {length} are needed")
    packed = np.frombuffer(data, np.uint8, length).reshape(rows, layout.row_bytes)
    further = any(data[length:])
    shape = (rows, layout.columns * layout.together)
    if layout.bits < 16:
        samples: NDArray[Any] = unpacked(packed, shape, layout.bits)
    else:
        kind = np.dtype(f"{layout.order}u{layout.bits // 8}")
        samples = packed.view(kind).astype(kind.newbyteorder("="), copy=False)
    if layout.predicted:
        apart = samples.reshape(rows, layout.columns, layout.together)
        samples = np.cumsum(apart, axis=1, dtype=apart.dtype)
    return samples, further


def _picture(layout: Layout, decode: Callable[..., Any], data: bytes, rows: int) -> tuple[NDArray[Any], bool]:
    """The samples of a strip or tile that is a picture itself; it must be of the very size, which is checked first."""
    shape = (rows, layout.columns, layout.together)[: 3 if layout.together > 1 else 2]
    if layout.compression in JPEG2000 and codestreams.wavelet_size(data) != (layout.columns, rows, {layout.bits}):
        raise ValueError("it is a picture of another size, or of other samples")
    out = np.empty(shape, {8: np.uint8, 16: np.uint16}.get(layout.bits, np.uint32))
    told = layout.jpeg.told(data) if layout.compression == JPEG else {}
    found = decode(data, out=out, **told)
    if isinstance(found, tuple) and found[1] is not None:
        raise ValueError("it has pixels without a value")
    return out, False


def _png(layout: Layout, data: bytes, rows: int) -> tuple[NDArray[Any], bool]:
    """The same of PNG data, by the reader of PNG files."""
    found = pngfile.read(io.BytesIO(data), rows * layout.columns)
    picture = found.picture
    size = (picture.height, picture.width, picture.channels, picture.bit_depth)
    if size != (rows, layout.columns, layout.together, layout.bits) or picture.colour.indexed or found.lost:
        raise ValueError("it is a PNG file of another size")
    return picture.interleaved(), False
