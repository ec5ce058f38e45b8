"""gzip from parts that are compressed once: their deflate blocks follow each other in one ordinary gzip member.

Members could be concatenated as well, but not every client reads more than the first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
_POLYNOMIAL = 0xEDB88320
# Repetitive text: higher levels cost twice the time and save little.
_LEVEL = 3


class Segment(NamedTuple):
    """A part of a stream: its deflate blocks, which look back at nothing before them, and what the trailer needs."""

    deflated: bytes
    crc: int
    length: int

    @classmethod
    def of(cls, data: bytes) -> Segment:
        if not data:
            return cls(b"", 0, 0)
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
        return cls(deflated, zlib.crc32(data), len(data))


def trailer(segments: Iterable[Segment]) -> bytes:
    """What ends a stream that is HEADER and the deflated parts of these segments."""
    crc = length = 0
    for segment in segments:
        crc = _multiply(_shift(segment.length), crc) ^ segment.crc if length else segment.crc
        length += segment.length
    return _LAST_BLOCK + struct.pack("<II", crc, length & 0xFFFFFFFF)


def _multiply(a: int, b: int) -> int:
    """Product of two polynomials over GF(2) modulo CRC-32's, in its reflected order."""
    product = 0
    bit = 1 << 31
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


@lru_cache(maxsize=65536)
def _shift(length: int) -> int:
    """x to the power of 8 * length: what that many further bytes do to a checksum."""
    result, square = 1 << 31, 1 << 23
    while length:
        if length & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        length >>= 1
    return result
