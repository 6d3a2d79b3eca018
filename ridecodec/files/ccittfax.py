"""The fax codings of TIFF, ITU-T T.4 and T.6, strictly: the decoders that are at hand go on silently after damage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

RLE, T4, T6, RLE_WORDS = 2, 3, 4, 32771
"""TIFF's compressions."""

_LONGEST = 13
_WHITE = """00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010
101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011
00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 00101100
00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 01011000 01011001
01011010 01011011 01001010 01001011 00110010 00110011 00110100 11011 10010 010111 0110111 00110110 00110111 01100100
01100101 01101000 01100111 011001100 011001101 011010010 011010011 011010100 011010101 011010110 011010111 011011000
011011001 011011010 011011011 010011000 010011001 010011010 011000 010011011"""
_BLACK = """0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000
0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 00000011000
000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 000001101011 000011010010
000011010011 000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 000011011011
000001010100 000001010101 000001010110 000001010111 000001100100 000001100101 000001010010 000001010011 000000100100
000000110111 000000111000 000000100111 000000101000 000001011000 000001011001 000000101011 000000101100 000001011010
000001100110 000001100111 0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101
0000001101100 0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011
0000001110100 0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101
0000001011010 0000001011011 0000001100100 0000001100101"""
_BOTH = """00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110
000000010111 000000011100 000000011101 000000011110 000000011111"""
_PASS, _HORIZONTAL = 10, 11
_MODES = {
    "1": 0,
    "011": 1,
    "000011": 2,
    "0000011": 3,
    "010": -1,
    "000010": -2,
    "0000010": -3,
    "0001": _PASS,
    "001": _HORIZONTAL,
}
"""Of T.6: how far the change of colour lies from the one above, or another mode."""
_EOL_BITS = 12


def decode(data: bytes, rows: int, width: int, compression: int, two_dimensional: bool = False) -> NDArray[np.uint8]:
    """The bits of a strip, uint8 [rows, width], black 1; ``two_dimensional`` is said by T4Options.

    Raises `ValueError` where the strip is damaged or cut short.
    """
    bits = _Bits(data)
    out = np.zeros((rows, width), np.uint8)
    above: list[int] = []
    for row in range(rows):
        if compression == T6:
            above = _row_by_another(bits, above, width)
        elif compression == T4:
            one = _end_of_line(bits) and (not two_dimensional or bits.take(1))
            above = _row(bits, width) if one or not two_dimensional else _row_by_another(bits, above, width)
        else:
            above = _row(bits, width)
            bits.align(16 if compression == RLE_WORDS else 8)
        ends = [*above, width] if len(above) % 2 else above
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            out[row, start:end] = 1
    if compression != T4 and bits.peek(_EOL_BITS) > 1:  # 1: the end of a block of T.6
        raise ValueError("there is data after its last row")
    return out


class _Bits:
    """Reads bits, the highest first; zeros behind the end, which are no code of any run or mode."""

    def __init__(self, data: bytes) -> None:
        self._data, self._length = data, 8 * len(data)
        self._at = 0
        self._window, self._loaded, self._start = 0, 0, 0

    def peek(self, count: int) -> int:
        """The next bits, at most 24, which stay."""
        if self._at + count > self._start + self._loaded:
            first = self._at // 8
            self._window = int.from_bytes(self._data[first : first + 128].ljust(128, b"\0"), "big")
            self._start, self._loaded = 8 * first, 1024
        return self._window >> (self._start + self._loaded - self._at - count) & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        self._at += count
        if self._at > self._length:
            raise ValueError("it is cut short")

    def take(self, count: int) -> int:
        value = self.peek(count)
        self.skip(count)
        return value

    def align(self, unit: int) -> None:
        self._at = min(-(-self._at // unit) * unit, self._length)

    @property
    def left(self) -> int:
        return self._length - self._at


@dataclass(frozen=True)
class _Codes:
    """By the next bits, what they begin with (value, bits), None where that is no code."""

    bits: int
    table: list[tuple[int, int] | None]

    @classmethod
    def of(cls, words: dict[str, int]) -> _Codes:
        longest = max(map(len, words))
        table: list[tuple[int, int] | None] = [None] * (1 << longest)
        for word, value in words.items():
            first, spare = int(word, 2) << (longest - len(word)), longest - len(word)
            table[first : first + (1 << spare)] = [(value, len(word))] * (1 << spare)
        return cls(longest, table)

    def read(self, bits: _Bits) -> int:
        found = self.table[bits.peek(self.bits)]
        if found is None:
            raise ValueError("it has a code that does not exist" if bits.left >= self.bits else "it is cut short")
        bits.skip(found[1])
        return found[0]


@cache
def _codes() -> tuple[_Codes, _Codes, _Codes]:
    """Of white runs, black runs, and modes."""
    lengths = [*range(64), *range(64, 1729, 64)]
    both = dict(zip(_BOTH.split(), range(1792, 2561, 64), strict=True))
    runs = (_Codes.of(dict(zip(words.split(), lengths, strict=True)) | both) for words in (_WHITE, _BLACK))
    return (*runs, _Codes.of(_MODES))  # type: ignore[return-value]  # of two runs


def _run(bits: _Bits, black: bool) -> int:
    codes, length = _codes()[black], 0
    while True:
        part = codes.read(bits)
        length += part
        if part < 64:
            return length


def _row(bits: _Bits, width: int) -> list[int]:
    """Where the colour changes in a row that is coded by itself; it begins white."""
    changes: list[int] = []
    at, black = 0, False
    while at < width:
        at += _run(bits, black)
        changes.append(at)
        black = not black
    if at > width:
        raise ValueError("a row is longer than the width of the picture")
    return _proper(changes, width)


def _row_by_another(bits: _Bits, above: list[int], width: int) -> list[int]:
    """The same of a row that is coded by the changes of the one above."""
    modes = _codes()[2]
    reference = [*above, width, width, width]
    changes: list[int] = []
    at, black, index = -1, False, 0
    while at < width:
        # b1: the first change above, to the right of `at`, to the colour that this row does not have here
        index = max(0, index - 2)
        while reference[index] <= at or (index % 2 == 1) != black:
            if reference[index] >= width:
                break
            index += 1
        b1 = reference[index]
        mode = modes.read(bits)
        if mode == _PASS:
            at = reference[index + 1]
            if b1 >= width:
                raise ValueError("a row is longer than the width of the picture")
            continue
        if mode == _HORIZONTAL:
            first = max(at, 0) + _run(bits, black)
            second = first + _run(bits, not black)
            changes += [first, second]
            at = second
        else:
            if b1 + mode < max(at, 0):
                raise ValueError("a row goes back")
            at = b1 + mode
            changes.append(at)
            black = not black
        if at > width:
            raise ValueError("a row is longer than the width of the picture")
    return _proper(changes, width)


def _proper(changes: list[int], width: int) -> list[int]:
    """Changes inside of the row, each once: runs of no pixels go."""
    found: list[int] = []
    for change in changes:
        if found and found[-1] == change:
            found.pop()
        else:
            found.append(change)
    while found and found[-1] >= width:
        found.pop()
    return found


def _end_of_line(bits: _Bits) -> bool:
    """Go behind the code that begins a line of T.4, and the zeros before it."""
    if bits.peek(11):
        raise ValueError("a row does not begin with its code")
    while bits.peek(_EOL_BITS) != 1:
        bits.skip(1)
    bits.skip(_EOL_BITS)
    return True
