"""gzip from parts that are compressed once: their deflate blocks follow each other in one ordinary gzip member.

Members could be concatenated as well, but not every client reads more than the first.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from isal import isal_zlib

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# Level 0 takes two thirds of the time and half as much space again; higher levels save nothing on this text.
_LEVEL = 1
_LAST_BLOCK = b"\x03\x00"


class Segment(NamedTuple):
    """A part of a stream: its deflate blocks, which refer to nothing before them, and the checksum and length of its
    text."""

    deflated: bytes
    crc: int
    length: int

    @classmethod
    def of(cls, data: bytes) -> Segment:
        """Compress a part; in any thread."""
        if not data:
            return cls(b"", 0, 0)
        compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        # A full flush ends on a byte and forgets what came before, so any segment may follow any other.
        deflated = compressor.compress(data) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
        return cls(deflated, isal_zlib.crc32(data), len(data))


class Trailer:
    """What ends a stream that is HEADER and the deflated parts of the segments that were added."""

    def __init__(self) -> None:
        self._crc = self._length = 0

    def add(self, segment: Segment) -> None:
        """Continue the checksum and the length by those of a segment."""
        self._crc = isal_zlib.crc32_combine(self._crc, segment.crc, segment.length)
        self._length += segment.length

    def __bytes__(self) -> bytes:
        return _LAST_BLOCK + struct.pack("<II", self._crc, self._length & 0xFFFFFFFF)
