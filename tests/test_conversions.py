"""Conversions from YCbCr and samplings of chroma, held against the programs that they are of."""

from __future__ import annotations

import io
import platform
import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from pictures import crop
from PIL import Image

from ridecodec.histories import lattice
from ridecodec.histories.chroma import solve
from ridecodec.histories.conversions import WORDS, conversion
from ridecodec.histories.sampling import SAMPLINGS, Sampling
from ridecodec.histories.window import Window

Array = NDArray[np.uint8]
HEIGHT, WIDTH = 128, 256
X86 = platform.machine() in ("x86_64", "AMD64")


def planes(down: int, across: int) -> tuple[Array, Array, Array]:
    """Y, Cb and Cr of all values, in no order."""
    draw = np.random.default_rng(down + 8 * across)
    sizes = [(HEIGHT, WIDTH), *[(HEIGHT // down, WIDTH // across)] * 2]
    return tuple(draw.integers(0, 256, size, np.uint8) for size in sizes)


def ours(number: int, sampling: Sampling, y: Array, cb: Array, cr: Array) -> Array:
    spread = [sampling.whole(plane, *y.shape) for plane in (cb, cr)]
    return conversion(number).rgb(y, *spread).transpose(1, 2, 0)


def plain(down: int, across: int) -> Sampling:
    return Sampling(down, across, False, 0, 0)


def ffmpeg(layout: str, y: Array, cb: Array, cr: Array, before: tuple[str, ...], after: tuple[str, ...]) -> Array:
    """The colours that ffmpeg's swscale makes of planes."""
    size = f"{WIDTH}x{HEIGHT}"
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        layout,
        "-s",
        size,
        "-i",
        "-",
        *after,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *before, *raw]
    made = subprocess.run(command, input=b"".join(p.tobytes() for p in (y, cb, cr)), capture_output=True, check=True)
    return np.frombuffer(made.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("plain_c", [False, True], ids=["vectors", "c"])
@pytest.mark.parametrize("matrix", ["601", "709"])
@pytest.mark.parametrize(
    ("layout", "down", "across", "full"),
    [
        ("yuv420p", 2, 2, False),
        ("yuv422p", 1, 2, False),
        ("yuv444p", 1, 1, False),
        ("yuvj420p", 2, 2, True),
        ("yuvj422p", 1, 2, True),
        ("yuvj444p", 1, 1, True),
    ],
)
def test_swscale_computes_these_colours(
    layout: str, down: int, across: int, full: bool, matrix: str, plain_c: bool
) -> None:
    """Frames of even height; of 4:4:4 the same code runs with and without vectors."""
    if not (plain_c or X86 or across == 1):
        pytest.skip("swscale's vectors of x86-64")
    samples = planes(down, across)
    after = ("-vf", f"scale=in_color_matrix=bt{matrix}")
    wanted = ffmpeg(layout, *samples, ("-cpuflags", "0") if plain_c else (), after)
    way = 2 if across == 1 else int(plain_c)
    number = 3 + 4 * way + 2 * (matrix == "709") + full
    assert np.array_equal(ours(number, plain(down, across), *samples), wanted)


def test_opencv_computes_these_colours() -> None:
    y, cb, cr = planes(1, 1)
    wanted = cv2.cvtColor(np.stack([y, cr, cb], -1), cv2.COLOR_YCrCb2RGB)
    assert np.array_equal(ours(1, plain(1, 1), y, cb, cr), wanted)
    y, cb, cr = planes(2, 2)
    stacked = np.concatenate([y.reshape(-1), cb.reshape(-1), cr.reshape(-1)]).reshape(-1, WIDTH)
    assert np.array_equal(ours(2, plain(2, 2), y, cb, cr), cv2.cvtColor(stacked, cv2.COLOR_YUV2RGB_I420))
    pairs = np.concatenate([y, np.stack([cb, cr], -1).reshape(-1, WIDTH)])
    assert np.array_equal(ours(2, plain(2, 2), y, cb, cr), cv2.cvtColor(pairs, cv2.COLOR_YUV2RGB_NV12))
    y, cb, cr = planes(1, 2)
    pairs = np.stack([y, np.stack([cb, cr], -1).reshape(HEIGHT, WIDTH)], -1)
    assert np.array_equal(ours(2, plain(1, 2), y, cb, cr), cv2.cvtColor(pairs, cv2.COLOR_YUV2RGB_YUY2))


def test_libjpeg_computes_these_colours() -> None:
    """Pillow gives what libjpeg-turbo converts, and what it makes of it: noise has all values."""
    data = io.BytesIO()
    Image.fromarray(np.stack(planes(1, 1), -1)).save(data, "JPEG", subsampling=0, quality=95)
    samples = Image.open(data)
    samples.draft("YCbCr", samples.size)
    wanted = np.asarray(Image.open(data))
    assert np.array_equal(ours(0, plain(1, 1), *np.asarray(samples).transpose(2, 0, 1)), wanted)


@pytest.mark.parametrize("size", [(97, 130), (96, 131), (41, 5)])
@pytest.mark.parametrize(("name", "down", "across"), [("420", 2, 2), ("422", 1, 2), ("440", 2, 1)])
def test_libjpeg_spreads_chroma_like_this(name: str, down: int, across: int, size: tuple[int, int]) -> None:
    """Chroma of a file's merged, plain upsampling gives, smoothed, what its fancy upsampling gives."""
    picture = crop("astronaut", *size) // 2 + 64
    data = simplejpeg.encode_jpeg(picture, 90, colorsubsampling=name, fastdct=False)
    merged = simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=True).transpose(2, 0, 1)
    found = lattice.find(conversion(0), merged)
    assert found.known.all()
    sampling = plain(down, across)
    window = Window(sampling, *size)
    chroma = [solve(window, plane, found.known) for plane in (found.cb, found.cr)]
    y = found.y.astype(np.uint8)
    assert np.array_equal(ours(0, sampling, y, *chroma), merged.transpose(1, 2, 0))
    smooth = Sampling(down, across, True, 0, 0)
    assert np.array_equal(ours(0, smooth, y, *chroma), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("number", range(len(WORDS)))
def test_a_colour_comes_of_one_ycbcr(number: int) -> None:
    draw = np.random.default_rng(number)
    y, cb, cr = (draw.integers(low, high, 4096, np.uint8) for low, high in ((30, 225), (70, 186), (70, 186)))
    colours = conversion(number).rgb(y, cb, cr)
    inside = ((colours > 0) & (colours < 255)).all(0)
    found = lattice.find(conversion(number), colours)
    assert np.array_equal(found.known, inside)
    for plane, wanted in ((found.y, y), (found.cb, cb), (found.cr, cr)):
        assert np.array_equal(plane[inside], wanted[inside])
    low, high, missed = lattice.fitting(conversion(number), colours, cb, cr)
    assert not missed.any()
    assert ((low <= y) & (y <= high)).all()


def test_shares_are_those_of_all_conversions() -> None:
    draw = np.random.default_rng(5)
    mixed = draw.integers(0, 256, (3, 400), np.uint8)
    mixed[:, :300] = conversion(4).rgb(*draw.integers(60, 190, (3, 300), np.uint8))
    wanted = [lattice.find(conversion(number), mixed).known.mean() for number in range(len(WORDS))]
    assert lattice.shares(mixed).tolist() == wanted
    assert max(wanted) == wanted[4] > 0.6


def test_samplings_have_numbers_of_their_own() -> None:
    assert len(SAMPLINGS) == len(set(SAMPLINGS)) <= 256
