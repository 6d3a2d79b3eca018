"""The pixels of BMP files: rows of bits, channels under masks, and run-length codes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ridecodec.files.bmpheader import RLE4, Header, damaged
from ridecodec.files.pngrows import bands, unpacked
from ridecodec.picture import Samples

_LONGEST_RUN = 255


def indices(stream: BinaryIO, header: Header, start: int) -> tuple[NDArray[np.uint8], int, bool]:
    """The indices [H, W] of rows that begin at ``start``, where they end, and whether their padding is all zeros."""
    samples = np.empty((header.height, header.width), np.uint8)
    stored = _upright(samples, header)
    clean = True
    used = header.width * header.bits
    for band, rows in _bands(stream, header, start):
        stored[band] = unpacked(rows[:, : (used + 7) // 8], stored[band].shape, header.bits)
        clean &= _padded(rows, used)
    return samples, start + header.height * header.stride, clean


def channels(stream: BinaryIO, header: Header, start: int) -> tuple[Samples, int, bool, bool]:
    """The samples [H, W, 3 or 4] under the masks, scaled to 8 or 16 bits; the fourth are alpha.

    Also where they end, whether the padding of rows is all zeros, and whether the bits that no mask covers are.
    """
    masks = header.masks if header.masks[3] else header.masks[:3]
    most = max(mask.bit_count() for mask in masks)
    dtype = np.uint16 if most > 8 else np.uint8
    samples: Samples = np.empty((header.height, header.width, len(masks)), dtype)
    stored = _upright(samples, header)
    rest = (1 << header.bits) - 1 & ~sum(masks)
    clean = covered = True
    for band, rows in _bands(stream, header, start):
        used = header.width * header.bits
        clean &= _padded(rows, used)
        if header.bits == 24:
            stored[band] = rows[:, : used // 8].reshape(-1, header.width, 3)[..., ::-1]
            continue
        words = np.ascontiguousarray(rows[:, : used // 8]).view(f"<u{header.bits // 8}")
        covered &= not rest or not (words & rest).any()
        for number, mask in enumerate(masks):
            stored[band][..., number] = _scaled(words, mask, 8 * samples.itemsize)
    return samples, start + header.height * header.stride, clean, covered


def _scaled(words: NDArray[np.uint16 | np.uint32], mask: int, bits: int) -> Samples:
    """A channel's values in ``bits`` bits, as Pillow scales them: the highest value stays the highest."""
    shift, most = (mask & -mask).bit_length() - 1, (1 << mask.bit_count()) - 1
    values = (words & mask) >> shift
    dtype = np.uint8 if bits == 8 else np.uint16
    if most == (1 << bits) - 1:
        return values.astype(dtype)
    table: Samples = (np.arange(most + 1) * ((1 << bits) - 1) // most).astype(dtype)
    scaled: Samples = table[values]
    return scaled


def run_lengths(data: bytes, header: Header) -> tuple[NDArray[np.uint8], int, bool]:
    """The indices [H, W] of run-length codes, how many bytes they take, and whether every pixel is coded.

    A pixel that is not coded has the index 0.
    """
    if header.width * header.height > _LONGEST_RUN * len(data):
        raise damaged("it claims more pixels than its bytes can hold")
    four = header.compression == RLE4
    width, height = header.width, header.height
    samples = np.zeros((height, width), np.uint8)
    stored = _upright(samples, header)
    x = y = at = coded = 0
    while True:
        if at + 2 > len(data):
            raise damaged("its pixels are cut short")
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            run: NDArray[np.uint8] | int = value
            if four:
                run = np.resize(np.array([value >> 4, value & 15], np.uint8), count)
        elif value == 0:
            x, y = 0, y + 1
            continue
        elif value == 1:
            break
        elif value == 2:
            if at + 2 > len(data):
                raise damaged("its pixels are cut short")
            x, y, at = x + data[at], y + data[at + 1], at + 2
            continue
        else:
            count = value
            length = (count + 1) // 2 if four else count
            held = np.frombuffer(data[at : at + length], np.uint8)
            if len(held) < length:
                raise damaged("its pixels are cut short")
            run = np.stack([held >> 4, held & 15], 1).reshape(-1)[:count] if four else held
            at += length + length % 2
        if y >= height or x + count > width:
            raise damaged("a run of its pixels leaves the picture")
        stored[y, x : x + count] = run
        x, coded = x + count, coded + count
    return samples, min(at, len(data)), coded >= width * height


def _bands(stream: BinaryIO, header: Header, start: int) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """The rows as they are stored, uint8 [h, stride]; the padding of the last one may be missing."""
    stride, used = header.stride, (header.width * header.bits + 7) // 8
    left = stream.seek(0, io.SEEK_END) - start
    if left < (header.height - 1) * stride + used:
        raise damaged("its pixels are cut short")
    stream.seek(start)
    for band in bands(header.height, stride):
        size = (band.stop - band.start) * stride
        yield band, np.frombuffer(stream.read(size).ljust(size, b"\0"), np.uint8).reshape(-1, stride)


def _padded(rows: NDArray[np.uint8], used: int) -> bool:
    """Whether all bits of the rows behind the first ``used`` are 0."""
    begin = used // 8
    rest = used % 8
    return not rows[:, begin + bool(rest) :].any() and not (rest and (rows[:, begin] & (255 >> rest)).any())


def _upright(samples: Samples, header: Header) -> Samples:
    """A view of ``samples`` whose first row is the first of the file."""
    return samples if header.top_down else samples[::-1]
