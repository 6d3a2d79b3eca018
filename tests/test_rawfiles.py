"""PNM and .npy files: every layout that is read, and damaged ones."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from picturefiles import RGB, opened, refused

from ridecodec.errors import InputError
from ridecodec.files import pnmfile
from ridecodec.picture import ColourType, Picture


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5 3 2 255\n12345", "cut short"),
        (b"P6 40000 40000 255\n12345", "cut short"),
        (b"P5 3 2", "header is not valid"),
        (b"P5 3 -2 255\n", "header is not valid"),
        (b"P5 3 99999999999999 255\n", "header is not valid"),
        (b"P5 # without an end", "header is not valid"),
        (b"P5 0 2 255\n", "no pixels"),
        (b"P5 1 1 3\n\4", "more than 2 bits"),
        (b"P5 1 1 0\n\4", "1-level gray"),
        (b"P2 2 1 15\n1 ", "cut short"),
        (b"P2 2 1 15\n1 16", "a sample of 16, beyond 15"),
        (b"P2 2 1 15\n1 -6", "a sample that is not a number"),
        (b"P1 2 1\n1 2", "beyond 1"),
        (b"P2 1 1 15\n" + b"1" * 2_000_000, "a number of a million digits"),
    ],
)
def test_damaged_pnm(data: bytes, message: str) -> None:
    refused(data, message)


@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 20])
def test_plain_files_are_read_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pnmfile, "_PIECE", piece)
    values = RGB[..., 0]
    text = b"\n".join(b" ".join(b"%d" % value for value in row) + b" # a 7" for row in values[:5])
    found = pnmfile.read(io.BytesIO(b"P2 31 5 255\n" + text), 10**6)
    assert np.array_equal(found.picture.to_numpy(), values[:5])
    assert found.lost == ("its comments",)
    bits = values[:5] % 2
    found = pnmfile.read(io.BytesIO(b"P1 31 5\n" + (bits.astype(np.uint8) + 48).tobytes() + b"\n7"), 10**6)
    assert np.array_equal(found.picture.to_numpy(), 1 - bits)
    assert found.lost == ("the bytes after its end",)
    assert pnmfile.read(io.BytesIO(b"P4 3 1\n\xff"), 9).lost == ("the bits after the last pixel of its rows",)


def npy(samples: np.ndarray = RGB) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, samples)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda data: data[:-1], "does not match the shape"),
        (lambda data: data + b"\0", "does not match the shape"),
        (lambda data: data[:40], "header is damaged"),
        (lambda data: data.replace(b"(23, 31", b"(99999999999, 31"), "header is damaged|pixels that are allowed"),
        (lambda data: data.replace(b"(23, 31, 3), }  ", b"(-23, -31, 3), }"), "is negative"),
        (lambda data: data.replace(b"(23, 31, 3)", b"(23, 0, 31)"), "does not match"),
        (lambda data: data.replace(b"|u1", b"<f4"), "float32"),
        (lambda data: data.replace(b"|u1", b"<u4"), "uint32"),
        (lambda data: data.replace(b"|u1", b"|O8"), "object"),
        (lambda data: data[:6] + b"\7" + data[7:], "header is damaged"),
    ],
)
def test_damaged_npy(content: Callable[[bytes], bytes], message: str) -> None:
    refused(content(npy()), message)


def test_npy_data_that_ends_while_it_is_read() -> None:
    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
            return super().seek(offset, whence) + (100 if whence == io.SEEK_END else 0)

    with pytest.raises(InputError, match="cut short"):
        Picture.open(Shrinking(npy()[:-100]))


@pytest.mark.parametrize("samples", [np.asfortranarray(RGB), RGB.astype(">u2") * 250, RGB[..., :2], RGB[..., :1]])
def test_npy_of_every_layout(samples: np.ndarray) -> None:
    assert np.array_equal(opened(npy(samples)).to_numpy().reshape(samples.shape), samples)


def test_npy_of_bool() -> None:
    bits = RGB[..., 0] > 99
    for array in (bits, bits[..., None]):
        picture = opened(npy(array))
        assert (picture.colour, picture.bit_depth) == (ColourType.GRAY, 1)
        assert np.array_equal(picture.to_numpy(), bits)
    out = io.BytesIO()
    picture.save(out, "npy")
    assert out.getvalue() == npy(bits)
    refused(npy(bits)[:-1] + b"\2", "a bool is more than 1")
