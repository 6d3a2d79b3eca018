"""The image experts' coefficients as bytes: what a photo tile says of itself before its code.

Bits, most significant first. For every channel and expert set: two bits, 0 default, 1 one vector for all groups, 2 one
for each group. Each vector is four bits k and its coefficients' differences, zigzag, in Rice code: quotient by 2^k in
unary (ones, then a zero), remainder in k bits. The first vector differs from the default (the groups' mean for level
1), each further one from the vector before. All default: no bytes at all.
"""

from __future__ import annotations

import numpy as np

from ridecodec.errors import DamagedError
from ridecodec.exact.ranges import Int64
from ridecodec.models.photo.definition import COEFFICIENT_LIMIT, COEFFICIENT_SUM, GROUPS
from ridecodec.models.photo.image_experts import Coefficients

_MAX_QUOTIENT = 512


def pack(chosen: Coefficients, default: Coefficients) -> bytes:
    """Coefficients to bytes."""
    bits: list[int] = []
    for vectors, base in zip(chosen, default, strict=True):
        for own, usual in zip(vectors, base, strict=True):
            if (own == usual).all():
                _put(bits, 0, 2)
            elif (own == own[0]).all():
                _put(bits, 1, 2)
                _put_vector(bits, own[0] - pooled_default(usual))
            else:
                _put(bits, 2, 2)
                for g in range(GROUPS):
                    _put_vector(bits, own[g] - (own[g - 1] if g else usual[0]))
    return np.packbits(np.array(bits, np.uint8)).tobytes() if any(bits) else b""


def unpack(data: bytes, default: Coefficients) -> Coefficients:
    """Bytes to coefficients; DamagedError where they are no such thing."""
    if not data:
        return default
    reader = _Reader(data)
    result = []
    for base in default:
        vectors = base.copy()
        for s, usual in enumerate(base):
            level = reader.take(2)
            if level == 1:
                vectors[s] = pooled_default(usual) + reader.vector(usual.shape[1])
            elif level == 2:
                before = usual[0]
                for g in range(GROUPS):
                    before = vectors[s, g] = before + reader.vector(usual.shape[1])
            elif level == 3:
                raise DamagedError("a tile's image experts are damaged (unknown level)")
        if np.abs(vectors).max() > COEFFICIENT_LIMIT or np.abs(vectors).sum(-1).max() > COEFFICIENT_SUM:
            raise DamagedError("a tile's image experts are damaged (coefficients out of range)")
        result.append(vectors)
    if reader.at + 7 < len(reader.bits) or any(reader.bits[reader.at :]):
        raise DamagedError("a tile's image experts are damaged (bytes left over)")
    return result


def pooled_default(groups: Int64) -> Int64:
    """The groups' mean, rounded down."""
    return np.asarray(groups.sum(0) // GROUPS, dtype=np.int64)


def _put(bits: list[int], value: int, count: int) -> None:
    bits.extend((value >> i) & 1 for i in reversed(range(count)))


def _put_vector(bits: list[int], difference: Int64) -> None:
    zigzag = [2 * int(d) if d >= 0 else -2 * int(d) - 1 for d in difference]
    k = min(range(4, 12), key=lambda k: sum((z >> k) + 1 + k for z in zigzag))
    _put(bits, k, 4)
    for z in zigzag:
        bits.extend([1] * (z >> k) + [0])
        _put(bits, z & ((1 << k) - 1), k)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.bits: list[int] = np.unpackbits(np.frombuffer(data, np.uint8)).tolist()
        self.at = 0

    def take(self, count: int) -> int:
        if self.at + count > len(self.bits):
            raise DamagedError("a tile's image experts are damaged (cut short)")
        value = 0
        for bit in self.bits[self.at : self.at + count]:
            value = 2 * value + bit
        self.at += count
        return value

    def vector(self, size: int) -> Int64:
        k = self.take(4)
        out = np.empty(size, np.int64)
        for i in range(size):
            quotient = 0
            while self.take(1):
                quotient += 1
                if quotient > _MAX_QUOTIENT:
                    raise DamagedError("a tile's image experts are damaged (a coefficient out of range)")
            z = (quotient << k) + self.take(k)
            out[i] = z // 2 if z % 2 == 0 else -(z + 1) // 2
        return out
