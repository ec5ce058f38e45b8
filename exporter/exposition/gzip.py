"""gzip from parts that are compressed once: their deflate blocks follow each other in one ordinary gzip member.

Members could be concatenated as well, but not every client reads more than the first.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import NamedTuple

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# Repetitive text: higher levels cost twice the time and save little.
LEVEL = 3
_LAST_BLOCK = b"\x03\x00"
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


class Segment(NamedTuple):
    """A part of a stream: its deflate blocks, which look back at nothing before them, the checksum and length of its
    text, and what that many bytes do to the checksum of those before it."""

    deflated: bytes
    crc: int
    length: int
    shift: int

    @classmethod
    def of(cls, data: bytes) -> Segment:
        if not data:
            return cls(b"", 0, 0, _ONE)
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
        return cls(deflated, zlib.crc32(data), len(data), _shift(len(data)))


class Trailer:
    """What ends a stream that is HEADER and the deflated parts of the segments that were added."""

    def __init__(self) -> None:
        self._crc = self._length = 0

    def add(self, segment: Segment) -> None:
        if segment.length:
            self._crc = _multiply(segment.shift, self._crc) ^ segment.crc
            self._length += segment.length

    def __bytes__(self) -> bytes:
        return _LAST_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF)


def _multiply(a: int, b: int) -> int:
    """Product of two polynomials over GF(2) modulo CRC-32's, in its reflected order."""
    product = 0
    bit = _ONE
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


@lru_cache(maxsize=2048)
def _power(digit: int, place: int) -> int:
    """What digit * 256 ** place bytes do to a checksum."""
    if digit == 1:
        return 1 << 23 if place == 0 else _multiply(_power(255, place - 1), _power(1, place - 1))
    half = _power(digit // 2, place)
    double = _multiply(half, half)
    return _multiply(double, _power(1, place)) if digit % 2 else double


def _shift(length: int) -> int:
    """What that many further bytes do to a checksum: they multiply it by this."""
    result = _ONE
    for place, digit in enumerate(length.to_bytes(8, "little")):
        if digit:
            result = _multiply(result, _power(digit, place))
    return result
