"""The forms of docs/format.md, for the second decoder; plain Python."""

from __future__ import annotations

import lzma
import zlib
from typing import Any

import numpy as np

CUMULATIVE = 64 * (2**24 - 272)


class Part:
    """Reads parts of a tile; ``modelled(member, payload, channels, height, width)`` decodes planes."""

    def __init__(self, reader: Any, height: int, width: int, palette: np.ndarray | None, modelled: Any) -> None:
        self.reader, self.height, self.width = reader, height, width
        self.palette, self.modelled = palette, modelled

    def read(self, channels: int, values: int) -> np.ndarray:
        """int64 [channels, H, W]"""
        form = self.reader.number(1)
        size = 2 if values > 256 else 1
        if form >= 16:
            payload = self.reader.take(self.reader.varint())
            planes = self.modelled(form - 16, payload, channels * (1 + (form == 19)), self.height, self.width)
            return planes[::2] * 256 + planes[1::2] if form == 19 else planes
        if form == 0:
            pixel = [self.reader.number(size) for _ in range(channels)]
            return np.ones((channels, self.height, self.width), int) * np.array(pixel)[:, None, None]
        if form in (1, 2):
            return self.rows(form, channels, values)
        if form == 3:
            table = self.table(channels, size)
            return table[:, self.read(1, table.shape[1])[0]]
        if form == 4:
            table = self.table(1, size)[0]
            return table[self.read(channels, len(table))]
        if form == 5:
            light = self.palette @ [299, 587, 114]
            order = sorted(range(values), key=lambda i: (i >= len(light), light[i] if i < len(light) else 0, i))
            return np.array(order)[self.read(1, values)]
        if form == 6:
            shown = self.read(3, 256)[[1, 0, 2]]
            known = [tuple(colour) for colour in self.palette.tolist()]
            flat = [known.index(tuple(colour)) for colour in shown.reshape(3, -1).T.tolist()]
            return np.array(flat).reshape(1, self.height, self.width)
        if form == 8:
            return self.folded(channels, values)
        assert form == 7, form
        first = self.read(1, values)
        return np.concatenate([first, self.read(channels - 1, values)])

    def folded(self, channels: int, values: int) -> np.ndarray:
        count, wide = self.reader.varint(), self.width >= self.height
        length = -(-max(self.width, self.height) // count)
        size = (count * self.height, length) if wide else (length, count * self.width)
        inner = Part(self.reader, *size, self.palette, self.modelled).read(channels, values)
        strips = np.split(inner, count, axis=1 if wide else 2)
        return np.concatenate(strips, axis=2 if wide else 1)[:, : self.height, : self.width]

    def table(self, channels: int, size: int) -> np.ndarray:
        count = self.reader.varint()
        data = self.reader.take(self.reader.varint())
        if len(data) != channels * count * size:
            data = zlib.decompress(data, -15)
        steps = np.frombuffer(data, "<u2" if size == 2 else np.uint8).reshape(channels, count).astype(int)
        return np.cumsum(steps, 1) % 256**size

    def rows(self, form: int, channels: int, values: int) -> np.ndarray:
        bits = 16 if values > 256 else 8
        if channels == 1:
            bits = next(b for b in (1, 2, 4, 8, 16) if values <= 2**b)
        step = max(1, channels * bits // 8)
        length = -(-self.width * channels * bits // 8)
        kind = self.reader.number(1)
        data = self.reader.take(self.reader.varint())
        if form == 1:
            data = zlib.decompress(data, -15)
        else:
            digits = min(max((self.height * (length + (kind == 5))).bit_length(), 12), 26)
            wanted = {"id": lzma.FILTER_LZMA2, "lc": 3, "lp": 0, "pb": 0, "dict_size": 2**digits}
            data = lzma.decompress(data, lzma.FORMAT_RAW, filters=[wanted])
        above = [0] * length
        lines = []
        for y in range(self.height):
            line = list(data[y * (length + (kind == 5)) :][: length + (kind == 5)])
            above = unfiltered(line.pop(0) if kind == 5 else kind, line, above, step)
            lines.append(above)
        rows = np.array(lines, np.uint8)
        if bits == 16:
            found = rows.view(">u2").astype(int)
        elif bits == 8:
            found = rows.astype(int)
        else:
            single = np.unpackbits(rows, axis=1)[:, : self.width * bits].reshape(self.height, self.width, bits)
            found = single @ (2 ** np.arange(bits)[::-1])
        return found.reshape(self.height, self.width, channels).transpose(2, 0, 1)


def unfiltered(kind: int, line: list[int], above: list[int], step: int) -> list[int]:
    out: list[int] = []
    for i, byte in enumerate(line):
        a, b = out[i - step] if i >= step else 0, above[i]
        c = above[i - step] if i >= step else 0
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        out.append((byte + [0, a, b, (a + b) // 2, nearest][kind]) % 256)
    return out
