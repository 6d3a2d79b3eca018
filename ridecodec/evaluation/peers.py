"""Other lossless codecs on the same pixels: sizes, CPU seconds, and a round trip that is always verified."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ridecodec.errors import UsageError, VerificationError
from ridecodec.evaluation.results import Measurement
from ridecodec.files.pilfiles import opened
from ridecodec.picture import MAX_PIXELS, ColourType, Picture

Pixels = NDArray[np.uint8 | np.uint16]
"""uint8 [H, W] for gray, or [H, W, C] for gray with alpha, RGB and RGB with alpha; or uint16."""

PNG_AS_GIVEN = "png"
JXL_EXTRA = "pillow_jxl"

T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A codec to compare with, from pixels in memory to bytes in memory and back, on one thread."""

    name: str
    label: str
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes], Pixels]
    largest_side: int = 2**31 - 1
    deep: bool = True
    """Whether it takes gray of 16 bits."""
    default: bool = True
    needs: str | None = None

    @property
    def installed(self) -> bool:
        """Whether the package that it needs is there."""
        return self.needs is None or importlib.util.find_spec(self.needs) is not None

    def takes(self, pixels: Pixels) -> bool:
        """Whether it can code them; of 16 bits Pillow has gray alone."""
        fits = pixels.dtype == np.uint8 or (self.deep and pixels.ndim == 2)
        return fits and max(pixels.shape[:2]) <= self.largest_side


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Result of `call` and the CPU seconds it took, all threads of this process together."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def _encoder(form: str, **options: Any) -> Callable[[Pixels], bytes]:
    def encode(pixels: Pixels) -> bytes:
        file = BytesIO()
        Image.fromarray(pixels).save(file, form, **options)
        return file.getvalue()

    return encode


def _decode_pillow(data: bytes) -> Pixels:
    with opened(BytesIO(data), MAX_PIXELS) as image:
        return np.asarray(image)


def _encode_jxl(effort: int) -> Callable[[Pixels], bytes]:
    encode = _encoder("JXL", lossless=True, effort=effort, num_threads=0)

    def register_and_encode(pixels: Pixels) -> bytes:
        import pillow_jxl  # noqa: F401  (registers the format with Pillow)

        return encode(pixels)

    return register_and_encode


def _decode_jxl(data: bytes) -> Pixels:
    import pillow_jxl

    # Pillow's own way of opening takes every core, whose idling counts as CPU time.
    decoder: Any = pillow_jxl.Decoder(num_threads=0)
    _, info, samples, *_ = decoder(data)
    channels = len(Image.new(info.mode, (1, 1)).getbands())
    shape = (info.height, info.width, channels) if channels > 1 else (info.height, info.width)
    return np.frombuffer(samples, np.uint16 if info.mode == "I;16" else np.uint8).reshape(shape)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("png-optimize", "PNG, Pillow optimize", _encoder("PNG", optimize=True), _decode_pillow),
        Peer(
            "webp",
            "WebP lossless",
            _encoder("WebP", lossless=True, exact=True),
            _decode_pillow,
            largest_side=16383,
            deep=False,
        ),
        Peer(
            "webp-m6",
            "WebP lossless -m 6 -q 100",
            _encoder("WebP", lossless=True, exact=True, method=6, quality=100),
            _decode_pillow,
            largest_side=16383,
            deep=False,
            default=False,
        ),
        Peer("jxl-e7", "JPEG XL -e 7", _encode_jxl(7), _decode_jxl, needs=JXL_EXTRA),
        Peer("jxl-e9", "JPEG XL -e 9", _encode_jxl(9), _decode_jxl, needs=JXL_EXTRA),
    )
}
NAMES = (PNG_AS_GIVEN, *PEERS)
LABELS = {PNG_AS_GIVEN: "PNG as given", **{name: peer.label for name, peer in PEERS.items()}}


def choose(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names to measure, in the order of tables: None stands for all that are installed and quick.

    Raises `UsageError` for a name that is unknown or whose package is not installed.
    """
    if names is None:
        return (PNG_AS_GIVEN, *(p.name for p in PEERS.values() if p.default and p.installed))
    for name in names:
        if name not in NAMES:
            raise UsageError(f"there is no codec {name!r} to compare with; choose one of: {', '.join(NAMES)}")
        if name in PEERS and not PEERS[name].installed:
            raise UsageError(f"{PEERS[name].label} is not installed: pip install 'ridecodec[bench]'")
    return tuple(name for name in NAMES if name in names)


def shown(picture: Picture) -> Pixels | None:
    """What other codecs get of a picture: its samples, or the colours that it shows where it has indices, fewer than
    8 bits or a transparent colour; None where they have no such type."""
    if picture.colour in (ColourType.RGBX, ColourType.CMYK):
        return None
    if picture.bit_depth >= 8 and not picture.colour.indexed and picture.transparency is None:
        return picture.to_numpy()
    if picture.bit_depth == 16:
        return None
    image = picture.to_pil()
    see_through = picture.transparency is not None or picture.colour is ColourType.PALETTE_ALPHA
    colours = "RGB" if picture.colour is not ColourType.GRAY else "L"
    return np.asarray(image.convert("RGBA" if see_through else colours))


def _verify(label: str, decoded: Pixels, pixels: Pixels) -> None:
    if decoded.shape != pixels.shape and decoded.dtype == pixels.dtype == np.uint8:  # WebP has no gray, nor opaque RGBA
        decoded, pixels = (np.asarray(Image.fromarray(each).convert("RGBA")) for each in (decoded, pixels))
    if not np.array_equal(decoded, pixels):
        raise VerificationError(f"{label}: the decoded pixels differ from the picture")


def measure(peer: Peer, pixels: Pixels) -> Measurement:
    """Size and times of one codec; raises `VerificationError` where the pixels do not come back."""
    data, encode = timed(lambda: peer.encode(pixels))
    decoded, decode = timed(lambda: peer.decode(data))
    _verify(peer.label, decoded, pixels)
    return Measurement(peer.name, pixels.shape[0] * pixels.shape[1], pixels.size, len(data), encode, decode)


def measure_png(picture: Picture, pixels: Pixels | None) -> Measurement | None:
    """Pillow's optimized PNG of a picture of any type, by its own type.

    None where Pillow has no such type, and where it writes another picture, as of indices beyond the palette.
    """
    if pixels is not None and np.array_equal(picture.to_numpy(), pixels):
        return measure(PEERS["png-optimize"], pixels) if PEERS["png-optimize"].takes(pixels) else None
    if pixels is None or picture.bit_depth == 16 or picture.colour is ColourType.PALETTE_ALPHA:
        return None
    image, file = picture.to_pil(), BytesIO()
    _, encode = timed(lambda: image.save(file, "PNG", optimize=True))
    found, decode = timed(lambda: _loaded(file.getvalue()))
    if not np.array_equal(np.asarray(found.convert(Image.fromarray(pixels).mode)), pixels):
        return None
    size = len(file.getvalue())
    return Measurement("png-optimize", picture.width * picture.height, picture.sub_pixels, size, encode, decode)


def _loaded(data: bytes) -> Image.Image:
    with opened(BytesIO(data), MAX_PIXELS) as image:
        image.load()
        return image.copy()


def measure_given(data: bytes, picture: Picture, pixels: Pixels | None) -> Measurement:
    """The PNG file `data` that the picture came from: its size, metadata included, and the time to decode it.

    The time only where Pillow has the picture's very type.
    """
    decode = None
    if pixels is not None and np.array_equal(picture.to_numpy(), pixels) and PEERS["png-optimize"].takes(pixels):
        decoded, decode = timed(lambda: _decode_pillow(data))
        _verify(LABELS[PNG_AS_GIVEN], decoded, pixels)
    return Measurement(PNG_AS_GIVEN, picture.width * picture.height, picture.sub_pixels, len(data), None, decode)
